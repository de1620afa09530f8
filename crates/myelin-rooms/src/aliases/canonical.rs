//! What a room calls itself: `m.room.canonical_alias` may name only aliases that lead to the room.

use std::collections::BTreeSet;

use myelin_core::{event::Event, json};
use myelin_store::{StoreError, aliases};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, RoomAliasId, UserId};

use super::{AliasError, CANONICAL_ALIAS};
use crate::{AppendError, Rooms, append::Draft, numbers::EventNumbers, open_room::OpenRoom};

/// Why a room cannot call itself so.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalAliasError {
    /// Something in the content is no alias.
    #[error("{0}")]
    Malformed(String),
    /// The alias leads to another room, or nowhere, or is another server's, which cannot be asked.
    #[error("the alias {0} does not lead to this room")]
    Elsewhere(String),
}

impl Rooms {
    /// Checks the aliases that this content has and the one in place has not: what was right once
    /// must not keep a room from changing the rest.
    pub(crate) async fn check_canonical_alias(
        &self,
        room: &mut OpenRoom<'_>,
        content: &CanonicalJsonObject,
    ) -> Result<Result<(), CanonicalAliasError>, StoreError> {
        let wanted = match named(content) {
            Ok(wanted) => wanted,
            Err(error) => return Ok(Err(error)),
        };
        let before = room.state_named(CANONICAL_ALIAS, "").await?;
        let before = before.and_then(|event| content_of(&event));
        let before = before.and_then(|content| named(&content).ok());
        let new: Vec<_> = wanted
            .difference(&before.unwrap_or_default())
            .cloned()
            .collect();
        if new.is_empty() {
            return Ok(Ok(()));
        }
        let number = room.number();
        let own: BTreeSet<_> = aliases::list(&mut room.read, number)
            .await?
            .into_iter()
            .collect();
        let stranger = new.into_iter().find(|alias| !own.contains(alias));
        Ok(stranger.map_or(Ok(()), |alias| Err(CanonicalAliasError::Elsewhere(alias))))
    }

    /// Takes an alias that leads nowhere any more out of what the room calls itself. Where the
    /// rules do not let the user, it stays.
    pub(super) async fn disown(
        &self,
        room: &mut OpenRoom<'_>,
        alias: &RoomAliasId,
        user: &UserId,
    ) -> Result<(), AliasError> {
        let before = room.state_named(CANONICAL_ALIAS, "").await?;
        let Some(mut content) = before.and_then(|event| content_of(&event)) else {
            return Ok(());
        };
        if !remove(&mut content, alias.as_str()) {
            return Ok(());
        }
        let numbers = EventNumbers::intern(&self.store, CANONICAL_ALIAS, user, Some("")).await?;
        let draft = Draft {
            sender: user,
            event_type: CANONICAL_ALIAS,
            state_key: Some(""),
            numbers,
            content,
            transaction: None,
        };
        match room.append(&draft).await {
            Ok(_) | Err(AppendError::Forbidden(_)) => Ok(()),
            Err(AppendError::Store(error)) => Err(error.into()),
            Err(error) => Err(AliasError::Append(error)),
        }
    }
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
