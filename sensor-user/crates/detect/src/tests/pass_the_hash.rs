//! Pass-the-hash over NTLM.

use std::sync::Arc;

use goshawk_model::ntlm::{
    AvPairs, LmResponse, NtResponse, NtlmAuthenticate, NtlmLogon, NtlmVersion,
};
use goshawk_model::{Account, Activity, Alert, Carrier, Kind, Outcome};

use super::{THIEF, of, one, verdict};
use crate::Settings;
use crate::build::{self, Net, ip};

const HOME: &str = "10.0.0.7";

fn found(activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
    of(2017, verdict(Settings::default(), activities))
}

fn ntlm(net: &Net, account: &str, from: &str, flags: u32, workstation: Option<&str>) -> Activity {
    let logon = NtlmLogon {
        authenticate: Some(NtlmAuthenticate {
            flags,
            version: None,
            user: Some(account.into()),
            domain: Some("CORP".into()),
            workstation: workstation.map(Into::into),
            lm_response: LmResponse::Lmv2,
            nt_response: NtResponse::Ntlmv2,
            mic: false,
            session_key: true,
            timestamp: None,
            target_info: AvPairs::default(),
            digest: None,
        }),
        ..NtlmLogon::new(Carrier::Smb)
    };
    let kind = Kind::Ntlm(Box::new(logon));
    let mut activity = net.pass(1000).activity(from, Outcome::Success, kind);
    activity.credentials = build::ntlm(account).map(Arc::new);
    activity
}

fn impacket(net: &Net, account: &str, from: &str) -> Activity {
    ntlm(net, account, from, 0xe088_8235, None)
}

fn smbclient(net: &Net, account: &str, from: &str) -> Activity {
    ntlm(net, account, from, 0x6208_8215, Some("WS7"))
}

fn at_work(net: &Net, account: &str, from: &str) -> [Activity; 2] {
    [
        net.pass(1000).logon(account, from, "tgt"),
        net.pass(1000)
            .service(account, from, "tgt", "cifs/srv", "st"),
    ]
}

#[test]
fn a_tool_elsewhere_while_the_owner_works() {
    let net = Net::default();
    let [logon, service] = at_work(&net, "alice", HOME);
    let alert = one(found([logon, service, impacket(&net, "alice", THIEF)]));
    assert_eq!(alert.source.ip, Some(ip(THIEF)));
    assert_eq!(
        alert.source.account,
        Some(Account::new("alice", "corp.example"))
    );
    assert!(alert.summary.contains(HOME), "{}", alert.summary);
}

#[test]
fn tools_that_pretend_to_be_windows() {
    let net = Net::default();
    let bloody = |build, lm_response| {
        let mut logon = ntlm(&net, "alice", THIEF, 0xe208_82b7, None);
        if let Kind::Ntlm(logon) = &mut logon.kind
            && let Some(authenticate) = &mut logon.authenticate
        {
            authenticate.version = Some(NtlmVersion {
                major: 10,
                minor: 0,
                build,
                revision: 15,
            });
            authenticate.lm_response = lm_response;
        }
        let [first, service] = at_work(&net, "alice", HOME);
        found([first, service, logon])
    };
    let alert = one(bloody(15_063, LmResponse::Lmv2));
    assert_eq!(alert.source.ip, Some(ip(THIEF)));
    assert_eq!(bloody(15_063, LmResponse::Absent), [], "as Windows does");
    assert_eq!(bloody(19_045, LmResponse::Lmv2), [], "not its version");
}

#[test]
fn without_a_home_elsewhere_a_tool_is_only_a_tool() {
    let net = Net::default();
    assert_eq!(found([impacket(&net, "alice", THIEF)]), []);
    let twice = [
        impacket(&net, "alice", THIEF),
        impacket(&net, "alice", HOME),
    ];
    assert_eq!(found(twice), []);
}

#[test]
fn an_ordinary_logon_elsewhere_is_a_person_who_moves() {
    let net = Net::default();
    let [logon, service] = at_work(&net, "alice", HOME);
    assert_eq!(found([logon, service, smbclient(&net, "alice", THIEF)]), []);
}

#[test]
fn a_tool_at_home_is_the_owners() {
    let net = Net::default();
    let [logon, service] = at_work(&net, "alice", HOME);
    assert_eq!(found([logon, service, impacket(&net, "alice", HOME)]), []);
    let day = [
        smbclient(&net, "alice", HOME),
        smbclient(&net, "alice", THIEF),
        impacket(&net, "alice", THIEF),
    ];
    assert_eq!(found(day), []);
}
