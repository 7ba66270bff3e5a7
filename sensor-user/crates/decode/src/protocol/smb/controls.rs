//! Control codes by their names.

use std::borrow::Cow;

/// Asks where a path of the distributed file system lies ([MS-DFSC] 2.2.2).
pub(crate) const DFS_GET_REFERRALS: u32 = 0x0006_0194;
/// The same, with the site of who asks ([MS-DFSC] 2.2.3).
pub(crate) const DFS_GET_REFERRALS_EX: u32 = 0x0006_01b0;

/// The codes of [MS-SMB2] 2.2.31 and those of [MS-FSCC] 2.3 that travel.
const NAMES: &[(u32, &str)] = &[
    (DFS_GET_REFERRALS, "FSCTL_DFS_GET_REFERRALS"),
    (DFS_GET_REFERRALS_EX, "FSCTL_DFS_GET_REFERRALS_EX"),
    (0x0009_0000, "FSCTL_REQUEST_OPLOCK_LEVEL_1"),
    (0x0009_003c, "FSCTL_GET_COMPRESSION"),
    (0x0009_0060, "FSCTL_IS_PATHNAME_VALID"),
    (0x0009_009c, "FSCTL_GET_OBJECT_ID"),
    (0x0009_00a4, "FSCTL_SET_REPARSE_POINT"),
    (0x0009_00a8, "FSCTL_GET_REPARSE_POINT"),
    (0x0009_00ac, "FSCTL_DELETE_REPARSE_POINT"),
    (0x0009_00c0, "FSCTL_CREATE_OR_GET_OBJECT_ID"),
    (0x0009_00c4, "FSCTL_SET_SPARSE"),
    (0x0009_0284, "FSCTL_QUERY_FILE_REGIONS"),
    (0x0009_8208, "FSCTL_FILE_LEVEL_TRIM"),
    (0x0009_8344, "FSCTL_DUPLICATE_EXTENTS_TO_FILE"),
    (0x0009_40cf, "FSCTL_QUERY_ALLOCATED_RANGES"),
    (0x0009_80c8, "FSCTL_SET_ZERO_DATA"),
    (0x0009_c040, "FSCTL_SET_COMPRESSION"),
    (0x0011_400c, "FSCTL_PIPE_PEEK"),
    (0x0011_0018, "FSCTL_PIPE_WAIT"),
    (0x0014_0078, "FSCTL_SRV_REQUEST_RESUME_KEY"),
    (0x0014_01bb, "FSCTL_SRV_READ_HASH"),
    (0x0014_01d4, "FSCTL_LMR_REQUEST_RESILIENCY"),
    (0x0014_01fc, "FSCTL_QUERY_NETWORK_INTERFACE_INFO"),
    (0x0014_0204, "FSCTL_VALIDATE_NEGOTIATE_INFO"),
    (0x0014_4064, "FSCTL_SRV_ENUMERATE_SNAPSHOTS"),
    (0x0014_40f2, "FSCTL_SRV_COPYCHUNK"),
    (0x0014_80f2, "FSCTL_SRV_COPYCHUNK_WRITE"),
];

/// The code's name, where known.
pub(crate) fn control_name(code: u32) -> Option<Cow<'static, str>> {
    let (_, name) = NAMES.iter().find(|(known, _)| *known == code)?;
    Some((*name).into())
}
