"""The clock of the domain: SNTP with Microsoft's authenticator ([MS-SNTP] 2.2.1). The server has
Samba sign its answers, as ntpd and chrony do, with the key of the account whose RID asks.

clock.py serve
clock.py ask SERVER [RID]
"""

import socket
import struct
import sys
import time

SINCE_1900 = 2_208_988_800
# Where Samba listens for packets to sign, and how it says that it has (its ntp_signd protocol).
SIGNER = "/var/lib/samba/ntp_signd/socket"
SIGNED = 3


def stamp():
    now = time.time() + SINCE_1900
    return struct.pack(">II", int(now), int(now % 1 * 2**32))


def exactly(connection, length):
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise ConnectionError("the signer has hung up")
        data += part
    return data


def sign(packet, key):
    request = struct.pack(">III", 0, 0, 0) + key + packet
    with socket.socket(socket.AF_UNIX) as signer:
        signer.connect(SIGNER)
        signer.sendall(struct.pack(">I", len(request)) + request)
        (length,) = struct.unpack(">I", exactly(signer, 4))
        answer = exactly(signer, length)
    _, operation, _ = struct.unpack(">III", answer[:12])
    return answer[12:] if operation == SIGNED else None


def serve():
    clock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    clock.bind(("", 123))
    while True:
        question, client = clock.recvfrom(200)
        version = question[0] & 0o70
        # Mode 4 (server), stratum 1, the machine's own clock (RFC 5905 7.3).
        header = struct.pack(">BBbbII4s", version | 4, 1, 6, -20, 0, 0, b"LOCL")
        packet = header + stamp() + question[40:48] + stamp() + stamp()
        if len(question) == 68:
            try:
                packet = sign(packet, question[48:52])
            except ConnectionError:
                # So Samba takes leave of who asks for an account that there is not.
                packet = None
        if packet:
            clock.sendto(packet, client)


def ask(server, rid=None):
    # Version 3, mode 3 (client), as w32time; the key's number alone, no checksum yet.
    question = struct.pack(">B39x", 0o33) + stamp()
    if rid:
        question += struct.pack("<I16x", int(rid))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(3)
        client.sendto(question, (server, 123))
        answer = client.recv(200)
    if len(answer) != len(question) or (rid and not any(answer[52:])):
        sys.exit("the answer is not signed")


{"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
