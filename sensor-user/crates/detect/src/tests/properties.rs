//! Whatever comes in: no panic, no growth, no difference over a restart.

use goshawk_model::Outcome;
use goshawk_model::kerberos::Answer;
use proptest::prelude::*;

use crate::build::{Net, at, issued, kerberos, sealed, ticket};
use crate::{Engine, Input, Settings};

/// Anything a decoder might make of anything.
fn anything() -> impl Strategy<Value = Input> {
    let etypes = prop::collection::vec(prop::sample::select(vec![18, 17, 23, 3, -135, 0]), 0..4);
    let padata = prop::collection::vec(prop::sample::select(vec![1, 2, 16, 128, 129, 136]), 0..3);
    let name = prop::sample::select(vec!["", "a", "b\\c", "ws1$", "x/y", "é@é", "krbtgt/K"]);
    let from = prop::sample::select(vec!["10.0.0.7", "10.0.0.9", "fe80::1"]);
    let code = prop::sample::select(vec![0, 6, 7, 14, 18, 24, 25, 52, 68, -1]);
    let when = prop_oneof![8 => 0..5_000_u64, 1 => Just(u64::MAX / 1_000_000_000)];
    (0..7_u8, name, from, (etypes, padata), code, when, 0..6_u16).prop_map(
        |(kind, name, from, (etypes, padata), code, when, n)| {
            let net = Net::default();
            let answer = || match code {
                0 => issued(
                    sealed(name, &n.to_string(), etypes.first().copied().unwrap_or(0)),
                    23,
                ),
                -1 => Answer::Unseen,
                code => Answer::Refused(code),
            };
            let mut activity = match kind {
                0 | 1 => net.ask(
                    name,
                    from,
                    "krbtgt/CORP.EXAMPLE",
                    (&etypes, &padata),
                    answer(),
                ),
                2 => net.ask(name, from, name, (&etypes, &padata), answer()),
                3 => net.tgs(
                    (from, &n.to_string()),
                    name,
                    (n.into(), &etypes),
                    Some(name),
                    answer(),
                ),
                4 => net.used(from, ticket(name, &n.to_string())),
                5 => net.drs(
                    from,
                    n,
                    kerberos(ticket(name, &n.to_string())),
                    Outcome::Failure,
                ),
                _ => return Input::Tick(at(when)),
            };
            activity.time = at(when);
            Input::Activity(activity)
        },
    )
}

proptest! {
    #[test]
    fn no_sequence_panics_or_outgrows_its_limits_or_forgets_over_a_restart(
        inputs in prop::collection::vec(anything(), 0..200),
        cut in 0..200_usize,
    ) {
        let mut engine = Engine::new(Settings::default());
        let mut other = Engine::new(Settings::default());
        for (n, input) in inputs.into_iter().enumerate() {
            if n == cut {
                let bytes = other.snapshot();
                other = Engine::new(Settings::default());
                other.restore(&bytes).expect("restores");
            }
            prop_assert_eq!(engine.observe(input.clone()), other.observe(input));
        }
        prop_assert_eq!(engine.finish(), other.finish());
        for (name, table) in engine.stats().tables {
            prop_assert!(table.len <= table.limit, "{}", name);
        }
    }

    #[test]
    fn no_bytes_make_restoring_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Engine::new(Settings::default()).restore(&bytes).is_err());
    }
}
