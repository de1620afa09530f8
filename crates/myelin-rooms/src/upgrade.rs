//! Upgrading a room: another room of another version takes its place.
//!
//! The new room, the end of the old one, and the names that move are one write set. What has no
//! place in it (of a large space the children beyond the first, the later ones of many bans)
//! follows before the request is answered; a client that repeats an unanswered request gets the
//! same room, with the rest of it.

mod carried;
mod close;
mod levels;
mod personal;

use myelin_core::membership::Membership;
use myelin_store::{
    StoreError, aliases, directory, rooms,
    transactions::{self, Transaction},
};
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, OwnedRoomId, OwnedUserId, RoomId, RoomVersionId,
    UserId,
};

use self::carried::Kept;
use crate::{
    AppendError, InitialState, Rooms,
    append::Appended,
    create::{creators_rule, empty_row, room_id_is_random},
    open_room::OpenRoom,
};

/// State events and bans that one write set takes besides the usual ones: each is about eight rows.
const AT_ONCE: usize = 100;
/// Aliases that move along.
const ALIASES_MAX: i64 = 500;

/// A room that is to be replaced.
#[derive(Debug)]
pub struct UpgradeRoom<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// A local user, who becomes the new room's creator.
    pub user: &'a UserId,
    /// The version of the new room.
    pub version: RoomVersionId,
    /// Who is a creator of the new room, too, where the version knows of such.
    pub additional_creators: Vec<OwnedUserId>,
}

/// Why a room was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// There is no such room here, or the user is not in it: which of the two is not told.
    #[error("{user} is not in the room {room_id}")]
    NotInRoom {
        /// Who wanted to upgrade.
        user: String,
        /// What.
        room_id: String,
    },
    /// The old room's rules do not let the user end it, or the new room's rules refuse what comes
    /// from the old one.
    #[error("{0}")]
    Append(AppendError),
    /// The database failed.
    #[error("the rooms could not be read or written")]
    Store(#[from] StoreError),
}

impl From<AppendError> for UpgradeError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Store(error) => Self::Store(error),
            other => Self::Append(other),
        }
    }
}

impl Rooms {
    /// Replaces a room, and answers with the id of the new one once all of it is durable.
    pub async fn upgrade_room(
        &self,
        upgrade: &UpgradeRoom<'_>,
    ) -> Result<OwnedRoomId, UpgradeError> {
        let users = self.store.intern(&[upgrade.user.as_bytes()]).await?;
        let user = *users
            .first()
            .ok_or(StoreError::Missing { table: "interned" })?;
        let request = Transaction {
            user,
            device: String::new(),
            scope: format!("upgrade {}", upgrade.room_id),
            txn_id: upgrade.version.to_string(),
        };
        let mut attempts = self.store.attempts();
        let new = loop {
            if let Some(room) = transactions::find(&mut self.store.read(), &request).await? {
                break self.room_id(room).await?;
            }
            if let Some(new) = self.try_upgrade(upgrade, &request).await? {
                break new;
            }
            attempts.conflict()?;
        };
        self.carry_rest(upgrade, &new, user).await?;
        self.close_policed(upgrade, user).await?;
        Ok(new)
    }

    /// Replaces the room unless it, or an alias of it, has changed meanwhile (None).
    async fn try_upgrade(
        &self,
        upgrade: &UpgradeRoom<'_>,
        request: &Transaction,
    ) -> Result<Option<OwnedRoomId>, UpgradeError> {
        let mut old = self.open_old(upgrade, request.user).await?;
        let is_policed = old.policy_server().await?.is_some();
        let mut kept = self.kept(&mut old).await?;
        let version = &upgrade.version;
        let mut content = create_content(upgrade, &kept);
        // Before version 12 the id is chosen first, and the end of the old room can be named in
        // the new one; from then on the id follows from what the new one says.
        let event = if room_id_is_random(version) {
            let new_id = self.random_room_id()?;
            let tombstone;
            (old, tombstone) = self.entomb(old, upgrade.user, &new_id).await?;
            if let Some(CanonicalJsonValue::Object(old)) = content.get_mut("predecessor") {
                old.insert("event_id".to_owned(), tombstone.into());
            }
            self.first_event(upgrade.user, (version, Some(&new_id)), content)?
        } else {
            let event = self.first_event(upgrade.user, (version, None), content)?;
            (old, _) = self.entomb(old, upgrade.user, &event.room_id).await?;
            event
        };
        if is_policed {
            // Nobody held the room while its policy server was asked.
            kept = self.kept(&mut old).await?;
        }
        let carried = self.carried(&mut old, &kept).await?;
        let new_id = event.room_id.clone();
        let numbers = self.store.intern(&[new_id.as_bytes()]).await?;
        let number = *numbers
            .first()
            .ok_or(StoreError::Missing { table: "interned" })?;
        if rooms::find(&mut old.read, number).await?.is_some() {
            return Ok(None);
        }
        let mut new = self.open_new(&new_id, empty_row(number, version)).await?;
        let first = state("m.room.create", "", CanonicalJsonObject::new());
        let draft = self.initial_draft(upgrade.user, &first).await?;
        new.accept(event, &draft).await?;
        let initial = initial_state_of(upgrade, &kept);
        let (before, last) = initial;
        for event in before
            .iter()
            .chain(carried.iter().take(AT_ONCE))
            .chain(&last)
        {
            let draft = self.initial_draft(upgrade.user, event).await?;
            new.append_unasked(&draft).await?;
        }
        self.move_names(&mut old, &mut new).await?;
        if !is_policed {
            self.close(&mut old, upgrade.user, &kept).await?;
        }
        self.carry_personal(&mut new, request.user).await?;
        let now_ms = i64::try_from(self.server.now_ms()).unwrap_or(i64::MAX);
        transactions::insert(&mut new.writes, request, number, now_ms);
        let committed = self.settle(old.submit_with(new)?).await?;
        Ok(committed.map(|_| new_id))
    }

    /// Carries what had no place in the first write set.
    async fn carry_rest(
        &self,
        upgrade: &UpgradeRoom<'_>,
        new_id: &RoomId,
        user: i64,
    ) -> Result<(), UpgradeError> {
        let carried = {
            let mut old = self.open_old(upgrade, user).await?;
            let kept = self.kept(&mut old).await?;
            self.carried(&mut old, &kept).await?
        };
        for slice in carried.chunks(AT_ONCE).skip(1) {
            let mut attempts = self.store.attempts();
            while !self
                .carry_slice((new_id, upgrade.user, user), slice)
                .await?
            {
                attempts.conflict()?;
            }
        }
        Ok(())
    }

    /// Carries what the new room does not have yet; false if it has changed meanwhile.
    async fn carry_slice(
        &self,
        (new_id, user_id, user): (&RoomId, &UserId, i64),
        slice: &[InitialState],
    ) -> Result<bool, UpgradeError> {
        let Some(mut new) = self.open_as_member(new_id, user).await? else {
            return Ok(true);
        };
        for event in slice {
            let there = new.state_named(&event.event_type, &event.state_key).await?;
            if there.is_none() {
                let draft = self.initial_draft(user_id, event).await?;
                optional(new.append_unasked(&draft).await)?;
            }
        }
        Ok(self.settle(new.submit()?).await?.is_some())
    }

    async fn open_old<'a>(
        &'a self,
        upgrade: &UpgradeRoom<'a>,
        user: i64,
    ) -> Result<OpenRoom<'a>, UpgradeError> {
        let old = self.open_as_member(upgrade.room_id, user).await?;
        old.ok_or_else(|| UpgradeError::NotInRoom {
            user: upgrade.user.to_string(),
            room_id: upgrade.room_id.to_string(),
        })
    }

    /// Tells those in the old room where to go; its id.
    async fn entomb<'a>(
        &self,
        old: OpenRoom<'a>,
        user: &UserId,
        new_id: &RoomId,
    ) -> Result<(OpenRoom<'a>, String), UpgradeError> {
        let mut content = text("body", "This room has been replaced");
        content.insert("replacement_room".to_owned(), new_id.to_string().into());
        let tombstone = state("m.room.tombstone", "", content);
        let draft = self.initial_draft(user, &tombstone).await?;
        let Appended { room, event, .. } = old.append(&draft).await?;
        Ok((room, event.event_id.to_string()))
    }

    /// Gives the names of the old room, and its place in the directory, to the new one.
    async fn move_names(
        &self,
        old: &mut OpenRoom<'_>,
        new: &mut OpenRoom<'_>,
    ) -> Result<(), UpgradeError> {
        let (from, to) = (old.number(), new.number());
        for (alias, found) in aliases::list_with_creators(&mut old.read, from, ALIASES_MAX).await? {
            aliases::move_to(&mut old.writes, &alias, found, to);
        }
        if directory::is_published(&mut old.read, from).await? {
            directory::set_published(&mut old.writes, from, false);
            directory::publish_new(&mut new.writes, to);
        }
        Ok(())
    }
}

/// What the new room's create event says.
fn create_content(upgrade: &UpgradeRoom<'_>, kept: &Kept) -> CanonicalJsonObject {
    let predecessor = text("room_id", upgrade.room_id.as_str());
    let mut content = text("room_version", upgrade.version.as_str());
    content.insert("predecessor".to_owned(), predecessor.into());
    for key in ["type", "m.federate"] {
        if let Some(value) = kept.create.get(key) {
            content.insert(key.to_owned(), value.clone());
        }
    }
    let names_creator = upgrade
        .version
        .rules()
        .is_none_or(|rules| !rules.authorization.use_room_create_sender);
    if names_creator {
        let creator = upgrade.user.to_string().into();
        content.insert("creator".to_owned(), creator);
    }
    if creators_rule(&upgrade.version) && !upgrade.additional_creators.is_empty() {
        let creators = upgrade.additional_creators.iter();
        let creators = creators.map(|user| user.to_string().into()).collect();
        content.insert(
            "additional_creators".to_owned(),
            CanonicalJsonValue::Array(creators),
        );
    }
    content
}

/// What follows the create event, and what comes last: until there are power levels, the
/// creator may do everything, whatever they may do afterwards.
fn initial_state_of(
    upgrade: &UpgradeRoom<'_>,
    kept: &Kept,
) -> (Vec<InitialState>, Option<InitialState>) {
    let join = text("membership", Membership::Join.as_str());
    let mut before = vec![state("m.room.member", upgrade.user.as_str(), join)];
    before.extend(kept.state.iter().cloned());
    let levels = kept.power_levels.as_ref();
    let levels = levels.map(|before| levels::of_new(upgrade, kept, before.clone()));
    (
        before,
        levels.map(|levels| state("m.room.power_levels", "", levels)),
    )
}

/// What the rules do not allow is left undone.
fn optional<T>(appended: Result<T, AppendError>) -> Result<(), UpgradeError> {
    match appended {
        Err(error) if !error.is_refusal() => Err(error.into()),
        _ => Ok(()),
    }
}

fn state(event_type: &str, state_key: &str, content: CanonicalJsonObject) -> InitialState {
    InitialState {
        event_type: event_type.to_owned(),
        state_key: state_key.to_owned(),
        content,
    }
}

fn text(key: &str, value: &str) -> CanonicalJsonObject {
    CanonicalJsonObject::from([(key.to_owned(), value.to_owned().into())])
}
