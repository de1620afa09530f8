//! Who is in a room, by which rules, and how that changes.

use myelin_core::{membership::Membership, push::CompiledRules};
use myelin_store::{
    LogEntry, Read, StoreResult,
    events::{self, StoredEvent},
    notifications::{self, Mode},
    push_rules, users,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{follower::Follower, room_state::RoomState, rule_sets::notifies_usually};
use crate::member_events::membership_of;

impl Follower {
    /// Reads a room as it was after an event. Cost: its members.
    pub(super) async fn load_room(
        &mut self,
        entry: &LogEntry,
        event: &StoredEvent,
    ) -> StoreResult<RoomState> {
        let room = event.room;
        // What is known of the room is read from what is written.
        if self.batch.forgets || self.batch.stands.contains(&room) {
            self.flush().await?;
        }
        let mut read = self.store.read();
        let mut members = Vec::new();
        for found in notifications::list_members(&mut read, room, event.room_order).await? {
            // Who has moved since then may have been there, or not.
            let was_joined = if found.room_order > event.room_order {
                self.was_joined(&mut read, entry, found.user).await?
            } else {
                found.is_joined
            };
            members.extend(was_joined.then_some(found.user));
        }
        let changed = push_rules::list_at(&mut read, &members, entry.pos).await?;
        let mut changed: BTreeMap<i64, _> = changed.into_iter().collect();
        let modes = notifications::list_modes(&mut read, room, &members).await?;
        // In the order of their places, so the last one counts.
        let modes: HashMap<i64, bool> = modes
            .into_iter()
            .map(|mode| (mode.user, mode.follows))
            .collect();
        let mut state = RoomState {
            room_id: self.rooms.room_id(room).await?,
            evaluated: notifications::find_evaluated(&mut read, room).await?,
            plain: std::collections::BTreeSet::new(),
            other: BTreeMap::new(),
            ignored: self.ignored.of(&mut read, &members).await?,
            sums: BTreeMap::new(),
        };
        for user in members {
            let rules = match changed.remove(&user) {
                Some(changed) => self.sets.compile(&changed)?,
                None => None,
            };
            let follows = modes.get(&user).copied().unwrap_or(true);
            state.enter(user, rules, (&self.sets.predefined, follows));
        }
        Ok(state)
    }

    async fn was_joined(&self, read: &mut Read, entry: &LogEntry, user: i64) -> StoreResult<bool> {
        let names = self.store.interned(&[user]).await?;
        let name = names.first().map(|name| String::from_utf8_lossy(name));
        let at = (entry.subject, &entry.data);
        let member = self
            .rooms
            .state_event(
                read,
                at,
                "m.room.member",
                name.as_deref().unwrap_or_default(),
            )
            .await?;
        let membership = member.and_then(|member| membership_of(&member.json));
        Ok(membership == Some(Membership::Join))
    }

    /// Somebody has come or gone.
    pub(super) async fn pass_membership(&mut self, entry: &LogEntry) -> StoreResult<()> {
        let Some((number, event)) = entry.data.split_first() else {
            return Ok(());
        };
        let event = event.try_into().map(i64::from_be_bytes).unwrap_or_default();
        match Membership::from_number(i64::from(*number)) {
            Some(Membership::Join) => self.pass_join(entry, event).await,
            Some(Membership::Leave | Membership::Ban) => {
                self.begin(true).await?;
                let (user, room) = (entry.subject, entry.reference);
                self.batch.add(3, |writes| {
                    notifications::delete_of_member(writes, user, room);
                });
                if let Some(state) = self.known.get_mut(room) {
                    state.leave(user);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A join, or a change of the profile of who has joined long ago.
    async fn pass_join(&mut self, entry: &LogEntry, event: i64) -> StoreResult<()> {
        let (user, room) = (entry.subject, entry.reference);
        let is_known = |state: &mut RoomState| state.has(user);
        if self.known.get_mut(room).is_some_and(is_known) {
            return Ok(());
        }
        self.begin(false).await?;
        let mut read = self.store.read();
        let is_noted = self.batch.joined.contains(&(user, room))
            || notifications::find_join(&mut read, user, room)
                .await?
                .is_some();
        if is_noted || users::find(&mut read, user).await?.is_none() {
            return Ok(());
        }
        let room_order = match self.events.get(&event) {
            Some(event) => event.room_order,
            None => match events::find(&mut read, event).await? {
                Some(event) => event.room_order,
                None => return Ok(()),
            },
        };
        self.batch.joined.insert((user, room));
        self.batch.add(1, |writes| {
            notifications::raise_mark(writes, (user, room), None, room_order);
        });
        let rules = self.rules_at(&mut read, user, entry.pos).await?;
        let room_id = self.rooms.room_id(room).await?;
        let follows = follows(rules.as_ref(), room_id.as_str());
        if !follows {
            let mode = Mode {
                user,
                room_order,
                follows,
            };
            self.batch.stands.insert(room);
            self.batch
                .add(1, |writes| notifications::put_mode(writes, room, mode));
        }
        let predefined = Arc::clone(&self.sets.predefined);
        let list = self.ignored.of(&mut read, &[user]).await?.remove(&user);
        if let Some(state) = self.known.get_mut(room) {
            state.enter(user, rules, (&predefined, follows));
            state.ignore(user, list);
        }
        Ok(())
    }

    /// The rules that a user has changed, as of a position; None: the predefined ones hold.
    async fn rules_at(
        &mut self,
        read: &mut Read,
        user: i64,
        pos: i64,
    ) -> StoreResult<Option<Arc<CompiledRules>>> {
        let changed = push_rules::list_at(read, &[user], pos).await?;
        match changed.first() {
            Some((_, changed)) => self.sets.compile(changed),
            None => Ok(None),
        }
    }

    /// A user's rules have changed. Cost: the user's rooms, for in each of them the user may from
    /// now on be counted in another way.
    pub(super) async fn pass_rules(&mut self, entry: &LogEntry) -> StoreResult<()> {
        self.flush().await?;
        self.begin(false).await?;
        let user = entry.subject;
        let mut read = self.store.read();
        let rules = self.rules_at(&mut read, user, entry.pos).await?;
        for counted in notifications::list_counted_rooms(&mut read, user).await? {
            let room_id = self.rooms.room_id(counted.room).await?;
            let follows = follows(rules.as_ref(), room_id.as_str());
            if follows == counted.follows {
                continue;
            }
            let mode = Mode {
                user,
                room_order: counted.evaluated,
                follows,
            };
            self.batch.stands.insert(counted.room);
            self.batch.add(1, |writes| {
                notifications::put_mode(writes, counted.room, mode);
            });
            if self.batch.is_full() {
                self.flush().await?;
            }
        }
        let predefined = Arc::clone(&self.sets.predefined);
        for state in self.known.of_user(user) {
            let follows = follows(rules.as_ref(), state.room_id.as_str());
            state.enter(user, rules.clone(), (&predefined, follows));
        }
        self.batch.add(1, |writes| {
            push_rules::delete_replaced(writes, user, entry.reference);
        });
        Ok(())
    }
}

/// Whether somebody with these rules is counted as most are.
fn follows(rules: Option<&Arc<CompiledRules>>, room_id: &str) -> bool {
    rules.is_none_or(|rules| notifies_usually(rules, room_id))
}
