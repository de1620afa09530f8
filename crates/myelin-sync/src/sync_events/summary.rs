//! The summary of a room: how many members it has, and who stands for it where it has no name.

use std::fmt::Write;

use myelin_core::{
    membership::Membership,
    trie::{StateKey, TYPE_CANONICAL_ALIAS, TYPE_NAME},
};
use myelin_store::{EMPTY_STRING, Read, StoreError, StoreResult, events, memberships, rooms};
use serde::Deserialize;

use super::poll::Poll;
use crate::{Syncs, render::quoted};

/// Users that stand for a room.
const HEROES: usize = 5;

/// What is told of a room whose members have changed.
#[derive(Debug)]
pub(super) struct Summary {
    joined: i64,
    invited: i64,
    /// Interned user ids; None: the room has a name.
    heroes: Option<Vec<i64>>,
}

impl Summary {
    /// The interned ids of the users that stand for the room.
    pub(super) fn heroes(&self) -> &[i64] {
        self.heroes.as_deref().unwrap_or_default()
    }
}

impl Syncs {
    /// The summary of a room as it is now. Should it be newer than the answer, then what changed
    /// comes with the next, summary included.
    pub(super) async fn summary(
        &self,
        poll: &Poll,
        read: &mut Read,
        room: i64,
    ) -> StoreResult<Summary> {
        let row = rooms::find(read, room).await?;
        let row = row.ok_or(StoreError::Missing { table: "rooms" })?;
        let heroes = if self.is_named(read, &row).await? {
            None
        } else {
            Some(heroes(read, room, poll.user()).await?)
        };
        Ok(Summary {
            joined: row.joined,
            invited: row.invited,
            heroes,
        })
    }

    /// Whether the room has a name or a canonical alias that is not empty.
    async fn is_named(&self, read: &mut Read, row: &rooms::Room) -> StoreResult<bool> {
        let keys = [TYPE_NAME, TYPE_CANONICAL_ALIAS].map(|event_type| StateKey {
            event_type,
            state_key: EMPTY_STRING,
        });
        let found = self
            .rooms
            .state_numbers(read, (row.room, &row.root), &keys)
            .await?;
        let numbers: Vec<i64> = found.into_iter().flatten().collect();
        let names = events::list(read, &numbers).await?;
        Ok(names.iter().any(|event| names_room(&event.json)))
    }

    /// Writes the summary as JSON.
    pub(super) async fn write_summary(
        &self,
        out: &mut String,
        summary: &Summary,
    ) -> StoreResult<()> {
        out.push('{');
        if let Some(heroes) = &summary.heroes {
            let names = self.store.interned(heroes).await?;
            let names: Vec<String> = names
                .iter()
                .map(|name| quoted(&String::from_utf8_lossy(name)))
                .collect();
            // Writing to a string cannot fail.
            let _ = write!(out, r#""m.heroes":[{}],"#, names.join(","));
        }
        let Summary {
            joined, invited, ..
        } = summary;
        let _ = write!(
            out,
            r#""m.joined_member_count":{joined},"m.invited_member_count":{invited}}}"#
        );
        Ok(())
    }
}

/// The first users of a room but one, who looks: those joined and invited; if there are none, those
/// who were there.
async fn heroes(read: &mut Read, room: i64, user: i64) -> StoreResult<Vec<i64>> {
    const PRESENT: [Membership; 2] = [Membership::Join, Membership::Invite];
    const GONE: [Membership; 2] = [Membership::Leave, Membership::Ban];
    let present = first_others(read, room, (user, PRESENT)).await?;
    if present.is_empty() {
        first_others(read, room, (user, GONE)).await
    } else {
        Ok(present)
    }
}

async fn first_others(
    read: &mut Read,
    room: i64,
    (user, kinds): (i64, [Membership; 2]),
) -> StoreResult<Vec<i64>> {
    // One more, who may be the user that looks.
    let limit = i64::try_from(HEROES + 1).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    for membership in kinds {
        found.extend(memberships::list_first_users(read, room, membership, limit).await?);
    }
    found.sort_unstable();
    let others = found
        .into_iter()
        .map(|(_, other)| other)
        .filter(|other| *other != user);
    Ok(others.take(HEROES).collect())
}

fn names_room(json: &str) -> bool {
    #[derive(Deserialize)]
    struct Event {
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        name: Option<String>,
        alias: Option<String>,
    }
    let event: Option<Event> = serde_json::from_str(json).ok();
    event.is_some_and(|Event { content }| {
        let names = [content.name, content.alias];
        names.into_iter().flatten().any(|name| !name.is_empty())
    })
}
