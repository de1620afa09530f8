//! Whom to ask for what is missing in a room.

use std::{cmp::Reverse, collections::HashMap};

use myelin_store::{
    StoreResult,
    destinations::{self, Destination},
    events,
    gaps::Gap,
    room_servers,
};
use ruma::{OwnedServerName, OwnedUserId};

use crate::{Rooms, numbers::parse, receive::Place};

/// Servers among which those that seem to be alive are asked first.
const CANDIDATES_MAX: usize = 20;
/// Who could not be reached for this long is not asked: it is taken to be gone.
const GONE_MS: i64 = 3 * 24 * 60 * 60 * 1_000;

impl Rooms {
    /// The servers in the room that may know what is missing: that of who sent the event above the
    /// gap, for it knew what that comes after; that which the room is named after; those with the
    /// most users. Of these, the ones last that cannot be reached at the moment.
    pub(super) async fn who_may_know(
        &self,
        place: &Place,
        gap: &Gap,
    ) -> StoreResult<Vec<OwnedServerName>> {
        let mut read = self.store.read();
        let above = events::list_from(&mut read, gap.room, gap.upper, 1).await?;
        let mut servers = room_servers::list(&mut read, gap.room).await?;
        servers.sort_by_key(|server| (Reverse(server.joined), server.server));
        let mut first = Vec::new();
        if let Some(above) = above.first() {
            let names = self.store.interned(&[above.sender]).await?;
            let sender = names.first().and_then(|name| parse::<OwnedUserId>(name));
            first.extend(sender.map(|sender| sender.server_name().to_owned()));
        }
        first.extend(place.room_id.server_name().map(ToOwned::to_owned));
        let mut numbers = Vec::new();
        for name in first {
            let number = self.store.find_interned(name.as_bytes()).await?;
            let is_in_room = |number: &i64| servers.iter().any(|found| found.server == *number);
            numbers.extend(number.filter(is_in_room));
        }
        numbers.extend(servers.iter().map(|server| server.server));
        let mut seen = std::collections::HashSet::new();
        numbers.retain(|number| seen.insert(*number));
        // One of them is this server.
        numbers.truncate(CANDIDATES_MAX + 1);
        let failing = destinations::list_of(&mut read, &numbers)
            .await?
            .into_iter();
        let failing: HashMap<i64, Destination> =
            failing.map(|found| (found.server, found)).collect();
        numbers.retain(|number| !failing.get(number).is_some_and(|it| self.is_gone(it)));
        numbers.sort_by_key(|number| failing.get(number).is_some_and(|it| it.failures > 0));
        let names = self.store.interned(&numbers).await?;
        let names = names.iter().filter_map(|name| parse(name));
        let others = names.filter(|name: &OwnedServerName| {
            *name != self.server.name && self.federation.allows(name)
        });
        Ok(others.collect())
    }

    fn is_gone(&self, destination: &Destination) -> bool {
        destination.failures > 0 && self.now_ms() - destination.failing_since_ms >= GONE_MS
    }
}
