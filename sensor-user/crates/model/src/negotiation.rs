//! What client and server agreed to authenticate with (RFC 4178).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A negotiation by SPNEGO.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Negotiation {
    /// `mechTypes` of the client, the most preferred first. A client that never offers Kerberos
    /// forces NTLM.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub offered: Vec<MechType>,
    /// `supportedMech` of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<MechType>,
    /// `negState` of the server's last word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<NegState>,
    /// Whether a `mechListMIC` was seen: nobody has taken the better ones out of the list.
    pub mech_list_mic: bool,
    /// Authentication schemes of NEGOEX ([MS-NEGOEX] 2.2.2).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemes: Vec<Uuid>,
}

impl Negotiation {
    /// Adds what a further token says; a list of mechanisms begins another negotiation.
    pub fn add(&mut self, said: Self) {
        if !said.offered.is_empty() {
            *self = Self::default();
            self.offered = said.offered;
        }
        if !said.schemes.is_empty() {
            self.schemes = said.schemes;
        }
        self.chosen = said.chosen.or(self.chosen);
        self.state = said.state.or(self.state);
        self.mech_list_mic |= said.mech_list_mic;
    }
}

/// A mechanism of GSS-API, by its object identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MechType {
    /// 1.2.840.113554.1.2.2, Kerberos (RFC 4121).
    Krb5,
    /// 1.2.840.48018.1.2.2, the same, mistyped by Windows 2000 ([MS-SPNG] 2.2.1).
    MsKrb5,
    /// 1.2.840.113554.1.2.2.3, Kerberos from user to user.
    Krb5UserToUser,
    /// 1.3.6.1.4.1.311.2.2.10, NTLM ([MS-NLMP]).
    Ntlm,
    /// 1.3.6.1.4.1.311.2.2.30, [MS-NEGOEX].
    Negoex,
    /// 1.3.6.1.5.2.5, Kerberos relayed by the service (IAKERB).
    Iakerb,
    /// 1.3.6.1.5.5.2, SPNEGO itself.
    Spnego,
    /// Another one.
    Other,
}

/// `negState` (RFC 4178 4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NegState {
    /// `accept-completed`
    AcceptCompleted,
    /// `accept-incomplete`
    AcceptIncomplete,
    /// `reject`
    Reject,
    /// `request-mic`
    RequestMic,
}
