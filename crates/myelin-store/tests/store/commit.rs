//! Every kind of change, expectation, take and deletion, on both engines.

use std::time::Duration;

use myelin_testdb::Cluster;

use super::support::{BLOBS, LETTERS, NAMES, NOTES, Place, SUMS, THINGS, on_both, query, row};
use bytes::Bytes;
use myelin_store::{
    Committed, CrashPoint, DatabaseUrl, Key, LogKind, LogWrite, OpenError, Param, RangeDeletion,
    Store, StoreError, StoreOptions, StoreResult, Value, WriteSet,
};

type Outcomes = Vec<StoreResult<Committed>>;

/// Submits all sets at once, so that they can meet in one batch.
async fn commit_all(store: &Store, sets: Vec<WriteSet>) -> Outcomes {
    let submissions: Vec<_> = sets.into_iter().map(|set| store.submit(set)).collect();
    let mut outcomes = Vec::new();
    for submission in submissions {
        outcomes.push(submission.await);
    }
    outcomes
}

fn set(build: impl FnOnce(&mut WriteSet)) -> WriteSet {
    let mut writes = WriteSet::new();
    build(&mut writes);
    writes
}

fn log(subject: i64, reference: i64) -> LogWrite {
    LogWrite {
        kind: LogKind::Event,
        subject,
        reference,
        data: Bytes::from_static(b"data"),
    }
}

fn range(prefix: Key, from: i64, to: i64) -> RangeDeletion {
    RangeDeletion {
        table: &LETTERS,
        prefix,
        from,
        to,
    }
}

fn passed(outcomes: &Outcomes) -> Vec<bool> {
    outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(_) => true,
            Err(StoreError::Conflict) => false,
            Err(error) => panic!("{error:?}"),
        })
        .collect()
}

async fn things(store: &Store) -> Vec<Vec<Value>> {
    let sql = "SELECT place, name, version, body FROM things ORDER BY place, name";
    query(store, sql, &[]).await
}

async fn sums(store: &Store) -> Vec<Vec<Value>> {
    query(store, "SELECT id, a, b FROM sums ORDER BY id", &[]).await
}

#[test]
fn every_kind_of_change() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            let first = set(|w| {
                w.put(&THINGS, row![1, "a"], row![1, "one"]);
                w.insert(&THINGS, row![1, "b"], row![1, None::<&str>]);
                w.add(&SUMS, row![1], row![5, -1]);
                w.max(&SUMS, row![2], row![5, -1]);
                w.put(&BLOBS, row!["h"], row!["old"]);
                w.put(&NOTES, row![1], row!["n"]);
            });
            store.commit(first).await.unwrap();
            let second = set(|w| {
                w.put(&THINGS, row![1, "a"], row![2, "two"]);
                w.delete(&THINGS, row![1, "b"]);
                w.delete(&THINGS, row![1, "c"]);
                w.add(&SUMS, row![1], row![1, 1]);
                w.max(&SUMS, row![2], row![3, 3]);
                w.put(&BLOBS, row!["h"], row!["new"]);
                w.put(&NOTES, row![1], row![None::<&str>]);
            });
            store.commit(second).await.unwrap();
            assert_eq!(things(&store).await, [row![1, "a", 2, "two"]]);
            assert_eq!(sums(&store).await, [row![1, 6, 0], row![2, 5, 3]]);
            assert_eq!(
                query(&store, "SELECT body FROM blobs", &[]).await,
                [row!["old"]]
            );
            assert_eq!(
                query(&store, "SELECT body FROM notes", &[]).await,
                [row![None::<&str>]]
            );
        })
    });
}

#[test]
fn an_insert_of_a_row_that_is_there_falls_whole() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            let outcomes = commit_all(
                &store,
                vec![
                    set(|w| w.insert(&THINGS, row![1, "a"], row![1, "first"])),
                    set(|w| {
                        w.put(&NOTES, row![1], row!["never"]);
                        w.insert(&THINGS, row![1, "a"], row![1, "second"]);
                        w.log(log(1, 2));
                    }),
                    set(|w| w.log(log(1, 3))),
                ],
            )
            .await;
            assert_eq!(passed(&outcomes), [true, false, true]);
            assert_eq!(outcomes[2].as_ref().unwrap().first, 1);
            assert_eq!(things(&store).await, [row![1, "a", 1, "first"]]);
            assert!(query(&store, "SELECT id FROM notes", &[]).await.is_empty());
            let again = set(|w| w.insert(&THINGS, row![1, "a"], row![9, "third"]));
            assert!(matches!(
                store.commit(again).await,
                Err(StoreError::Conflict)
            ));
        })
    });
}

/// Sets built on sets of the same batch pass; those built on a fallen one fall, alone.
#[test]
fn chains_within_a_batch() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            let step = |name: &'static str, from: Option<i64>, to: i64| {
                set(|w| {
                    w.expect(&THINGS, row![1, name], from);
                    w.put(&THINGS, row![1, name], row![to, to.to_string().as_str()]);
                    w.add(&SUMS, row![1], row![1, to]);
                    w.log(log(1, to));
                })
            };
            let outcomes = commit_all(
                &store,
                vec![
                    step("a", None, 1),
                    step("a", Some(1), 2),
                    step("b", None, 1),
                    step("a", Some(1), 7),
                    step("a", Some(7), 8),
                    step("b", Some(1), 2),
                    step("a", Some(2), 3),
                    step("a", None, 9),
                ],
            )
            .await;
            let expected = [true, true, true, false, false, true, true, false];
            assert_eq!(passed(&outcomes), expected);
            let positions: Vec<_> = outcomes.iter().flatten().map(|done| done.first).collect();
            assert_eq!(positions, [1, 2, 3, 4, 5]);
            assert_eq!(
                things(&store).await,
                [row![1, "a", 3, "3"], row![1, "b", 2, "2"]]
            );
            assert_eq!(sums(&store).await, [row![1, 5, 9]]);
            let rows = query(&store, "SELECT pos, reference FROM log ORDER BY pos", &[]).await;
            let wanted = [row![1, 1], row![2, 2], row![3, 1], row![4, 2], row![5, 3]];
            assert_eq!(rows, wanted);
        })
    });
}

/// The second claimant of a row gets it if the first one falls for another reason.
#[test]
fn a_claim_outlives_its_first_claimant() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            let outcomes = commit_all(
                &store,
                vec![
                    set(|w| {
                        w.expect(&THINGS, row![9, "missing"], Some(4));
                        w.insert(&SUMS, row![1], row![1, 1]);
                        w.insert(&SUMS, row![2], row![1, 1]);
                    }),
                    set(|w| w.insert(&SUMS, row![1], row![2, 2])),
                    set(|w| w.add(&SUMS, row![1], row![10, 10])),
                    set(|w| w.insert(&SUMS, row![1], row![3, 3])),
                ],
            )
            .await;
            assert_eq!(passed(&outcomes), [false, true, true, false]);
            assert_eq!(sums(&store).await, [row![1, 12, 12]]);
        })
    });
}

#[test]
fn changes_of_one_row_follow_each_other() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            let outcomes = commit_all(
                &store,
                vec![
                    set(|w| w.add(&SUMS, row![1], row![1, 1])),
                    set(|w| w.max(&SUMS, row![1], row![5, 0])),
                    set(|w| w.add(&SUMS, row![1], row![1, 1])),
                    set(|w| w.insert(&SUMS, row![2], row![1, 1])),
                    set(|w| w.delete(&SUMS, row![2])),
                    set(|w| w.add(&SUMS, row![2], row![7, 7])),
                    set(|w| w.put(&NOTES, row![1], row!["first"])),
                    set(|w| w.put(&NOTES, row![1], row!["last"])),
                    set(|w| w.put(&BLOBS, row!["h"], row!["first"])),
                    set(|w| w.put(&BLOBS, row!["h"], row!["last"])),
                ],
            )
            .await;
            assert!(passed(&outcomes).into_iter().all(|passed| passed));
            assert_eq!(sums(&store).await, [row![1, 6, 2], row![2, 7, 7]]);
            assert_eq!(
                query(&store, "SELECT body FROM notes", &[]).await,
                [row!["last"]]
            );
            assert_eq!(
                query(&store, "SELECT body FROM blobs", &[]).await,
                [row!["first"]]
            );
        })
    });
}

fn three_letters(writes: &mut WriteSet) {
    for n in 1..=3 {
        writes.put(&LETTERS, row![1, n], row![n.to_string().as_str()]);
    }
}

fn take_letter(writes: &mut WriteSet) {
    writes.take_first(&LETTERS, row![1], None);
}

fn take_letter_and_fall(writes: &mut WriteSet) {
    writes.expect(&THINGS, row![1, "a"], Some(1));
    take_letter(writes);
}

#[test]
fn what_is_taken_goes_to_one_taker() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            let letters = set(|w| {
                three_letters(w);
                w.put(&LETTERS, row![2, 1], row!["other"]);
            });
            store.commit(letters).await.unwrap();
            let take = || set(take_letter);
            let falls = set(take_letter_and_fall);
            let two = set(|w| {
                w.take_first(&LETTERS, row![1], None);
                w.take_first(&LETTERS, row![1], None);
                w.take_first(&LETTERS, row![2, 1], None);
            });
            assert!(matches!(
                store.commit(two).await,
                Err(StoreError::Malformed { .. })
            ));
            let outcomes = commit_all(&store, vec![take(), falls, take(), take(), take()]).await;
            assert_eq!(passed(&outcomes), [true, false, true, true, true]);
            let taken: Vec<_> = outcomes
                .into_iter()
                .flatten()
                .map(|mut done| done.taken.remove(0))
                .collect();
            let taken: Vec<_> = taken
                .into_iter()
                .map(|row| row.map(|row| row.values))
                .collect();
            let wanted = [
                Some(row![1, 1, "1"]),
                Some(row![1, 2, "2"]),
                Some(row![1, 3, "3"]),
                None,
            ];
            assert_eq!(taken, wanted);
            let left = query(&store, "SELECT owner FROM letters", &[]).await;
            assert_eq!(left, [row![2]]);
        })
    });
}

#[test]
fn what_a_fallen_set_would_have_taken_stays() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            store.commit(set(three_letters)).await.unwrap();
            let take = set(take_letter);
            let falls = set(take_letter_and_fall);
            // What it takes is there when it begins.
            let inserts = set(|w| {
                w.take_first(&LETTERS, row![1], None);
                w.insert(&LETTERS, row![1, 2], row!["another"]);
            });
            let outcomes = commit_all(&store, vec![take, falls.clone()]).await;
            assert_eq!(passed(&outcomes), [true, false]);
            let outcomes = commit_all(&store, vec![inserts, falls]).await;
            assert_eq!(passed(&outcomes), [false, false]);
            let left = query(&store, "SELECT n, body FROM letters ORDER BY n", &[]).await;
            assert_eq!(left, [row![2, "2"], row![3, "3"]]);
        })
    });
}

#[test]
fn a_take_tells_the_log_if_there_was_something() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            let letter = set(|w| w.put(&LETTERS, row![1, 1], row!["one"]));
            store.commit(letter).await.unwrap();
            let takes = |also| {
                set(|w| {
                    for reference in [1, 2] {
                        w.take_first(&LETTERS, row![1], Some(log(1, reference)));
                    }
                    if also {
                        w.log(log(1, 3));
                    }
                })
            };
            let first = store.commit(takes(true)).await.unwrap();
            assert_eq!(first.last, first.first + 1);
            let nothing = store.commit(takes(false)).await.unwrap();
            assert_eq!((nothing.first, nothing.last), (0, 0));
            let logged = "SELECT reference FROM log WHERE subject = 1 ORDER BY pos";
            assert_eq!(query(&store, logged, &[]).await, [row![3], row![1]]);
        })
    });
}

#[test]
fn ranges_are_deleted_between_their_neighbours() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            let outcomes = commit_all(
                &store,
                vec![
                    set(|w| {
                        for n in 1..=5 {
                            w.insert(&LETTERS, row![1, n], row!["old"]);
                        }
                    }),
                    set(|w| {
                        w.delete_range(range(row![1], 2, 4));
                        w.insert(&LETTERS, row![1, 9], row!["new"]);
                    }),
                    set(|w| w.insert(&LETTERS, row![1, 3], row!["after"])),
                    set(|w| w.insert(&LETTERS, row![1, 4], row!["after"])),
                    set(|w| w.delete_range(range(row![], 2, 2))),
                ],
            )
            .await;
            assert!(passed(&outcomes).into_iter().all(|passed| passed));
            let left = query(&store, "SELECT n, body FROM letters ORDER BY n", &[]).await;
            let wanted = [
                row![1, "old"],
                row![3, "after"],
                row![4, "after"],
                row![5, "old"],
                row![9, "new"],
            ];
            assert_eq!(left, wanted);
        })
    });
}

#[test]
fn a_second_put_needs_an_expectation() {
    on_both(|place| {
        Box::pin(async move {
            // Driven by hand, or a lucky committer would take the sets one by one.
            let (store, drive) = match place {
                Place::Sqlite(_) => {
                    let mut options = place.options();
                    options.driven = true;
                    (Store::open(options).await.unwrap(), true)
                }
                Place::Postgres(_) => return,
            };
            let put = |version| set(|w| w.put(&THINGS, row![1, "a"], row![version, "x"]));
            let submissions = [store.submit(put(1)), store.submit(put(2))];
            if drive {
                store.drive();
            }
            let [first, second] = submissions;
            assert!(first.await.is_ok());
            assert!(matches!(second.await, Err(StoreError::Conflict)));
        })
    });
}

/// A bad set in a batch fails alone.
#[test]
fn a_bad_set_does_not_fail_its_neighbours() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            let mut sets: Vec<_> = (0..20)
                .map(|n| set(|w| w.insert(&NOTES, row![n], row!["fine"])))
                .collect();
            // The column is NOT NULL, which only the engine knows.
            sets.insert(7, set(|w| w.put(&NAMES, row![1], row![None::<&str>])));
            sets.insert(9, set(|w| w.put(&NAMES, row![2], row!["same"])));
            sets.insert(11, set(|w| w.put(&NAMES, row![3], row!["same"])));
            let outcomes = commit_all(&store, sets).await;
            for (index, outcome) in outcomes.iter().enumerate() {
                match index {
                    7 => assert!(matches!(outcome, Err(StoreError::Driver(_)))),
                    11 => assert!(matches!(outcome, Err(StoreError::Conflict))),
                    _ => assert!(outcome.is_ok(), "{index}: {outcome:?}"),
                }
            }
            let count = query(&store, "SELECT COUNT(*) FROM notes", &[]).await;
            assert_eq!(count, [row![20]]);
        })
    });
}

#[test]
fn latest_entries_move_and_others_stay() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            let latest = |subject| LogWrite {
                kind: LogKind::Sessions,
                subject,
                reference: 0,
                data: Bytes::new(),
            };
            let outcomes = commit_all(
                &store,
                vec![
                    set(|w| {
                        w.log(latest(1));
                        w.log(log(1, 1));
                        w.log(latest(1));
                    }),
                    set(|w| w.log(latest(2))),
                ],
            )
            .await;
            assert_eq!(outcomes[0].as_ref().unwrap().last, 3);
            let last = store.commit(set(|w| w.log(latest(1)))).await.unwrap();
            assert_eq!((last.first, last.last), (5, 5));
            let rows = query(&store, "SELECT pos, subject FROM log ORDER BY pos", &[]).await;
            assert_eq!(rows, [row![2, 1], row![4, 2], row![5, 1]]);
        })
    });
}

#[test]
fn reads_take_lists_and_snapshots_stay() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            let notes = set(|w| {
                for n in 1..=5 {
                    w.put(&NOTES, row![n], row![n.to_string().as_str()]);
                }
            });
            store.commit(notes).await.unwrap();
            let mut snapshot = store.snapshot().await.unwrap();
            store
                .commit(set(|w| w.put(&NOTES, row![6], row!["6"])))
                .await
                .unwrap();
            let sql =
                "SELECT id FROM notes WHERE id = ANY($1) AND body = ANY($2) ORDER BY id LIMIT $3";
            let bodies: Vec<Bytes> = [b"2", b"3", b"4", b"6"]
                .map(|body| Bytes::from_static(body))
                .to_vec();
            let params = [
                Param::Ints(vec![6, 4, 3, 1]),
                Param::BytesList(bodies),
                5_i64.into(),
            ];
            let rows = query(&store, sql, &params).await;
            assert_eq!(rows, [row![3], row![4], row![6]]);
            let rows = snapshot.query("notes", sql, &params).await.unwrap();
            assert_eq!(rows.len(), 2);
            drop(snapshot);
            let again = store
                .snapshot()
                .await
                .unwrap()
                .query("notes", sql, &params)
                .await
                .unwrap();
            assert_eq!(again.len(), 3);
        })
    });
}

#[test]
fn crashes_leave_all_or_nothing() {
    on_both(|place| {
        Box::pin(async move {
            let (store, crash) = place.open_crashing().await;
            let points = [
                CrashPoint::BeforeBegin,
                CrashPoint::AfterChecks,
                CrashPoint::AfterRows,
                CrashPoint::BeforeCommit,
                CrashPoint::AfterCommit,
            ];
            for (n, point) in points.into_iter().enumerate() {
                crash.arm(point);
                let n = i64::try_from(n).unwrap();
                let writes = set(|w| {
                    w.insert(&NOTES, row![n], row!["x"]);
                    w.add(&SUMS, row![1], row![1, 0]);
                    w.log(log(1, n));
                });
                let outcome = store.commit(writes).await;
                let found = query(&store, "SELECT id FROM notes WHERE id = $1", &[n.into()]).await;
                assert_eq!(outcome.is_ok(), !found.is_empty(), "{point:?}: {outcome:?}");
                if point == CrashPoint::AfterCommit {
                    assert!(outcome.is_ok(), "the outcome is read back");
                }
            }
            let log = query(&store, "SELECT COUNT(*), MAX(pos) FROM log", &[]).await;
            let notes = query(&store, "SELECT COUNT(*) FROM notes", &[]).await;
            let sum = query(&store, "SELECT a FROM sums", &[]).await;
            assert_eq!(log[0][0], notes[0][0]);
            assert_eq!(log[0][1], notes[0][0]);
            assert_eq!(sum, notes);
        })
    });
}

#[test]
fn a_restarted_server_is_no_error() {
    let Some(place) = Place::postgres() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = place.open().await;
        store
            .commit(set(|w| w.put(&NOTES, row![1], row!["x"])))
            .await
            .unwrap();
        let Place::Postgres(database) = &place else {
            unreachable!("made so above");
        };
        database.disconnect_all();
        assert_eq!(query(&store, "SELECT id FROM notes", &[]).await, [row![1]]);
        store
            .commit(set(|w| w.put(&NOTES, row![2], row!["x"])))
            .await
            .unwrap();
    });
}

#[test]
fn opening_is_refused_with_a_reason() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            if let Place::Sqlite(_) = place {
                let refused = Store::open(place.options()).await;
                assert!(matches!(refused, Err(OpenError::InUse(_))));
            }
            store.close().await;
            let refused = store.commit(set(|w| w.log(log(1, 1)))).await;
            assert!(matches!(refused, Err(StoreError::Unavailable(_))));
            drop(store);
            let other = StoreOptions::new(place.url(), "other");
            let refused = Store::open(other).await;
            assert!(matches!(refused, Err(OpenError::OtherServer { .. })));
            let store = place.open().await;
            let newer = "INSERT INTO meta (name, value) VALUES ('version', '999')
                ON CONFLICT (name) DO UPDATE SET value = '999'";
            match place {
                Place::Sqlite(directory) => {
                    let path = directory.path().join("test.db");
                    let sql = newer
                        .replace("'version'", "CAST('version' AS BLOB)")
                        .replace("'999'", "CAST('999' AS BLOB)");
                    rusqlite::Connection::open(path)
                        .unwrap()
                        .execute_batch(&sql)
                        .unwrap();
                }
                Place::Postgres(database) => database.execute(newer),
            }
            store.close().await;
            drop(store);
            let refused = Store::open(place.options()).await;
            assert!(matches!(
                refused,
                Err(OpenError::NewerVersion { found: 999, .. })
            ));
        })
    });
}

#[test]
fn what_is_queued_is_committed_before_closing() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            let submissions: Vec<_> = (0..2_000)
                .map(|n| store.submit(set(|w| w.insert(&NOTES, row![n], row!["x"]))))
                .collect();
            tokio::time::timeout(Duration::from_mins(1), store.close())
                .await
                .unwrap();
            for submission in submissions {
                submission.await.unwrap();
            }
        })
    });
}

#[test]
fn a_server_that_is_gone_comes_back_with_everything() {
    let Some(cluster) = Cluster::private() else {
        return;
    };
    let database = cluster.database();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let url = DatabaseUrl::Postgres(database.url());
        let store = Store::open(StoreOptions::new(url, "test")).await.unwrap();
        store.commit(set(|w| w.log(log(1, 1)))).await.unwrap();
        cluster.stop_immediately();
        let refused = store.commit(set(|w| w.log(log(1, 2)))).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))));
        let refused = store.read().query("log", "SELECT pos FROM log", &[]).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))));
        assert!(store.snapshot().await.is_err());
        cluster.start();
        let done = store.commit(set(|w| w.log(log(1, 3)))).await.unwrap();
        assert_eq!(done.first, 2);
        let sql = "SELECT reference FROM log ORDER BY pos";
        assert_eq!(query(&store, sql, &[]).await, [row![1], row![3]]);
        store.close().await;
    });
}

/// A node decides by what it last wrote and lets the database confirm it; what another node has
/// changed meanwhile must win all the same.
#[test]
fn what_another_node_has_changed_is_noticed() {
    let Some(place) = Place::postgres() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (one, other) = (place.open().await, place.open().await);
        let moved = |from: Option<i64>, to: i64| {
            set(|w| {
                w.expect(&THINGS, row![1, "a"], from);
                w.put(&THINGS, row![1, "a"], row![to, "moved"]);
                w.insert(&BLOBS, vec![to.to_string().as_str().into()], row!["new"]);
                w.log(log(1, to));
            })
        };
        one.commit(moved(None, 1)).await.unwrap();
        one.commit(moved(Some(1), 2)).await.unwrap();
        other.commit(moved(Some(2), 3)).await.unwrap();
        let stale = one.commit(moved(Some(2), 4)).await;
        assert!(matches!(stale, Err(StoreError::Conflict)), "{stale:?}");
        one.commit(moved(Some(3), 4)).await.unwrap();

        let delete = set(|w| w.delete(&THINGS, row![1, "a"]));
        other.commit(delete).await.unwrap();
        let gone = one.commit(moved(Some(4), 5)).await;
        assert!(matches!(gone, Err(StoreError::Conflict)), "{gone:?}");
        // What shall be absent is there: also then nothing of the set is left.
        let taken = one.commit(moved(None, 3)).await;
        assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
        let positions = one.commit(moved(None, 5)).await.unwrap();
        assert_eq!(positions.first, 5, "positions without a gap");
        assert_eq!(things(&one).await, [row![1, "a", 5, "moved"]]);
    });
}
