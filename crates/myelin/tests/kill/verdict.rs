//! What must hold after each round.

use std::collections::HashMap;

use rand::{RngExt, rngs::StdRng};

use crate::{
    experiment::Experiment,
    load::Sent,
    observer::{Bookmark, Turn},
    reading::{Item, items, messages, string, walk_back},
};

/// Of how many acknowledged requests the answer is asked for again.
const REPEATED: usize = 5;

impl Experiment {
    pub(crate) fn judge(&mut self, mut sent: Vec<Sent>, chance: &mut StdRng) {
        let mut new = self.read_on();
        self.check_sent(&new, &sent);
        self.repeat(&mut sent, chance);
        for (new, newer) in new.iter_mut().zip(self.read_on()) {
            new.extend(newer);
        }
        self.check_sent(&new, &sent);
        for new in &new {
            check_order_of_each_client(new);
        }
        let bookmarks = self.observer.bookmarks.len();
        for bookmark in self
            .observer
            .bookmarks
            .iter()
            .skip(bookmarks.saturating_sub(3))
        {
            self.check_bookmark(bookmark);
        }
        self.check_bookmark(&self.observer.bookmarks[chance.random_range(0..bookmarks)]);
        let turns = &self.observer.turns;
        self.check_turn(&turns[turns.len() - 1]);
        self.check_turn(&turns[chance.random_range(0..turns.len())]);
    }

    /// From the very first token, and from none.
    pub(crate) fn judge_all(&mut self) {
        self.check_bookmark(&self.observer.bookmarks[0]);
        let mut visitor = self.visitor();
        for (room_id, known) in self.rooms.iter().zip(&self.known) {
            let all = walk_back(&mut visitor, room_id, None, None).unwrap();
            assert_eq!(&all, known, "{room_id}");
        }
    }

    /// Reads what is new in each room by `/messages` and by `/sync`, which must agree.
    fn read_on(&mut self) -> Vec<Vec<Item>> {
        let mut visitor = self.visitor();
        let mut all = Vec::new();
        for (room_id, known) in self.rooms.iter().zip(&mut self.known) {
            let last = known.last().map(|item| item.event_id.as_str());
            let new = walk_back(&mut visitor, room_id, None, last).unwrap();
            known.extend_from_slice(&new);
            all.push(new);
        }
        self.observer.catch_up().unwrap();
        for (seen, known) in self.observer.seen.iter().zip(&self.known) {
            assert_same("the chain of syncs", seen, known);
        }
        all
    }

    /// Each acknowledged message is there once; another one once or not at all; nothing else is.
    fn check_sent(&self, new: &[Vec<Item>], sent: &[Sent]) {
        let mut found: HashMap<&str, Vec<(usize, &Item)>> = HashMap::new();
        for (room, items) in new.iter().enumerate() {
            for item in items {
                let text = item.text.as_deref().unwrap_or("not a message");
                found.entry(text).or_default().push((room, item));
            }
        }
        for sent in sent {
            let found = found.remove(&*sent.text).unwrap_or_default();
            assert!(
                found.len() <= 1,
                "{sent:?} is there more than once: {found:?}"
            );
            assert!(
                sent.event_id.is_none() || found.len() == 1,
                "{sent:?} is lost"
            );
            for (room, item) in found {
                assert_eq!(room, sent.room, "{sent:?} is in another room");
                assert_eq!(item.sender, self.users[sent.user].user_id, "{sent:?}");
                let id = sent.event_id.as_ref();
                assert!(
                    id.is_none_or(|id| *id == item.event_id),
                    "{sent:?}: {item:?}"
                );
            }
        }
        assert!(found.is_empty(), "nobody has sent {found:?}");
    }

    /// Sends again what was not answered, and some of what was, as a client does.
    fn repeat(&mut self, sent: &mut [Sent], chance: &mut StdRng) {
        let count = sent.len().max(1);
        let lucky: Vec<usize> = (0..REPEATED)
            .map(|_| chance.random_range(0..count))
            .collect();
        let there: HashMap<&str, &str> = self
            .known
            .iter()
            .flatten()
            .filter_map(|item| Some((item.text.as_deref()?, item.event_id.as_str())))
            .collect();
        for (index, sent) in sent.iter_mut().enumerate() {
            if sent.event_id.is_some() && !lucky.contains(&index) {
                continue;
            }
            let user = &mut self.users[sent.user];
            let answer = user
                .send(&self.rooms[sent.room], &sent.txn_id, &sent.text)
                .unwrap();
            let event_id = string(&answer.expect_ok(&sent.text)["event_id"]);
            let before = there.get(&*sent.text);
            assert!(
                before.is_none_or(|before| *before == event_id),
                "{sent:?} is {before:?} and {event_id}"
            );
            sent.event_id = Some(event_id);
        }
    }

    /// Syncing from a token gives exactly what came after it.
    fn check_bookmark(&self, bookmark: &Bookmark) {
        let mut resumed = self.observer.resumed(bookmark, self.visitor());
        resumed.catch_up().unwrap();
        for (seen, known) in resumed.seen.iter().zip(&self.known) {
            assert_same(&format!("{bookmark:?}"), seen, known);
        }
    }

    /// `/messages` goes on from a token in both directions.
    fn check_turn(&self, turn: &Turn) {
        let mut visitor = self.visitor();
        let room_id = &self.rooms[turn.room];
        let (before, after) = self.known[turn.room].split_at(turn.count);
        let page = messages(&mut visitor, room_id, 'b', Some(&turn.token)).unwrap();
        let mut back = items(&page["chunk"]);
        back.reverse();
        assert_eq!(back.is_empty(), before.is_empty(), "{turn:?}");
        assert_same(
            &format!("back from {turn:?}"),
            &back,
            &before[before.len() - back.len()..],
        );
        let page = messages(&mut visitor, room_id, 'f', Some(&turn.token)).unwrap();
        let forward = items(&page["chunk"]);
        assert_eq!(forward.is_empty(), after.is_empty(), "{turn:?}");
        assert_same(
            &format!("on from {turn:?}"),
            &forward,
            &after[..forward.len()],
        );
    }
}

/// A client sends its next message when the one before is acknowledged.
fn check_order_of_each_client(items: &[Item]) {
    let mut last = HashMap::new();
    for text in items.iter().filter_map(|item| item.text.as_deref()) {
        let (client, number) = text.rsplit_once(' ').expect("two words");
        let number: u32 = number.parse().expect("a number");
        let before = last.insert(client, number);
        assert!(
            before.is_none_or(|before| before < number),
            "{text} comes after {before:?}"
        );
    }
}

fn assert_same(what: &str, left: &[Item], right: &[Item]) {
    let at = left
        .iter()
        .zip(right)
        .position(|(left, right)| left != right);
    let at = at.unwrap_or(left.len().min(right.len()));
    assert!(
        left.len() == right.len() && at == left.len(),
        "{what}: {} and {} events, which differ at {at}: {:?} and {:?}",
        left.len(),
        right.len(),
        left.get(at),
        right.get(at)
    );
}
