"""Asks a controller for one account with its secrets: DRSGetNCChanges, EXOP_REPL_OBJ.

pull.py SERVER ACCOUNT kerberos|ntlm USER PASSWORD
"""

import sys

from samba.credentials import DONT_USE_KERBEROS, MUST_USE_KERBEROS, Credentials
from samba.dcerpc import drsuapi, misc
from samba.drs_utils import drsuapi_connect
from samba.param import LoadParm

server, account, mechanism, user, password = sys.argv[1:]

configuration = LoadParm()
configuration.load_default()
credentials = Credentials()
credentials.guess(configuration)
credentials.set_username(user)
credentials.set_password(password)
credentials.set_kerberos_state(
    MUST_USE_KERBEROS if mechanism == "kerberos" else DONT_USE_KERBEROS
)

connection, handle, _ = drsuapi_connect(server, configuration, credentials)

base = ",".join("DC=" + label for label in configuration.get("realm").lower().split("."))
target = drsuapi.DsReplicaObjectIdentifier()
target.dn = f"CN={account},CN=Users,{base}"

request = drsuapi.DsGetNCChangesRequest8()
request.destination_dsa_guid = misc.GUID("9e3b0d5c-0000-4000-8000-000000000066")
request.source_dsa_invocation_id = misc.GUID()
request.naming_context = target
request.highwatermark = drsuapi.DsReplicaHighWaterMark()
request.replica_flags = drsuapi.DRSUAPI_DRS_INIT_SYNC | drsuapi.DRSUAPI_DRS_WRIT_REP
request.max_object_count = 1
request.extended_op = drsuapi.DRSUAPI_EXOP_REPL_OBJ
request.mapping_ctr = drsuapi.DsReplicaOIDMapping_Ctr()

_, reply = connection.DsGetNCChanges(handle, 8, request)
found = reply.first_object.object
print(found.identifier.dn, found.attribute_ctr.num_attributes, "attributes")
