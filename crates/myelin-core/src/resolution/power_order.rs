//! The reverse topological power ordering.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap},
};

use ruma::{OwnedEventId, UserId};

use super::known::Known;
use crate::{event::Event, membership::Membership, power::PowerLevels};

/// Whether an event may take from somebody what they were able to do.
pub(super) fn is_power_event(event: &Event) -> bool {
    match event.type_str() {
        "m.room.create" | "m.room.power_levels" | "m.room.join_rules" => {
            event.state_key.as_deref() == Some("")
        }
        "m.room.member" => {
            let membership = Membership::of_content(&event.content);
            let removes = matches!(membership, Some(Membership::Leave | Membership::Ban));
            removes && event.state_key.as_deref() != Some(event.sender.as_str())
        }
        _ => false,
    }
}

/// The power events among these with what they cite of them, and from there on.
pub(super) fn with_cited(known: &Known, power: &[i64], all: &BTreeSet<i64>) -> Cited {
    let mut cited = Cited::new();
    let mut open = power.to_vec();
    while let Some(event) = open.pop() {
        if cited.contains_key(&event) {
            continue;
        }
        let place = known.known_place(event);
        let auth_events = place.iter().flat_map(|place| &place.auth_events);
        let within: BTreeSet<i64> = auth_events
            .copied()
            .filter(|auth_event| all.contains(auth_event))
            .collect();
        open.extend(&within);
        cited.insert(event, within);
    }
    cited
}

/// Events, each with those of them that it cites.
pub(super) type Cited = BTreeMap<i64, BTreeSet<i64>>;

/// Orders events: each after those it cites, and among those that may come next the one first whose
/// sender has the greatest power level, then the oldest, then that with the least id.
pub(super) fn sort(known: &Known, mut cited: Cited, create: Option<&Event>) -> Vec<i64> {
    let mut levels = SenderLevels::new(known, create);
    let mut citing: HashMap<i64, Vec<i64>> = HashMap::new();
    let mut ready = BinaryHeap::new();
    for (event, auth_events) in &cited {
        for auth_event in auth_events {
            citing.entry(*auth_event).or_default().push(*event);
        }
        if auth_events.is_empty() {
            ready.extend(levels.rank(*event));
        }
    }
    let mut sorted = Vec::with_capacity(cited.len());
    while let Some(Reverse((.., event))) = ready.pop() {
        sorted.push(event);
        for above in citing.remove(&event).unwrap_or_default() {
            let Some(waits_for) = cited.get_mut(&above) else {
                continue;
            };
            waits_for.remove(&event);
            if waits_for.is_empty() {
                ready.extend(levels.rank(above));
            }
        }
    }
    sorted
}

/// What orders events that may come next: the least first.
type Rank = Reverse<(Reverse<i64>, u64, OwnedEventId, i64)>;

/// The power levels of senders by the auth events of what they sent.
struct SenderLevels<'a> {
    known: &'a Known,
    create: Option<&'a Event>,
    levels: HashMap<Option<i64>, PowerLevels>,
}

impl<'a> SenderLevels<'a> {
    fn new(known: &'a Known, create: Option<&'a Event>) -> Self {
        Self {
            known,
            create,
            levels: HashMap::new(),
        }
    }

    fn rank(&mut self, number: i64) -> Option<Rank> {
        let event = &self.known.known_event(number)?.event;
        let power_levels = self.known.known_place(number)?.power_levels;
        let level = self.level(power_levels, &event.sender);
        let id = event.event_id.clone();
        Some(Reverse((
            Reverse(level),
            event.origin_server_ts,
            id,
            number,
        )))
    }

    fn level(&mut self, power_levels: Option<i64>, user: &UserId) -> i64 {
        let (known, create) = (self.known, self.create);
        let levels = self.levels.entry(power_levels).or_insert_with(|| {
            let event = power_levels.and_then(|number| known.known_event(number));
            levels(known, create, event.map(|event| &*event.event))
        });
        levels.level_of(user)
    }
}

/// The levels that an `m.room.power_levels` event sets; one that cannot be read sets none.
fn levels(known: &Known, create: Option<&Event>, power_levels: Option<&Event>) -> PowerLevels {
    let of_room = |power_levels| {
        let create = create?;
        PowerLevels::of_room(&known.version, create, power_levels).ok()
    };
    let of_content = || PowerLevels::from_content(&known.version, &power_levels?.content).ok();
    of_room(power_levels)
        .or_else(|| of_room(None))
        .or_else(of_content)
        .unwrap_or_default()
}
