//! Account data: what clients keep on the server for their user.

use std::collections::BTreeSet;

use bytes::Bytes;
use myelin_store::{
    Read, Store, StoreError, StoreResult, WriteSet,
    account_data::{self, AccountData, DELETED, Key},
};
use ruma::{OwnedUserId, RoomId};
use serde_json::{Map, Value};

/// Ample for lists of thousands of users or rooms, and far below what one commit takes.
const CONTENT_BYTES_MAX: usize = 512 * 1024;
/// With a room id it is still short enough to be interned.
const TYPE_BYTES_MAX: usize = 1_024;
const ROOM_ID_BYTES_MAX: usize = 255;
/// Types that other endpoints set.
const OF_THE_SERVER: [&str; 2] = ["m.fully_read", "m.push_rules"];

/// Where a piece of account data stands.
#[derive(Clone, Copy, Debug)]
pub struct AccountDataPlace<'a> {
    /// The interned user id.
    pub user: i64,
    /// The room that it is about, which need not exist; None: it is about no room.
    pub room_id: Option<&'a RoomId>,
    /// Its type.
    pub event_type: &'a str,
}

/// Why account data was not changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountDataError {
    /// Other endpoints set this type.
    #[error("{0} is set by the server")]
    OfTheServer(String),
    /// The type or the room id cannot be stored.
    #[error(
        "a type has 1 to {TYPE_BYTES_MAX} bytes, a room id at most {ROOM_ID_BYTES_MAX}, and no NUL"
    )]
    InvalidPlace,
    /// The content is no JSON object.
    #[error("the content is not a JSON object: {0}")]
    NotAnObject(serde_json::Error),
    /// The content is too large.
    #[error("the content has more than {CONTENT_BYTES_MAX} bytes")]
    TooLarge,
    /// The store failed.
    #[error("the account data could not be stored")]
    Store(#[from] StoreError),
}

/// The content, a JSON object; None if there is none, or if it was deleted.
pub async fn get_account_data(
    store: &Store,
    place: AccountDataPlace<'_>,
) -> StoreResult<Option<Bytes>> {
    let room_id = place.room_id.map(RoomId::as_str);
    let Some(key) = Key::find(store, room_id, place.event_type).await? else {
        return Ok(None);
    };
    let found = account_data::find(&mut store.read(), place.user, key).await?;
    let shown = found.filter(|data| !data.is_deleted());
    Ok(shown.map(|data| data.content))
}

/// Sets the content. An empty object deletes, as [`delete_account_data`] does.
pub async fn set_account_data(
    store: &Store,
    place: AccountDataPlace<'_>,
    content: &[u8],
) -> Result<(), AccountDataError> {
    check(place)?;
    if content.len() > CONTENT_BYTES_MAX {
        return Err(AccountDataError::TooLarge);
    }
    // Written anew, so that what other clients are shown is sound: keys once, no stray surrogates.
    let object: Map<String, Value> =
        serde_json::from_slice(content).map_err(AccountDataError::NotAnObject)?;
    if object.is_empty() {
        return delete_account_data(store, place).await;
    }
    let content = Value::Object(object).to_string();
    change_account_data(store, place, |_| Some(content.clone().into())).await?;
    Ok(())
}

/// Deletes what may or may not be there. Clients are told of it as an empty content.
pub async fn delete_account_data(
    store: &Store,
    place: AccountDataPlace<'_>,
) -> Result<(), AccountDataError> {
    check(place)?;
    let room_id = place.room_id.map(RoomId::as_str);
    if Key::find(store, room_id, place.event_type).await?.is_some() {
        let delete = |present: Option<&AccountData>| {
            let is_there = present.is_some_and(|data| !data.is_deleted());
            is_there.then_some(Bytes::from_static(DELETED))
        };
        change_account_data(store, place, delete).await?;
    }
    Ok(())
}

/// Reads, changes and writes one piece of account data, again if it was changed meanwhile. None
/// from `change` leaves it as it is.
pub(crate) async fn change_account_data(
    store: &Store,
    place: AccountDataPlace<'_>,
    mut change: impl FnMut(Option<&AccountData>) -> Option<Bytes>,
) -> StoreResult<()> {
    let room_id = place.room_id.map(RoomId::as_str);
    let key = Key::intern(store, room_id, place.event_type).await?;
    let mut attempts = store.attempts();
    loop {
        let found = account_data::find(&mut store.read(), place.user, key.number).await?;
        let Some(content) = change(found.as_ref()) else {
            return Ok(());
        };
        let mut writes = WriteSet::new();
        let version = found.map(|data| data.version);
        account_data::put(&mut writes, place.user, &key, (content, version));
        if attempts.commit(writes).await?.is_some() {
            return Ok(());
        }
    }
}

/// The type of the account data that says whose events and invitations a user does not want to see.
pub const IGNORED_USER_LIST: &str = "m.ignored_user_list";

/// The users whose events and invitations a user does not want to see.
pub async fn ignored_users(
    store: &Store,
    read: &mut Read,
    user: i64,
) -> StoreResult<BTreeSet<OwnedUserId>> {
    let Some(key) = Key::find(store, None, IGNORED_USER_LIST).await? else {
        return Ok(BTreeSet::new());
    };
    let data = account_data::find(read, user, key).await?;
    Ok(data.map_or_else(BTreeSet::new, |data| ignored_in(&data.content)))
}

/// The users whom an [`IGNORED_USER_LIST`] names. One that is not of the specified form ignores
/// nobody.
pub fn ignored_in(content: &[u8]) -> BTreeSet<OwnedUserId> {
    #[derive(serde::Deserialize)]
    struct Content {
        ignored_users: Map<String, Value>,
    }
    let content = serde_json::from_slice::<Content>(content);
    let ids = content.map_or_else(|_| Map::new(), |content| content.ignored_users);
    let ids = ids.into_iter().map(|(id, _)| id);
    ids.filter_map(|id| id.try_into().ok()).collect()
}

pub(crate) fn check(place: AccountDataPlace<'_>) -> Result<(), AccountDataError> {
    if OF_THE_SERVER.contains(&place.event_type) {
        return Err(AccountDataError::OfTheServer(place.event_type.to_owned()));
    }
    let is_short = |text: &str, max| (1..=max).contains(&text.len()) && !text.contains('\0');
    let room_id = place.room_id.map(RoomId::as_str);
    if is_short(place.event_type, TYPE_BYTES_MAX)
        && room_id.is_none_or(|id| is_short(id, ROOM_ID_BYTES_MAX))
    {
        Ok(())
    } else {
        Err(AccountDataError::InvalidPlace)
    }
}
