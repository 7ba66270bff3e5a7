//! Activities for tests, as a decoder would make them from real clients and tools.

pub(crate) mod secrets;
mod sessions;

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use goshawk_model::inventory::{Sighting, SightingSource};
use goshawk_model::kerberos::{
    Answer, AnswerData, ApExchange, AsExchange, AsRequest, RequestData, TgsExchange, TgsRequest,
    Ticket, padata,
};
use goshawk_model::ldap::{
    Authentication, Bind, BindRequest, LdapOperation, LdapResult, Operation, Protection,
};
use goshawk_model::ntlm::{AvPairs, LmResponse, NtResponse, NtlmAuthenticate, NtlmLogon};
use goshawk_model::rpc::{DRSUAPI, RpcAuth, RpcCall, RpcTransport};
use goshawk_model::{
    Account, Activity, Carrier, Confidence, Credentials, Digest, Flow, Host, Kind, Mechanism,
    Outcome, Status, Timestamp, Transport,
};

/// What Windows 10 and later offer.
pub(crate) const FULL: &[i32] = &[18, 17, 23, 24, -135, 3];
pub(crate) const AES: i32 = 18;
pub(crate) const RC4: i32 = 23;
/// 2026-03-01T10:00:00Z.
const MORNING: u64 = 1_772_359_200;

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_parts(MORNING + seconds, 0)
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) fn ticket(service: &str, name: &str) -> Ticket {
    sealed(service, name, AES)
}

pub(crate) fn sealed(service: &str, name: &str, etype: i32) -> Ticket {
    Ticket {
        id: Digest::of(&[b"ticket", name.as_bytes()]),
        service: format!("{service}@CORP.EXAMPLE").into(),
        etype,
        kvno: Some(2),
        length: 1_100,
        opened: None,
    }
}

pub(crate) fn tgt(name: &str) -> Ticket {
    ticket("krbtgt/CORP.EXAMPLE", name)
}

pub(crate) fn issued(ticket: Ticket, reply_etype: i32) -> Answer {
    Answer::Issued {
        ticket,
        reply_etype,
    }
}

/// A domain controller that is asked things, and the clock on the wall.
pub(crate) struct Net {
    dc: IpAddr,
    time: Cell<Timestamp>,
    made: Cell<u64>,
}

impl Default for Net {
    fn default() -> Self {
        Self::at("10.0.0.1")
    }
}

impl Net {
    pub(crate) fn at(dc: &str) -> Self {
        Self {
            dc: ip(dc),
            time: Cell::new(at(0)),
            made: Cell::new(0),
        }
    }

    /// Lets `millis` pass.
    pub(crate) fn pass(&self, millis: u64) -> &Self {
        self.time
            .set(self.time.get() + std::time::Duration::from_millis(millis));
        self
    }

    pub(crate) fn activity(&self, from: &str, outcome: Outcome, kind: Kind) -> Activity {
        self.made.set(self.made.get() + 1);
        let client = ip(from);
        Activity {
            id: Digest::of(&[
                self.dc.to_string().as_bytes(),
                &self.made.get().to_be_bytes(),
            ]),
            time: self.time.get(),
            sensor: "sensor".into(),
            flow: Flow {
                transport: Transport::Tcp,
                client: SocketAddr::new(client, 50_000),
                server: SocketAddr::new(self.dc, 88),
            },
            actor: None,
            credentials: None,
            client: Host::from(client),
            server: Host::from(self.dc),
            outcome,
            confidence: Confidence::High,
            kind,
        }
    }

    /// A computer recognised at `at`, as surely as its source can be.
    pub(crate) fn sighting(&self, at: &str, name: &str, source: SightingSource) -> Activity {
        let kind = Kind::Sighting(Sighting {
            ip: ip(at),
            name: Some(name.into()),
            domain: None,
            controller: false,
            source,
        });
        let made = self.made.get();
        let activity = self.activity(at, Outcome::Success, kind);
        // It comes with another activity, and is not one of those made here.
        self.made.set(made);
        Activity {
            id: Digest::of(&[b"sighting", at.as_bytes(), name.as_bytes()]),
            confidence: match source {
                SightingSource::MachineLogon | SightingSource::ServiceTicket => Confidence::High,
                _ => Confidence::Medium,
            },
            ..activity
        }
    }

    fn nonce(&self) -> (u32, Digest) {
        let made = self.made.get();
        let digest = Digest::of(&[
            self.dc.to_string().as_bytes(),
            b"request",
            &made.to_be_bytes(),
        ]);
        (made as u32, digest)
    }

    /// An AS exchange with everything said.
    pub(crate) fn ask(
        &self,
        account: &str,
        from: &str,
        service: &str,
        (etypes, padata): (&[i32], &[i32]),
        answer: Answer,
    ) -> Activity {
        let (nonce, digest) = self.nonce();
        let outcome = outcome(&answer);
        let proof = match &answer {
            Answer::Issued { reply_etype, .. } => Some(*reply_etype),
            _ => etypes.first().copied(),
        };
        let proof_etype = proof.filter(|_| padata.contains(&padata::ENC_TIMESTAMP));
        let kind = Kind::As(Box::new(AsExchange {
            request: Some(AsRequest {
                kdc_options: 0x4081_0010,
                etypes: etypes.to_vec(),
                padata: padata.to_vec(),
                data: RequestData {
                    proof_etype,
                    ..RequestData::default()
                },
                netbios_addresses: Vec::new(),
                nonce,
                digest,
                ..AsRequest::default()
            }),
            client: Some(Account::new(account, "CORP.EXAMPLE")),
            service: Some(format!("{service}@CORP.EXAMPLE").into()),
            answer,
            answer_data: AnswerData::default(),
        }));
        self.activity(from, outcome, kind)
    }

    /// A first ticket, asked for without proof.
    pub(crate) fn unproved(
        &self,
        account: &str,
        from: &str,
        etypes: &[i32],
        answer: Answer,
    ) -> Activity {
        self.ask(
            account,
            from,
            "krbtgt/CORP.EXAMPLE",
            (etypes, &[128]),
            answer,
        )
    }

    /// A logon: the proof, and the ticket.
    pub(crate) fn logon(&self, account: &str, from: &str, name: &str) -> Activity {
        let proof = (FULL, &[padata::ENC_TIMESTAMP, 128][..]);
        let answer = issued(tgt(name), AES);
        self.ask(account, from, "krbtgt/CORP.EXAMPLE", proof, answer)
    }

    /// A first ticket refused; a wrong password is answered to a proof, all else to a request
    /// without.
    pub(crate) fn refused(&self, account: &str, from: &str, code: i32) -> Activity {
        let padata: &[i32] = if code == 24 {
            &[padata::ENC_TIMESTAMP, 128]
        } else {
            &[128]
        };
        let answer = Answer::Refused(code);
        self.ask(account, from, "krbtgt/CORP.EXAMPLE", (FULL, padata), answer)
    }

    /// A TGS exchange with everything said.
    pub(crate) fn tgs(
        &self,
        (from, presented): (&str, &str),
        service: &str,
        (name_type, etypes): (i32, &[i32]),
        client: Option<&str>,
        answer: Answer,
    ) -> Activity {
        let (nonce, digest) = self.nonce();
        let outcome = outcome(&answer);
        let kind = Kind::Tgs(Box::new(TgsExchange {
            request: Some(TgsRequest {
                presented: Some(tgt(presented)),
                kdc_options: 0x4081_0000,
                etypes: etypes.to_vec(),
                padata: vec![padata::TGS_REQ],
                name_type,
                additional: Vec::new(),
                nonce,
                digest,
                ..TgsRequest::default()
            }),
            client: client.map(|name| Account::new(name, "CORP.EXAMPLE")),
            service: Some(format!("{service}@CORP.EXAMPLE").into()),
            answer,
            answer_data: AnswerData::default(),
        }));
        self.activity(from, outcome, kind)
    }

    /// A service ticket in the ordinary way.
    pub(crate) fn service(
        &self,
        account: &str,
        from: &str,
        presented: &str,
        service: &str,
        name: &str,
    ) -> Activity {
        let answer = issued(ticket(service, name), AES);
        self.tgs((from, presented), service, (2, FULL), Some(account), answer)
    }

    /// The same under FAST's armour: the reply names no client.
    pub(crate) fn hidden_service(
        &self,
        from: &str,
        presented: &str,
        service: &str,
        name: &str,
    ) -> Activity {
        let answer = issued(ticket(service, name), AES);
        self.tgs((from, presented), service, (2, FULL), None, answer)
    }

    /// A ticket presented to a service of the controller.
    pub(crate) fn used(&self, from: &str, ticket: Ticket) -> Activity {
        let kind = Kind::Ap(ApExchange {
            ticket,
            carrier: Carrier::Dcerpc,
            ap_options: 0,
            authenticator_etype: None,
            error: None,
        });
        self.activity(from, Outcome::Success, kind)
    }

    /// An authentication with NTLM, accepted unless the carrier has a status.
    pub(crate) fn ntlm(
        &self,
        account: &str,
        from: &str,
        carrier: Carrier,
        status: Option<Status>,
    ) -> Activity {
        let account = Account::new(account, "CORP");
        let shown = NtlmAuthenticate {
            flags: 0x6209_8215,
            version: None,
            user: Some(account.name().into()),
            domain: Some("CORP".into()),
            workstation: Some("WS9".into()),
            lm_response: LmResponse::Absent,
            nt_response: NtResponse::Ntlmv2,
            mic: true,
            session_key: true,
            timestamp: None,
            target_info: AvPairs::default(),
            digest: None,
        };
        let kind = Kind::Ntlm(Box::new(NtlmLogon {
            authenticate: Some(shown),
            status,
            ..NtlmLogon::new(carrier)
        }));
        let outcome = success_unless(status.is_some());
        Activity {
            credentials: Some(Arc::new(Credentials {
                account: Some(account),
                proven: status.is_none(),
                ..Credentials::new(Mechanism::Ntlm)
            })),
            ..self.activity(from, outcome, kind)
        }
    }

    /// A simple bind, refused with the error that Windows names in `data`, or else accepted.
    pub(crate) fn bind(&self, account: &str, from: &str, data: Option<u32>) -> Activity {
        let account = Account::new(account, "corp.example");
        let outcome = success_unless(data.is_some());
        let kind = Kind::Ldap(Box::new(LdapOperation {
            message_id: 1,
            operation: Operation::Bind(Bind {
                request: Some(BindRequest {
                    version: 3,
                    name: account.as_str().into(),
                    authentication: Authentication::Simple,
                }),
                rounds: 1,
            }),
            controls: Vec::new(),
            protection: Protection::None,
            result: Some(LdapResult {
                result_code: if data.is_some() { 49 } else { 0 },
                data: data.unwrap_or(0),
                ..LdapResult::default()
            }),
            request_bytes: 40,
            response_bytes: 100,
        }));
        Activity {
            credentials: Some(Arc::new(Credentials {
                account: Some(account),
                proven: data.is_none(),
                ..Credentials::new(Mechanism::Password)
            })),
            ..self.activity(from, outcome, kind)
        }
    }

    /// A call of `drsuapi`.
    pub(crate) fn drs(
        &self,
        from: &str,
        opnum: u16,
        by: Option<Credentials>,
        outcome: Outcome,
    ) -> Activity {
        let fault = (outcome == Outcome::Failure).then_some(0x2105);
        let kind = Kind::Rpc(Box::new(RpcCall {
            transport: RpcTransport::Tcp,
            interface: Some(DRSUAPI),
            name: Some("drsuapi".into()),
            opnum,
            operation: None,
            object: None,
            auth: by.as_ref().map(|_| RpcAuth {
                auth_type: 9,
                level: 6,
            }),
            arguments: None,
            status: None,
            fault,
            request_bytes: 500,
            response_bytes: if outcome == Outcome::Success {
                9_000
            } else {
                0
            },
        }));
        Activity {
            credentials: by.map(Arc::new),
            ..self.activity(from, outcome, kind)
        }
    }
}

/// Who made a call with this ticket.
pub(crate) fn kerberos(ticket: Ticket) -> Option<Credentials> {
    Some(Credentials {
        ticket: Some(ticket),
        proven: true,
        ..Credentials::new(Mechanism::Kerberos)
    })
}

/// Who said by NTLM to be `account`.
pub(crate) fn ntlm(account: &str) -> Option<Credentials> {
    Some(Credentials {
        account: Some(Account::new(account, "CORP")),
        proven: true,
        ..Credentials::new(Mechanism::Ntlm)
    })
}

fn success_unless(refused: bool) -> Outcome {
    if refused {
        Outcome::Failure
    } else {
        Outcome::Success
    }
}

fn outcome(answer: &Answer) -> Outcome {
    match answer {
        Answer::Issued { .. } => Outcome::Success,
        Answer::Refused(_) => Outcome::Failure,
        Answer::Unseen => Outcome::Unknown,
    }
}
