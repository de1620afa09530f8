//! Which of the events that another server tells of hold, and whether they make a state.

use std::collections::{HashMap, HashSet};

use ruma::{EventId, OwnedEventId, RoomVersionId, events::TimelineEventType};

use crate::{
    auth::{self, AuthError, AuthEvent},
    event::Event,
};

/// An event of an answer whose hash and signatures hold.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    pub event: &'a Event,
    /// Whether it is said to stand in the state, or only to vouch for what does.
    pub in_state: bool,
    pub standing: Standing,
}

/// What we thought of an event before the answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing: it is to be judged.
    New,
    Accepted,
    Rejected,
}

/// What we think of it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// Its `auth_events` do not allow it, whoever tells of it.
    Rejected(AuthError),
    /// This answer does not say enough: one of those that vouch for it is missing, or waits for
    /// itself.
    Incomplete,
}

#[derive(Debug)]
pub struct Judgement {
    /// One for each event, in their order.
    pub verdicts: Vec<Verdict>,
    /// The events that make the state, by their index.
    pub state: Vec<usize>,
}

/// Why events do not make a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    #[error("the state has no `m.room.create` that holds")]
    NoCreate,
    #[error("the state has two events for `{event_type}` with the key `{state_key}`")]
    Twice {
        event_type: String,
        state_key: String,
    },
    /// Once a room has such an event it always has one, so something was held back.
    #[error("the state lacks `{0}`, which other events refer to")]
    HeldBack(&'static str),
}

/// What no room loses: a state without it, though other events refer to it, was cut short to give
/// away the power over the room.
const NEVER_LOST: [&str; 2] = ["m.room.power_levels", "m.room.join_rules"];

/// Judges the events of one room, each after those that vouch for it, and makes the state of those
/// that hold. What was dropped because it does not hold is missing from the state; that is for its
/// server to answer for.
pub fn judge(version: &RoomVersionId, told: &[Told<'_>]) -> Result<Judgement, SnapshotError> {
    let verdicts = Judge::new(version, told).run();
    let mut seen = HashSet::new();
    let mut state = Vec::new();
    for (index, found) in told.iter().enumerate() {
        let holds = found.in_state && verdicts[index] == Verdict::Accepted;
        let Some(state_key) = found.event.state_key.as_deref().filter(|_| holds) else {
            continue;
        };
        if !seen.insert((found.event.type_str(), state_key)) {
            return Err(SnapshotError::Twice {
                event_type: found.event.type_str().to_owned(),
                state_key: state_key.to_owned(),
            });
        }
        state.push(index);
    }
    if !seen.contains(&("m.room.create", "")) {
        return Err(SnapshotError::NoCreate);
    }
    for event_type in NEVER_LOST {
        let is_told_of = |(found, verdict): (&Told<'_>, &Verdict)| {
            *verdict == Verdict::Accepted && found.event.is(event_type, "")
        };
        if !seen.contains(&(event_type, "")) && told.iter().zip(&verdicts).any(is_told_of) {
            return Err(SnapshotError::HeldBack(event_type));
        }
    }
    Ok(Judgement { verdicts, state })
}

struct Judge<'a> {
    version: &'a RoomVersionId,
    told: &'a [Told<'a>],
    index: HashMap<&'a EventId, usize>,
    /// From room version 12 on each event needs the create event without listing it.
    create: Option<OwnedEventId>,
    verdicts: Vec<Option<Verdict>>,
}

impl<'a> Judge<'a> {
    fn new(version: &'a RoomVersionId, told: &'a [Told<'a>]) -> Self {
        let index = told
            .iter()
            .enumerate()
            .map(|(index, found)| (&*found.event.event_id, index))
            .collect();
        let is_implied = version
            .rules()
            .is_some_and(|rules| rules.authorization.room_create_event_id_as_room_id);
        let room_id = told.first().filter(|_| is_implied);
        let create = room_id.and_then(|found| {
            let hash = found.event.room_id.as_str().trim_start_matches('!');
            EventId::parse(format!("${hash}")).ok()
        });
        Judge {
            version,
            told,
            index,
            create,
            verdicts: vec![None; told.len()],
        }
    }

    fn run(mut self) -> Vec<Verdict> {
        let told = self.told;
        let mut waits_for = vec![0_usize; told.len()];
        let mut waited_for_by: Vec<Vec<usize>> = vec![Vec::new(); told.len()];
        let mut ready = Vec::new();
        for (index, found) in told.iter().enumerate() {
            let needs = self.needs(found);
            waits_for[index] = needs.len();
            if needs.is_empty() {
                ready.push(index);
            }
            for need in needs {
                waited_for_by[need].push(index);
            }
        }
        while let Some(index) = ready.pop() {
            self.verdicts[index] = Some(self.verdict(&told[index]));
            ready.extend(waited_for_by[index].iter().copied().filter(|waiting| {
                waits_for[*waiting] -= 1;
                waits_for[*waiting] == 0
            }));
        }
        // Those that wait in a circle were never reached.
        let verdicts = self.verdicts.into_iter();
        verdicts
            .map(|verdict| verdict.unwrap_or(Verdict::Incomplete))
            .collect()
    }

    /// Those of the events that vouch for this one that are there.
    fn needs(&self, found: &Told<'_>) -> Vec<usize> {
        if found.standing != Standing::New {
            return Vec::new();
        }
        self.vouchers(found.event)
            .filter_map(|id| self.index.get(id).copied())
            .collect()
    }

    fn vouchers<'b>(&'b self, event: &'b Event) -> impl Iterator<Item = &'b EventId> {
        let create = self.create.as_deref().filter(|_| !is_create(event));
        event.auth_events.iter().map(AsRef::as_ref).chain(create)
    }

    fn verdict(&self, found: &Told<'_>) -> Verdict {
        match found.standing {
            Standing::Accepted => return Verdict::Accepted,
            Standing::Rejected => {
                let reason = "the event was rejected before".to_owned();
                return Verdict::Rejected(AuthError::Refused(reason));
            }
            Standing::New => {}
        }
        let event = found.event;
        let mut vouchers = Vec::with_capacity(event.auth_events.len() + 1);
        for id in self.vouchers(event) {
            let Some(index) = self.index.get(id).copied() else {
                return Verdict::Incomplete;
            };
            let rejected = match &self.verdicts[index] {
                Some(Verdict::Accepted) => false,
                Some(Verdict::Rejected(_)) => true,
                Some(Verdict::Incomplete) | None => return Verdict::Incomplete,
            };
            vouchers.push(AuthEvent {
                event: self.told[index].event,
                rejected,
            });
        }
        match self.check(event, &vouchers) {
            Ok(()) => Verdict::Accepted,
            Err(error) => Verdict::Rejected(error),
        }
    }

    fn check(&self, event: &Event, vouchers: &[AuthEvent<'_>]) -> Result<(), AuthError> {
        auth::check_independent(self.version, event, |id| {
            let found = vouchers.iter().find(|found| found.event.event_id == id);
            found.copied()
        })?;
        auth::check_dependent(self.version, event, |event_type, state_key| {
            let found = vouchers
                .iter()
                .find(|found| found.event.is(event_type, state_key));
            found.map(|found| found.event)
        })
    }
}

fn is_create(event: &Event) -> bool {
    event.event_type == TimelineEventType::RoomCreate
}
