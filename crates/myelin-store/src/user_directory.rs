//! Table `directory_words`: the words by which users are found.

use std::collections::BTreeSet;

use crate::{OnConflict, Param, Read, Row, StoreResult, Table, Value, WriteSet, bytes, int};

static DIRECTORY_WORDS: Table = Table {
    name: "directory_words",
    key: &[bytes("word"), int("user_number"), int("source")],
    values: &[],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// Most words of one name that can be found.
const WORDS_MAX: usize = 20;
const WORD_CHARS_MAX: usize = 64;

const LOCALPART: i64 = 1;
const DISPLAYNAME: i64 = 2;

/// A user as the directory shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryUser {
    /// The interned user id.
    pub number: i64,
    /// The full user id.
    pub user_id: String,
    /// The display name.
    pub displayname: Option<String>,
    /// Where the avatar is.
    pub avatar_url: Option<String>,
}

/// A place in the directory: a word and a user who has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryPlace {
    /// The word.
    pub word: String,
    /// The interned user id.
    pub user: i64,
}

/// The words of a text, in lower case: what stands between characters that are neither letters nor
/// digits.
pub fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let lower = words.map(|word| word.to_lowercase().chars().take(WORD_CHARS_MAX).collect());
    lower.take(WORDS_MAX).collect()
}

/// The localpart of a user id.
pub fn localpart(user_id: &str) -> &str {
    let local = user_id.strip_prefix('@').unwrap_or(user_id);
    local.split_once(':').map_or(local, |(local, _)| local)
}

/// Makes a new user known by their localpart.
pub(crate) fn insert(writes: &mut WriteSet, user: i64, user_id: &str) {
    for word in words(localpart(user_id)) {
        writes.put(&DIRECTORY_WORDS, key(&word, user, LOCALPART), Vec::new());
    }
}

/// Makes a user known by a new display name, and no longer by the one before.
pub(crate) fn rename(writes: &mut WriteSet, user: i64, before: Option<&str>, after: Option<&str>) {
    let (before, after) = (words(before.unwrap_or("")), words(after.unwrap_or("")));
    for word in before.difference(&after) {
        writes.delete(&DIRECTORY_WORDS, key(word, user, DISPLAYNAME));
    }
    for word in after.difference(&before) {
        writes.put(&DIRECTORY_WORDS, key(word, user, DISPLAYNAME), Vec::new());
    }
}

/// Users with a word that begins with `prefix`, after a place (none: from the beginning): at most
/// `limit` places, the shortest words first. A user stands at several places.
pub async fn list(
    read: &mut Read,
    prefix: &str,
    after: &DirectoryPlace,
    limit: i64,
) -> StoreResult<Vec<DirectoryPlace>> {
    // No text in UTF-8 has this byte, so all that begin with the prefix stand before it.
    let end = [prefix.as_bytes(), &[0xff]].concat();
    let from = after.word.as_str().max(prefix);
    let sql = "SELECT word, user_number FROM directory_words
               WHERE word >= $1 AND word < $2 AND (word > $3 OR user_number > $4)
               GROUP BY word, user_number ORDER BY word, user_number LIMIT $5";
    let parameters = [
        from.into(),
        end.into(),
        after.word.as_str().into(),
        after.user.into(),
        limit.into(),
    ];
    let rows = read.query(DIRECTORY_WORDS.name, sql, &parameters).await?;
    let place = |row: &Row| {
        Ok(DirectoryPlace {
            word: row.text(0)?,
            user: row.int(1)?,
        })
    };
    rows.iter().map(place).collect()
}

/// These users as the directory shows them, in the order of their numbers, without guests and
/// without those whose accounts were deactivated.
pub async fn list_users(read: &mut Read, users: &[i64]) -> StoreResult<Vec<DirectoryUser>> {
    let sql = "SELECT u.user_number, u.user_id, p.displayname, p.avatar_url FROM users u
               LEFT JOIN profiles p ON p.user_number = u.user_number
               WHERE u.user_number = ANY($1) AND u.deactivated_ms IS NULL AND u.guest = 0
               ORDER BY u.user_number";
    let rows = read
        .query("users", sql, &[Param::Ints(users.to_vec())])
        .await?;
    let user = |row: &Row| {
        let text = |column| match row.opt_bytes(column)? {
            Some(_) => row.text(column).map(Some),
            None => Ok(None),
        };
        Ok(DirectoryUser {
            number: row.int(0)?,
            user_id: row.text(1)?,
            displayname: text(2)?,
            avatar_url: text(3)?,
        })
    };
    rows.iter().map(user).collect()
}

fn key(word: &str, user: i64, source: i64) -> Vec<Value> {
    vec![word.into(), user.into(), source.into()]
}

#[cfg(test)]
mod tests;
