//! Which servers are asked for a room, and in which order.

use std::collections::HashSet;

use myelin_store::{StoreResult, room_servers};
use ruma::{OwnedServerName, RoomId, ServerName, UserId};

use crate::{Rooms, numbers::parse};

/// Servers that are asked for one thing before it is given up.
const CANDIDATES_MAX: usize = 8;

impl Rooms {
    /// The servers that may help a user with a room: those that the client names, in its order;
    /// that of who has invited the user; that which the room is named after; those with the most
    /// users, as far as we knew the room.
    pub(crate) async fn candidates(
        &self,
        room_id: &RoomId,
        via: &[OwnedServerName],
        inviter: Option<&UserId>,
    ) -> StoreResult<Vec<OwnedServerName>> {
        let mut candidates = via.to_vec();
        candidates.extend(inviter.map(|user| user.server_name().to_owned()));
        candidates.extend(room_id.server_name().map(ToOwned::to_owned));
        candidates.extend(self.servers_known_in(room_id).await?);
        let mut seen = HashSet::new();
        candidates.retain(|server| self.may_ask(server) && seen.insert(server.clone()));
        candidates.truncate(CANDIDATES_MAX);
        Ok(candidates)
    }

    fn may_ask(&self, server: &ServerName) -> bool {
        *server != *self.server.name && self.federation.allows(server)
    }

    async fn servers_known_in(&self, room_id: &RoomId) -> StoreResult<Vec<OwnedServerName>> {
        let Some(room) = self.find_number(room_id).await? else {
            return Ok(Vec::new());
        };
        let mut servers = room_servers::list(&mut self.store.read(), room).await?;
        servers.sort_by_key(|server| (std::cmp::Reverse(server.joined), server.server));
        servers.truncate(CANDIDATES_MAX);
        let numbers: Vec<i64> = servers.iter().map(|server| server.server).collect();
        let names = self.store.interned(&numbers).await?;
        Ok(names.iter().filter_map(|name| parse(name)).collect())
    }
}
