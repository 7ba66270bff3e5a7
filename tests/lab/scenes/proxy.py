"""A reverse proxy, or a load balancer: hands on whatever comes to PORT to another machine's.

proxy.py PORT MACHINE
"""

import socket
import socketserver
import sys
import threading


def pour(one, other):
    while data := one.recv(65536):
        other.sendall(data)
    other.shutdown(socket.SHUT_WR)


class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        with socket.create_connection((machine, port)) as behind:
            back = threading.Thread(target=pour, args=(behind, self.request))
            back.start()
            pour(self.request, behind)
            back.join()


class Proxy(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


port, machine = int(sys.argv[1]), sys.argv[2]
Proxy(("", port), Connection).serve_forever()
