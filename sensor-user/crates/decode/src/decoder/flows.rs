//! Where flows live: one after the other, found by their keys, each in the order of last use among
//! its like.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::connection::Connection;
use crate::flow::FlowKey;

/// All flows. They lie in chunks, so that neither their number nor its growth asks for more than
/// they take themselves; a hash table of their places finds them. What is walked is never the hash
/// table but the rows, so that the hashes may have a secret of their own in every process.
pub(super) struct Flows {
    chunks: Vec<Vec<Slot>>,
    places: HashTable<Place>,
    hasher: DefaultHashBuilder,
    rows: [Row; 3],
    /// Places that are free, the first of them; each knows the next.
    free: Place,
}

/// Where a flow lives, for as long as it does.
pub(super) type Place = u32;

/// What flows are kept apart by. Those of one kind make no room for those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// TCP connections that are decoded.
    Conversation,
    /// What is decoded over UDP.
    Datagrams,
    /// Connections not recognised yet, of no interest, or over.
    Stranger,
}

/// Flows from the one not used for longest to the latest.
#[derive(Clone, Copy)]
struct Row {
    oldest: Place,
    latest: Place,
    length: usize,
}

struct Slot {
    key: FlowKey,
    class: Class,
    /// Neighbours in the row.
    older: Place,
    newer: Place,
    connection: Connection,
}

const NOWHERE: Place = Place::MAX;
const CHUNK: usize = 128;

impl Flows {
    pub(super) fn new() -> Self {
        let row = Row {
            oldest: NOWHERE,
            latest: NOWHERE,
            length: 0,
        };
        Self {
            chunks: Vec::new(),
            places: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            rows: [row; 3],
            free: NOWHERE,
        }
    }

    /// How many flows of a class there are.
    pub(super) fn count(&self, class: Class) -> usize {
        self.row(class).length
    }

    pub(super) fn find(&self, key: &FlowKey) -> Option<Place> {
        let is_it = |&place: &Place| self.slot(place).is_some_and(|slot| slot.key == *key);
        self.places.find(self.hasher.hash_one(key), is_it).copied()
    }

    /// Takes in a flow that is not known, as the latest of its class.
    pub(super) fn insert(&mut self, key: FlowKey, class: Class) -> Place {
        let slot = Slot {
            key,
            class,
            older: NOWHERE,
            newer: NOWHERE,
            connection: Connection::default(),
        };
        let place = match self.slot(self.free).map(|slot| slot.newer) {
            Some(next) => {
                let place = std::mem::replace(&mut self.free, next);
                if let Some(free) = self.slot_mut(place) {
                    *free = slot;
                }
                place
            }
            None => self.append(slot),
        };
        self.join(place, class);
        let Self {
            chunks,
            places,
            hasher,
            ..
        } = self;
        let hash = |&place: &Place| slot_in(chunks, place).map_or(0, |it| hasher.hash_one(it.key));
        places.insert_unique(hash(&place), place, hash);
        place
    }

    pub(super) fn class(&self, place: Place) -> Option<Class> {
        self.slot(place).map(|slot| slot.class)
    }

    pub(super) fn get(&mut self, place: Place) -> Option<(FlowKey, &mut Connection)> {
        self.slot_mut(place)
            .map(|slot| (slot.key, &mut slot.connection))
    }

    /// A flow is used, and is the latest of `class` now.
    pub(super) fn settle(&mut self, place: Place, class: Class) {
        if self.row(class).latest != place {
            self.leave(place);
            self.join(place, class);
        }
    }

    /// The flow of a class that was not used for longest.
    pub(super) fn oldest(&self, class: Class) -> Option<Place> {
        Some(self.row(class).oldest).filter(|&place| place != NOWHERE)
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<(FlowKey, Connection)> {
        self.leave(place);
        let free = self.free;
        let slot = self.slot_mut(place)?;
        slot.newer = free;
        let (key, connection) = (slot.key, std::mem::take(&mut slot.connection));
        let hash = self.hasher.hash_one(key);
        if let Ok(entry) = self.places.find_entry(hash, |&it| it == place) {
            entry.remove();
        }
        self.free = place;
        Some((key, connection))
    }

    fn append(&mut self, slot: Slot) -> Place {
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let inside = self.chunks.last_mut().map_or(0, |chunk| {
            chunk.push(slot);
            chunk.len() - 1
        });
        // There is no room for so many that this would fail.
        Place::try_from(before + inside).unwrap_or(NOWHERE)
    }

    fn join(&mut self, place: Place, class: Class) {
        let row = self.row_mut(class);
        let before = std::mem::replace(&mut row.latest, place);
        row.length += 1;
        if before == NOWHERE {
            row.oldest = place;
        } else if let Some(slot) = self.slot_mut(before) {
            slot.newer = place;
        }
        if let Some(slot) = self.slot_mut(place) {
            (slot.class, slot.older, slot.newer) = (class, before, NOWHERE);
        }
    }

    fn leave(&mut self, place: Place) {
        let Some(slot) = self.slot(place) else {
            return;
        };
        let (class, older, newer) = (slot.class, slot.older, slot.newer);
        match self.slot_mut(older) {
            Some(slot) => slot.newer = newer,
            None => self.row_mut(class).oldest = newer,
        }
        match self.slot_mut(newer) {
            Some(slot) => slot.older = older,
            None => self.row_mut(class).latest = older,
        }
        self.row_mut(class).length -= 1;
    }

    fn slot(&self, place: Place) -> Option<&Slot> {
        slot_in(&self.chunks, place)
    }

    fn slot_mut(&mut self, place: Place) -> Option<&mut Slot> {
        let place = place as usize;
        self.chunks.get_mut(place / CHUNK)?.get_mut(place % CHUNK)
    }

    fn row(&self, class: Class) -> &Row {
        let [conversations, datagrams, strangers] = &self.rows;
        match class {
            Class::Conversation => conversations,
            Class::Datagrams => datagrams,
            Class::Stranger => strangers,
        }
    }

    fn row_mut(&mut self, class: Class) -> &mut Row {
        let [conversations, datagrams, strangers] = &mut self.rows;
        match class {
            Class::Conversation => conversations,
            Class::Datagrams => datagrams,
            Class::Stranger => strangers,
        }
    }
}

fn slot_in(chunks: &[Vec<Slot>], place: Place) -> Option<&Slot> {
    let place = place as usize;
    chunks.get(place / CHUNK)?.get(place % CHUNK)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    use goshawk_model::Transport;
    use proptest::prelude::*;

    use super::*;

    const CLASSES: [Class; 3] = [Class::Conversation, Class::Datagrams, Class::Stranger];

    fn key(port: u16) -> FlowKey {
        let (client, server) = (IpAddr::from([10, 0, 0, 9]), IpAddr::from([10, 0, 0, 1]));
        FlowKey::new(Transport::Tcp, (client, port), (server, 445)).0
    }

    fn in_order(flows: &Flows, class: Class) -> Vec<FlowKey> {
        let mut place = flows.row(class).oldest;
        let mut order = Vec::new();
        while let Some(slot) = flows.slot(place) {
            order.push(slot.key);
            place = slot.newer;
        }
        order
    }

    proptest! {
        #[test]
        fn each_is_found_in_its_row(steps in proptest::collection::vec((0..4u8, 0..300u16, 0..3usize), 1..900)) {
            let mut flows = Flows::new();
            let mut rows: BTreeMap<usize, Vec<FlowKey>> = BTreeMap::new();
            for (step, port, class) in steps {
                let key = key(port);
                let found = flows.find(&key);
                let known = rows.values().any(|row| row.contains(&key));
                prop_assert_eq!(found.is_some(), known);
                for row in rows.values_mut() {
                    row.retain(|other| *other != key);
                }
                match (step, found) {
                    (0, Some(place)) => {
                        prop_assert_eq!(flows.remove(place).unwrap().0, key);
                    }
                    (_, Some(place)) => {
                        flows.settle(place, CLASSES[class]);
                        rows.entry(class).or_default().push(key);
                    }
                    (_, None) => {
                        flows.insert(key, CLASSES[class]);
                        rows.entry(class).or_default().push(key);
                    }
                }
            }
            for (class, &name) in CLASSES.iter().enumerate() {
                let expected = rows.remove(&class).unwrap_or_default();
                prop_assert_eq!(flows.count(name), expected.len());
                prop_assert_eq!(in_order(&flows, name), expected);
            }
        }
    }

    #[test]
    fn places_are_used_again() {
        let mut flows = Flows::new();
        for port in 0..10_000 {
            flows.insert(key(port), Class::Stranger);
            if flows.count(Class::Stranger) > 100 {
                let oldest = flows.oldest(Class::Stranger).unwrap();
                flows.remove(oldest);
            }
        }
        assert_eq!(flows.chunks.len(), 1);
    }
}
