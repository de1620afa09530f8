mod nodes;

use std::time::Duration;

use proptest::prelude::*;
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use super::*;
use crate::{LogKind, StoreError};

const SOON: Duration = Duration::from_mins(1);

fn entry(pos: i64, subject: i64) -> LogEntry {
    LogEntry {
        pos,
        kind: LogKind::Event,
        subject,
        reference: pos * 10,
        data: bytes::Bytes::new(),
    }
}

fn positions(live: &Live, after: i64) -> Option<Vec<i64>> {
    let entries = live.entries_since(after, &mut |_| true)?;
    Some(entries.iter().map(|entry| entry.pos).collect())
}

/// Whether a wait would end at once.
async fn is_changed(watch: &Watch) -> bool {
    tokio::select! {
        biased;
        () = watch.changed() => true,
        () = std::future::ready(()) => false,
    }
}

/// A log in memory that others write, with a gate in front of each read.
#[derive(Clone)]
struct Elsewhere {
    log: Arc<parking_lot::Mutex<Vec<LogEntry>>>,
    gate: Arc<Semaphore>,
    reads: Arc<AtomicU64>,
    fails: Arc<std::sync::atomic::AtomicBool>,
}

impl Elsewhere {
    fn new(gate: usize) -> Self {
        Self {
            log: Arc::default(),
            gate: Arc::new(Semaphore::new(gate)),
            reads: Arc::default(),
            fails: Arc::default(),
        }
    }

    fn write(&self, subject: i64) -> i64 {
        let mut log = self.log.lock();
        let pos = i64::try_from(log.len()).unwrap() + 1;
        log.push(entry(pos, subject));
        pos
    }

    fn live(&self) -> Arc<Live> {
        let elsewhere = self.clone();
        Arc::new(Live::shared(
            0,
            Box::new(move |after| {
                let elsewhere = elsewhere.clone();
                Box::pin(async move { elsewhere.read(after).await })
            }),
        ))
    }

    async fn read(&self, after: i64) -> StoreResult<Tail> {
        self.reads.fetch_add(1, SeqCst);
        let entries = self.log.lock().clone();
        self.gate.acquire().await.unwrap().forget();
        if self.fails.load(SeqCst) {
            return Err(StoreError::Contended);
        }
        Ok(Tail {
            position: entries.last().map_or(0, |entry| entry.pos),
            entries: entries.into_iter().filter(|e| e.pos > after).collect(),
            is_whole: true,
        })
    }
}

#[test]
fn entries_are_found_by_position_and_by_what_is_wanted() {
    let live = Live::alone(10);
    live.publish(11, vec![entry(11, 1), entry(12, 2), entry(13, 1)]);
    assert_eq!(live.position(), 13);
    assert_eq!(positions(&live, 10), Some(vec![11, 12, 13]));
    assert_eq!(positions(&live, 12), Some(vec![13]));
    assert_eq!(positions(&live, 13), Some(vec![]));
    assert_eq!(
        positions(&live, 99),
        Some(vec![]),
        "a token ahead of the log"
    );
    assert_eq!(positions(&live, 9), None, "before this node was started");
    let of_one = live.entries_since(10, &mut |entry| entry.subject == 1);
    assert_eq!(of_one.unwrap().len(), 2);
}

#[test]
fn a_full_ring_says_that_it_no_longer_reaches_back() {
    let live = Live::alone(0);
    let capacity = i64::try_from(RING_CAPACITY).unwrap();
    for pos in 1..=capacity {
        live.publish(pos, vec![entry(pos, 1)]);
    }
    assert_eq!(positions(&live, 0).unwrap().len(), RING_CAPACITY);
    live.publish(capacity + 1, vec![entry(capacity + 1, 1)]);
    assert_eq!(positions(&live, 0), None);
    assert_eq!(positions(&live, 1).unwrap().len(), RING_CAPACITY);
}

#[tokio::test]
async fn only_watches_of_the_subject_are_woken() {
    let live = Live::alone(0);
    let (one, two) = (live.watch(), live.watch());
    one.add(1);
    two.add(2);
    two.add(3);
    live.publish(1, vec![entry(1, 1)]);
    assert!(is_changed(&one).await);
    assert!(!is_changed(&one).await, "once is enough");
    assert!(!is_changed(&two).await);
    two.remove(2);
    live.publish(2, vec![entry(2, 2)]);
    assert!(!is_changed(&two).await);
    live.publish(3, vec![entry(3, 3)]);
    assert!(is_changed(&two).await);
}

#[tokio::test]
async fn a_dropped_watch_leaves_nothing_behind() {
    let live = Live::alone(0);
    let (one, two) = (live.watch(), live.watch());
    one.add(1);
    one.add(2);
    two.add(2);
    drop(one);
    assert_eq!(live.registry.len(), 1);
    live.publish(1, vec![entry(1, 2)]);
    assert!(is_changed(&two).await);
    drop(two);
    assert_eq!(live.registry.len(), 0);
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_no_wake_up() {
    let live = Live::alone(0);
    let watch = live.watch();
    watch.add(1);
    {
        // Woken while it waits, and dropped before it could say so.
        let mut wait = Box::pin(watch.changed());
        tokio::select! {
            biased;
            () = &mut wait => panic!("nothing has happened"),
            () = std::future::ready(()) => {}
        }
        live.publish(1, vec![entry(1, 1)]);
    }
    assert!(is_changed(&watch).await);
}

#[tokio::test]
async fn followers_wait_for_any_subject() {
    let live = Live::alone(4);
    timeout(SOON, live.beyond(3)).await.unwrap();
    let waits = live.beyond(5);
    live.publish(5, vec![entry(5, 1)]);
    live.publish(6, vec![entry(6, 2)]);
    timeout(SOON, waits).await.unwrap();
}

#[tokio::test]
async fn what_others_wrote_before_our_batch_is_read_first() {
    let elsewhere = Elsewhere::new(9);
    let live = elsewhere.live();
    let watch = live.watch();
    watch.add(7);
    elsewhere.write(7);
    elsewhere.write(8);
    live.publish(2, vec![entry(2, 8)]);
    assert_eq!(live.position(), 0, "position 1 is not known here yet");
    timeout(SOON, live.shared.as_ref().unwrap().behind.notified())
        .await
        .unwrap();
    assert_eq!(live.catch_up().await.unwrap(), 2);
    assert_eq!(positions(&live, 0), Some(vec![1, 2]));
    assert!(is_changed(&watch).await);
    elsewhere.write(9);
    live.publish(3, vec![entry(3, 9)]);
    assert_eq!(positions(&live, 0), Some(vec![1, 2, 3]));
    assert_eq!(live.catch_up().await.unwrap(), 3);
    assert_eq!(positions(&live, 0), Some(vec![1, 2, 3]));
}

#[tokio::test]
async fn all_who_wait_share_a_read_that_began_after_they_came() {
    let elsewhere = Elsewhere::new(0);
    let live = elsewhere.live();
    let mut callers = JoinSet::new();
    let early = live.clone();
    callers.spawn(async move { early.catch_up().await.unwrap() });
    while elsewhere.reads.load(SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // The first read has seen the log as it was before this.
    let acknowledged = elsewhere.write(1);
    for _ in 0..50 {
        let live = live.clone();
        callers.spawn(async move { live.catch_up().await.unwrap() });
    }
    tokio::task::yield_now().await;
    elsewhere.gate.add_permits(99);
    let mut reached = callers.join_all().await;
    reached.sort_unstable();
    assert_eq!(reached.remove(0), 0, "the early caller's own read");
    assert!(reached.iter().all(|position| *position == acknowledged));
    assert_eq!(elsewhere.reads.load(SeqCst), 2);
}

#[tokio::test]
async fn a_reader_that_is_dropped_leaves_the_read_to_the_next() {
    let elsewhere = Elsewhere::new(0);
    let live = elsewhere.live();
    let mut callers = JoinSet::new();
    let first = live.clone();
    let dropped = callers.spawn(async move { first.catch_up().await.unwrap() });
    while elsewhere.reads.load(SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let pos = elsewhere.write(1);
    let second = live.clone();
    callers.spawn(async move { second.catch_up().await.unwrap() });
    dropped.abort();
    assert!(
        callers
            .join_next()
            .await
            .unwrap()
            .unwrap_err()
            .is_cancelled()
    );
    elsewhere.gate.add_permits(9);
    let reached = timeout(SOON, callers.join_next()).await.unwrap();
    assert_eq!(reached.unwrap().unwrap(), pos);
}

#[tokio::test]
async fn a_failed_read_is_everybodys_and_the_next_one_is_new() {
    let elsewhere = Elsewhere::new(99);
    let live = elsewhere.live();
    elsewhere.write(1);
    elsewhere.fails.store(true, SeqCst);
    assert!(live.catch_up().await.is_err());
    assert_eq!(live.position(), 0);
    elsewhere.fails.store(false, SeqCst);
    assert_eq!(live.catch_up().await.unwrap(), 1);
}

#[tokio::test]
async fn commits_are_announced_together() {
    let live = Elsewhere::new(0).live();
    live.publish(1, vec![entry(1, 1)]);
    live.publish(2, vec![entry(2, 1), entry(3, 1)]);
    // What lies before this one is not known here, and may be ours to tell all the same.
    live.publish(9, vec![entry(9, 1)]);
    assert_eq!(timeout(SOON, live.next_announcement()).await, Ok((1, 9)));
    let next = live.next_announcement();
    live.publish(10, vec![entry(10, 1)]);
    assert_eq!(timeout(SOON, next).await, Ok((10, 10)));
}

#[tokio::test]
async fn a_gap_too_wide_empties_the_ring_and_wakes_everybody() {
    let live = Live::shared(
        0,
        Box::new(|_| {
            Box::pin(std::future::ready(Ok(Tail {
                position: 1_000_000,
                entries: vec![entry(1, 1)],
                is_whole: false,
            })))
        }),
    );
    let watch = live.watch();
    watch.add(2);
    assert_eq!(live.catch_up().await.unwrap(), 1_000_000);
    assert_eq!(positions(&live, 0), None);
    assert_eq!(positions(&live, 1_000_000), Some(vec![]));
    assert!(is_changed(&watch).await);
}

/// Waits for all entries of one subject as a sync request does: look, then wait, with a wait given
/// up now and then.
async fn follow(live: Arc<Live>, subject: i64, wanted: usize) {
    let watch = live.watch();
    watch.add(subject);
    let (mut seen, mut position) = (0, 0);
    while seen < wanted {
        let now = live.position();
        let mut of_subject = |entry: &LogEntry| entry.subject == subject && entry.pos <= now;
        seen += live.entries_since(position, &mut of_subject).unwrap().len();
        position = now;
        if seen % 3 == 0 {
            tokio::select! {
                () = watch.changed() => {}
                () = tokio::task::yield_now() => {}
            }
        } else if seen < wanted {
            watch.changed().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_ever_lost() {
    const SUBJECTS: i64 = 8;
    const ROUNDS: i64 = 1_000;
    let live = Arc::new(Live::alone(0));
    let mut tasks = JoinSet::new();
    for watcher in 0..SUBJECTS * 4 {
        let wanted = usize::try_from(ROUNDS).unwrap();
        tasks.spawn(follow(live.clone(), watcher % SUBJECTS, wanted));
    }
    tasks.spawn(async move {
        for pos in 1..=ROUNDS * SUBJECTS {
            live.publish(pos, vec![entry(pos, pos % SUBJECTS)]);
            tokio::task::yield_now().await;
        }
    });
    timeout(SOON, tasks.join_all()).await.unwrap();
}

proptest! {
    /// Against a plain list, for batches that come from us or from a read that may overlap.
    #[test]
    fn the_ring_is_the_end_of_the_log(steps in prop::collection::vec((0_i64..6, 0_i64..4), 0..40)) {
        let mut ring = Ring::new(16, 0);
        let mut log: Vec<LogEntry> = Vec::new();
        let mut position = 0;
        for (entries, overlap) in steps {
            let from = (position - overlap).max(0);
            for pos in position + 1..=position + entries {
                // Some positions are empty: their entry has moved on.
                if pos % 5 != 0 {
                    log.push(entry(pos, pos % 3));
                }
            }
            position += entries;
            let read = log.iter().filter(|entry| entry.pos > from).cloned().collect();
            ring.append(read, position);
            prop_assert_eq!(ring.position(), position);
            for after in 0..=position {
                let expected: Vec<_> = log.iter().filter(|entry| entry.pos > after).collect();
                match ring.since(after) {
                    Some(found) => prop_assert_eq!(found.collect::<Vec<_>>(), expected),
                    None => prop_assert!(expected.len() > 16),
                }
            }
        }
    }
}
