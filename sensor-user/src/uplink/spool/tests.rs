//! The spool's file, tried.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use goshawk_model::{Alert, frame::Item};

use super::samples::alert;
use super::{MIN_LIMIT, Pushed, Room, Spool, spool_path};

const ROOMY: Room = Room {
    limit: 64 << 20,
    awaits_console: true,
};
const TIGHT: Room = Room {
    limit: MIN_LIMIT,
    awaits_console: true,
};

fn all(spool: &Spool) -> Vec<(u64, u32)> {
    of(&spool.pending(0, usize::MAX >> 1).unwrap())
}

fn of(items: &[Item]) -> Vec<(u64, u32)> {
    items
        .iter()
        .map(|item| (item.sequence, item.alert.revision))
        .collect()
}

fn fresh() -> (tempfile::TempDir, Spool) {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&spool_path(dir.path())).unwrap();
    (dir, spool)
}

/// About 4 kB, so that a tight spool holds some dozens.
fn large(number: u32, revision: u32) -> Alert {
    Alert {
        reason: "x".repeat(3800),
        ..alert(number, revision)
    }
}

#[test]
fn items_keep_their_order_and_leave_when_acknowledged() {
    let (dir, mut spool) = fresh();
    spool
        .push(&[alert(1, 1), alert(2, 1), alert(1, 2)], ROOMY)
        .unwrap();
    assert_eq!(all(&spool), [(1, 1), (2, 1), (3, 2)]);
    assert_eq!(of(&spool.pending(1, 1).unwrap()), [(2, 1)]);
    spool.acknowledge(2).unwrap();
    spool.acknowledge(1).unwrap();
    assert_eq!(all(&spool), [(3, 2)]);
    assert_eq!(spool.pending_count().unwrap(), 1);
    assert_eq!(of(&spool.latest_after(0, 9).unwrap()), [(2, 1), (3, 2)]);
    assert_eq!(of(&spool.items_after(0, 9).unwrap()).len(), 3);
    let path = spool_path(dir.path());
    assert_eq!(
        fs::metadata(path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_spool_opened_again_goes_on_where_it_was() {
    let (dir, mut spool) = fresh();
    spool.push(&[alert(1, 1), alert(2, 1)], ROOMY).unwrap();
    spool.acknowledge(1).unwrap();
    let id = spool.id().unwrap();
    drop(spool);
    let mut spool = Spool::open(&spool_path(dir.path())).unwrap();
    assert_eq!(spool.id().unwrap(), id);
    spool.push(&[alert(3, 1)], ROOMY).unwrap();
    assert_eq!(all(&spool), [(2, 1), (3, 1)]);
    assert_ne!(fresh().1.id().unwrap(), id);
}

#[test]
fn the_same_again_is_kept_once_and_a_stale_revision_gets_the_next() {
    let (_dir, mut spool) = fresh();
    spool
        .push(&[alert(1, 1), alert(1, 2), alert(1, 2)], ROOMY)
        .unwrap();
    assert_eq!(all(&spool), [(1, 1), (2, 2)]);
    // An engine restored from before revision 2 counts it again, with other events in it.
    let again = Alert {
        count: 99,
        ..alert(1, 1)
    };
    spool.push(&[again], ROOMY).unwrap();
    let last = spool.pending(2, 9).unwrap();
    assert_eq!((last[0].alert.revision, last[0].alert.count), (3, 99));
}

#[test]
fn nobody_acknowledges_what_was_never_spooled() {
    let (_dir, mut spool) = fresh();
    spool.push(&[alert(1, 1)], ROOMY).unwrap();
    spool.acknowledge(u64::MAX).unwrap();
    spool.push(&[alert(2, 1)], ROOMY).unwrap();
    assert_eq!(all(&spool), [(2, 1)]);
}

#[test]
fn a_console_that_lost_its_memory_gets_the_history_again() {
    let (_dir, mut spool) = fresh();
    spool.push(&[alert(1, 1), alert(2, 1)], ROOMY).unwrap();
    spool.acknowledge(2).unwrap();
    assert!(spool.reconcile(1).unwrap());
    assert_eq!(all(&spool), [(2, 1)]);
}

#[test]
fn a_restored_spool_gets_another_id() {
    let (_dir, mut spool) = fresh();
    spool.push(&[alert(1, 1)], ROOMY).unwrap();
    let id = spool.id().unwrap();
    assert!(!spool.reconcile(500).unwrap());
    assert_ne!(spool.id().unwrap(), id);
    assert_eq!(all(&spool), [(1, 1)]);
}

#[test]
fn when_full_superseded_updates_go_first() {
    let (_dir, mut spool) = fresh();
    let mut revision = 0;
    spool.push(&[large(9, 1)], TIGHT).unwrap();
    while revision < 200 {
        revision += 1;
        let pushed = spool.push(&[large(1, revision)], TIGHT).unwrap();
        assert_eq!(pushed.refused, 0);
    }
    let left = all(&spool);
    assert_eq!(left[0], (1, 1), "the other alert stays");
    assert_eq!(left.last(), Some(&(201, 200)), "and so does the last word");
    assert!(left.len() < 40, "{}", left.len());
}

#[test]
fn then_goes_history_and_what_is_pending_stays() {
    let (_dir, mut spool) = fresh();
    for number in 0..20 {
        spool.push(&[large(number, 1)], TIGHT).unwrap();
    }
    spool.acknowledge(10).unwrap();
    let mut kept = 20;
    while spool.push(&[large(kept, 1)], TIGHT).unwrap().kept == 1 {
        kept += 1;
    }
    let left = all(&spool);
    assert_eq!(
        left.len(),
        (kept - 10) as usize,
        "every pending item is there"
    );
    assert_eq!(left[0], (11, 1));
    assert_eq!(
        spool.items_after(0, 999).unwrap().len(),
        left.len(),
        "no history is"
    );
    spool.acknowledge(11).unwrap();
    assert_eq!(spool.push(&[large(999, 1)], TIGHT).unwrap().kept, 1);
}

#[test]
fn the_last_part_is_for_new_alerts() {
    let (_dir, mut spool) = fresh();
    let mut number = 0;
    let small = |number| alert(number, 1);
    while spool.push(&[small(number)], TIGHT).unwrap().refused == 0 {
        number += 1;
    }
    // Every alert is its own latest word, so an update that grows has nothing to displace but
    // its predecessor.
    let grown = Alert {
        reason: "x".repeat(9000),
        ..alert(1, 2)
    };
    let refused = Pushed {
        kept: 0,
        refused: 1,
    };
    assert_eq!(spool.push(&[grown], TIGHT).unwrap(), refused);
    assert_eq!(spool.pending_count().unwrap(), u64::from(number));
}

#[test]
fn without_a_console_the_oldest_make_room() {
    let (dir, mut spool) = fresh();
    let alone = Room {
        awaits_console: false,
        ..TIGHT
    };
    for number in 0..300 {
        assert_eq!(spool.push(&[large(number, 1)], alone).unwrap().refused, 0);
    }
    let left = spool.items_after(0, 999).unwrap();
    assert_eq!(left.last().unwrap().sequence, 300);
    assert!(left.len() < 40);
    drop(spool);
    let size = fs::metadata(spool_path(dir.path())).unwrap().len();
    assert!(size <= 2 * MIN_LIMIT, "{size}");
}

#[test]
fn an_alert_larger_than_a_frame_is_refused() {
    let (_dir, mut spool) = fresh();
    let monster = Alert {
        summary: "x".repeat(goshawk_model::frame::MAX_FRAME),
        ..alert(1, 1)
    };
    let pushed = spool.push(&[monster, alert(2, 1)], ROOMY).unwrap();
    assert_eq!((pushed.kept, pushed.refused), (1, 1));
}

#[test]
fn a_damaged_file_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = spool_path(dir.path());
    for damage in [
        &b"this is no database, and longer than a header would be........"[..],
        b"short",
    ] {
        fs::write(&path, damage).unwrap();
        let mut spool = Spool::open(&path).unwrap();
        spool.push(&[alert(1, 1)], ROOMY).unwrap();
        assert_eq!(all(&spool), [(1, 1)]);
        assert_eq!(
            fs::read(dir.path().join("spool.db.damaged")).unwrap(),
            damage
        );
        drop(spool);
    }
}

#[test]
fn a_file_with_a_hole_is_noticed() {
    let (dir, mut spool) = fresh();
    let many: Vec<_> = (0..200).map(|number| large(number, 1)).collect();
    spool.push(&many, ROOMY).unwrap();
    drop(spool);
    let path = spool_path(dir.path());
    let whole = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(whole / 2)
        .unwrap();
    let spool = Spool::open(&path).unwrap();
    assert_eq!(all(&spool), []);
    assert!(dir.path().join("spool.db.damaged").exists());
}

#[test]
fn a_spool_of_a_later_build_is_set_aside() {
    let (dir, spool) = fresh();
    drop(spool);
    let path = spool_path(dir.path());
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 2).unwrap();
    drop(db);
    assert_eq!(all(&Spool::open(&path).unwrap()), []);
    assert!(dir.path().join("spool.db.damaged").exists());
}

#[test]
fn a_reader_sees_what_is_committed_while_the_writer_writes() {
    let (dir, mut spool) = fresh();
    let reader = Spool::open_to_read(&spool_path(dir.path())).unwrap();
    for number in 0..50 {
        spool.push(&[alert(number, 1)], ROOMY).unwrap();
        let seen = reader.items_after(u64::from(number), 9).unwrap();
        assert_eq!(of(&seen), [(u64::from(number) + 1, 1)]);
    }
}

#[test]
fn a_spool_that_is_not_there_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let error = Spool::open_to_read(&spool_path(dir.path())).err().unwrap();
    assert!(error.to_string().contains("has the sensor run"), "{error}");
}
