//! Making a room of a state that other servers have told.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use myelin_core::{
    event::{Event, POLICY},
    membership::Membership,
    trie::{TYPE_MEMBER, WELL_KNOWN_TYPES},
};
use myelin_store::{
    Sequence, Store, StoreError, StoreResult, WriteSet, directory, events,
    followers::{self, Lease},
    memberships::{self, UserMembership},
    outside_memberships, remote_device_lists, room_servers, rooms,
};
use ruma::{OwnedUserId, RoomId, RoomVersionId};

use super::outside::log_membership;
use crate::{
    Rooms,
    advance::{NewRow, advance_row, advance_state, enter_setting, log_event, newest},
    auth_graph,
    numbers::EventNumbers,
    open_room::OpenRoom,
    snapshot::StoredSnapshot,
};

/// Memberships of one slice.
const SLICE: usize = 1_000;
/// Servers whose counts go into the set that publishes the room; those of more go before it.
const SERVERS_MAX: usize = 800;
/// How long a node may take to write one slice of what stands beside the state. Who tries again
/// after a kill waits for so long at most.
const LEASE_MS: i64 = 15_000;
/// How often another node looks whether that is done.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Who is what in the state.
struct Members {
    others: Vec<UserMembership>,
    /// Users of this server, with their events.
    own: Vec<(UserMembership, Arc<Event>)>,
    /// How many users of each server are joined.
    servers: BTreeMap<i64, i64>,
    joined: i64,
    joined_remote: i64,
    invited: i64,
}

impl Rooms {
    /// Publishes the room with the event by which a user of this server comes into it. The event
    /// is given back if the room was published before.
    ///
    /// What does not fit one set is written before: memberships of users of other servers, which
    /// nobody looks at as long as nobody here is in the room. One node at a time does so.
    pub(super) async fn publish(
        &self,
        (room_id, version): (&RoomId, &RoomVersionId),
        snapshot: &StoredSnapshot,
        join: Event,
    ) -> StoreResult<Option<Event>> {
        let members = self.members_of(snapshot).await?;
        let holder = self.store.next_numbers(Sequence::Node, 1).await?;
        let holder = *holder
            .first()
            .ok_or(StoreError::Missing { table: "sequences" })?;
        let name = format!("publish {}", snapshot.room);
        let mut attempts = self.store.attempts();
        loop {
            let now_ms = self.server.now_ms().cast_signed();
            let lease = followers::claim(&self.store, &name, holder, now_ms, LEASE_MS).await?;
            if self.is_resident(room_id).await? {
                give_back(&self.store, lease).await?;
                return Ok(Some(join));
            }
            let Some(mut lease) = lease else {
                tokio::time::sleep(LOOK_AGAIN).await;
                continue;
            };
            let room = (room_id, version);
            let published = self
                .publish_alone(&mut lease, room, (snapshot, &members), &join)
                .await;
            followers::release(&self.store, lease).await?;
            match published {
                Ok(true) => return Ok(None),
                Ok(false) | Err(StoreError::Conflict) => attempts.conflict()?,
                Err(error) => return Err(error),
            }
        }
    }

    async fn publish_alone(
        &self,
        lease: &mut Lease,
        (room_id, version): (&RoomId, &RoomVersionId),
        (snapshot, members): (&StoredSnapshot, &Members),
        join: &Event,
    ) -> StoreResult<bool> {
        let own = members.own.iter().map(|(member, _)| member.user);
        let present = own.chain(members.others.iter().map(|member| member.user));
        self.forget_absent(lease, snapshot.room, &present.collect())
            .await?;
        // Member events come before everything that happens from now on, in their own order.
        let first = -i64::try_from(members.others.len()).unwrap_or(i64::MAX);
        let mut orders = first..;
        for slice in members.others.chunks(SLICE) {
            let mut writes = WriteSet::new();
            for (member, order) in slice.iter().zip(orders.by_ref()) {
                memberships::upsert(&mut writes, member, order);
            }
            self.commit_slice(lease, writes).await?;
        }
        self.doubt_device_lists(lease, members).await?;
        let mut counts = self.count_changes(snapshot.room, members).await?;
        while counts.len() > SERVERS_MAX {
            let mut writes = WriteSet::new();
            for (server, more) in counts.drain(..SERVERS_MAX) {
                room_servers::add(&mut writes, snapshot.room, server, more);
            }
            self.commit_slice(lease, writes).await?;
        }
        let numbers = EventNumbers::intern(
            &self.store,
            join.type_str(),
            &join.sender,
            join.state_key.as_deref(),
        )
        .await?;
        let row = rooms::Room {
            room: snapshot.room,
            version: 0,
            room_version: version.to_string(),
            extremities: Vec::new(),
            depth: 0,
            room_order: 0,
            root: Bytes::new(),
            joined: 0,
            invited: 0,
            joined_remote: 0,
        };
        let mut room = match self.open(room_id).await? {
            Some(room) => room,
            None => self.open_new(room_id, row).await?,
        };
        *lease = followers::advance(&mut room.writes, lease, lease.cursor());
        room.take_over(snapshot, members).await?;
        for (server, more) in counts {
            room_servers::add(&mut room.writes, snapshot.room, server, more);
        }
        room_servers::log_many(&mut room.writes, snapshot.room);
        room.enter(join, numbers).await?;
        Ok(self.settle(room.submit()?).await?.is_some())
    }

    /// Of the members' devices this server may not have been told while it was not in the room.
    async fn doubt_device_lists(&self, lease: &mut Lease, members: &Members) -> StoreResult<()> {
        for slice in members.others.chunks(SLICE) {
            let users: Vec<i64> = slice.iter().map(|member| member.user).collect();
            let known = remote_device_lists::list_known(&mut self.store.read(), &users).await?;
            if known.is_empty() {
                continue;
            }
            let mut writes = WriteSet::new();
            for user in known {
                remote_device_lists::note_change(&mut writes, user);
            }
            self.commit_slice(lease, writes).await?;
        }
        Ok(())
    }

    pub(super) async fn commit_slice(
        &self,
        lease: &mut Lease,
        mut writes: WriteSet,
    ) -> StoreResult<()> {
        let until_ms = self.server.now_ms().cast_signed() + LEASE_MS;
        let longer = lease.clone().prolonged(until_ms);
        let advanced = followers::advance(&mut writes, &longer, longer.cursor());
        self.store.commit_patiently(writes).await?;
        *lease = advanced;
        Ok(())
    }

    async fn members_of(&self, snapshot: &StoredSnapshot) -> StoreResult<Members> {
        let mut members = Members {
            others: Vec::new(),
            own: Vec::new(),
            servers: BTreeMap::new(),
            joined: 0,
            joined_remote: 0,
            invited: 0,
        };
        let mut found = Vec::new();
        for (event, number, key) in snapshot.state() {
            let user = event.state_key.as_deref();
            let user = user.and_then(|id| OwnedUserId::try_from(id).ok());
            if let Some(user) = user.filter(|_| key.event_type == TYPE_MEMBER) {
                found.push((user, event, (number, key.state_key)));
            }
        }
        found.sort_by_key(|(_, event, (number, _))| (event.depth, event.origin_server_ts, *number));
        let servers: Vec<&[u8]> = found
            .iter()
            .map(|(user, ..)| user.server_name().as_bytes())
            .collect();
        let servers = self.store.intern(&servers).await?;
        for ((id, event, (number, user)), server) in found.into_iter().zip(servers) {
            let membership = Membership::of_content(&event.content).unwrap_or(Membership::Leave);
            let row = UserMembership {
                room: snapshot.room,
                user,
                membership,
                event: number,
            };
            let is_own = self.server.is_local(&id);
            match membership {
                Membership::Join => {
                    *members.servers.entry(server).or_default() += 1;
                    members.joined += 1;
                    members.joined_remote += i64::from(!is_own);
                }
                Membership::Invite => members.invited += 1,
                Membership::Leave | Membership::Ban | Membership::Knock => {}
            }
            if is_own {
                members.own.push((row, Arc::new(event.clone())));
            } else {
                members.others.push(row);
            }
        }
        Ok(members)
    }

    /// By how much the number of joined users of each server differs from what is stored. This
    /// server comes last: by its own count it knows whether it is in the room.
    async fn count_changes(&self, room: i64, members: &Members) -> StoreResult<Vec<(i64, i64)>> {
        let mut changes = members.servers.clone();
        for server in room_servers::list(&mut self.store.read(), room).await? {
            *changes.entry(server.server).or_default() -= server.joined;
        }
        let own = self
            .store
            .find_interned(self.server.name.as_bytes())
            .await?;
        let mut changes: Vec<(i64, i64)> = changes.into_iter().collect();
        changes.retain(|(_, more)| *more != 0);
        changes.sort_by_key(|(server, _)| Some(*server) == own);
        Ok(changes)
    }

    /// Whether events of a room are made here: a user of this server is joined, or nobody at all
    /// is, and so nobody else can be asked.
    pub(crate) async fn is_resident(&self, room_id: &RoomId) -> StoreResult<bool> {
        let Some(number) = self.find_number(room_id).await? else {
            return Ok(false);
        };
        let room = rooms::find(&mut self.store.read(), number).await?;
        Ok(room.is_some_and(|room| room.joined == 0 || room.joined > room.joined_remote))
    }
}

async fn give_back(store: &Store, lease: Option<Lease>) -> StoreResult<()> {
    if let Some(lease) = lease {
        followers::release(store, lease).await?;
    }
    Ok(())
}

impl OpenRoom<'_> {
    /// Puts the state that was told in the place of what was known of the room.
    async fn take_over(&mut self, snapshot: &StoredSnapshot, members: &Members) -> StoreResult<()> {
        self.changed = true;
        let Some(head) = self.locked.get() else {
            return Err(StoreError::Missing { table: "rooms" });
        };
        directory::add_joined(
            &mut self.writes,
            head.row.room,
            members.joined - head.row.joined,
        );
        head.row.root = Bytes::from(snapshot.root.to_bytes());
        head.row.joined = members.joined;
        head.row.joined_remote = members.joined_remote;
        head.row.invited = members.invited;
        head.row.depth = 0;
        head.row.extremities = Vec::new();
        head.forget_members();
        for (event_type, name) in WELL_KNOWN_TYPES {
            let event = snapshot.setting(name).cloned().map(Arc::new);
            enter_setting(head, &mut self.writes, (event, *event_type));
        }
        let policy = snapshot.setting(POLICY).cloned().map(Arc::new);
        let policy_type = head.policy_type;
        enter_setting(head, &mut self.writes, (policy, policy_type));
        for (member, event) in &members.own {
            head.remember_member(member.user, Some(Arc::clone(event)));
            let before = memberships::find(&mut self.read, member.room, member.user).await?;
            if before.is_some_and(|before| before == *member) {
                continue;
            }
            memberships::upsert(&mut self.writes, member, head.row.room_order);
            log_membership(&mut self.writes, member);
        }
        self.end_outside(members).await
    }

    /// From now on the room itself says what users are who were invited to it, or knocked at it,
    /// from outside; of whom it says nothing, that is over.
    async fn end_outside(&mut self, members: &Members) -> StoreResult<()> {
        let room = self.number();
        for (user, event) in outside_memberships::list_users(&mut self.read, room).await? {
            outside_memberships::delete(&mut self.writes, room, user, event);
            if members.own.iter().any(|(member, _)| member.user == user) {
                continue;
            }
            memberships::delete(&mut self.writes, room, user);
            let gone = UserMembership {
                room,
                user,
                membership: Membership::Leave,
                event,
            };
            log_membership(&mut self.writes, &gone);
        }
        Ok(())
    }

    /// Appends the event by which this server comes into the room. Others send it to others. What
    /// it comes after is missing here, unless nothing has happened since somebody of this server
    /// was in the room.
    async fn enter(&mut self, join: &Event, numbers: EventNumbers) -> StoreResult<()> {
        let missing = self.without_place(&join.prev_events).await?;
        if !missing.is_empty() {
            self.leave_gap(&missing)?;
        }
        let rooms = self.rooms;
        let number = rooms.store.next_numbers(Sequence::Event, 1).await?;
        let number = *number
            .first()
            .ok_or(StoreError::Missing { table: "sequences" })?;
        let Some(head) = self.locked.get() else {
            return Err(StoreError::Missing { table: "rooms" });
        };
        let join = Arc::new(join.clone());
        let root_before = head.row.root.clone();
        advance_row(head, &join, number);
        let (read, writes) = (&mut self.read, &mut self.writes);
        let place = (&join, number, numbers);
        advance_state(rooms, head, read, writes, place).await?;
        auth_graph::enter(head, read, writes, place).await?;
        rooms.heads.note_own(&rooms.store, number);
        let row = NewRow {
            number,
            numbers,
            root_before,
            transaction: None,
        };
        events::insert_received(writes, &newest(head, &join, row));
        log_event(writes, head, number);
        Ok(())
    }
}
