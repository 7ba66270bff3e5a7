//! What protocol decoders work with: where and when they are, and where activities go.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use goshawk_model::{
    Activity, Actor, Confidence, Credentials, Digest, Flow, Host, Kind, Outcome, Timestamp,
};

use super::dcerpc::Endpoints;
use super::dns;
use crate::decoder::Decoded;
use crate::flow::{FlowKey, Side};
use crate::inventory::{Inventory, MAX_SEEN};
use crate::keytab::Keytab;
use crate::limits::Limits;
use crate::stats::Stats;

/// An activity's place in the order of all activities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) time: Timestamp,
    /// The packet it came with.
    pub(crate) origin: u64,
    /// Which of that packet's.
    pub(crate) sub: u32,
}

/// Whose activities these are.
#[derive(Debug)]
pub(crate) struct Sensor {
    name: Arc<str>,
    /// In which the identities of its activities are.
    digest: Digest,
    fingerprints: RandomState,
}

/// What tells bytes apart that are remembered for a moment, at a fraction of a [`Digest`]'s cost.
/// The hash has a random key (SipHash): nobody can send two messages that look like one, and none
/// of it may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

impl Sensor {
    pub(crate) fn new(name: Arc<str>) -> Self {
        let digest = Digest::of(&[name.as_bytes()]);
        Self {
            name,
            digest,
            fingerprints: RandomState::new(),
        }
    }
}

/// The surroundings of a message: its flow, its packet, and what the whole decoder shares.
pub(crate) struct Context<'a> {
    pub(crate) sensor: &'a Sensor,
    pub(crate) limits: &'a Limits,
    /// Keys that tickets are opened with.
    pub(crate) keytab: Option<&'a Keytab>,
    pub(crate) stats: &'a mut Stats,
    pub(crate) endpoints: &'a mut Endpoints,
    pub(crate) keys: &'a mut dns::Keys,
    pub(crate) inventory: &'a mut Inventory,
    pub(crate) out: &'a mut Vec<Decoded>,
    pub(crate) flow: FlowKey,
    /// The side that opened the connection, where its SYN was seen.
    pub(crate) opener: Option<Side>,
    pub(crate) time: Timestamp,
    pub(crate) origin: u64,
    /// The next free [`Moment::sub`] of this packet.
    pub(crate) sub: &'a mut u32,
}

/// What a protocol decoder has to say about an activity; the rest is in its [`Context`].
pub(crate) struct Draft {
    pub(crate) actor: Option<Actor>,
    pub(crate) credentials: Option<Arc<Credentials>>,
    pub(crate) client_name: Option<Box<str>>,
    pub(crate) outcome: Outcome,
    pub(crate) confidence: Confidence,
    pub(crate) kind: Kind,
}

impl Draft {
    /// Somebody did this, and the message leaves no doubt about it.
    pub(crate) fn new(kind: Kind, outcome: Outcome) -> Self {
        Self {
            actor: None,
            credentials: None,
            client_name: None,
            outcome,
            confidence: Confidence::High,
            kind,
        }
    }

    /// On a connection that authenticated with `credentials`.
    pub(crate) fn by(self, credentials: &Arc<Credentials>) -> Self {
        Self {
            actor: credentials.actor(),
            credentials: Some(Arc::clone(credentials)),
            client_name: credentials.workstation.clone(),
            ..self
        }
    }
}

impl Context<'_> {
    /// What a repetition of `bytes` would be known by; `None` over TCP, which has taken repetitions
    /// out already.
    pub(crate) fn fingerprint(&self, bytes: &[u8]) -> Option<Fingerprint> {
        let fingerprint = || Fingerprint(self.sensor.fingerprints.hash_one(bytes));
        self.is_udp().then(fingerprint)
    }

    /// A moment of its own within this packet.
    pub(crate) fn moment(&mut self) -> Moment {
        let sub = *self.sub;
        *self.sub = sub.wrapping_add(1);
        Moment {
            time: self.time,
            origin: self.origin,
            sub,
        }
    }

    /// Whether a message that only clients send may come from `side`.
    pub(crate) fn may_be_client(&self, side: Side) -> bool {
        self.opener.is_none_or(|opener| opener == side)
    }

    /// Emits an activity of the client on side `client`.
    pub(crate) fn emit(&mut self, moment: Moment, client: Side, draft: Draft) {
        let Moment { time, origin, sub } = moment;
        let flow = self.flow.seen_from(client);
        let id = self.identity(&flow, moment);
        let activity = Activity {
            id,
            time,
            sensor: Arc::clone(&self.sensor.name),
            flow,
            actor: draft.actor,
            credentials: draft.credentials,
            client: Host {
                ip: flow.client.ip(),
                name: draft.client_name,
            },
            server: flow.server.ip().into(),
            outcome: draft.outcome,
            confidence: draft.confidence,
            kind: draft.kind,
        };
        self.sightings(moment, &activity);
        self.out.push(Decoded {
            origin,
            sub: place(sub, MAX_SEEN),
            activity,
        });
    }

    /// Emits the computers that `activity` shows, in front of it: who looks at it knows them.
    fn sightings(&mut self, moment: Moment, activity: &Activity) {
        let room = self.limits.max_sightings;
        let news = self.inventory.news(activity, room, self.stats);
        for (index, seen) in news.into_iter().enumerate() {
            let number = [u8::try_from(index).unwrap_or(u8::MAX)];
            let sighting = Activity {
                id: activity.id.within(&number),
                time: activity.time,
                sensor: Arc::clone(&self.sensor.name),
                flow: activity.flow,
                actor: None,
                credentials: None,
                client: activity.client.ip.into(),
                server: activity.server.ip.into(),
                outcome: Outcome::Success,
                confidence: seen.confidence,
                kind: Kind::Sighting(seen.sighting),
            };
            self.out.push(Decoded {
                origin: moment.origin,
                sub: place(moment.sub, index),
                activity: sighting,
            });
        }
    }

    /// An identity that no other activity has: where it was seen, and its place there.
    fn identity(&self, flow: &Flow, moment: Moment) -> Digest {
        let mut place = [0; 57];
        let mut rest = &mut place[..];
        let address = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let mut put = |bytes: &[u8]| {
            if let Some((to, behind)) = std::mem::take(&mut rest).split_at_mut_checked(bytes.len())
            {
                to.copy_from_slice(bytes);
                rest = behind;
            }
        };
        put(&[flow.transport as u8]);
        for end in [flow.client, flow.server] {
            put(&address(end.ip()));
            put(&end.port().to_le_bytes());
        }
        put(&moment.time.as_nanos().to_le_bytes());
        put(&moment.origin.to_le_bytes());
        put(&moment.sub.to_le_bytes());
        self.sensor.digest.within(&place)
    }

    pub(crate) fn is_udp(&self) -> bool {
        self.flow.is_udp()
    }
}

/// The place of an activity, behind up to [`MAX_SEEN`] sightings that come with it, among all of
/// its packet.
fn place(sub: u32, index: usize) -> u32 {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    sub.wrapping_mul(MAX_SEEN as u32 + 1).wrapping_add(index)
}
