"""Asks a KDC as Windows asks: its encryption types, its date in 2037, its options.

windows.py CONTROLLER REALM cloud-trust NUMBER PASSWORD ACCOUNT
    a ticket made with a read-only controller's key (by Entra ID, for somebody who logs on with
    Windows Hello) is exchanged for a full one, with the account's key (KERB-KEY-LIST-REQ)
windows.py CONTROLLER REALM managed MACHINE PASSWORD ACCOUNT
    a machine logs on and asks for the ticket of a managed account that its services run under
"""

import datetime
import secrets
import socket
import struct
import sys

from asn1crypto import core
from minikerberos.protocol.asn1_structs import (
    AP_REQ,
    AS_REP,
    AS_REQ,
    ETYPE_INFO2,
    KERB_KEY_LIST_REQ,
    KRB_ERROR,
    METHOD_DATA,
    PA_ENC_TS_ENC,
    PA_PAC_OPTIONS,
    PA_PAC_REQUEST,
    PA_S4U_X509_USER,
    TGS_REP,
    TGS_REQ,
    Authenticator,
    EncASRepPart,
    EncryptedData,
    EncTicketPart,
    S4UUserID,
    TicketFlags,
)
from minikerberos.protocol.encryption import (
    Key,
    _enctype_table,
    _SHA1AES256,
    string_to_key,
)

ETYPES = [18, 17, 23, 24, -135, 3]
UNTIL = datetime.datetime(2037, 9, 13, 2, 48, 5, tzinfo=datetime.timezone.utc)
AES256 = 18
# All 32 bits are to be written (RFC 4120 5.2.8).
TicketFlags._map[31] = "reserved-31"
S4UUserID._fields[4] = ("options", core.BitString, {"tag_type": "explicit", "tag": 4})
# SIGN_REPLY and UNCONDITIONAL_DELEGATION ([MS-SFU] 2.2.2).
MANAGED = tuple(int(bit in (2, 4)) for bit in range(32))


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def seal(key, usage, data):
    return _enctype_table[key.enctype].encrypt(key, usage, data, None)


def opened(key, usage, data):
    return _enctype_table[key.enctype].decrypt(key, usage, data)


def padata(kind, value):
    return {"padata-type": kind, "padata-value": value.dump()}


def exchange(controller, message):
    with socket.create_connection((controller, 88), timeout=10) as connection:
        connection.sendall(struct.pack(">I", len(message)) + message)
        stream = connection.makefile("rb")
        return stream.read(*struct.unpack(">I", stream.read(4)))


def body(realm, service, options):
    return {
        "kdc-options": options,
        "realm": realm,
        "sname": {"name-type": 2, "name-string": service},
        "till": UNTIL,
        "nonce": secrets.randbits(31),
        "etype": ETYPES,
    }


def logon(controller, realm, account, password):
    """A ticket-granting ticket and its session key."""
    name = {"name-type": 1, "name-string": [account]}
    asked = body(realm, ["krbtgt", realm], {"forwardable", "renewable", "canonicalize", "renewable-ok"})
    asked |= {"cname": name, "rtime": UNTIL}
    asked["addresses"] = [{"addr-type": 20, "address": account.rstrip("$").upper().ljust(16).encode()}]
    wish = padata(128, PA_PAC_REQUEST({"include-pac": True}))
    request = {"pvno": 5, "msg-type": 10, "padata": [wish], "req-body": asked}
    error = KRB_ERROR.load(exchange(controller, AS_REQ(request).dump()))
    hints = METHOD_DATA.load(error["e-data"].native)
    salt = next(
        ETYPE_INFO2.load(hint["padata-value"].native)[0]["salt"].native
        for hint in hints
        if int(hint["padata-type"]) == 19
    )
    key = string_to_key(AES256, password.encode(), salt.encode())
    stamp = now()
    proof = PA_ENC_TS_ENC({"patimestamp": stamp.replace(microsecond=0), "pausec": stamp.microsecond})
    sealed = EncryptedData({"etype": AES256, "cipher": seal(key, 1, proof.dump())})
    request["padata"] = [padata(2, sealed), wish]
    answer = AS_REP.load(exchange(controller, AS_REQ(request).dump()))
    session = EncASRepPart.load(opened(key, 3, answer["enc-part"]["cipher"].native)).native["key"]
    return answer["ticket"], Key(session["keytype"], session["keyvalue"])


def further(controller, realm, account, ticket, session, service, *more):
    stamp = now()
    proof = Authenticator(
        {
            "authenticator-vno": 5,
            "crealm": realm,
            "cname": {"name-type": 1, "name-string": [account]},
            "cusec": stamp.microsecond,
            "ctime": stamp.replace(microsecond=0),
        }
    )
    shown = AP_REQ(
        {
            "pvno": 5,
            "msg-type": 14,
            "ap-options": set(),
            "ticket": ticket,
            "authenticator": {"etype": session.enctype, "cipher": seal(session, 7, proof.dump())},
        }
    )
    options = PA_PAC_OPTIONS({"value": {"claims", "branch aware"}})
    asked = body(realm, service, {"forwardable", "renewable", "canonicalize"})
    request = {"pvno": 5, "msg-type": 12, "req-body": asked}
    request["padata"] = [padata(1, shown), padata(167, options), *more]
    return TGS_REP.load(exchange(controller, TGS_REQ(request).dump()))


def cloud_trust(controller, realm, number, password, account):
    key = string_to_key(AES256, password.encode(), f"{realm}krbtgt_{number}".encode())
    session = Key(AES256, secrets.token_bytes(32))
    stamp = now().replace(microsecond=0)
    later = stamp + datetime.timedelta(hours=10)
    inner = EncTicketPart(
        {
            "flags": {"forwardable", "renewable", "initial", "pre-authent", "enc-pa-rep"},
            "key": {"keytype": AES256, "keyvalue": session.contents},
            "crealm": realm,
            "cname": {"name-type": 1, "name-string": [account]},
            "transited": {"tr-type": 0, "contents": b""},
            "authtime": stamp,
            "starttime": stamp,
            "endtime": later,
            "renew-till": later,
        }
    )
    granting = ["krbtgt", realm]
    part = {"etype": AES256, "kvno": int(number) << 16, "cipher": seal(key, 2, inner.dump())}
    name = {"name-type": 2, "name-string": granting}
    partial = {"tkt-vno": 5, "realm": realm, "sname": name, "enc-part": part}
    wanted = padata(161, KERB_KEY_LIST_REQ([23]))
    return further(controller, realm, account, partial, session, granting, wanted)


def managed(controller, realm, machine, password, account):
    ticket, session = logon(controller, realm, machine, password)
    whose = S4UUserID(
        {
            "nonce": secrets.randbits(31),
            "cname": {"name-type": 1, "name-string": [account]},
            "crealm": realm,
            "options": MANAGED,
        }
    )
    checksum = {"cksumtype": 16, "checksum": _SHA1AES256.checksum(session, 26, whose.dump())}
    user = padata(130, PA_S4U_X509_USER({"user-id": whose, "checksum": checksum}))
    return further(controller, realm, machine, ticket, session, ["krbtgt", realm], user)


controller, realm, deed, *words = sys.argv[1:]
answer = {"cloud-trust": cloud_trust, "managed": managed}[deed](controller, realm, *words)
print("a ticket for", answer["cname"].native["name-string"][0])
