//! From a name to its room, whichever server gives the name.

use std::{cmp::Reverse, time::Duration};

use myelin_net::Limits;
use myelin_store::{StoreResult, aliases, room_servers};
use ruma::{
    OwnedRoomId, OwnedServerName, RoomAliasId, api::federation::query::get_room_information::v1,
};
use serde::Deserialize;

use super::AliasError;
use crate::Rooms;

/// Somebody waits for it.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    bytes: 64 * 1024,
};
/// Servers that are remembered of an answer: nobody asks more of them.
const SERVERS_MAX: usize = 50;

/// What an alias names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasTarget {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Servers that are likely to be in it, the one that gives the name first.
    pub servers: Vec<OwnedServerName>,
}

/// ruma's answer is lost if a single name in it is none.
#[derive(Deserialize)]
struct Answer {
    room_id: OwnedRoomId,
    servers: Vec<String>,
}

impl Rooms {
    /// The room that an alias names; for the alias of another server, that server is asked.
    pub async fn resolve_alias(&self, alias: &RoomAliasId) -> Result<AliasTarget, AliasError> {
        if alias.server_name() == self.server.name {
            return self.resolve_local_alias(alias).await;
        }
        let request = v1::Request::new(alias.to_owned());
        let asked = self
            .federation
            .ask_for::<Answer, _>(alias.server_name(), request, LIMITS)
            .await;
        match asked {
            Ok(answer) => Ok(target(alias, answer)),
            Err(error) if error.is_not_found() => Err(AliasError::Unknown(alias.to_string())),
            Err(error) => Err(AliasError::Federation(error)),
        }
    }

    /// The room that an alias of this server names.
    pub async fn resolve_local_alias(
        &self,
        alias: &RoomAliasId,
    ) -> Result<AliasTarget, AliasError> {
        self.require_local(alias)?;
        let found = aliases::find(&mut self.store.read(), alias.as_str()).await?;
        let room = found.ok_or_else(|| AliasError::Unknown(alias.to_string()))?;
        Ok(AliasTarget {
            room_id: self.room_id(room).await?,
            servers: self.servers_to_ask(room).await?,
        })
    }

    /// Servers that are in a room, this one first, then those with the most users in it.
    async fn servers_to_ask(&self, room: i64) -> StoreResult<Vec<OwnedServerName>> {
        let mut found = room_servers::list(&mut self.store.read(), room).await?;
        found.sort_by_key(|server| Reverse(server.joined));
        let numbers = found.iter().take(SERVERS_MAX).map(|server| server.server);
        let names = self.store.interned(&numbers.collect::<Vec<_>>()).await?;
        let mut servers = vec![self.server.name.clone()];
        for name in names {
            let name = std::str::from_utf8(&name).ok();
            let name = name.and_then(|name| OwnedServerName::try_from(name).ok());
            servers.extend(name.filter(|name| *name != self.server.name));
        }
        Ok(servers)
    }
}

/// Whoever gives the name is the first to be asked for the room, and if it is not in the room, as
/// it says, the last.
fn target(alias: &RoomAliasId, answer: Answer) -> AliasTarget {
    let named = answer.servers.iter().take(SERVERS_MAX);
    let mut servers: Vec<OwnedServerName> = named
        .filter_map(|name| name.as_str().try_into().ok())
        .collect();
    let giver = alias.server_name();
    let is_in_it = servers.iter().any(|server| server == giver);
    servers.retain(|server| server != giver);
    let place = if is_in_it { 0 } else { servers.len() };
    servers.insert(place, giver.to_owned());
    AliasTarget {
        room_id: answer.room_id,
        servers,
    }
}

#[cfg(test)]
mod tests {
    use ruma::room_alias_id;

    use super::*;

    #[test]
    fn servers_are_those_that_have_a_name() {
        let alias = room_alias_id!("#tea:giver.example");
        for (servers, found) in [
            (
                vec!["a.example", "no name!", "giver.example"],
                vec!["giver.example", "a.example"],
            ),
            (vec!["a.example"], vec!["a.example", "giver.example"]),
            (vec![], vec!["giver.example"]),
        ] {
            let answer = Answer {
                room_id: "!room:a.example".try_into().unwrap(),
                servers: servers.into_iter().map(str::to_owned).collect(),
            };
            assert_eq!(target(alias, answer).servers, found);
        }
    }

    #[test]
    fn not_more_servers_are_remembered_than_are_asked() {
        let answer = Answer {
            room_id: "!room:a.example".try_into().unwrap(),
            servers: vec!["a.example".to_owned(); 10_000],
        };
        let target = target(room_alias_id!("#tea:giver.example"), answer);
        assert_eq!(target.servers.len(), SERVERS_MAX + 1);
    }
}
