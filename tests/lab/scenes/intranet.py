"""A web server on a controller that asks who you are: NTLM or Negotiate (RFC 4559), by Samba's own
security library. intranet.py PORT
"""

import base64
import http.server
import sys

from samba import gensec
from samba.auth import AuthContext
from samba.credentials import Credentials
from samba.param import LoadParm

configuration = LoadParm()
configuration.load_default()
machine = Credentials()
machine.guess(configuration)
machine.set_machine_account(configuration)

MECHANISMS = {"NTLM": "ntlmssp", "Negotiate": "spnego"}


class Visit(http.server.BaseHTTPRequestHandler):
    """One connection: its security context lives as long as it does."""

    protocol_version = "HTTP/1.1"
    security = None
    visitor = None

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if self.visitor is None and scheme in MECHANISMS:
            self.step(scheme, base64.b64decode(token))
        elif self.visitor is None:
            self.refuse(list(MECHANISMS))
        else:
            self.welcome()

    do_POST = do_GET

    def step(self, scheme, token):
        if self.security is None:
            settings = {"lp_ctx": configuration, "target_hostname": "dc1"}
            context = AuthContext(lp_ctx=configuration)
            self.security = gensec.Security.start_server(settings, context)
            self.security.set_credentials(machine)
            self.security.start_mech_by_name(MECHANISMS[scheme])
        try:
            finished, answer = self.security.update(token)
        except Exception:
            self.security = None
            self.refuse(list(MECHANISMS))
            return
        answer = f"{scheme} {base64.b64encode(answer).decode()}"
        if finished:
            self.visitor = self.security.session_info().info.account_name
            self.welcome(answer)
        else:
            self.refuse([answer])

    def refuse(self, challenges):
        self.answer(401, "Who are you?\n", challenges)

    def welcome(self, *final):
        self.answer(200, f"Welcome, {self.visitor}\n", [a for a in final if a.split(" ")[1]])

    def answer(self, status, text, challenges):
        self.send_response(status)
        for challenge in challenges:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


http.server.HTTPServer(("", int(sys.argv[1])), Visit).serve_forever()
