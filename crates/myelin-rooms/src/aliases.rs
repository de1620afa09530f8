//! The names of rooms.

use myelin_store::{StoreError, StoreResult, aliases};
use ruma::{OwnedRoomAliasId, OwnedRoomId, RoomAliasId};

use crate::Rooms;

/// Why an alias names no room.
#[derive(Debug, thiserror::Error)]
pub enum AliasError {
    /// Nothing has this name here.
    #[error("there is no room with the alias {0}")]
    Unknown(String),
    /// The alias belongs to another server, which this server cannot ask.
    #[error("{0} is the alias of another server, and this server does not federate")]
    OtherServer(String),
    /// The database failed.
    #[error("the alias could not be looked up")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// The room that an alias names.
    pub async fn resolve_alias(&self, alias: &RoomAliasId) -> Result<OwnedRoomId, AliasError> {
        if alias.server_name() != self.server.name {
            return Err(AliasError::OtherServer(alias.to_string()));
        }
        let found = aliases::find(&mut self.store.read(), alias.as_str()).await?;
        let room = found.ok_or_else(|| AliasError::Unknown(alias.to_string()))?;
        Ok(self.room_id(room).await?)
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
}
