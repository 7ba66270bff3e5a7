//! Prints the activities in captures, one a line, and what was counted: a look at the decoder
//! alone, without detections.
//!
//! `cargo run -p goshawk-decode --example activities -- FILE...`

#[path = "../tests/support/mod.rs"]
mod support;

fn main() {
    for path in std::env::args().skip(1) {
        let packets = match support::read(path.as_ref()) {
            Ok(packets) => packets,
            Err(error) => {
                eprintln!("{error}");
                continue;
            }
        };
        let (activities, stats) = support::decode_all(&packets, goshawk_decode::Limits::default());
        for decoded in activities {
            let activity = decoded.activity;
            println!(
                "{} {} {:?} {:?} {:?}",
                activity.time,
                activity.flow,
                activity.outcome,
                activity
                    .actor
                    .map(|actor| (actor.account, actor.authenticated)),
                activity.kind
            );
        }
        println!("{path}: {stats:?}");
    }
}
