//! What a room calls itself: `m.room.canonical_alias` may name only aliases that lead to the room.

use std::collections::BTreeSet;

use myelin_core::{event::Event, json};
use myelin_store::{StoreError, aliases};
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, OwnedRoomAliasId, RoomAliasId, RoomId, UserId,
};
use tokio::task::JoinSet;

use super::{AliasError, CANONICAL_ALIAS, decides_names};
use crate::{
    AppendError, Rooms, SendOptions, append::Draft, numbers::EventNumbers, open_room::OpenRoom,
};

/// Aliases of other servers that a room may be given at once: each of them is asked for.
const ASKED_MAX: usize = 20;

/// Why a room cannot call itself so.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalAliasError {
    /// Something in the content is no alias.
    #[error("{0}")]
    Malformed(String),
    /// The alias leads to another room, or nowhere.
    #[error("the alias {0} does not lead to this room")]
    Elsewhere(String),
    /// The server that gives the alias does not say where it leads.
    #[error("it is not known where the alias {0} leads, for its server does not answer")]
    NoAnswer(String),
    /// More aliases of other servers than are asked for.
    #[error("a room can be given {ASKED_MAX} aliases of other servers at once")]
    TooMany,
}

/// What the servers of aliases have said of them.
#[derive(Debug, Default)]
pub(crate) struct AskedAliases {
    leading_here: BTreeSet<String>,
    without_answer: BTreeSet<String>,
}

/// Checks what a room that is being made shall call itself: nothing leads to it but its one alias.
pub(crate) fn check_first_alias(
    content: &CanonicalJsonObject,
    alias: Option<&RoomAliasId>,
) -> Result<(), CanonicalAliasError> {
    let own = alias.map(RoomAliasId::as_str);
    let mut wanted = named(content)?.into_iter();
    let stranger = wanted.find(|wanted| Some(wanted.as_str()) != own);
    stranger.map_or(Ok(()), |alias| Err(CanonicalAliasError::Elsewhere(alias)))
}

impl Rooms {
    /// Asks other servers for those of their aliases that this content has and the one in place has
    /// not, if the user may say what the room is called. No lock is held meanwhile.
    pub(crate) async fn ask_for_aliases(
        &self,
        room_id: &RoomId,
        draft: &Draft<'_>,
    ) -> Result<Result<AskedAliases, CanonicalAliasError>, StoreError> {
        let Some(mut room) = self.open(room_id).await? else {
            return Ok(Ok(AskedAliases::default()));
        };
        let new = match new_names(&mut room, draft).await? {
            Ok(new) => new,
            Err(error) => return Ok(Err(error)),
        };
        drop(room);
        let aliases = new.into_iter().map(OwnedRoomAliasId::try_from);
        let others = aliases.filter_map(Result::ok);
        let others: Vec<_> = others
            .filter(|alias| alias.server_name() != self.server.name)
            .collect();
        if others.len() > ASKED_MAX {
            return Ok(Err(CanonicalAliasError::TooMany));
        }
        let mut asking = JoinSet::new();
        for alias in others {
            let rooms = self.clone();
            asking.spawn(async move {
                let target = rooms.resolve_alias(&alias).await;
                (alias.to_string(), target)
            });
        }
        let mut asked = AskedAliases::default();
        while let Some(answer) = asking.join_next().await {
            // A panic was reported where it happened; the alias then is one that leads nowhere.
            let Ok((alias, target)) = answer else {
                continue;
            };
            match target {
                Ok(target) if target.room_id == room_id => {
                    asked.leading_here.insert(alias);
                }
                Ok(_) | Err(AliasError::Unknown(_)) => {}
                Err(AliasError::Store(error)) => return Err(error),
                Err(error) => {
                    tracing::info!(%room_id, alias, %error, "an alias cannot be checked");
                    asked.without_answer.insert(alias);
                }
            }
        }
        Ok(Ok(asked))
    }

    /// Checks the aliases that this content has and the one in place has not: what was right once
    /// must not keep a room from changing the rest. Who may not say what the room is called is
    /// left to the rules of the room, which refuse it.
    pub(crate) async fn check_canonical_alias(
        &self,
        room: &mut OpenRoom<'_>,
        draft: &Draft<'_>,
        asked: &AskedAliases,
    ) -> Result<Result<(), CanonicalAliasError>, StoreError> {
        let new = match new_names(room, draft).await? {
            Ok(new) => new,
            Err(error) => return Ok(Err(error)),
        };
        if new.is_empty() {
            return Ok(Ok(()));
        }
        let number = room.number();
        let own: BTreeSet<_> = aliases::list(&mut room.read, number)
            .await?
            .into_iter()
            .collect();
        let leads_here = |alias: &String| own.contains(alias) || asked.leading_here.contains(alias);
        let stranger = new.into_iter().find(|alias| !leads_here(alias));
        Ok(stranger.map_or(Ok(()), |alias| {
            if asked.without_answer.contains(&alias) {
                Err(CanonicalAliasError::NoAnswer(alias))
            } else {
                Err(CanonicalAliasError::Elsewhere(alias))
            }
        }))
    }

    /// Takes an alias that leads nowhere any more out of what the room calls itself. Where the
    /// rules do not let the user, or the policy server does not, it stays.
    pub(super) async fn disown<'a>(
        &self,
        mut room: OpenRoom<'a>,
        alias: &RoomAliasId,
        user: &UserId,
    ) -> Result<OpenRoom<'a>, AliasError> {
        let before = room.state_named(CANONICAL_ALIAS, "").await?;
        let Some(mut content) = before.and_then(|event| content_of(&event)) else {
            return Ok(room);
        };
        if !remove(&mut content, alias.as_str()) {
            return Ok(room);
        }
        let numbers = EventNumbers::intern(&self.store, CANONICAL_ALIAS, user, Some("")).await?;
        let draft = Draft {
            sender: user,
            event_type: CANONICAL_ALIAS,
            state_key: Some(""),
            numbers,
            content,
            transaction: None,
            options: SendOptions::default(),
        };
        let way_back = room.way_back();
        match room.append(&draft).await {
            Ok(appended) => Ok(appended.room),
            Err(error) if error.is_refusal() => Ok(way_back.open().await?),
            Err(AppendError::Store(error)) => Err(error.into()),
            Err(error) => Err(AliasError::Append(error)),
        }
    }
}

/// The aliases that a content has and the one in place has not; none if the sender may not change
/// it.
async fn new_names(
    room: &mut OpenRoom<'_>,
    draft: &Draft<'_>,
) -> Result<Result<BTreeSet<String>, CanonicalAliasError>, StoreError> {
    let wanted = match named(&draft.content) {
        Ok(wanted) => wanted,
        Err(error) => return Ok(Err(error)),
    };
    if !decides_names(room, (draft.sender, draft.numbers.sender)).await? {
        return Ok(Ok(BTreeSet::new()));
    }
    let before = room.state_named(CANONICAL_ALIAS, "").await?;
    let before = before.and_then(|event| content_of(&event));
    let before = before.and_then(|content| named(&content).ok());
    let before = before.unwrap_or_default();
    Ok(Ok(wanted.difference(&before).cloned().collect()))
}

/// The aliases in a content.
fn named(content: &CanonicalJsonObject) -> Result<BTreeSet<String>, CanonicalAliasError> {
    let malformed = |text: String| CanonicalAliasError::Malformed(text);
    let mut found = Vec::new();
    match content.get("alias") {
        None | Some(CanonicalJsonValue::Null) => {}
        Some(CanonicalJsonValue::String(alias)) if alias.is_empty() => {}
        Some(alias) => found.push(alias),
    }
    match content.get("alt_aliases") {
        None => {}
        Some(CanonicalJsonValue::Array(aliases)) => found.extend(aliases),
        Some(_) => {
            return Err(malformed(
                "`alt_aliases` must be a list of aliases".to_owned(),
            ));
        }
    }
    let mut aliases = BTreeSet::new();
    for alias in found {
        let text = alias
            .as_str()
            .filter(|text| <&RoomAliasId>::try_from(*text).is_ok_and(super::is_valid));
        let text = text.ok_or_else(|| {
            let alias = serde_json::to_string(alias).unwrap_or_default();
            malformed(format!("{alias} is no alias"))
        })?;
        aliases.insert(text.to_owned());
    }
    Ok(aliases)
}

/// Takes an alias out of a content; false if it was not in it.
fn remove(content: &mut CanonicalJsonObject, alias: &str) -> bool {
    let is_this = |value: &CanonicalJsonValue| value.as_str() == Some(alias);
    let mut removed = content.get("alias").is_some_and(is_this);
    if removed {
        content.remove("alias");
    }
    if let Some(CanonicalJsonValue::Array(others)) = content.get_mut("alt_aliases") {
        let before = others.len();
        others.retain(|other| !is_this(other));
        removed |= others.len() < before;
    }
    removed
}

fn content_of(event: &Event) -> Option<CanonicalJsonObject> {
    json::parse_object(event.content.get().as_bytes()).ok()
}
