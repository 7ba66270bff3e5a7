//! Who is connected now, and how a connection is told to end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// Why a connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eviction {
    /// The sensor was revoked.
    Revoked,
    /// The same sensor connected again: networks change, and half of a dead connection lingers.
    Replaced,
    /// The console stops.
    Stopping,
}

/// The sensors that are connected.
#[derive(Debug, Default)]
pub(super) struct Live {
    entries: Mutex<Entries>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    by_name: HashMap<String, Entry>,
    /// Connections told to end that have not yet done so.
    leaving: usize,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    evict: oneshot::Sender<Eviction>,
}

/// A connection's place; [`Live::leave`] gives it back.
#[derive(Debug)]
pub(super) struct Place {
    name: String,
    number: u64,
}

impl Live {
    /// Takes the sensor's place, evicting an earlier connection of it. The receiver resolves
    /// when this connection must end itself.
    pub(super) fn enter(&self, name: &str) -> (Place, oneshot::Receiver<Eviction>) {
        let (evict, evicted) = oneshot::channel();
        let mut entries = self.entries();
        entries.next += 1;
        let number = entries.next;
        if let Some(earlier) = entries
            .by_name
            .insert(name.to_owned(), Entry { number, evict })
        {
            entries.leaving += 1;
            // It may have ended by itself a moment ago.
            let _ = earlier.evict.send(Eviction::Replaced);
        }
        let name = name.to_owned();
        (Place { name, number }, evicted)
    }

    /// Gives a place back. Whether the sensor is now without a connection.
    pub(super) fn leave(&self, place: &Place) -> bool {
        let mut entries = self.entries();
        let current = entries
            .by_name
            .get(&place.name)
            .is_some_and(|entry| entry.number == place.number);
        if current {
            entries.by_name.remove(&place.name);
        } else {
            entries.leaving = entries.leaving.saturating_sub(1);
        }
        if entries.by_name.is_empty() && entries.leaving == 0 {
            self.emptied.notify_waiters();
        }
        !entries.by_name.contains_key(&place.name)
    }

    /// Tells the sensor's connection to end, if there is one.
    pub(super) fn evict(&self, name: &str, why: Eviction) {
        let mut entries = self.entries();
        if let Some(entry) = entries.by_name.remove(name) {
            entries.leaving += 1;
            let _ = entry.evict.send(why);
        }
    }

    /// Tells every connection to end.
    pub(super) fn evict_all(&self) {
        for name in self.names() {
            self.evict(&name, Eviction::Stopping);
        }
    }

    /// Resolves when no connection is left.
    pub(super) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            {
                let entries = self.entries();
                if entries.by_name.is_empty() && entries.leaving == 0 {
                    return;
                }
            }
            emptied.await;
        }
    }

    /// How many sensors are connected.
    pub(super) fn count(&self) -> usize {
        self.entries().by_name.len()
    }

    /// The names of the connected sensors.
    pub(super) fn names(&self) -> Vec<String> {
        self.entries().by_name.keys().cloned().collect()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_connection_of_a_sensor_stays() {
        let live = Live::default();
        let (first, mut first_evicted) = live.enter("dc1");
        let (second, mut second_evicted) = live.enter("dc1");
        assert_eq!(first_evicted.try_recv(), Ok(Eviction::Replaced));
        assert!(second_evicted.try_recv().is_err());
        assert!(!live.leave(&first));
        assert_eq!(live.names(), ["dc1"]);
        assert!(live.leave(&second));
        assert_eq!(live.count(), 0);
    }

    #[tokio::test]
    async fn stopping_waits_for_everyone() {
        let live = Live::default();
        live.empty().await;
        let (place, evicted) = live.enter("dc1");
        live.evict_all();
        assert_eq!(evicted.await, Ok(Eviction::Stopping));
        let waiting = tokio::time::timeout(std::time::Duration::ZERO, live.empty()).await;
        assert!(waiting.is_err());
        assert!(live.leave(&place));
        live.empty().await;
    }
}
