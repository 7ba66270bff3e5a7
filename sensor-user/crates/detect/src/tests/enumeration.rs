//! Enumeration by lookups, logons and pings.

use goshawk_model::ldap::{
    Comparison, Condition, LdapOperation, NetlogonResponse, Operation, Protection, Scope, Search,
    SearchRequest,
};
use goshawk_model::rpc::{
    Excerpt, LsarpcArguments, NetlogonArguments, RpcArguments, RpcCall, RpcTransport, SamrArguments,
};
use goshawk_model::{Account, Activity, Carrier, Kind, Outcome, Status};

use super::{golden, of, one, verdict};
use crate::Settings;
use crate::build::{Net, ntlm};

const AT: &str = "10.0.0.9";
const NONE_MAPPED: u32 = 0xc000_0073;
const SOME_NOT_MAPPED: u32 = 0x107;

/// A ping that names a user.
fn ping(net: &Net, user: &str, known: bool) -> Activity {
    let condition = |attribute: &str, value: &str| Condition {
        attribute: attribute.into(),
        comparison: Comparison::Equal,
        value: value.into(),
        negated: false,
    };
    let kind = Kind::Ldap(Box::new(LdapOperation {
        message_id: 1,
        operation: Operation::Search(Search {
            request: Some(SearchRequest {
                base_object: "".into(),
                scope: Scope::Base,
                size_limit: 0,
                time_limit: 0,
                filter: "".into(),
                conditions: vec![
                    condition("ntver", "\\06\\00\\00\\00"),
                    condition("user", user),
                ],
                conditions_total: 2,
                filter_depth: 2,
                filter_cut: false,
                attributes: vec!["netlogon".into()],
            }),
            entries: 1,
            netlogon: Some(Box::new(NetlogonResponse {
                opcode: if known { 23 } else { 25 },
                dns_domain_name: "corp.example".into(),
                ..NetlogonResponse::default()
            })),
            ..Search::default()
        }),
        controls: Vec::new(),
        protection: Protection::None,
        result: None,
        request_bytes: 100,
        response_bytes: 200,
    }));
    net.pass(10).activity(AT, Outcome::Success, kind)
}

fn call(net: &Net, arguments: RpcArguments, status: u32) -> Activity {
    let kind = Kind::Rpc(Box::new(RpcCall {
        transport: RpcTransport::Tcp,
        interface: None,
        name: None,
        opnum: 0,
        operation: None,
        object: None,
        auth: None,
        arguments: Some(arguments),
        status: Some(status),
        fault: None,
        request_bytes: 100,
        response_bytes: 100,
    }));
    Activity {
        credentials: ntlm("mallory").map(Into::into),
        ..net.pass(10).activity(AT, Outcome::Success, kind)
    }
}

fn excerpt<T>(first: Vec<T>) -> Excerpt<T> {
    let total = first.len() as u32;
    Excerpt { first, total }
}

fn sids(from: u32, number: u32) -> RpcArguments {
    let sids = (from..from + number).map(|rid| format!("S-1-5-21-1-2-3-{rid}").into());
    RpcArguments::Lsarpc(LsarpcArguments::LookupSids {
        sids: excerpt(sids.collect()),
    })
}

#[test]
fn ldapnomnom_asks_for_names_of_a_list() {
    let net = Net::default();
    let mut pings: Vec<_> = (0..7)
        .map(|n| ping(&net, &format!("guess{n}"), false))
        .collect();
    pings.push(ping(&net, "alice", true));
    let alert = one(verdict(Settings::default(), pings));
    insta::assert_snapshot!(golden(&alert));
}

#[test]
fn a_list_of_names_that_all_exist_is_a_list_still() {
    let net = Net::default();
    let pings = |number: usize| -> Vec<_> {
        let names = (0..number).map(|n| format!("user{n}"));
        names.map(|name| ping(&net, &name, true)).collect()
    };
    assert_eq!(verdict(Settings::default(), pings(11)), []);
    assert_eq!(
        one(verdict(Settings::default(), pings(12))).external_id,
        2437
    );
}

/// A gateway's computers, each of which looks for a controller of its own.
#[test]
fn computers_that_look_for_a_controller_are_silent() {
    let net = Net::default();
    let pings = (0..60).map(|n| ping(&net, &format!("WS{n}$"), true));
    assert_eq!(verdict(Settings::default(), pings.collect::<Vec<_>>()), []);
}

#[test]
fn numbers_counted_through_are_enumeration_by_who_proved_it() {
    let net = Net::default();
    let alert = one(verdict(
        Settings::default(),
        [call(&net, sids(1_000, 30), SOME_NOT_MAPPED)],
    ));
    assert_eq!(alert.external_id, 2003);
    assert_eq!(alert.source.account, Some(Account::new("mallory", "corp")));
    let one_by_one: Vec<_> = (0..20)
        .map(|n| call(&net, sids(5_000 + 7 * n, 1), NONE_MAPPED))
        .collect();
    assert_eq!(verdict(Settings::default(), one_by_one).len(), 1);
}

/// A folder whose list of rights is old.
#[test]
fn sids_of_the_gone_are_silent() {
    let net = Net::default();
    let mut lookups: Vec<_> = (0..15)
        .map(|n| call(&net, sids(5_000 + 7 * n, 1), NONE_MAPPED))
        .collect();
    lookups.push(call(&net, sids(1_104, 4), SOME_NOT_MAPPED));
    lookups.push(call(&net, sids(1_100, 30), 0));
    assert_eq!(verdict(Settings::default(), lookups), []);
}

#[test]
fn names_looked_up_over_samr_and_netlogon() {
    let samr = |name: &str| {
        RpcArguments::Samr(SamrArguments::LookupNames {
            domain: None,
            names: excerpt(vec![name.into()]),
        })
    };
    let netlogon = |name: &str| {
        RpcArguments::Netlogon(NetlogonArguments::GetDcName {
            domain: None,
            account: Some(name.into()),
            controller: None,
        })
    };
    let net = Net::default();
    let names = |number: usize| (0..number).map(|n| format!("guess{n}"));
    let by_samr: Vec<_> = names(5)
        .map(|name| call(&net, samr(&name), NONE_MAPPED))
        .collect();
    assert_eq!(one(verdict(Settings::default(), by_samr)).external_id, 2003);
    let by_netlogon: Vec<_> = names(5)
        .map(|name| call(&net, netlogon(&name), 0x525))
        .collect();
    assert_eq!(
        one(verdict(Settings::default(), by_netlogon)).external_id,
        2003
    );
    let address_book: Vec<_> = names(40).map(|name| call(&net, samr(&name), 0)).collect();
    assert_eq!(verdict(Settings::default(), address_book), []);
}

#[test]
fn a_server_that_tells_unknown_names_from_wrong_passwords() {
    let net = Net::default();
    let tries: Vec<_> = (0..6)
        .map(|n| {
            let status = Some(Status::Ntstatus(0xc000_0064));
            net.pass(100)
                .ntlm(&format!("guess{n}"), AT, Carrier::Smb, status)
        })
        .collect();
    let alerts = verdict(Settings::default(), tries);
    assert_eq!(of(2003, alerts.clone()).len(), 1);
    assert_eq!(alerts.len(), 1, "no password was wrong");
}
