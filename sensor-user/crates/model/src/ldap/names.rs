//! The numbers and OIDs that detections read, by their names.

/// Result codes (RFC 4511 appendix A.1).
pub mod result_code {
    /// `success`
    pub const SUCCESS: u32 = 0;
    /// `timeLimitExceeded`
    pub const TIME_LIMIT_EXCEEDED: u32 = 3;
    /// `sizeLimitExceeded`: there are more objects than were returned.
    pub const SIZE_LIMIT_EXCEEDED: u32 = 4;
    /// `compareFalse`
    pub const COMPARE_FALSE: u32 = 5;
    /// `compareTrue`
    pub const COMPARE_TRUE: u32 = 6;
    /// `strongerAuthRequired`: the server wants a signed connection.
    pub const STRONGER_AUTH_REQUIRED: u32 = 8;
    /// `referral`
    pub const REFERRAL: u32 = 10;
    /// `adminLimitExceeded`
    pub const ADMIN_LIMIT_EXCEEDED: u32 = 11;
    /// `saslBindInProgress`: the bind goes on.
    pub const SASL_BIND_IN_PROGRESS: u32 = 14;
    /// `noSuchObject`
    pub const NO_SUCH_OBJECT: u32 = 32;
    /// `inappropriateAuthentication`
    pub const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
    /// `invalidCredentials`
    pub const INVALID_CREDENTIALS: u32 = 49;
    /// `insufficientAccessRights`
    pub const INSUFFICIENT_ACCESS_RIGHTS: u32 = 50;
    /// `unwillingToPerform`
    pub const UNWILLING_TO_PERFORM: u32 = 53;
}

/// Controls ([MS-ADTS] 3.1.1.3.4.1).
pub mod control {
    /// `LDAP_PAGED_RESULT_OID_STRING` (RFC 2696).
    pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
    /// `LDAP_SERVER_SHOW_DELETED_OID`
    pub const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
    /// `LDAP_SERVER_NOTIFICATION_OID`: the search goes on, and tells of changes.
    pub const NOTIFICATION: &str = "1.2.840.113556.1.4.528";
    /// `LDAP_SERVER_EXTENDED_DN_OID`
    pub const EXTENDED_DN: &str = "1.2.840.113556.1.4.529";
    /// `LDAP_SERVER_SD_FLAGS_OID`: which parts of security descriptors are wanted.
    pub const SD_FLAGS: &str = "1.2.840.113556.1.4.801";
    /// `LDAP_SERVER_TREE_DELETE_OID`: a whole subtree goes.
    pub const TREE_DELETE: &str = "1.2.840.113556.1.4.805";
    /// `LDAP_SERVER_DIRSYNC_OID`: all that has changed, as replication would tell it.
    pub const DIRSYNC: &str = "1.2.840.113556.1.4.841";
    /// `LDAP_SERVER_SEARCH_OPTIONS_OID`
    pub const SEARCH_OPTIONS: &str = "1.2.840.113556.1.4.1340";
    /// `LDAP_SERVER_PERMISSIVE_MODIFY_OID`
    pub const PERMISSIVE_MODIFY: &str = "1.2.840.113556.1.4.1413";
    /// `LDAP_SERVER_ASQ_OID`: the search looks at what an attribute points to.
    pub const ASQ: &str = "1.2.840.113556.1.4.1504";
    /// `LDAP_SERVER_SHOW_RECYCLED_OID`
    pub const SHOW_RECYCLED: &str = "1.2.840.113556.1.4.2064";
    /// `LDAP_SERVER_POLICY_HINTS_OID`: a password's history counts.
    pub const POLICY_HINTS: &str = "1.2.840.113556.1.4.2239";
}

/// Matching rules ([MS-ADTS] 3.1.1.3.4.4).
pub mod matching_rule {
    /// `LDAP_MATCHING_RULE_BIT_AND`
    pub const BIT_AND: &str = "1.2.840.113556.1.4.803";
    /// `LDAP_MATCHING_RULE_BIT_OR`
    pub const BIT_OR: &str = "1.2.840.113556.1.4.804";
    /// `LDAP_MATCHING_RULE_TRANSITIVE_EVAL`: members of members too.
    pub const TRANSITIVE_EVAL: &str = "1.2.840.113556.1.4.1941";
}

/// Extended operations and unsolicited notifications.
pub mod extension {
    /// RFC 4511 4.14.
    pub const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
    /// RFC 4511 4.4.1: the server ends the connection.
    pub const DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";
    /// RFC 4532.
    pub const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
    /// RFC 3062.
    pub const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";
    /// RFC 3909.
    pub const CANCEL: &str = "1.3.6.1.1.8";
    /// `LDAP_SERVER_FAST_BIND_OID`: from here on binds only test credentials ([MS-ADTS]
    /// 3.1.1.3.4.2.1).
    pub const FAST_BIND: &str = "1.2.840.113556.1.4.1781";
    /// `LDAP_TTL_REFRESH_OID` (RFC 2589).
    pub const TTL_REFRESH: &str = "1.3.6.1.4.1.1466.101.119.1";
    /// `LDAP_SERVER_BATCH_REQUEST_OID`
    pub const BATCH_REQUEST: &str = "1.2.840.113556.1.4.2212";
}

/// `Flags` of a ping's answer ([MS-ADTS] 6.3.1.2).
pub mod ds_flag {
    /// `DS_PDC_FLAG`: holds the role of the primary domain controller.
    pub const PDC: u32 = 0x0000_0001;
    /// `DS_GC_FLAG`: serves the global catalog.
    pub const GC: u32 = 0x0000_0004;
    /// `DS_LDAP_FLAG`
    pub const LDAP: u32 = 0x0000_0008;
    /// `DS_DS_FLAG`: is a domain controller.
    pub const DS: u32 = 0x0000_0010;
    /// `DS_KDC_FLAG`
    pub const KDC: u32 = 0x0000_0020;
    /// `DS_TIMESERV_FLAG`
    pub const TIMESERV: u32 = 0x0000_0040;
    /// `DS_WRITABLE_FLAG`: is no read-only one.
    pub const WRITABLE: u32 = 0x0000_0100;
}

/// The name of a result code, `invalidCredentials`.
pub fn result_name(code: u32) -> &'static str {
    match code {
        result_code::SUCCESS => "success",
        1 => "operationsError",
        2 => "protocolError",
        result_code::TIME_LIMIT_EXCEEDED => "timeLimitExceeded",
        result_code::SIZE_LIMIT_EXCEEDED => "sizeLimitExceeded",
        result_code::COMPARE_FALSE => "compareFalse",
        result_code::COMPARE_TRUE => "compareTrue",
        7 => "authMethodNotSupported",
        result_code::STRONGER_AUTH_REQUIRED => "strongerAuthRequired",
        result_code::REFERRAL => "referral",
        result_code::ADMIN_LIMIT_EXCEEDED => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        result_code::SASL_BIND_IN_PROGRESS => "saslBindInProgress",
        16 => "noSuchAttribute",
        17 => "undefinedAttributeType",
        18 => "inappropriateMatching",
        19 => "constraintViolation",
        20 => "attributeOrValueExists",
        21 => "invalidAttributeSyntax",
        result_code::NO_SUCH_OBJECT => "noSuchObject",
        34 => "invalidDNSyntax",
        result_code::INAPPROPRIATE_AUTHENTICATION => "inappropriateAuthentication",
        result_code::INVALID_CREDENTIALS => "invalidCredentials",
        result_code::INSUFFICIENT_ACCESS_RIGHTS => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        result_code::UNWILLING_TO_PERFORM => "unwillingToPerform",
        64 => "namingViolation",
        65 => "objectClassViolation",
        66 => "notAllowedOnNonLeaf",
        68 => "entryAlreadyExists",
        80 => "other",
        _ => "result",
    }
}

/// The name of an extended operation, `StartTLS`; its OID where it has none here.
pub(super) fn extension_name(oid: &str) -> &str {
    match oid {
        extension::START_TLS => "StartTLS",
        extension::DISCONNECTION => "notice of disconnection",
        extension::WHO_AM_I => "who am I",
        extension::PASSWORD_MODIFY => "password modify",
        extension::CANCEL => "cancel",
        extension::FAST_BIND => "fast bind",
        extension::TTL_REFRESH => "refresh",
        extension::BATCH_REQUEST => "batch",
        other => other,
    }
}
