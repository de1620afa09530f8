//! The names of rooms: who gives them, who takes them, and which the room calls its own.

mod canonical;
mod resolve;

use myelin_core::{membership::Membership, power::PowerLevels};
use myelin_net::FederationError;
use myelin_store::{
    StoreError, StoreResult, WriteSet,
    aliases::{self, Alias},
    rooms, users,
};
use ruma::{OwnedRoomAliasId, OwnedRoomId, RoomAliasId, RoomId, UserId};

pub(crate) use self::canonical::check_first_alias;
pub use self::{canonical::CanonicalAliasError, resolve::AliasTarget};

use crate::{
    AccessError, AppendError, Rooms, Standing, head::Head, open_room::OpenRoom,
    visibility::not_in_room,
};

pub(crate) const CANONICAL_ALIAS: &str = "m.room.canonical_alias";

/// Why an alias names no room, or not the one that it was to name.
#[derive(Debug, thiserror::Error)]
pub enum AliasError {
    /// Nothing has this name, says the server that gives it.
    #[error("there is no room with the alias {0}")]
    Unknown(String),
    /// The alias belongs to another server, whose users alone give and take it.
    #[error("{0} is the alias of another server")]
    OtherServer(String),
    /// The server whose alias it is did not say what it names.
    #[error(transparent)]
    Federation(FederationError),
    /// The alias holds what no alias of this server may hold, or is too long.
    #[error("{0} cannot be an alias of this server")]
    Invalid(String),
    /// A room has this name already.
    #[error("the room alias {0} already exists")]
    Taken(String),
    /// There is no such room here, or the user is not in it: which of the two is not told.
    #[error("{user} is not in the room {room_id}")]
    NotInRoom {
        /// Who wanted to name the room.
        user: String,
        /// Which room.
        room_id: String,
    },
    /// Somebody else has given the name, and the user has no power over the names of the room.
    #[error("{0} may not take this name from its room")]
    NotYours(String),
    /// The room's canonical alias could not be changed.
    #[error("{0}")]
    Append(AppendError),
    /// The database failed.
    #[error("the aliases could not be read or written")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// Gives a room another name. Its members may, for names are cheap; which of them the room
    /// shows is for those to say who have the power.
    pub async fn create_alias(
        &self,
        alias: &RoomAliasId,
        room_id: &RoomId,
        user: &UserId,
    ) -> Result<(), AliasError> {
        if self.require_local(alias).is_err() || !is_valid(alias) {
            return Err(AliasError::Invalid(alias.to_string()));
        }
        let users = self.store.intern(&[user.as_bytes()]).await?;
        let creator = *users
            .first()
            .ok_or(StoreError::Missing { table: "interned" })?;
        let Some(mut room) = self.open_as_member(room_id, creator).await? else {
            return Err(AliasError::NotInRoom {
                user: user.to_string(),
                room_id: room_id.to_string(),
            });
        };
        let number = room.number();
        drop(room);
        let mut attempts = self.store.attempts();
        loop {
            if aliases::find(&mut self.store.read(), alias.as_str())
                .await?
                .is_some()
            {
                return Err(AliasError::Taken(alias.to_string()));
            }
            let mut writes = WriteSet::new();
            aliases::insert(&mut writes, alias.as_str(), number, creator);
            if attempts.commit(writes).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// Takes a name from its room: whoever gave it may, whoever decides what the room is called,
    /// and the server's administrators. If the room called itself so, it no longer does, provided
    /// that the user may say so there.
    pub async fn delete_alias(&self, alias: &RoomAliasId, user: &UserId) -> Result<(), AliasError> {
        self.require_local(alias)?;
        let unknown = || AliasError::Unknown(alias.to_string());
        let number = self.store.find_interned(user.as_bytes()).await?;
        let number = number.ok_or_else(unknown)?;
        let mut attempts = self.store.attempts();
        loop {
            let found = aliases::find_alias(&mut self.store.read(), alias.as_str()).await?;
            let found = found.ok_or_else(unknown)?;
            let room_id = self.room_id(found.room).await?;
            let mut room = self.open(&room_id).await?.ok_or_else(unknown)?;
            let decides = decides_names(&mut room, (user, number)).await?;
            if !decides && !self.may_delete(&mut room, &found, number).await? {
                return Err(AliasError::NotYours(user.to_string()));
            }
            if decides {
                room = self.disown(room, alias, user).await?;
            }
            aliases::delete(&mut room.writes, alias.as_str(), found.room);
            if self.settle(room.submit()?).await?.is_some() {
                return Ok(());
            }
            attempts.conflict()?;
        }
    }

    /// The local aliases of a room, for a user who is in it; for everybody if everybody may read
    /// the room.
    pub async fn local_aliases(
        &self,
        room_id: &RoomId,
        user: &UserId,
    ) -> Result<Vec<OwnedRoomAliasId>, AccessError> {
        let refused = || not_in_room(room_id, user);
        let mut read = self.store.read();
        let view = self.view_any(&mut read, room_id, user).await?;
        let view = view.ok_or_else(refused)?;
        if view.standing != Standing::Member {
            let row = rooms::find(&mut read, view.room).await?;
            let row = row.ok_or_else(refused)?;
            if !self
                .is_world_readable(&mut read, view.room, &row.root)
                .await?
            {
                return Err(refused());
            }
        }
        Ok(self.aliases(view.room).await?)
    }

    /// The local aliases of a room.
    pub async fn aliases(&self, room: i64) -> StoreResult<Vec<OwnedRoomAliasId>> {
        let aliases = aliases::list(&mut self.store.read(), room).await?;
        Ok(aliases
            .iter()
            .filter_map(|alias| OwnedRoomAliasId::try_from(alias.as_str()).ok())
            .collect())
    }

    /// The room id behind a number.
    pub async fn room_id(&self, room: i64) -> StoreResult<OwnedRoomId> {
        let names = self.store.interned(&[room]).await?;
        let name = names
            .first()
            .ok_or(StoreError::Missing { table: "interned" })?;
        crate::members::room_id_of(name)
    }

    async fn may_delete(
        &self,
        room: &mut OpenRoom<'_>,
        alias: &Alias,
        user: i64,
    ) -> StoreResult<bool> {
        if alias.creator == user {
            return Ok(true);
        }
        let account = users::find(&mut room.read, user).await?;
        Ok(account.is_some_and(|account| account.admin))
    }

    fn require_local(&self, alias: &RoomAliasId) -> Result<(), AliasError> {
        if alias.server_name() == self.server.name {
            Ok(())
        } else {
            Err(AliasError::OtherServer(alias.to_string()))
        }
    }
}

/// Whether a user is in a room and has the power to say what it is called.
pub(crate) async fn decides_names(
    room: &mut OpenRoom<'_>,
    (user_id, user): (&UserId, i64),
) -> StoreResult<bool> {
    if room.membership(user).await? != Membership::Join {
        return Ok(false);
    }
    let levels = room.head().and_then(|head| levels(head));
    Ok(levels.is_some_and(|levels| levels.may_send(user_id, CANONICAL_ALIAS, true)))
}

/// The power levels that hold in a room; None if its state makes no sense.
pub(crate) fn levels(head: &Head) -> Option<PowerLevels> {
    let create = head.create.as_deref()?;
    PowerLevels::of_room(&head.version, create, head.power_levels.as_deref()).ok()
}

/// Beyond the grammar, white space: nobody could tell such an alias from another.
pub(crate) fn is_valid(alias: &RoomAliasId) -> bool {
    let text = alias.as_str();
    text.len() <= 255
        && !alias.alias().is_empty()
        && !text
            .chars()
            .any(|letter| letter == '\0' || letter.is_whitespace())
}
