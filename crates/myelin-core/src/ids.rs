//! The grammar of identifiers where ours is stricter than ruma's: what we hand out, not what we accept.

use ruma::{OwnedUserId, ServerName, UserId};

/// No identifier, event type or state key is longer (appendices, "Common Identifier Format").
pub const ID_BYTES_MAX: usize = 255;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LocalpartError {
    #[error("a user name cannot be empty")]
    Empty,
    #[error("a user name has only the characters a-z, 0-9, ., _, =, -, / and +")]
    Character,
    #[error("the user id is longer than {ID_BYTES_MAX} bytes")]
    TooLong,
}

/// The user id of a new account. Historical user ids, which may hold more, exist but are no longer given out.
pub fn new_user_id(localpart: &str, server: &ServerName) -> Result<OwnedUserId, LocalpartError> {
    if localpart.is_empty() {
        return Err(LocalpartError::Empty);
    }
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'=' | b'-' | b'/' | b'+');
    if !localpart.bytes().all(allowed) {
        return Err(LocalpartError::Character);
    }
    let user_id = format!("@{localpart}:{server}");
    if user_id.len() > ID_BYTES_MAX {
        return Err(LocalpartError::TooLong);
    }
    UserId::parse(user_id).map_err(|_| LocalpartError::Character)
}

#[cfg(test)]
mod tests {
    use super::{LocalpartError, new_user_id};

    #[test]
    fn only_the_grammar_for_new_users_passes() {
        let server = ruma::server_name!("example.org");
        for good in ["alice", "a.b_c=d-e/f+0", "=", "0"] {
            assert_eq!(
                new_user_id(good, server).unwrap().as_str(),
                format!("@{good}:example.org")
            );
        }
        for bad in ["Alice", "a b", "a:b", "ä", "a\0", "a@b", "!"] {
            assert_eq!(
                new_user_id(bad, server),
                Err(LocalpartError::Character),
                "{bad}"
            );
        }
        assert_eq!(new_user_id("", server), Err(LocalpartError::Empty));
    }

    #[test]
    fn the_whole_id_has_at_most_255_bytes() {
        let server = ruma::server_name!("example.org");
        let longest = "a".repeat(255 - "@:example.org".len());
        assert_eq!(new_user_id(&longest, server).unwrap().as_str().len(), 255);
        assert_eq!(
            new_user_id(&format!("{longest}a"), server),
            Err(LocalpartError::TooLong)
        );
    }
}
