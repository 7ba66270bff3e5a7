//! The one table that everything remembered lives in: bounded, and honest about what it forgot.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};

use goshawk_model::Timestamp;
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A map of at most `LIMIT` entries that forgets the entry touched longest ago, and counts it.
///
/// Entries lie densely in one vector, in a chain from the one touched longest ago to the latest; a
/// hash table of their places finds them. What is walked is the chain, never the hash table: so the
/// hashes may have a secret of their own in every process, which keeps an attacker from choosing
/// keys that collide, and what is computed from a table is still the same in every run.
#[derive(Clone, Debug)]
pub(crate) struct Table<K, V, const LIMIT: usize> {
    slots: Vec<Slot<K, V>>,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The ends of the chain.
    oldest: u32,
    latest: u32,
    evicted: u64,
    /// When the entry was touched that was evicted last.
    forgot: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Slot<K, V> {
    key: K,
    value: V,
    touched: Timestamp,
    /// Neighbours in the chain.
    older: u32,
    newer: u32,
}

/// No place.
const NONE: u32 = u32::MAX;

/// How full a table is, and what it had to forget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    /// Entries held.
    pub len: usize,
    /// Entries it may hold.
    pub limit: usize,
    /// Entries forgotten because it was full.
    pub evicted: u64,
}

impl<K: Hash + Eq, V, const LIMIT: usize> Table<K, V, LIMIT> {
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key)?;
        self.slots.get(place as usize).map(|slot| &slot.value)
    }

    /// The entry, changed in place without counting as a touch.
    pub(crate) fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key)?;
        self.slots
            .get_mut(place as usize)
            .map(|slot| &mut slot.value)
    }

    /// The entry, made by `default` if new, and now the last to be forgotten.
    pub(crate) fn touch(&mut self, key: K, now: Timestamp, default: impl FnOnce() -> V) -> &mut V {
        if self.slots.len() >= LIMIT && self.find(&key).is_none() {
            self.forgot = self
                .slots
                .get(self.oldest as usize)
                .map(|slot| slot.touched);
            self.take(self.oldest);
            self.evicted += 1;
        }
        let hash = self.hasher.hash_one(&key);
        let Self {
            slots,
            places,
            hasher,
            ..
        } = self;
        let entry = places.entry(
            hash,
            |&place| slots[place as usize].key == key,
            |&place| hasher.hash_one(&slots[place as usize].key),
        );
        let place = match entry {
            Entry::Occupied(known) => {
                let place = *known.get();
                self.unchain(place);
                place
            }
            Entry::Vacant(vacant) => {
                let place = slots.len() as u32;
                vacant.insert(place);
                slots.push(Slot {
                    key,
                    value: default(),
                    touched: now,
                    older: NONE,
                    newer: NONE,
                });
                place
            }
        };
        self.chain(place);
        let slot = &mut self.slots[place as usize];
        slot.touched = now;
        &mut slot.value
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key)?;
        Some(self.take(place).1)
    }

    /// The keys, from the one touched longest ago to the latest.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.walk().map(|slot| &slot.key)
    }

    /// Takes out the entry touched longest ago if that was before `limit`.
    pub(crate) fn pop_before(&mut self, limit: Timestamp) -> Option<(K, V)> {
        let oldest = self.slots.get(self.oldest as usize)?;
        (oldest.touched < limit).then(|| self.take(self.oldest))
    }

    /// Forgets every entry last touched before `limit`.
    pub(crate) fn expire(&mut self, limit: Timestamp) {
        while self.pop_before(limit).is_some() {}
    }

    fn find<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<u32>
    where
        K: Borrow<Q>,
    {
        let same = |&place: &u32| self.slots[place as usize].key.borrow() == key;
        self.places.find(self.hasher.hash_one(key), same).copied()
    }

    /// Takes the entry at `place` out; the last one in the vector moves there.
    fn take(&mut self, place: u32) -> (K, V) {
        self.unchain(place);
        self.unplace(place, None);
        let last = self.slots.len() as u32 - 1;
        if place != last {
            self.unplace(last, Some(place));
        }
        let slot = self.slots.swap_remove(place as usize);
        if let Some(&Slot { older, newer, .. }) = self.slots.get(place as usize) {
            self.link(older, place);
            self.link(place, newer);
        }
        (slot.key, slot.value)
    }

    /// Lets the hash table forget a place, or know the entry there by another one.
    fn unplace(&mut self, place: u32, moved: Option<u32>) {
        let hash = self.hasher.hash_one(&self.slots[place as usize].key);
        if let Ok(mut entry) = self.places.find_entry(hash, |&known| known == place) {
            match moved {
                Some(to) => *entry.get_mut() = to,
                None => drop(entry.remove()),
            }
        }
    }
}

impl<K, V, const LIMIT: usize> Table<K, V, LIMIT> {
    pub(crate) fn stats(&self) -> TableStats {
        TableStats {
            len: self.slots.len(),
            limit: LIMIT,
            evicted: self.evicted,
        }
    }

    /// When the entry was touched that had to make room last.
    pub(crate) fn forgot(&self) -> Option<Timestamp> {
        self.forgot
    }

    fn walk(&self) -> impl Iterator<Item = &Slot<K, V>> {
        let at = |place: u32| self.slots.get(place as usize);
        std::iter::successors(at(self.oldest), move |slot| at(slot.newer))
    }

    /// Adds `place` to the chain, as the latest.
    fn chain(&mut self, place: u32) {
        let before = self.latest;
        self.link(before, place);
        self.link(place, NONE);
    }

    fn unchain(&mut self, place: u32) {
        let Slot { older, newer, .. } = self.slots[place as usize];
        self.link(older, newer);
    }

    /// Makes `older` and `newer` neighbours; `NONE` is what lies beyond the ends.
    fn link(&mut self, older: u32, newer: u32) {
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.latest = older,
        }
    }
}

impl<K, V, const LIMIT: usize> Default for Table<K, V, LIMIT> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            places: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            oldest: NONE,
            latest: NONE,
            evicted: 0,
            forgot: None,
        }
    }
}

/// A table in a snapshot: its entries in the order in which they would be forgotten.
#[derive(Deserialize)]
#[serde(bound(deserialize = "K: Deserialize<'de>, V: Deserialize<'de>"))]
struct Saved<K, V> {
    #[serde(default)]
    evicted: u64,
    #[serde(default)]
    forgot: Option<Timestamp>,
    #[serde(default = "Vec::new")]
    entries: Vec<(K, Timestamp, V)>,
}

impl<K: Serialize, V: Serialize, const LIMIT: usize> Serialize for Table<K, V, LIMIT> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;

        struct Entries<'a, K, V, const LIMIT: usize>(&'a Table<K, V, LIMIT>);
        impl<K: Serialize, V: Serialize, const LIMIT: usize> Serialize for Entries<'_, K, V, LIMIT> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let slots = self.0.walk();
                serializer.collect_seq(slots.map(|slot| (&slot.key, slot.touched, &slot.value)))
            }
        }

        let mut saved = serializer.serialize_struct("Table", 3)?;
        saved.serialize_field("evicted", &self.evicted)?;
        saved.serialize_field("forgot", &self.forgot)?;
        saved.serialize_field("entries", &Entries(self))?;
        saved.end()
    }
}

impl<'de, K, V, const LIMIT: usize> Deserialize<'de> for Table<K, V, LIMIT>
where
    K: Hash + Eq + Deserialize<'de>,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = Saved::deserialize(deserializer)?;
        let mut table = Self {
            evicted: saved.evicted,
            forgot: saved.forgot,
            ..Self::default()
        };
        for (key, touched, value) in saved.entries {
            table.touch(key, touched, || value);
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    #[test]
    fn forgets_what_was_touched_longest_ago_and_counts_it() {
        let mut table: Table<&str, u8, 2> = Table::default();
        table.touch("a", at(1), || 1);
        table.touch("b", at(2), || 2);
        table.touch("a", at(3), || 9);
        table.touch("c", at(4), || 3);
        assert_eq!(table.get("a"), Some(&1));
        assert_eq!(table.get("b"), None);
        assert_eq!(
            table.stats(),
            TableStats {
                len: 2,
                limit: 2,
                evicted: 1
            }
        );
    }

    #[test]
    fn expires_by_last_touch() {
        let mut table: Table<&str, u8, 9> = Table::default();
        table.touch("a", at(1), || 1);
        table.touch("b", at(2), || 2);
        table.touch("a", at(3), || 1);
        assert_eq!(table.pop_before(at(3)), Some(("b", 2)));
        assert_eq!(table.pop_before(at(3)), None);
        assert_eq!(table.remove("a"), Some(1));
        assert!(table.pop_before(at(9)).is_none());
    }

    #[test]
    fn a_saved_table_forgets_in_the_same_order() {
        let mut table: Table<String, u8, 2> = Table::default();
        table.touch("b".into(), at(1), || 1);
        table.touch("a".into(), at(2), || 2);
        let mut bytes = Vec::new();
        ciborium::into_writer(&table, &mut bytes).expect("writes");
        let mut table: Table<String, u8, 2> = ciborium::from_reader(&*bytes).expect("reads");
        table.touch("c".into(), at(3), || 3);
        assert!(table.get("b").is_none() && table.get("a").is_some());
    }
}
