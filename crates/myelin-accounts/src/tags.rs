//! Tags: how users sort their rooms. All tags of a room are one piece of account data, `m.tag`.

use bytes::Bytes;
use myelin_store::{Store, StoreError, StoreResult, account_data::AccountData};
use ruma::RoomId;
use serde_json::{Map, Value, json};

use crate::{AccountDataError, AccountDataPlace, account_data, get_account_data};

/// Spec: "Room tagging".
const TAG_BYTES_MAX: usize = 255;
/// So that all of them fit the account data.
const TAGS_MAX: usize = 1_000;
const TAG_CONTENT_BYTES_MAX: usize = 256;

/// A tag of a room.
#[derive(Clone, Copy, Debug)]
pub struct RoomTag<'a> {
    /// The interned id of the user whose tag it is.
    pub user: i64,
    /// The room, which need not exist.
    pub room_id: &'a RoomId,
    /// The tag.
    pub tag: &'a str,
}

/// Why a tag was not changed.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// The tag breaks the grammar.
    #[error("a tag has 1 to {TAG_BYTES_MAX} bytes and no NUL")]
    InvalidTag,
    /// The order is no number.
    #[error("`order` must be a number")]
    InvalidOrder,
    /// There is more than is kept.
    #[error("a room has at most {TAGS_MAX} tags of {TAG_CONTENT_BYTES_MAX} bytes")]
    TooMuch,
    /// The room id cannot be stored.
    #[error("{0}")]
    Place(AccountDataError),
    /// The store failed.
    #[error("the tags could not be stored")]
    Store(#[from] StoreError),
}

/// The tags of a room, each with its content.
pub async fn get_tags(
    store: &Store,
    user: i64,
    room_id: &RoomId,
) -> StoreResult<Map<String, Value>> {
    let content = get_account_data(store, place(user, room_id)).await?;
    Ok(content.map(|content| tags(&content)).unwrap_or_default())
}

/// Adds a tag, or changes its content. Tags that others add at the same time stay.
pub async fn create_tag(
    store: &Store,
    tag: RoomTag<'_>,
    content: Map<String, Value>,
) -> Result<(), TagError> {
    check(tag)?;
    if content.get("order").is_some_and(|order| !order.is_number()) {
        return Err(TagError::InvalidOrder);
    }
    let content = Value::Object(content);
    if content.to_string().len() > TAG_CONTENT_BYTES_MAX {
        return Err(TagError::TooMuch);
    }
    let mut is_full = false;
    account_data::change_account_data(store, place(tag.user, tag.room_id), |present| {
        let mut tags = present_tags(present);
        tags.insert(tag.tag.to_owned(), content.clone());
        is_full = tags.len() > TAGS_MAX;
        (!is_full).then(|| written(&tags))
    })
    .await?;
    if is_full {
        Err(TagError::TooMuch)
    } else {
        Ok(())
    }
}

/// Removes a tag if it is there.
pub async fn delete_tag(store: &Store, tag: RoomTag<'_>) -> Result<(), TagError> {
    check(tag)?;
    account_data::change_account_data(store, place(tag.user, tag.room_id), |present| {
        let mut tags = present_tags(present);
        tags.remove(tag.tag).map(|_| written(&tags))
    })
    .await?;
    Ok(())
}

fn check(tag: RoomTag<'_>) -> Result<(), TagError> {
    if tag.tag.is_empty() || tag.tag.len() > TAG_BYTES_MAX || tag.tag.contains('\0') {
        return Err(TagError::InvalidTag);
    }
    account_data::check(place(tag.user, tag.room_id)).map_err(TagError::Place)
}

fn place(user: i64, room_id: &RoomId) -> AccountDataPlace<'_> {
    AccountDataPlace {
        user,
        room_id: Some(room_id),
        event_type: "m.tag",
    }
}

fn present_tags(present: Option<&AccountData>) -> Map<String, Value> {
    present.map(|data| tags(&data.content)).unwrap_or_default()
}

/// Clients can set `m.tag` as they like: what is no tag there is not shown as one.
fn tags(content: &[u8]) -> Map<String, Value> {
    #[derive(Default, serde::Deserialize)]
    struct Content {
        tags: Map<String, Value>,
    }
    let content: Content = serde_json::from_slice(content).unwrap_or_default();
    let tags = content.tags.into_iter();
    tags.filter(|(_, content)| content.is_object()).collect()
}

/// A room without tags has `{"tags": {}}`, which tells the clients that the last one has gone.
fn written(tags: &Map<String, Value>) -> Bytes {
    json!({ "tags": tags }).to_string().into()
}
