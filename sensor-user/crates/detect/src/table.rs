//! The one table that everything remembered lives in: bounded, and honest about what it forgot.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use goshawk_model::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A map of at most `LIMIT` entries that forgets the entry touched longest ago, and counts it.
///
/// Iteration order never depends on hashing, so what is computed from a table is the same in every
/// run.
#[derive(Clone, Debug)]
pub(crate) struct Table<K, V, const LIMIT: usize> {
    slots: BTreeMap<K, Slot<V>>,
    /// Turn of the last touch → key; the first is the next to go.
    order: BTreeMap<u64, K>,
    next_turn: u64,
    evicted: u64,
}

#[derive(Clone, Debug)]
struct Slot<V> {
    turn: u64,
    touched: Timestamp,
    value: V,
}

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

impl<K: Ord + Clone, V, const LIMIT: usize> Table<K, V, LIMIT> {
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.slots.get(key).map(|slot| &slot.value)
    }

    /// The entry, changed in place without counting as a touch.
    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.slots.get_mut(key).map(|slot| &mut slot.value)
    }

    /// The entry, made by `default` if new, and now the last to be forgotten.
    pub(crate) fn touch(&mut self, key: K, now: Timestamp, default: impl FnOnce() -> V) -> &mut V {
        let turn = self.next_turn;
        self.next_turn += 1;
        if let Some(slot) = self.slots.get(&key) {
            self.order.remove(&slot.turn);
        } else if self.slots.len() >= LIMIT
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.slots.remove(&oldest);
            self.evicted += 1;
        }
        self.order.insert(turn, key.clone());
        let slot = self.slots.entry(key).or_insert_with(|| Slot {
            turn,
            touched: now,
            value: default(),
        });
        slot.turn = turn;
        slot.touched = now;
        &mut slot.value
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let slot = self.slots.remove(key)?;
        self.order.remove(&slot.turn);
        Some(slot.value)
    }

    /// The keys, in their order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.slots.keys()
    }

    /// Takes out the entry touched longest ago if that was before `limit`.
    pub(crate) fn pop_before(&mut self, limit: Timestamp) -> Option<(K, V)> {
        let first = self.order.first_entry()?;
        if self.slots.get(first.get())?.touched >= limit {
            return None;
        }
        let key = first.remove();
        let slot = self.slots.remove(&key)?;
        Some((key, slot.value))
    }

    /// Forgets every entry last touched before `limit`.
    pub(crate) fn expire(&mut self, limit: Timestamp) {
        while self.pop_before(limit).is_some() {}
    }

    pub(crate) fn stats(&self) -> TableStats {
        TableStats {
            len: self.slots.len(),
            limit: LIMIT,
            evicted: self.evicted,
        }
    }
}

impl<K, V, const LIMIT: usize> Default for Table<K, V, LIMIT> {
    fn default() -> Self {
        Self {
            slots: BTreeMap::new(),
            order: BTreeMap::new(),
            next_turn: 0,
            evicted: 0,
        }
    }
}

/// A table in a snapshot: its entries in the order in which they would be forgotten.
#[derive(Deserialize)]
#[serde(bound(deserialize = "K: Deserialize<'de>, V: Deserialize<'de>"))]
struct Saved<K, V> {
    #[serde(default)]
    evicted: u64,
    #[serde(default = "Vec::new")]
    entries: Vec<(K, Timestamp, V)>,
}

impl<K: Ord + Serialize, V: Serialize, const LIMIT: usize> Serialize for Table<K, V, LIMIT> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;

        struct Entries<'a, K, V>(&'a BTreeMap<K, Slot<V>>, &'a BTreeMap<u64, K>);
        impl<K: Ord + Serialize, V: Serialize> Serialize for Entries<'_, K, V> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.1.values().filter_map(|key| {
                    let slot = self.0.get(key)?;
                    Some((key, slot.touched, &slot.value))
                }))
            }
        }

        let mut saved = serializer.serialize_struct("Table", 2)?;
        saved.serialize_field("evicted", &self.evicted)?;
        saved.serialize_field("entries", &Entries(&self.slots, &self.order))?;
        saved.end()
    }
}

impl<'de, K, V, const LIMIT: usize> Deserialize<'de> for Table<K, V, LIMIT>
where
    K: Ord + Clone + Deserialize<'de>,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = Saved::deserialize(deserializer)?;
        let mut table = Self {
            evicted: saved.evicted,
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
