//! Random scenarios, and the write sets that they are made of.

use bytes::Bytes;
use myelin_store::{CrashPoint, LogKind, LogWrite, RangeDeletion, WriteSet};
use proptest::{collection::vec, prelude::*};

use crate::support::{BLOBS, LETTERS, NOTES, SUMS, THINGS, row};

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Submit(Spec),
    Crash(usize, CrashPoint),
    Disconnect,
    /// Waits for all answers.
    Commit,
}

#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) store: usize,
    acts: Vec<Act>,
    entries: usize,
}

/// Keys are small numbers, so that sets meet.
#[derive(Clone, Debug)]
enum Act {
    /// Writes a thing, built on the set that wrote it so many sets ago.
    Change(i64, usize),
    Delete(i64, usize),
    Insert(i64),
    Add(i64, i64),
    Max(i64, i64),
    Note(i64),
    Blob(i64),
    /// To one of the owners whom letters are taken from, or to the store's own.
    Letter(i64),
    Take(i64),
    /// Clears letters of the store's own owner, of so many last sets.
    Clear(i64),
}

/// A set as the store gets it, and as the model does.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) number: i64,
    /// How many log entries it writes, those of its takes apart: each that finds something writes
    /// one.
    pub(crate) entries: usize,
    pub(crate) writes: WriteSet,
    pub(crate) effects: Vec<Effect>,
}

/// In the order in which a set's effects happen.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Expect(i64, Option<i64>),
    Take(i64),
    Clear(i64, i64, i64),
    Insert(i64),
    Change(i64),
    Delete(i64),
    Add(i64, i64),
    Max(i64, i64),
    Note(i64),
    Blob(i64),
    Letter(i64),
}

/// The owner whose letters only this store writes: a range deletion sees what its own committer
/// wrote, but another's rows only from before.
const OWN: i64 = 5;

impl Scenario {
    pub(crate) fn has_faults(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::Crash(..) | Step::Disconnect))
    }
}

pub(crate) fn scenarios() -> impl Strategy<Value = Scenario> {
    let points = prop_oneof![
        Just(CrashPoint::BeforeBegin),
        Just(CrashPoint::AfterChecks),
        Just(CrashPoint::AfterRows),
        Just(CrashPoint::BeforeCommit),
        Just(CrashPoint::AfterCommit),
    ];
    let faults = (0..2_usize, points).prop_map(|(store, point)| Step::Crash(store, point));
    let calm = prop_oneof![12 => specs().prop_map(Step::Submit), 2 => Just(Step::Commit)];
    let stormy = prop_oneof![
        24 => specs().prop_map(Step::Submit),
        4 => Just(Step::Commit),
        3 => faults,
        1 => Just(Step::Disconnect),
    ];
    let steps = prop_oneof![vec(calm, 1..40), vec(stormy, 1..60)];
    steps.prop_map(|steps| Scenario { steps })
}

fn specs() -> impl Strategy<Value = Spec> {
    let key = 0..3_i64;
    let age = prop_oneof![5 => Just(0_usize), 1 => 1..4_usize];
    let act = prop_oneof![
        6 => (key.clone(), age.clone()).prop_map(|(key, age)| Act::Change(key, age)),
        2 => (key.clone(), age).prop_map(|(key, age)| Act::Delete(key, age)),
        2 => key.clone().prop_map(Act::Insert),
        2 => (key.clone(), 0..9_i64).prop_map(|(key, n)| Act::Add(key, n)),
        2 => (key.clone(), 0..9_i64).prop_map(|(key, n)| Act::Max(key, n)),
        2 => key.clone().prop_map(Act::Note),
        2 => key.clone().prop_map(Act::Blob),
        2 => key.clone().prop_map(Act::Letter),
        1 => (0..2_i64).prop_map(Act::Take),
        1 => key.prop_map(Act::Clear),
    ];
    (0..2_usize, vec(act, 0..5), 1..4_usize).prop_map(|(store, acts, entries)| Spec {
        store,
        acts,
        entries,
    })
}

/// Builds the next set. `history` holds for each earlier set the things that it leaves: key and
/// version, None where it deletes.
pub(crate) fn build(
    spec: &Spec,
    case: i64,
    store: usize,
    history: &mut Vec<(i64, Option<i64>)>,
) -> Built {
    static NUMBER: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(1);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut built = Built {
        number,
        entries: spec.entries,
        writes: WriteSet::new(),
        effects: Vec::new(),
    };
    let mut used = Vec::new();
    let own = OWN + i64::try_from(store).unwrap();
    let mut expectations = Vec::new();
    for act in &spec.acts {
        let row_of = match act {
            Act::Change(key, _) | Act::Delete(key, _) | Act::Insert(key) => (0, *key),
            Act::Add(key, _) | Act::Max(key, _) => (1, *key),
            Act::Note(key) => (2, *key),
            Act::Blob(key) => (3, *key),
            Act::Letter(owner) => (4, *owner),
            Act::Take(owner) => (5, *owner),
            Act::Clear(_) => (6, 0),
        };
        // A set changes a row once.
        if used.contains(&row_of) {
            continue;
        }
        used.push(row_of);
        if let Act::Change(key, age) | Act::Delete(key, age) = act {
            let writers = history.iter().rev().filter(|(written, _)| written == key);
            let version = writers.map(|(_, version)| *version).nth(*age).flatten();
            built
                .writes
                .expect(&THINGS, row![case, thing(*key)], version);
            expectations.push(Effect::Expect(*key, version));
        }
        let left = built.act(act, case, own);
        history.extend(left);
    }
    for _ in 0..spec.entries {
        built.writes.log(entry(case, number));
    }
    expectations.append(&mut built.effects);
    built.effects = expectations;
    built.effects.sort_by_key(Effect::turn);
    built
}

impl Built {
    /// Adds an act; returns the thing that it leaves.
    fn act(&mut self, act: &Act, case: i64, own: i64) -> Option<(i64, Option<i64>)> {
        let number = self.number;
        let text = number.to_string();
        let writes = &mut self.writes;
        let shared = |owner: i64| if owner == 2 { own } else { owner };
        self.effects.push(match *act {
            Act::Change(key, _) => {
                writes.put(&THINGS, row![case, thing(key)], row![number, text.as_str()]);
                Effect::Change(key)
            }
            Act::Insert(key) => {
                writes.insert(&THINGS, row![case, thing(key)], row![number, None::<&str>]);
                Effect::Insert(key)
            }
            Act::Delete(key, _) => {
                writes.delete(&THINGS, row![case, thing(key)]);
                Effect::Delete(key)
            }
            Act::Add(key, n) => {
                writes.add(&SUMS, row![case * 10 + key], row![n, 0]);
                Effect::Add(key, n)
            }
            Act::Max(key, n) => {
                writes.max(&SUMS, row![case * 10 + key], row![0, n]);
                Effect::Max(key, n)
            }
            Act::Note(key) => {
                writes.put(&NOTES, row![case * 10 + key], row![text.as_str()]);
                Effect::Note(key)
            }
            Act::Blob(key) => {
                writes.put(
                    &BLOBS,
                    row![format!("{case}/{key}").as_str()],
                    row![text.as_str()],
                );
                Effect::Blob(key)
            }
            Act::Letter(owner) => {
                let owner = shared(owner);
                writes.insert(
                    &LETTERS,
                    row![case * 10 + owner, number],
                    row![text.as_str()],
                );
                Effect::Letter(owner)
            }
            Act::Take(owner) => {
                let log = Some(entry(case, number));
                writes.take_first(&LETTERS, row![case * 10 + owner], log);
                Effect::Take(owner)
            }
            Act::Clear(sets) => {
                let (from, to) = (number - 8 * (sets + 1), number - 1);
                writes.delete_range(RangeDeletion {
                    table: &LETTERS,
                    prefix: row![case * 10 + own],
                    from,
                    to,
                });
                Effect::Clear(own, from, to)
            }
        });
        match *act {
            Act::Change(key, _) | Act::Insert(key) => Some((key, Some(number))),
            Act::Delete(key, _) => Some((key, None)),
            _ => None,
        }
    }
}

/// An entry of the set of this number.
fn entry(case: i64, number: i64) -> LogWrite {
    LogWrite {
        kind: LogKind::Event,
        subject: case,
        reference: number,
        data: Bytes::new(),
    }
}

impl Effect {
    pub(crate) fn is_take(&self) -> bool {
        matches!(self, Self::Take(_))
    }

    /// Expectations, then takes, then range deletions, then rows.
    fn turn(&self) -> u8 {
        match self {
            Self::Expect(..) => 0,
            Self::Take(_) => 1,
            Self::Clear(..) => 2,
            _ => 3,
        }
    }
}

pub(crate) fn thing(key: i64) -> &'static str {
    ["a", "b", "c"][usize::try_from(key).unwrap()]
}
