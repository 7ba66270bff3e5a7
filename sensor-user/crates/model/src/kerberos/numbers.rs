//! The numbers of Kerberos and their names.

/// `KDCOptions`, most significant bit first (RFC 4120 5.4.1): the ticket may be forwarded.
pub const OPTION_FORWARDABLE: u32 = 0x4000_0000;
/// `KDCOptions`: a ticket to forward, for unconstrained delegation.
pub const OPTION_FORWARDED: u32 = 0x2000_0000;
/// `KDCOptions`: the ticket may be made a proxy.
pub const OPTION_PROXIABLE: u32 = 0x1000_0000;
/// `KDCOptions`: a proxy.
pub const OPTION_PROXY: u32 = 0x0800_0000;
/// `KDCOptions`: a ticket that becomes valid later.
pub const OPTION_POSTDATED: u32 = 0x0200_0000;
/// `KDCOptions`: the ticket may be renewed until `rtime`.
pub const OPTION_RENEWABLE: u32 = 0x0080_0000;
/// `KDCOptions`: `cname-in-addl-tkt`, constrained delegation ([MS-SFU] 2.2.3).
pub const OPTION_CNAME_IN_ADDL_TKT: u32 = 0x0002_0000;
/// `KDCOptions`: the KDC may answer with another form of the name, or a referral (RFC 6806 3).
pub const OPTION_CANONICALIZE: u32 = 0x0001_0000;
/// `KDCOptions`: a ticket for nobody (RFC 8062 4).
pub const OPTION_REQUEST_ANONYMOUS: u32 = 0x0000_8000;
/// `KDCOptions`: a renewable ticket will do where `till` is too late.
pub const OPTION_RENEWABLE_OK: u32 = 0x0000_0010;
/// `KDCOptions`: `enc-tkt-in-skey`, user-to-user.
pub const OPTION_ENC_TKT_IN_SKEY: u32 = 0x0000_0008;
/// `KDCOptions`: the ticket presented is to be renewed.
pub const OPTION_RENEW: u32 = 0x0000_0002;
/// `KDCOptions`: the postdated ticket presented is to be made valid.
pub const OPTION_VALIDATE: u32 = 0x0000_0001;

/// `APOptions` (RFC 4120 5.5.1): the ticket is sealed with a session key, user-to-user.
pub const AP_OPTION_USE_SESSION_KEY: u32 = 0x4000_0000;
/// `APOptions`: the service is to prove itself with an AP-REP.
pub const AP_OPTION_MUTUAL_REQUIRED: u32 = 0x2000_0000;

/// Types of pre-authentication data (RFC 4120 7.5.2, RFC 4556, RFC 6113, RFC 9588, [MS-KILE]).
pub mod padata {
    /// `PA-TGS-REQ`.
    pub const TGS_REQ: i32 = 1;
    /// `PA-ENC-TIMESTAMP`: proof of the password.
    pub const ENC_TIMESTAMP: i32 = 2;
    /// `PA-PW-SALT`: the salt of the client's key.
    pub const PW_SALT: i32 = 3;
    /// `PA-ETYPE-INFO`: encryption types and salts.
    pub const ETYPE_INFO: i32 = 11;
    /// `PA-PK-AS-REQ` of the drafts before RFC 4556.
    pub const PK_AS_REQ_DRAFT: i32 = 14;
    /// `PA-PK-AS-REQ-OLD`: a certificate, as draft 9 and Windows 2000 have it.
    pub const PK_AS_REQ_OLD: i32 = 15;
    /// `PA-PK-AS-REQ`: a certificate (RFC 4556).
    pub const PK_AS_REQ: i32 = 16;
    /// `PA-PK-AS-REP` (RFC 4556).
    pub const PK_AS_REP: i32 = 17;
    /// `PA-ETYPE-INFO2`: encryption types, salts and parameters.
    pub const ETYPE_INFO2: i32 = 19;
    /// `PA-SVR-REFERRAL-INFO` (RFC 6806 5).
    pub const SVR_REFERRAL_INFO: i32 = 20;
    /// `PA-PAC-REQUEST`: with a PAC or without ([MS-KILE] 2.2.3).
    pub const PAC_REQUEST: i32 = 128;
    /// `PA-FOR-USER`: S4U2self ([MS-SFU] 2.2.1).
    pub const FOR_USER: i32 = 129;
    /// `PA-S4U-X509-USER` ([MS-SFU] 2.2.2).
    pub const S4U_X509_USER: i32 = 130;
    /// `PA-FX-COOKIE` (RFC 6113 5.2).
    pub const FX_COOKIE: i32 = 133;
    /// `PA-FX-FAST`: the request proper is armoured (RFC 6113 5.4).
    pub const FX_FAST: i32 = 136;
    /// `PA-FX-ERROR`: an error under FAST's armour (RFC 6113 5.4.4).
    pub const FX_ERROR: i32 = 137;
    /// `PA-ENCRYPTED-CHALLENGE` (RFC 6113 5.4.6).
    pub const ENCRYPTED_CHALLENGE: i32 = 138;
    /// `PA-SPAKE` (RFC 9588).
    pub const SPAKE: i32 = 151;
    /// `KERB-KEY-LIST-REQ`: long-term keys asked for, by a read-only controller or the Key List
    /// attack ([MS-KILE] 2.2.11).
    pub const KEY_LIST_REQ: i32 = 161;
    /// `KERB-KEY-LIST-REP`: long-term keys handed out ([MS-KILE] 2.2.12).
    pub const KEY_LIST_REP: i32 = 162;
    /// `PA-SUPPORTED-ENCTYPES` ([MS-KILE] 2.2.8).
    pub const SUPPORTED_ENCTYPES: i32 = 165;
    /// `PA-PAC-OPTIONS` ([MS-KILE] 2.2.10).
    pub const PAC_OPTIONS: i32 = 167;
    /// `KERB-SUPERSEDED-BY-USER`: another account has taken this one's place ([MS-KILE] 2.2.13).
    pub const SUPERSEDED_BY_USER: i32 = 170;
    /// `KERB-DMSA-KEY-PACKAGE`: keys of a delegated managed service account ([MS-KILE] 2.2.14).
    pub const DMSA_KEY_PACKAGE: i32 = 171;
}

/// Error codes that detections read (RFC 4120 7.5.9).
pub mod error {
    /// `KDC_ERR_C_PRINCIPAL_UNKNOWN`: no such client.
    pub const C_PRINCIPAL_UNKNOWN: i32 = 6;
    /// `KDC_ERR_S_PRINCIPAL_UNKNOWN`: no such service.
    pub const S_PRINCIPAL_UNKNOWN: i32 = 7;
    /// `KDC_ERR_ETYPE_NOSUPP`: none of the encryption types offered will do.
    pub const ETYPE_NOSUPP: i32 = 14;
    /// `KDC_ERR_PADATA_TYPE_NOSUPP`: this way of proving oneself will not do.
    pub const PADATA_TYPE_NOSUPP: i32 = 16;
    /// `KDC_ERR_CLIENT_REVOKED`: disabled, expired or locked out.
    pub const CLIENT_REVOKED: i32 = 18;
    /// `KDC_ERR_KEY_EXPIRED`: the password is right but old.
    pub const KEY_EXPIRED: i32 = 23;
    /// `KDC_ERR_PREAUTH_FAILED`: a wrong password.
    pub const PREAUTH_FAILED: i32 = 24;
    /// `KDC_ERR_PREAUTH_REQUIRED`: the account exists and asks for proof.
    pub const PREAUTH_REQUIRED: i32 = 25;
    /// `KRB_AP_ERR_SKEW`: clocks differ too much.
    pub const AP_SKEW: i32 = 37;
    /// `KRB_AP_ERR_INAPP_CKSUM`: an authenticator without a proper checksum over the request.
    pub const INAPP_CKSUM: i32 = 50;
    /// `KRB_ERR_RESPONSE_TOO_BIG`: ask again over TCP.
    pub const RESPONSE_TOO_BIG: i32 = 52;
    /// `KDC_ERR_WRONG_REALM`: a referral.
    pub const WRONG_REALM: i32 = 68;
    /// `KDC_ERR_MORE_PREAUTH_DATA_REQUIRED`: the proof goes on (RFC 6113 5.2).
    pub const MORE_PREAUTH_DATA_REQUIRED: i32 = 91;
}

/// RC4 encryption, whose tickets crack fast: `rc4-hmac` (RFC 4757).
pub const ETYPE_RC4_HMAC: i32 = 23;

/// The name of an encryption type, `aes256-cts-hmac-sha1-96` (RFC 3961 registry).
pub fn etype_name(etype: i32) -> &'static str {
    match etype {
        1 => "des-cbc-crc",
        3 => "des-cbc-md5",
        16 => "des3-cbc-sha1",
        17 => "aes128-cts-hmac-sha1-96",
        18 => "aes256-cts-hmac-sha1-96",
        19 => "aes128-cts-hmac-sha256-128",
        20 => "aes256-cts-hmac-sha384-192",
        ETYPE_RC4_HMAC => "rc4-hmac",
        24 => "rc4-hmac-exp",
        -135 => "rc4-hmac-old-exp",
        -133 => "rc4-hmac-old",
        -128 => "rc4-md4",
        _ => "other",
    }
}

/// The name of a KRB-ERROR code, `KDC_ERR_PREAUTH_FAILED` (RFC 4120 7.5.9).
pub fn error_name(code: i32) -> &'static str {
    match code {
        0 => "KDC_ERR_NONE",
        error::C_PRINCIPAL_UNKNOWN => "KDC_ERR_C_PRINCIPAL_UNKNOWN",
        error::S_PRINCIPAL_UNKNOWN => "KDC_ERR_S_PRINCIPAL_UNKNOWN",
        9 => "KDC_ERR_NULL_KEY",
        10 => "KDC_ERR_CANNOT_POSTDATE",
        11 => "KDC_ERR_NEVER_VALID",
        12 => "KDC_ERR_POLICY",
        13 => "KDC_ERR_BADOPTION",
        error::ETYPE_NOSUPP => "KDC_ERR_ETYPE_NOSUPP",
        error::PADATA_TYPE_NOSUPP => "KDC_ERR_PADATA_TYPE_NOSUPP",
        error::CLIENT_REVOKED => "KDC_ERR_CLIENT_REVOKED",
        20 => "KDC_ERR_TGT_REVOKED",
        error::KEY_EXPIRED => "KDC_ERR_KEY_EXPIRED",
        error::PREAUTH_FAILED => "KDC_ERR_PREAUTH_FAILED",
        error::PREAUTH_REQUIRED => "KDC_ERR_PREAUTH_REQUIRED",
        26 => "KDC_ERR_SERVER_NOMATCH",
        27 => "KDC_ERR_MUST_USE_USER2USER",
        28 => "KDC_ERR_PATH_NOT_ACCEPTED",
        29 => "KDC_ERR_SVC_UNAVAILABLE",
        31 => "KRB_AP_ERR_BAD_INTEGRITY",
        32 => "KRB_AP_ERR_TKT_EXPIRED",
        33 => "KRB_AP_ERR_TKT_NYV",
        34 => "KRB_AP_ERR_REPEAT",
        35 => "KRB_AP_ERR_NOT_US",
        36 => "KRB_AP_ERR_BADMATCH",
        error::AP_SKEW => "KRB_AP_ERR_SKEW",
        41 => "KRB_AP_ERR_MODIFIED",
        44 => "KRB_AP_ERR_BADKEYVER",
        error::INAPP_CKSUM => "KRB_AP_ERR_INAPP_CKSUM",
        error::RESPONSE_TOO_BIG => "KRB_ERR_RESPONSE_TOO_BIG",
        60 => "KRB_ERR_GENERIC",
        62 => "KDC_ERR_CLIENT_NOT_TRUSTED",
        66 => "KDC_ERR_CERTIFICATE_MISMATCH",
        error::WRONG_REALM => "KDC_ERR_WRONG_REALM",
        69 => "KRB_AP_ERR_USER_TO_USER_REQUIRED",
        70 => "KDC_ERR_CANT_VERIFY_CERTIFICATE",
        71 => "KDC_ERR_INVALID_CERTIFICATE",
        72 => "KDC_ERR_REVOKED_CERTIFICATE",
        75 => "KDC_ERR_CLIENT_NAME_MISMATCH",
        77 => "KDC_ERR_INCONSISTENT_KEY_PURPOSE",
        error::MORE_PREAUTH_DATA_REQUIRED => "KDC_ERR_MORE_PREAUTH_DATA_REQUIRED",
        _ => "KRB_ERROR",
    }
}
