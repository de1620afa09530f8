//! The user directory: users are found by words of their names, if there is a room where one could
//! meet them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use myelin_store::{
    Read, StoreResult, open_rooms, shared_rooms,
    user_directory::{self, DirectoryPlace, DirectoryUser, localpart, words},
};

/// Places of the directory that are looked at together.
const PLACES: i64 = 200;
/// After so many looks the answer is what was found until then.
const LOOKS_MAX: usize = 10;
/// Most users in one answer.
const LIMIT_MAX: usize = 50;

/// Whom somebody looks for.
#[derive(Clone, Copy, Debug)]
pub struct UserSearch<'a> {
    /// The interned id of the user who looks.
    pub user: i64,
    /// Words, each of which must begin one of the other's, or the beginning of a user id.
    pub term: &'a str,
    /// Most users in the answer.
    pub limit: usize,
}

/// Who was found.
#[derive(Clone, Debug, Default)]
pub struct FoundUsers {
    /// The best matches first.
    pub users: Vec<DirectoryUser>,
    /// Whether there may be more.
    pub limited: bool,
}

/// Looks for users who share a room with the one who looks, or are in a room that anybody may join
/// or read. Cost: at most 2,000 places of the directory, and the rooms of the users there.
pub async fn search_users(read: &mut Read, search: UserSearch<'_>) -> StoreResult<FoundUsers> {
    let limit = search.limit.min(LIMIT_MAX);
    let wanted = Wanted::new(search.term);
    // The longest word leads to the fewest users.
    let Some(longest) = wanted.words.iter().max_by_key(|word| word.len()) else {
        return Ok(FoundUsers::default());
    };
    let mut found = BTreeMap::new();
    let mut seen = BTreeSet::from([search.user]);
    let mut after = DirectoryPlace::default();
    let mut limited = true;
    for _ in 0..LOOKS_MAX {
        let places = user_directory::list(read, longest, &after, PLACES).await?;
        let new: Vec<i64> = places
            .iter()
            .map(|place| place.user)
            .filter(|user| seen.insert(*user))
            .collect();
        for user in visible(read, search.user, &new, &wanted).await? {
            found.insert(user.number, user);
        }
        let is_last = places.len() < usize::try_from(PLACES).unwrap_or(usize::MAX);
        match places.into_iter().last() {
            Some(last) if !is_last && found.len() <= limit => after = last,
            _ => {
                limited = !is_last;
                break;
            }
        }
    }
    let mut users: Vec<_> = found.into_values().collect();
    users.sort_by_cached_key(|user| wanted.rank(user));
    limited |= users.len() > limit;
    users.truncate(limit);
    Ok(FoundUsers { users, limited })
}

/// Those of these users who are wanted, and whom the one who looks may find.
async fn visible(
    read: &mut Read,
    viewer: i64,
    users: &[i64],
    wanted: &Wanted,
) -> StoreResult<Vec<DirectoryUser>> {
    let mut shown = user_directory::list_users(read, users).await?;
    shown.retain(|user| wanted.is_met_by(user));
    if shown.is_empty() {
        return Ok(shown);
    }
    let numbers: Vec<i64> = shown.iter().map(|user| user.number).collect();
    let mut near: BTreeSet<i64> = BTreeSet::new();
    near.extend(shared_rooms::list_sharing(read, viewer, &numbers).await?);
    near.extend(open_rooms::list_members(read, &numbers).await?);
    shown.retain(|user| near.contains(&user.number));
    Ok(shown)
}

/// What a user must look like.
struct Wanted {
    words: BTreeSet<String>,
    /// The whole term in lower case.
    term: String,
}

impl Wanted {
    fn new(term: &str) -> Self {
        let term = term.trim().to_lowercase();
        let text = if term.starts_with('@') {
            localpart(&term)
        } else {
            &term
        };
        Self {
            words: words(text),
            term,
        }
    }

    fn is_met_by(&self, user: &DirectoryUser) -> bool {
        if self.term.starts_with('@') && !user.user_id.to_lowercase().starts_with(&self.term) {
            return false;
        }
        let mut names = words(localpart(&user.user_id));
        names.extend(words(user.displayname.as_deref().unwrap_or_default()));
        let begins_one = |word: &String| names.iter().any(|name| name.starts_with(&**word));
        self.words.iter().all(begins_one)
    }

    /// The smallest comes first: who is called exactly that, then who tells something.
    fn rank(&self, user: &DirectoryUser) -> (Reverse<bool>, Reverse<bool>, String) {
        let local = localpart(&user.user_id).to_lowercase();
        let name = user.displayname.as_deref().map(str::to_lowercase);
        let is_exact = local == self.term
            || user.user_id.to_lowercase() == self.term
            || name.as_ref() == Some(&self.term);
        let tells = name.is_some() || user.avatar_url.is_some();
        (Reverse(is_exact), Reverse(tells), user.user_id.clone())
    }
}
