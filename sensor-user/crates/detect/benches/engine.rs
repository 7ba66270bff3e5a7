//! What an activity costs the engine with every detection on, and what it costs to remember an
//! account, a host and a ticket. Run by `cargo xtask bench`.
//!
//! The day is that of a domain of five thousand people: each logs on from a machine of their own,
//! asks for the tickets of a morning and presents them; some mistype their password.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use goshawk_detect::{Engine, Input, Settings};
use goshawk_model::kerberos::{
    Answer, AnswerData, ApExchange, AsExchange, AsRequest, TgsExchange, TgsRequest, Ticket, error,
    padata,
};
use goshawk_model::{
    Account, Activity, Actor, Carrier, Confidence, Digest, Flow, Host, Kind, Outcome, Timestamp,
    Transport,
};

const PEOPLE: u32 = 5_000;
const HOURS: u32 = 8;
const SERVICES: [&str; 5] = [
    "ldap/dc1.corp.example/corp.example",
    "cifs/dc1.corp.example",
    "cifs/files.corp.example",
    "HTTP/intranet.corp.example",
    "host/ws.corp.example",
];
const ETYPES: [i32; 6] = [18, 17, 23, 24, -135, 3];
const REALM: &str = "CORP.EXAMPLE";

/// Counts the bytes that are in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

#[expect(
    unsafe_code,
    reason = "an allocator that counts can be had in no other way"
)]
// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the memory came from `alloc` above, with this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let day: Vec<_> = (0..HOURS).flat_map(hour).collect();
    let activities = day.len();
    let mut engine = Engine::new(Settings {
        controllers: vec![controller()],
        ..Settings::default()
    });
    let started = Instant::now();
    let mut told = 0;
    for activity in day {
        told += engine.observe(Input::Activity(activity)).len();
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{activities} activities of a day, {told} findings:");
    println!(
        "  {:>10.0} activities per CPU second, every detection on",
        activities as f64 / seconds
    );
    black_box(&engine);

    println!("bytes remembered:");
    // Every logon brings a ticket; what else it names anew is the difference.
    let accounts = bytes(|n| logon(n, 0, n));
    let hosts = bytes(|n| logon(0, n, n));
    let tickets = bytes(|n| logon(0, 0, n));
    println!("  {tickets:>10.0} per ticket");
    println!("  {:>10.0} per account", accounts - tickets);
    println!("  {:>10.0} per host", hosts - tickets);
}

/// What each of many activities leaves behind.
fn bytes(activity: impl Fn(u32) -> Activity) -> f64 {
    const MANY: u32 = 30_000;
    let mut engine = Engine::new(Settings::default());
    // What is remembered of requests for some seconds is no matter here.
    for n in 0..1_000 {
        engine.observe(Input::Activity(activity(n)));
    }
    let before = IN_USE.load(Ordering::Relaxed);
    for n in 0..MANY {
        engine.observe(Input::Activity(activity(1_000 + n)));
    }
    (IN_USE.load(Ordering::Relaxed) - before) as f64 / f64::from(MANY)
}

/// What everybody does in an hour.
fn hour(hour: u32) -> Vec<Activity> {
    let mut all = Vec::new();
    for person in 0..PEOPLE {
        let seed = hour * PEOPLE + person;
        if person % 50 == 0 {
            all.push(mistyped(person, seed));
        }
        all.push(logon(person, person, seed));
        for (n, service) in SERVICES.iter().enumerate() {
            let seed = seed * 8 + n as u32;
            all.push(service_ticket(
                person,
                hour * PEOPLE + person,
                service,
                seed,
            ));
            all.push(used(person, service, seed));
        }
    }
    let step = 3_600_000 / all.len() as u64;
    for (n, activity) in all.iter_mut().enumerate() {
        let millis = u64::from(hour) * 3_600_000 + n as u64 * step;
        let (seconds, rest) = (1_772_359_200 + millis / 1_000, millis % 1_000);
        activity.time = Timestamp::from_parts(seconds, rest as u32 * 1_000_000);
        activity.id = Digest::of(&[&millis.to_be_bytes()]);
    }
    all
}

fn controller() -> IpAddr {
    IpAddr::from([10, 0, 0, 1])
}

fn account(person: u32) -> Account {
    Account::new(&format!("user{person}"), REALM)
}

fn ticket(service: &str, seed: u32) -> Ticket {
    Ticket {
        id: Digest::of(&[service.as_bytes(), &seed.to_be_bytes()]),
        service: format!("{service}@{REALM}").into(),
        etype: 18,
        kvno: Some(2),
        length: 1_100,
        opened: None,
    }
}

fn granting(seed: u32) -> Ticket {
    ticket("krbtgt/CORP.EXAMPLE", seed)
}

fn activity(machine: u32, outcome: Outcome, kind: Kind) -> Activity {
    let client = IpAddr::from((0x0a01_0000 + machine).to_be_bytes());
    Activity {
        id: Digest::default(),
        time: Timestamp::from_parts(1_772_359_200, 0),
        sensor: "bench".into(),
        flow: Flow {
            transport: Transport::Tcp,
            client: SocketAddr::new(client, 50_000),
            server: SocketAddr::new(controller(), 88),
        },
        actor: None,
        credentials: None,
        client: Host::from(client),
        server: Host::from(controller()),
        outcome,
        confidence: Confidence::High,
        kind,
    }
}

fn initial(person: u32, machine: u32, seed: u32, answer: Answer, outcome: Outcome) -> Activity {
    let exchange = AsExchange {
        request: Some(AsRequest {
            kdc_options: 0x4081_0010,
            etypes: ETYPES.to_vec(),
            padata: vec![padata::ENC_TIMESTAMP, padata::PAC_REQUEST],
            nonce: seed,
            digest: Digest::of(&[b"as", &seed.to_be_bytes()]),
            ..AsRequest::default()
        }),
        client: Some(account(person)),
        service: Some("krbtgt/CORP.EXAMPLE@CORP.EXAMPLE".into()),
        answer,
        answer_data: AnswerData::default(),
    };
    Activity {
        actor: Some(Actor {
            account: account(person),
            aliases: Vec::new(),
            authenticated: outcome == Outcome::Success,
        }),
        ..activity(machine, outcome, Kind::As(Box::new(exchange)))
    }
}

fn logon(person: u32, machine: u32, seed: u32) -> Activity {
    let answer = Answer::Issued {
        ticket: granting(seed),
        reply_etype: 18,
    };
    initial(person, machine, seed, answer, Outcome::Success)
}

fn mistyped(person: u32, seed: u32) -> Activity {
    let answer = Answer::Refused(error::PREAUTH_FAILED);
    initial(person, person, !seed, answer, Outcome::Failure)
}

fn service_ticket(person: u32, granted: u32, service: &str, seed: u32) -> Activity {
    let exchange = TgsExchange {
        request: Some(TgsRequest {
            presented: Some(granting(granted)),
            kdc_options: 0x4081_0000,
            etypes: ETYPES.to_vec(),
            padata: vec![padata::TGS_REQ],
            name_type: 2,
            nonce: seed,
            digest: Digest::of(&[b"tgs", &seed.to_be_bytes()]),
            ..TgsRequest::default()
        }),
        client: Some(account(person)),
        service: Some(format!("{service}@{REALM}").into()),
        answer: Answer::Issued {
            ticket: ticket(service, seed),
            reply_etype: 18,
        },
        answer_data: AnswerData::default(),
    };
    activity(person, Outcome::Success, Kind::Tgs(Box::new(exchange)))
}

fn used(person: u32, service: &str, seed: u32) -> Activity {
    let exchange = ApExchange {
        ticket: ticket(service, seed),
        carrier: Carrier::Smb,
        ap_options: 0,
        authenticator_etype: Some(18),
        error: None,
    };
    activity(person, Outcome::Success, Kind::Ap(exchange))
}
