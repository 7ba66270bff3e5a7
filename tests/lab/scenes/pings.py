"""Names tried with pings over UDP ([MS-ADTS] 6.3.3): a search of the root for `Netlogon` with the name
in its filter; the answer tells whether the controller knows it.

pings.py SERVER NAME..
"""

import socket
import struct
import sys

KNOWN = (19, 23)


def tlv(tag, *parts):
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    return bytes([tag, 0x82]) + struct.pack(">H", len(content)) + content


def equal(attribute, value):
    return tlv(0xA3, tlv(0x04, attribute), tlv(0x04, value))


def ping(number, name):
    # RFC 4511 4.5.1; no particular class of account, version 5 with the extended answer.
    wanted = tlv(
        0xA0,
        equal(b"NtVer", b"\x06\0\0\0"),
        equal(b"AAC", b"\x10\0\0\0"),
        equal(b"User", name.encode()),
    )
    nothing = tlv(0x0A, b"\0") * 2 + tlv(0x02, b"\0") * 2 + tlv(0x01, b"\0")
    search = tlv(0x63, tlv(0x04), nothing, wanted, tlv(0x30, tlv(0x04, b"Netlogon")))
    return tlv(0x30, tlv(0x02, struct.pack(">H", number)), search)


server, *names = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.settimeout(3)
    client.connect((server, 389))
    for number, name in enumerate(names, start=256):
        client.send(ping(number, name))
        answer = client.recv(2000)
        value = answer.lower().index(b"netlogon") + len("netlogon")
        # Behind the attribute's name: a set of one value, both with lengths in one to five bytes.
        for _ in range(2):
            long = answer[value + 1] & 0x80
            value += 2 + (answer[value + 1] & 0x7F if long else 0)
        (opcode,) = struct.unpack_from("<H", answer, value)
        if opcode in KNOWN:
            print("found", name)
