"""A logon with a key of one's own (PKINIT, RFC 4556): the request as PKINITtools makes it, with a
certificate as pywhisker makes it. It asks, and tells how the controller answered.

keytrust.py CONTROLLER REALM ACCOUNT
"""

import datetime
import hashlib
import secrets
import socket
import struct
import sys

from asn1crypto import cms, core, keys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dh, padding, rsa
from cryptography.x509.oid import NameOID
from minikerberos.protocol.asn1_structs import (
    AS_REQ,
    KDC_REQ_BODY,
    KDCOptions,
    KRB_ERROR,
    PrincipalName,
)
from minikerberos.protocol.rfc4556 import PA_PK_AS_REQ, AuthPack, PKAuthenticator

PK_AUTH_DATA = "1.3.6.1.5.2.3.1"
PA_PK_AS_REQ_TYPE = 16
# The first byte of a KRB-ERROR (RFC 4120 5.9.1).
ERROR = 0x7E
FORTY_YEARS = datetime.timedelta(days=40 * 365)
# RFC 2409 6.2, the second Oakley group.
PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E34"
    "04DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6"
    "F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
    16,
)


def certificate(account, key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, account)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - FORTY_YEARS).not_valid_after(now + FORTY_YEARS)
    made = builder.sign(key, hashes.SHA256())
    return cms.Certificate.load(made.public_bytes(serialization.Encoding.DER))


def signed(data, key, shown):
    """CMS (RFC 5652) around `data`, with the signer's certificate."""
    attributes = cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": [PK_AUTH_DATA]}),
            cms.CMSAttribute(
                {"type": "message_digest", "values": [hashlib.sha1(data).digest()]}
            ),
        ]
    )
    signature = key.sign(attributes.dump(), padding.PKCS1v15(), hashes.SHA1())
    signer = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                {
                    "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                        {"issuer": shown.issuer, "serial_number": shown.serial_number}
                    )
                }
            ),
            "digest_algorithm": {"algorithm": "sha1"},
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": "rsassa_pkcs1v15"},
            "signature": signature,
        }
    )
    content = cms.EncapsulatedContentInfo({"content_type": PK_AUTH_DATA, "content": data})
    whole = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha1"}],
            "encap_content_info": content,
            "certificates": [shown],
            "signer_infos": [signer],
        }
    )
    return cms.ContentInfo({"content_type": "signed_data", "content": whole}).dump()


def request(realm, account):
    now = datetime.datetime.now(datetime.timezone.utc)
    tomorrow = (now + datetime.timedelta(days=1)).replace(microsecond=0)
    body = KDC_REQ_BODY(
        {
            "kdc-options": KDCOptions({"forwardable", "renewable", "proxiable", "canonicalize"}),
            "cname": PrincipalName({"name-type": 1, "name-string": [account]}),
            "realm": realm,
            "sname": PrincipalName({"name-type": 2, "name-string": ["krbtgt", realm]}),
            "till": tomorrow,
            "rtime": tomorrow,
            "nonce": secrets.randbits(31),
            "etype": [18, 17],
        }
    )
    authenticator = PKAuthenticator(
        {
            "cusec": now.microsecond,
            "ctime": now.replace(microsecond=0),
            "nonce": secrets.randbits(31),
            "paChecksum": hashlib.sha1(body.dump()).digest(),
        }
    )
    group = dh.DHParameterNumbers(PRIME, 2).parameters()
    half = group.generate_private_key().public_key().public_numbers().y
    algorithm = keys.PublicKeyAlgorithm(
        {
            "algorithm": "1.2.840.10046.2.1",
            "parameters": keys.DomainParameters({"p": PRIME, "g": 2, "q": 0}),
        }
    )
    public = keys.PublicKeyInfo({"algorithm": algorithm, "public_key": core.Integer(half)})
    pack = AuthPack({"pkAuthenticator": authenticator, "clientPublicValue": public})
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    proof = PA_PK_AS_REQ({"signedAuthPack": signed(pack.dump(), key, certificate(account, key))})
    padata = {"padata-type": PA_PK_AS_REQ_TYPE, "padata-value": proof.dump()}
    return AS_REQ({"pvno": 5, "msg-type": 10, "padata": [padata], "req-body": body}).dump()


def exactly(connection, length):
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise ConnectionError("the controller has hung up")
        data += part
    return data


controller, realm, account = sys.argv[1:]
message = request(realm, account)
with socket.create_connection((controller, 88), timeout=10) as connection:
    connection.sendall(struct.pack(">I", len(message)) + message)
    (length,) = struct.unpack(">I", exactly(connection, 4))
    answer = exactly(connection, length)
if answer[0] == ERROR:
    print("refused:", KRB_ERROR.load(answer).native["error-code"])
else:
    print("a ticket")
