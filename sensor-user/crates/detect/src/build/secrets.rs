//! Stolen secrets in use: tools that log on, delegation, computers added, secure channels.

use std::time::Duration;

use goshawk_model::kerberos::{
    Answer, ForUser, OPTION_CNAME_IN_ADDL_TKT, RequestData, Ticket, padata,
};
use goshawk_model::rpc::{
    NETLOGON, NetlogonArguments, RpcArguments, RpcCall, SAMR, SamrArguments, SamrClass,
};
use goshawk_model::{Account, Activity, Kind, Outcome};

use super::{FULL, Net, issued, tgt};

/// Whose ticket is asked for.
pub(crate) enum S4u<'a> {
    /// The user's, to oneself.
    Own(&'a str),
    /// That of whose ticket is shown, to another service.
    Proxy(Ticket),
}

/// The same request as impacket makes it.
pub(crate) fn by_tool(mut activity: Activity) -> Activity {
    if let Kind::Tgs(exchange) = &mut activity.kind
        && let Some(request) = &mut exchange.request
    {
        request.padata.truncate(2);
        request.etypes = match *request.padata {
            [_, padata::FOR_USER] => vec![18, 23],
            _ => vec![23, 16, 3, 18],
        };
        if request.padata.len() == 1 {
            request.kdc_options = 0x4081_0010;
        }
    }
    activity
}

impl Net {
    /// A logon as impacket does it, with the one encryption type that it has a key for.
    pub(crate) fn tool_logon(
        &self,
        account: &str,
        from: &str,
        name: &str,
        etypes: &[i32],
    ) -> Activity {
        let etype = etypes[0];
        let padata = &[padata::ENC_TIMESTAMP, padata::PAC_REQUEST];
        let answer = issued(tgt(name), etype);
        let mut logon = self.ask(
            account,
            from,
            "krbtgt/CORP.EXAMPLE",
            (etypes, padata),
            answer,
        );
        let tomorrow = self.time.get() + Duration::from_secs(24 * 3600);
        if let Kind::As(exchange) = &mut logon.kind
            && let Some(request) = &mut exchange.request
        {
            request.kdc_options = 0x5080_0000;
            request.till = Some(tomorrow);
            request.rtime = Some(tomorrow);
        }
        logon
    }

    /// A computer added over SAMR.
    pub(crate) fn added(&self, name: &str, from: &str, outcome: Outcome) -> Activity {
        let arguments = SamrArguments::Create {
            class: SamrClass::User,
            name: name.into(),
            account_type: Some(0x80),
            rid: None,
        };
        self.rpc(from, outcome, |call| {
            (call.interface, call.opnum) = (Some(SAMR), 50);
            call.arguments = Some(RpcArguments::Samr(arguments));
        })
    }

    /// A call of netlogon.
    pub(crate) fn netlogon(
        &self,
        from: &str,
        opnum: u16,
        arguments: Option<NetlogonArguments>,
        outcome: Outcome,
    ) -> Activity {
        self.rpc(from, outcome, |call| {
            (call.interface, call.opnum) = (Some(NETLOGON), opnum);
            call.arguments = arguments.map(RpcArguments::Netlogon);
        })
    }

    fn rpc(&self, from: &str, outcome: Outcome, change: impl FnOnce(&mut RpcCall)) -> Activity {
        let mut activity = self.drs(from, 0, None, outcome);
        if let Kind::Rpc(call) = &mut activity.kind {
            call.name = None;
            change(call);
        }
        activity
    }

    /// A request in somebody else's name: S4U2self with the name of the user, S4U2proxy with the
    /// user's ticket. A tool asks in its own dialect.
    pub(crate) fn s4u(
        &self,
        (from, presented): (&str, &str),
        service: &str,
        whose: S4u<'_>,
        answer: Answer,
    ) -> Activity {
        let user = match whose {
            S4u::Own(user) => Some(user),
            S4u::Proxy(_) => None,
        };
        let mut activity = self.tgs((from, presented), service, (1, FULL), user, answer);
        if let Kind::Tgs(exchange) = &mut activity.kind
            && let Some(request) = &mut exchange.request
        {
            match whose {
                S4u::Own(user) => {
                    request.padata = vec![padata::TGS_REQ, padata::FOR_USER, 130];
                    request.data.for_user = Some(Box::new(ForUser {
                        user: Account::new(user, "CORP.EXAMPLE"),
                        auth_package: "Kerberos".into(),
                    }));
                }
                S4u::Proxy(evidence) => {
                    request.kdc_options |= OPTION_CNAME_IN_ADDL_TKT;
                    request.padata = vec![padata::TGS_REQ, padata::PAC_OPTIONS, 136];
                    request.data.pac_options =
                        Some(RequestData::RESOURCE_BASED_CONSTRAINED_DELEGATION);
                    request.additional = vec![evidence];
                }
            }
        }
        activity
    }
}
