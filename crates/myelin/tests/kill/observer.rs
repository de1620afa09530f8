//! A client that follows `/sync` and fills the gaps, and keeps every token it is given.

use std::{collections::HashSet, io};

use myelin_blackbox::{User, encode};

use crate::reading::{Item, accept, items, string, walk_back};

/// A `next_batch`, and how many events of each room came before it.
#[derive(Clone, Debug)]
pub(crate) struct Bookmark {
    pub(crate) since: String,
    pub(crate) counts: Vec<usize>,
}

/// A `prev_batch`, and how many events of its room come before it.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) room: usize,
    pub(crate) token: String,
    pub(crate) count: usize,
}

/// One chain of syncs from the first token on.
pub(crate) struct Observer {
    pub(crate) user: User,
    since: Option<String>,
    rooms: Vec<String>,
    /// The events of each room in the order in which they came.
    pub(crate) seen: Vec<Vec<Item>>,
    seen_ids: HashSet<String>,
    pub(crate) bookmarks: Vec<Bookmark>,
    pub(crate) turns: Vec<Turn>,
}

impl Observer {
    /// Begins with everything.
    pub(crate) fn new(user: User, rooms: &[String]) -> Self {
        Self {
            user,
            since: None,
            rooms: rooms.to_vec(),
            seen: vec![Vec::new(); rooms.len()],
            seen_ids: HashSet::new(),
            bookmarks: Vec::new(),
            turns: Vec::new(),
        }
    }

    /// Another chain that goes on where a token was handed out.
    pub(crate) fn resumed(&self, bookmark: &Bookmark, user: User) -> Self {
        let known = self.seen.iter().zip(&bookmark.counts);
        let seen: Vec<Vec<Item>> = known.map(|(seen, count)| seen[..*count].to_vec()).collect();
        let ids = seen.iter().flatten().map(|item| item.event_id.clone());
        Self {
            user,
            since: Some(bookmark.since.clone()),
            rooms: self.rooms.clone(),
            seen_ids: ids.collect(),
            seen,
            bookmarks: Vec::new(),
            turns: Vec::new(),
        }
    }

    /// One sync, and whether it brought events. After an error nothing of it counts, as for a
    /// client whose connection broke.
    pub(crate) fn step(&mut self, timeout_ms: u32) -> io::Result<bool> {
        let mut path = format!("/_matrix/client/v3/sync?timeout={timeout_ms}");
        if let Some(since) = &self.since {
            path = format!("{path}&since={}", encode(since));
        }
        let answer = accept(&self.user.get(&path)?, &path)?;
        let mut news = Vec::new();
        for (room, room_id) in self.rooms.iter().enumerate() {
            let timeline = &answer["rooms"]["join"][room_id]["timeline"];
            let mut events = items(&timeline["events"]);
            let token = timeline["prev_batch"].as_str();
            let mut count = self.seen[room].len();
            if timeline["limited"] == true {
                let last = self.seen[room].last().map(|item| item.event_id.as_str());
                let gap = walk_back(&mut self.user, room_id, token, last)?;
                count += gap.len();
                events.splice(..0, gap);
            }
            let turn = token.map(|token| Turn {
                room,
                token: token.to_owned(),
                count,
            });
            news.push((events, turn));
        }
        let is_news = news.iter().any(|(events, _)| !events.is_empty());
        for (seen, (events, turn)) in self.seen.iter_mut().zip(news) {
            for event in &events {
                let is_first = self.seen_ids.insert(event.event_id.clone());
                assert!(is_first, "{event:?} comes a second time, in {path}");
            }
            seen.extend(events);
            self.turns.extend(turn);
        }
        let since = string(&answer["next_batch"]);
        self.since = Some(since.clone());
        let counts = self.seen.iter().map(Vec::len).collect();
        self.bookmarks.push(Bookmark { since, counts });
        Ok(is_news)
    }

    /// Syncs until nothing is new.
    pub(crate) fn catch_up(&mut self) -> io::Result<()> {
        while self.step(0)? {}
        Ok(())
    }
}
