"""A KDC as lenient as a Windows controller without the fixes of 2020 and 2021, for what Samba's KDC
refuses: it takes requests without a checksum, believes a changed S4U2self ticket, lets every service
delegate to every other, answers key lists, and gives a managed account's successor its keys.

Its answers have the shape of Windows's: one AES-256 ticket-granting key whose version is 2, tickets
with as many bytes of authorization data as a PAC has, ETYPE-INFO2 with AES-256 and RC4. It checks
no password: what is sealed with a wrong one, its asker cannot open.

kdc.py [--rc4] [--weakened FILE] ADDRESS REALM NAME PASSWORD [ACCOUNT=PASSWORD]...

NAME and PASSWORD are the controller's own. An account with a slash before it (`/erin=...`) must not be
delegated, and `krbtgt_NUMBER=...` is a read-only controller's. With --rc4 the domain is as old as
Windows 2003 and seals with RC4 alone. With --weakened, once FILE exists, it lists AES no more for the
accounts that are named in it, as if they had been limited to RC4; for none at all if it is empty, as
with a skeleton key in its memory.
"""

import argparse
import datetime
import hashlib
import pathlib
import socketserver
import struct

from minikerberos.protocol.asn1_structs import (
    AP_REQ,
    AS_REP,
    AS_REQ,
    ETYPE_INFO2,
    KERB_DMSA_KEY_PACKAGE,
    KERB_KEY_LIST_REP,
    KRB_ERROR,
    METHOD_DATA,
    PA_FOR_USER_ENC,
    PA_S4U_X509_USER,
    TGS_REP,
    TGS_REQ,
    Authenticator,
    AuthorizationData,
    EncASRepPart,
    EncTGSRepPart,
    EncTicketPart,
    TicketFlags,
)
from minikerberos.protocol.encryption import Key, _enctype_table, string_to_key

AES256, AES128, RC4 = 18, 17, 23
# padata (RFC 4120 7.5.2, [MS-SFU] 2.2, [MS-KILE] 2.2).
TGS_PROOF, TIMESTAMP, INFO, FOR_USER, X509_USER = 1, 2, 19, 129, 130
KEY_LIST, KEYS, DMSA_KEYS = 161, 162, 171
# Errors (RFC 4120 7.5.9).
UNKNOWN_CLIENT, UNKNOWN_SERVICE, BAD_OPTION, PREAUTHENTICATE = 6, 7, 13, 25
# Key usages (RFC 4120 7.5.1).
IN_TICKET, IN_AS_REPLY, IN_AUTHENTICATOR, IN_REPLY, IN_REPLY_SUBKEY = 2, 3, 7, 8, 9
# As many bytes as the PAC of a person in a few groups has, with its signatures.
PAC_LENGTH = 816
HOURS = datetime.timedelta(hours=1)
# So that all 32 bits are written, as RFC 4120 5.2.8 wants.
TicketFlags._map[31] = "reserved-31"


class Refusal(Exception):
    def __init__(self, code, data=None):
        super().__init__(code)
        self.code = code
        self.data = data


def noise(seed, length):
    """Bytes that stand for what nobody reads, the same for the same seed."""
    return hashlib.shake_128(seed.encode()).digest(length)


def seal(key, usage, data):
    return _enctype_table[key.enctype].encrypt(key, usage, data, None)


def opened(key, usage, data):
    return _enctype_table[key.enctype].decrypt(key, usage, data)


def principal(kind, *names):
    return {"name-type": kind, "name-string": list(names)}


class Kdc:
    def __init__(self, realm, name, secret, accounts, rc4, weakened):
        self.realm = realm
        self.rc4 = rc4
        self.weakened = weakened
        self.own = name.lower() + "$"
        self.passwords = {self.own: secret}
        self.protected = set()
        for account in accounts:
            account, password = account.split("=", 1)
            if account.startswith("/"):
                account = account[1:]
                self.protected.add(account.lower())
            self.passwords[account.lower()] = password
        sealing, length = (RC4, 16) if rc4 else (AES256, 32)
        self.ticket_granting = Key(sealing, noise("krbtgt", length))

    # Keys.

    def types(self, account=None):
        """The encryption types that there are keys of, for a service's tickets or an account's logon."""
        weak = self.rc4
        if account and self.weakened and self.weakened.exists():
            names = self.weakened.read_text().split()
            weak |= not names or account.lower() in names
        return [RC4] if weak else [AES256, AES128, RC4]

    def salt(self, account):
        if account.endswith("$"):
            domain = self.realm.lower()
            return f"{self.realm}host{account[:-1]}.{domain}"
        return self.realm + account

    def key(self, account, etype):
        password = self.passwords.get(account.lower())
        if password is None:
            raise Refusal(UNKNOWN_CLIENT)
        # Windows salts with the name as the directory has it, and all here are lower case.
        return string_to_key(etype, password.encode(), self.salt(account.lower()).encode())

    def service(self, names):
        """The account behind a service's name: a computer or a person by name, or the controller."""
        for candidate in (names[0], names[0] + "$"):
            if len(names) == 1 and candidate.lower() in self.passwords:
                return candidate.lower()
        if len(names) > 1:
            host = names[1].split(".")[0].lower() + "$"
            return host if host in self.passwords else self.own
        raise Refusal(UNKNOWN_SERVICE)

    # Answers.

    def ticket(self, service, key, version, client, session, bits, until):
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        pac = {"ad-type": 128, "ad-data": noise(f"pac of {client}", PAC_LENGTH)}
        inner = AuthorizationData([pac]).dump()
        sealed = EncTicketPart(
            {
                "flags": bits,
                "key": {"keytype": session.enctype, "keyvalue": session.contents},
                "crealm": self.realm,
                "cname": principal(1, client),
                "transited": {"tr-type": 0, "contents": b""},
                "authtime": now,
                "starttime": now,
                "endtime": until,
                "renew-till": now + 168 * HOURS if "renewable" in bits else until,
                "authorization-data": [{"ad-type": 1, "ad-data": inner}],
            }
        )
        part = {"etype": key.enctype, "kvno": version}
        part["cipher"] = seal(key, IN_TICKET, sealed.dump())
        return {"tkt-vno": 5, "realm": self.realm, "sname": service, "enc-part": part}

    def reply(self, kind, part, client, service, ticket, session, bits, until, nonce, key, usage, **more):
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        inner = {
            "key": {"keytype": session.enctype, "keyvalue": session.contents},
            "last-req": [{"lr-type": 0, "lr-value": now}],
            "nonce": nonce,
            "flags": bits,
            "authtime": now,
            "starttime": now,
            "endtime": until,
            "renew-till": now + 168 * HOURS if "renewable" in bits else until,
            "srealm": self.realm,
            "sname": service,
        }
        if "sealed_padata" in more:
            inner["encrypted-pa-data"] = more["sealed_padata"]
        answer = {
            "pvno": 5,
            "msg-type": 11 if kind is AS_REP else 13,
            "crealm": self.realm,
            "cname": principal(1, client),
            "ticket": ticket,
            "enc-part": {"etype": key.enctype, "cipher": seal(key, usage, part(inner).dump())},
        }
        if "padata" in more:
            answer["padata"] = more["padata"]
        return kind(answer).dump()

    def logon(self, request):
        body = request["req-body"].native
        client = body["cname"]["name-string"][0]
        offered = [int(etype) for etype in request["req-body"]["etype"]]
        etype = next(etype for etype in offered if etype in self.types(client))
        key = self.key(client, etype)
        entries = [{"etype": RC4}]
        if AES256 in self.types(client):
            entries.insert(0, {"etype": AES256, "salt": self.salt(client.lower())})
        info = {"padata-type": INFO, "padata-value": ETYPE_INFO2(entries).dump()}
        asked = [int(one["padata-type"]) for one in request["padata"] or []]
        if TIMESTAMP not in asked:
            others = [{"padata-type": kind, "padata-value": b""} for kind in (TIMESTAMP, 16, 15)]
            raise Refusal(PREAUTHENTICATE, METHOD_DATA([info, *others]).dump())
        session = Key(etype, noise(f"session of {client} {body['nonce']}", 16 if etype == RC4 else 32))
        until = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + 10 * HOURS
        bits = {"forwardable", "initial", "pre-authent"}
        if "renewable" in request["req-body"]["kdc-options"].native:
            bits.add("renewable")
        service = principal(2, "krbtgt", self.realm)
        ticket = self.ticket(service, self.ticket_granting, 2, client, session, bits, until)
        return self.reply(
            AS_REP, EncASRepPart, client, service, ticket, session, bits, until, body["nonce"],
            key, IN_AS_REPLY, padata=[info],
        )  # fmt: skip

    def sealing_key(self, part):
        """With which key a shown ticket-granting ticket is sealed: ours, or a read-only one's."""
        number = (part["kvno"].native or 0) >> 16
        return self.key(f"krbtgt_{number}", AES256) if number else self.ticket_granting

    def further(self, request):
        body = request["req-body"]
        padata = {int(one["padata-type"]): one["padata-value"].native for one in request["padata"]}
        shown = AP_REQ.load(padata[TGS_PROOF])
        sealed = shown["ticket"]["enc-part"]
        granting = opened(self.sealing_key(sealed), IN_TICKET, sealed["cipher"].native)
        granting = EncTicketPart.load(granting).native
        session = Key(granting["key"]["keytype"], granting["key"]["keyvalue"])
        proof = opened(session, IN_AUTHENTICATOR, shown["authenticator"]["cipher"].native)
        subkey = Authenticator.load(proof).native["subkey"]
        reply_key, usage = session, IN_REPLY
        if subkey:
            reply_key, usage = Key(subkey["keytype"], subkey["keyvalue"]), IN_REPLY_SUBKEY
        client, bits, more = self.client(granting["cname"]["name-string"][0], body, padata)
        service = body["sname"].native
        names = service["name-string"]
        offered = [int(etype) for etype in body["etype"]]
        best = next(etype for etype in self.types() if etype in offered)
        if names[0].lower() == "krbtgt":
            key, version = self.ticket_granting, 2
            more |= self.keys_too(client, padata)
        else:
            key, version = self.key(self.service(names), best), 3
        nonce, until = body["nonce"].native, granting["endtime"]
        inner = Key(best, noise(f"session for {names} {nonce}", 32 if best == AES256 else 16))
        ticket = self.ticket(service, key, version, client, inner, bits, until)
        return self.reply(
            TGS_REP, EncTGSRepPart, client, service, ticket, inner, bits, until, nonce, reply_key,
            usage, **more,
        )  # fmt: skip

    def client(self, asker, body, padata):
        """In whose name the ticket will be, with which flags, and what is said beside it ([MS-SFU])."""
        client, bits, more = asker, {"forwardable", "renewable", "pre-authent"}, {}
        if FOR_USER in padata:
            client = PA_FOR_USER_ENC.load(padata[FOR_USER]).native["userName"]["name-string"][0]
        elif X509_USER in padata:
            user = PA_S4U_X509_USER.load(padata[X509_USER]).native["user-id"]
            client = user["cname"]["name-string"][0]
            more["padata"] = [{"padata-type": X509_USER, "padata-value": padata[X509_USER]}]
        if client != asker and client.lower() not in self.passwords:
            raise Refusal(UNKNOWN_CLIENT)
        if client != asker and client.lower() in self.protected:
            bits.discard("forwardable")
        if "constrained-delegation" in body["kdc-options"].native:
            shown = body["additional-tickets"][0]
            sealed = shown["enc-part"]
            account = self.service(shown["sname"].native["name-string"])
            key = self.key(account, sealed["etype"].native)
            user = EncTicketPart.load(opened(key, IN_TICKET, sealed["cipher"].native)).native
            if "forwardable" not in user["flags"]:
                raise Refusal(BAD_OPTION)
            client = user["cname"]["name-string"][0]
        return client, bits, more

    def keys_too(self, client, padata):
        """The long-term keys that some are given with a ticket-granting ticket ([MS-KILE] 2.2.12, 2.2.14)."""
        if KEY_LIST in padata:
            secret = self.key(client, RC4)
            listed = KERB_KEY_LIST_REP([{"keytype": RC4, "keyvalue": secret.contents}])
            return {"sealed_padata": [{"padata-type": KEYS, "padata-value": listed.dump()}]}
        if X509_USER in padata:
            now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
            keys = [{"keytype": AES256, "keyvalue": self.key(client, AES256).contents}]
            package = KERB_DMSA_KEY_PACKAGE(
                {
                    "current-keys": keys,
                    "previous-keys": keys,
                    "expiration-interval": now + 168 * HOURS,
                    "fetch-interval": now + 160 * HOURS,
                }
            )
            return {"sealed_padata": [{"padata-type": DMSA_KEYS, "padata-value": package.dump()}]}
        return {}

    def answer(self, message):
        first = message[0]
        request = AS_REQ.load(message) if first == 0x6A else TGS_REQ.load(message)
        try:
            return self.logon(request) if first == 0x6A else self.further(request)
        except Refusal as refusal:
            now = datetime.datetime.now(datetime.timezone.utc)
            error = {
                "pvno": 5,
                "msg-type": 30,
                "stime": now.replace(microsecond=0),
                "susec": now.microsecond,
                "error-code": refusal.code,
                "realm": self.realm,
                "sname": request["req-body"]["sname"].native,
            }
            if refusal.data:
                error["e-data"] = refusal.data
            return KRB_ERROR(error).dump()


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        while head := self.rfile.read(4):
            answer = self.server.kdc.answer(self.rfile.read(*struct.unpack(">I", head)))
            self.wfile.write(struct.pack(">I", len(answer)) + answer)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--rc4", action="store_true")
    words.add_argument("--weakened", type=pathlib.Path)
    words.add_argument("address")
    words.add_argument("realm")
    words.add_argument("name")
    words.add_argument("secret")
    words.add_argument("accounts", nargs="*")
    told = words.parse_args()
    with Server((told.address, 88), Connection) as server:
        server.kdc = Kdc(told.realm, told.name, told.secret, told.accounts, told.rc4, told.weakened)
        server.serve_forever()


main()
