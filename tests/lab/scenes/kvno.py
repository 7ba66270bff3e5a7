"""Sets the key version in a forged ticket: `kvno.py CACHE VERSION`.

ticketer writes 2 whatever the key's version is, and a controller that has another one refuses the
ticket for that alone.
"""

import sys

# `etype` [0] and `kvno` [1] of the ticket's EncryptedData (RFC 4120 5.2.9), in DER.
WRITTEN = bytes.fromhex("a003020112a103020102")

cache, version = sys.argv[1], int(sys.argv[2])
with open(cache, "rb") as file:
    content = file.read()
if WRITTEN not in content:
    sys.exit(f"{cache}: no ticket of version 2 in it")
with open(cache, "wb") as file:
    file.write(content.replace(WRITTEN, WRITTEN[:-1] + bytes([version])))
