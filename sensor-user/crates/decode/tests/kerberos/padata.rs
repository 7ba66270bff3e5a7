//! What pre-authentication data and errors tell, message by message.

use goshawk_model::kerberos::{RequestData, padata};
use goshawk_model::{Account, Outcome};

use super::support::messages::*;
use super::support::story;
use super::{exchanged, further, initial};

fn asked(kind: i32, value: Vec<u8>) -> RequestData {
    let found = exchanged(&[(true, as_req_with("alice", &[(kind, value)]))]);
    initial(&found[0]).request.clone().unwrap().data
}

#[test]
fn options_of_the_pac_are_read() {
    let flags = sequence(&[(0, tlv(3, &[0, 0x50, 0, 0, 0]))]);
    let found = exchanged(&[(
        true,
        tgs_req_with(&story::tgt(), &[(padata::PAC_OPTIONS, flags)]),
    )]);
    let request = further(&found[0]).request.as_ref().unwrap();
    assert_eq!(
        request.data.pac_options,
        Some(RequestData::BRANCH_AWARE | RequestData::RESOURCE_BASED_CONSTRAINED_DELEGATION)
    );
    for (value, include) in [(0, false), (0xff, true)] {
        let request = sequence(&[(0, tlv(1, &[value]))]);
        assert_eq!(
            asked(padata::PAC_REQUEST, request).include_pac,
            Some(include)
        );
    }
}

#[test]
fn a_list_of_keys_is_asked_for_by_their_types() {
    let etypes = tlv(0x30, &[integer(23), integer(18)].concat());
    assert_eq!(asked(padata::KEY_LIST_REQ, etypes).key_list, [23, 18]);
}

#[test]
fn nothing_is_told_by_padata_that_contradict_themselves() {
    for kind in 2..180 {
        for value in [vec![], vec![1; 8], vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(asked(kind, value), RequestData::default(), "{kind}");
        }
    }
}

#[test]
fn of_a_type_that_comes_twice_the_first_counts() {
    let pac = |include: u8| {
        let value = sequence(&[(0, tlv(1, &[include]))]);
        (padata::PAC_REQUEST, value)
    };
    let found = exchanged(&[(true, as_req_with("alice", &[pac(0), pac(1)]))]);
    let request = initial(&found[0]).request.as_ref().unwrap();
    assert_eq!(request.padata, [128, 128]);
    assert_eq!(request.data.include_pac, Some(false));
}

/// `KERB-EXT-ERROR` ([MS-KILE] 2.2.1): an NTSTATUS, 0, and flags.
fn ext_error(status: u32) -> Vec<u8> {
    [status.to_le_bytes(), [0; 4], [1, 0, 0, 0]].concat()
}

#[test]
fn the_status_behind_a_refusal_is_read_in_either_form() {
    const ACCOUNT_LOCKED_OUT: u32 = 0xc000_0234;
    let element = sequence(&[
        (1, integer(padata::PW_SALT)),
        (2, octets(&ext_error(ACCOUNT_LOCKED_OUT))),
    ]);
    for e_data in [element.clone(), tlv(0x30, &element)] {
        let found = exchanged(&[
            (true, as_req("alice", &[2], &[18])),
            (false, krb_error_with(18, &["krbtgt", REALM], &e_data)),
        ]);
        let exchange = initial(&found[0]);
        assert_eq!(exchange.answer_data.status, Some(ACCOUNT_LOCKED_OUT));
        assert!(exchange.answer_data.etype_info.is_empty());
    }
}

#[test]
fn a_salt_of_twelve_letters_is_no_status() {
    let salt = sequence(&[(1, integer(padata::PW_SALT)), (2, octets(b"CORP.EXAMbob"))]);
    let found = exchanged(&[(
        false,
        krb_error_with(25, &["krbtgt", REALM], &tlv(0x30, &salt)),
    )]);
    let data = &initial(&found[0]).answer_data;
    assert_eq!(data.status, None);
    assert_eq!(data.etype_info[0].salt.as_deref(), Some("CORP.EXAMbob"));
}

#[test]
fn a_referral_names_the_realm_to_ask() {
    let client = Some(("OTHER.EXAMPLE", "alice"));
    let found = exchanged(&[
        (true, as_req("alice@other.example", &[], &[18])),
        (false, krb_error_to(client, 68, &["krbtgt", REALM], &[])),
    ]);
    let exchange = initial(&found[0]);
    assert_eq!(
        exchange.answer_data.referred_realm.as_deref(),
        Some("OTHER.EXAMPLE")
    );
    assert_eq!(found[0].outcome, Outcome::Failure);
}

#[test]
fn an_account_superseded_names_its_successor() {
    let successor = sequence(&[(0, name(1, &["dmsa$"])), (1, string(REALM))]);
    let element = sequence(&[
        (1, integer(padata::SUPERSEDED_BY_USER)),
        (2, octets(&successor)),
    ]);
    let found = exchanged(&[(
        false,
        krb_error_with(18, &["krbtgt", REALM], &tlv(0x30, &element)),
    )]);
    assert_eq!(
        initial(&found[0]).answer_data.superseded_by,
        Some(Account::new("dmsa$", REALM))
    );
}
