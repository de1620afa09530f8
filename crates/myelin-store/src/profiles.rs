//! Table `profiles`: what users tell others about themselves.

use bytes::Bytes;

use crate::{OnConflict, Read, Row, StoreResult, Table, WriteSet, bytes, int, user_directory};

static PROFILES: Table = Table {
    name: "profiles",
    key: &[int("user_number")],
    values: &[
        int("version"),
        bytes("displayname"),
        bytes("avatar_url"),
        bytes("fields"),
    ],
    version: Some(0),
    on_conflict: OnConflict::Replace,
};

/// What a user tells others. A user without a row has an empty one, of version 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Raised by each change.
    pub version: i64,
    /// The display name.
    pub displayname: Option<String>,
    /// Where the avatar is.
    pub avatar_url: Option<String>,
    /// The other fields, a JSON object; empty for none.
    pub fields: Bytes,
}

/// A user's profile.
pub async fn find(read: &mut Read, user_number: i64) -> StoreResult<Profile> {
    let row = read
        .query_one(
            PROFILES.name,
            "SELECT version, displayname, avatar_url, fields FROM profiles WHERE user_number = $1",
            &[user_number.into()],
        )
        .await?;
    row.map_or_else(|| Ok(Profile::default()), |row| from_row(&row))
}

/// Writes a changed profile, by whose display name the user directory then knows the user; falls
/// if it is no longer as it was before.
pub fn update(writes: &mut WriteSet, user_number: i64, before: &Profile, profile: &Profile) {
    expect(writes, user_number, before);
    let names = [before, profile].map(|profile| profile.displayname.as_deref());
    user_directory::rename(writes, user_number, names[0], names[1]);
    let values = vec![
        (before.version + 1).into(),
        profile.displayname.as_deref().into(),
        profile.avatar_url.as_deref().into(),
        profile.fields.clone().into(),
    ];
    writes.put(&PROFILES, vec![user_number.into()], values);
}

/// Lets the set fall if the profile is no longer as it was read.
pub fn expect(writes: &mut WriteSet, user_number: i64, profile: &Profile) {
    let version = (profile.version != 0).then_some(profile.version);
    writes.expect(&PROFILES, vec![user_number.into()], version);
}

fn from_row(row: &Row) -> StoreResult<Profile> {
    let text = |column| match row.opt_bytes(column)? {
        Some(_) => row.text(column).map(Some),
        None => Ok(None),
    };
    Ok(Profile {
        version: row.int(0)?,
        displayname: text(1)?,
        avatar_url: text(2)?,
        fields: row.bytes(3)?,
    })
}

#[cfg(test)]
mod tests;
