//! What the store should hold: plain maps, one set after the other.

use std::collections::{BTreeMap, BTreeSet};

use myelin_store::{Store, Value};

use super::{
    number,
    scenario::{Built, Effect, thing},
};
use crate::support::query;

/// The rows of one case. Numbers stand for what the set of that number wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    things: BTreeMap<i64, i64>,
    sums: BTreeMap<i64, (i64, i64)>,
    notes: BTreeMap<i64, i64>,
    blobs: BTreeMap<i64, i64>,
    letters: BTreeSet<(i64, i64)>,
}

/// Why a set should have fallen.
#[derive(Clone, Debug)]
pub(crate) struct Refused(pub(crate) &'static str);

type Taken = Vec<Option<(i64, i64)>>;

/// What a taker was told.
#[derive(Clone, Copy)]
enum Told {
    Unknown,
    Known(Option<(i64, i64)>),
}

impl Model {
    /// Applies a set, or nothing of it. With a hint the letters taken are those told, provided that
    /// they are there.
    pub(crate) fn apply(&mut self, built: &Built, hint: Option<Taken>) -> Result<Taken, Refused> {
        let mut next = self.clone();
        let mut taken = Vec::new();
        let mut hint = hint.map(Vec::into_iter);
        // What must be absent must be so before the set.
        for effect in &built.effects {
            match effect {
                Effect::Expect(key, version) if self.things.get(key) != version.as_ref() => {
                    return Err(Refused("another version"));
                }
                Effect::Insert(key) if self.things.contains_key(key) => {
                    return Err(Refused("a row is there"));
                }
                _ => {}
            }
        }
        for effect in &built.effects {
            if let Effect::Take(owner) = effect {
                let told = hint.as_mut().and_then(Iterator::next);
                let told = told.map_or(Told::Unknown, Told::Known);
                taken.push(next.take(*owner, told)?);
            } else {
                next.write(built.number, effect);
            }
        }
        *self = next;
        Ok(taken)
    }

    fn take(&mut self, owner: i64, told: Told) -> Result<Option<(i64, i64)>, Refused> {
        let first = self
            .letters
            .range((owner, i64::MIN)..=(owner, i64::MAX))
            .next()
            .copied();
        let letter = match told {
            Told::Unknown => first,
            Told::Known(told) => told,
        };
        if let Some(letter) = letter
            && !self.letters.remove(&letter)
        {
            return Err(Refused("a letter was taken that is not there"));
        }
        Ok(letter)
    }

    fn write(&mut self, set: i64, effect: &Effect) {
        match *effect {
            Effect::Expect(..) | Effect::Take(_) => {}
            Effect::Clear(owner, from, to) => {
                self.letters
                    .retain(|(of, n)| *of != owner || !(from..=to).contains(n));
            }
            Effect::Insert(key) | Effect::Change(key) => {
                self.things.insert(key, set);
            }
            Effect::Delete(key) => {
                self.things.remove(&key);
            }
            Effect::Add(key, n) => self.sums.entry(key).or_default().0 += n,
            Effect::Max(key, n) => {
                let sum = self.sums.entry(key).or_default();
                sum.1 = sum.1.max(n);
            }
            Effect::Note(key) => {
                self.notes.insert(key, set);
            }
            Effect::Blob(key) => {
                self.blobs.entry(key).or_insert(set);
            }
            Effect::Letter(owner) => {
                self.letters.insert((owner, set));
            }
        }
    }

    /// What the database holds of a case.
    pub(crate) async fn read(store: &Store, case: i64) -> Self {
        let mut model = Self::default();
        let keys = 0..3_i64;
        let sql = "SELECT name, version FROM things WHERE place = $1";
        for row in query(store, sql, &[case.into()]).await {
            let key = keys.clone().find(|key| row[0] == Value::from(thing(*key)));
            model.things.insert(key.unwrap(), number(&row[1]));
        }
        let range = [(case * 10).into(), (case * 10 + 9).into()];
        let sql = "SELECT id, a, b FROM sums WHERE id BETWEEN $1 AND $2";
        for row in query(store, sql, &range).await {
            let sum = (number(&row[1]), number(&row[2]));
            model.sums.insert(number(&row[0]) % 10, sum);
        }
        let sql = "SELECT id, body FROM notes WHERE id BETWEEN $1 AND $2";
        for row in query(store, sql, &range).await {
            model.notes.insert(number(&row[0]) % 10, written(&row[1]));
        }
        let sql = "SELECT owner, n FROM letters WHERE owner BETWEEN $1 AND $2";
        for row in query(store, sql, &range).await {
            model
                .letters
                .insert((number(&row[0]) % 10, number(&row[1])));
        }
        for key in keys {
            let sql = "SELECT body FROM blobs WHERE hash = $1";
            let hash = Value::from(format!("{case}/{key}").as_str());
            for row in query(store, sql, &[hash.into()]).await {
                model.blobs.insert(key, written(&row[0]));
            }
        }
        model
    }
}

fn written(value: &Value) -> i64 {
    match value {
        Value::Bytes(text) => std::str::from_utf8(text).unwrap().parse().unwrap(),
        other => panic!("{other:?}"),
    }
}
