//! A few things by their keys, the least recently used the first to make room.

/// In one piece, the latest last: as a rule a connection has one or two, and a hash table alone
/// takes more than they do. For hundreds at the most, since each use walks along them.
#[derive(Debug)]
pub(super) struct Recent<K, V>(Vec<(K, V)>);

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Copy + Eq, V> Recent<K, V> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains(&self, key: K) -> bool {
        self.position(key).is_some()
    }

    /// What has this key, which is used by that.
    pub(super) fn get(&mut self, key: K) -> Option<&mut V> {
        let index = self.position(key)?;
        self.0.get_mut(index..)?.rotate_left(1);
        self.0.last_mut().map(|(_, value)| value)
    }

    /// What has this key, made if need be.
    pub(super) fn get_or_insert(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let value = self.remove(key).unwrap_or_else(make);
        self.0.reserve_exact(1);
        &mut self.0.push_mut((key, value)).1
    }

    /// Keeps it; what had its key is gone.
    pub(super) fn insert(&mut self, key: K, value: V) {
        self.remove(key);
        self.get_or_insert(key, || value);
    }

    pub(super) fn remove(&mut self, key: K) -> Option<V> {
        let index = self.position(key)?;
        Some(self.0.remove(index).1)
    }

    /// Takes the one that was not used for longest.
    pub(super) fn pop_oldest(&mut self) -> Option<V> {
        let oldest = (!self.0.is_empty()).then(|| self.0.remove(0));
        oldest.map(|(_, value)| value)
    }

    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(K) -> bool) {
        self.0.retain(|(key, _)| is_kept(*key));
    }

    /// All of them, the latest first.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().rev().map(|(_, value)| value)
    }

    /// All of them, the latest first.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().rev().map(|(_, value)| value)
    }

    fn position(&self, key: K) -> Option<usize> {
        self.0.iter().rposition(|(known, _)| *known == key)
    }
}

#[cfg(test)]
mod tests {
    use lru::LruCache;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_forgets_what_a_cache_would(steps in proptest::collection::vec((0..5u8, 0..6u8), 0..60)) {
            let (mut recent, mut cache) = (Recent::default(), LruCache::unbounded());
            for (time, (step, key)) in steps.into_iter().enumerate() {
                match step {
                    0 | 1 => {
                        recent.insert(key, time);
                        cache.put(key, time);
                    }
                    2 if key < 3 => prop_assert_eq!(
                        recent.get_or_insert(key, || time),
                        cache.get_or_insert_mut(key, || time)
                    ),
                    2 => prop_assert_eq!(recent.get(key), cache.get_mut(&key)),
                    3 => prop_assert_eq!(recent.remove(key), cache.pop(&key)),
                    _ => prop_assert_eq!(recent.pop_oldest(), cache.pop_lru().map(|(_, it)| it)),
                }
                prop_assert!(recent.values().eq(cache.iter().map(|(_, it)| it)));
                prop_assert_eq!((recent.len(), recent.contains(key)), (cache.len(), cache.contains(&key)));
            }
        }
    }
}
