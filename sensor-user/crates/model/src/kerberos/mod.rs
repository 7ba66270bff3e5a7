//! Kerberos exchanges as activities (RFC 4120), and the names of its numbers.

mod data;
mod exchange;
mod numbers;
mod opened;
mod password;

pub use data::{AnswerData, EtypeInfo, Fast, ForUser, Pkinit, RequestData, S4uX509User};
pub use exchange::{Answer, ApExchange, AsExchange, AsRequest, TgsExchange, TgsRequest, Ticket};
pub use numbers::{
    AP_OPTION_MUTUAL_REQUIRED, AP_OPTION_USE_SESSION_KEY, ETYPE_RC4_HMAC, OPTION_CANONICALIZE,
    OPTION_CNAME_IN_ADDL_TKT, OPTION_ENC_TKT_IN_SKEY, OPTION_FORWARDABLE, OPTION_FORWARDED,
    OPTION_POSTDATED, OPTION_PROXIABLE, OPTION_PROXY, OPTION_RENEW, OPTION_RENEWABLE,
    OPTION_RENEWABLE_OK, OPTION_REQUEST_ANONYMOUS, OPTION_VALIDATE, error, error_name, etype_name,
    padata,
};
pub use opened::{LogonInfo, Opened, Pac, Signature, Verdict};
pub use password::{PasswordAnswer, PasswordExchange, PasswordOperation};
