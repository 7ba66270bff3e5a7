//! Time: whose key signs it.

use goshawk_model::sntp::SntpForm;
use goshawk_model::{Activity, Kind};

use super::{Comparison, Row};

pub(super) const COMPARISON: Comparison = Comparison {
    protocol: "sntp",
    fields: &["ntp.flags.mode", "ntp.keyid", "ntp.mac"],
    theirs,
    ours,
};

fn theirs(row: &Row<'_>, fact: &mut dyn FnMut(String)) {
    let [modes, keys, macs] = row.columns else {
        return;
    };
    // What ICMP quotes is nobody's.
    if row.protocols.split(':').any(|it| it == "icmp") {
        return;
    }
    for _message in modes {
        fact("messages".into());
    }
    let (Some(mode), Some(key)) = (modes.first(), keys.first()) else {
        return;
    };
    // A MAC of MS-SNTP has 16 bytes, or 64 behind 4 of flags, in hexadecimal digits.
    let length = macs.first().map_or(0, |mac| mac.len());
    if ["1", "3"].contains(mode) && [32, 136].contains(&length) {
        fact(format!("asked {key}"));
    }
}

fn ours(activity: &Activity, fact: &mut dyn FnMut(String)) {
    if let Kind::Sntp(exchange) = &activity.kind {
        let selector = u32::from(exchange.old_key && exchange.form == SntpForm::Basic) << 31;
        let key = (exchange.rid | selector).swap_bytes();
        fact(format!("asked {key:08x}"));
    }
}
