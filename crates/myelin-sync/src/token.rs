//! Tokens: where in the log, or where in a room, a client has arrived.

use std::{fmt, str::FromStr};

/// A position in the log, with those of what is not logged or lags behind: everything up to it was
/// seen. Printed as `s39_18_0`, as `s39_18_0_35` where messages to the device came with it, and as
/// `s39_18_0_0_21_20_30` where there were too many sticky events for one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamToken {
    /// The position in the log.
    pub position: i64,
    /// The live sequence up to which presence was shown.
    pub presence: i64,
    /// The live sequence up to which typing was shown; 0: the client was last told that nobody
    /// types anywhere.
    pub typing: i64,
    /// The position in the log up to which messages to the device were shown that are not known to
    /// have arrived; 0: all that had waited up to `position` have.
    pub to_device: i64,
    /// Which sticky events were shown; None: all up to `position`.
    pub sticky: Option<StickyPlace>,
}

/// Where among sticky events a client has arrived that could not be shown all of them at once. To a
/// user they come in the order of the positions at which they came about: at which the event was told
/// of, or at which the user joined its room, whichever is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StickyPlace {
    /// The position at which the last one that was shown came about.
    pub came: i64,
    /// The position at which it was told of: a room that the user joined has many that came about
    /// at once.
    pub told: i64,
    /// The position up to which the client knew the rooms that it was in when this began: what was
    /// told of in these came about then.
    pub begun: i64,
}

impl StreamToken {
    /// A position in the log for a client that was shown neither presence nor typing.
    pub const fn at(position: i64) -> Self {
        Self {
            position,
            presence: 0,
            typing: 0,
            to_device: 0,
            sticky: None,
        }
    }
}

/// A place between two events of a room. Printed as `t7-12_0_0`: the depth is for the eye, as the
/// tokens of 2014 showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomToken {
    /// The depth of the event after the place.
    pub depth: i64,
    /// The room order of the first event after the place.
    pub before: i64,
}

/// Either kind, as `/messages` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// A position in the log.
    Stream(StreamToken),
    /// A place in a room.
    Room(RoomToken),
}

/// Not a token of this server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a token of this server")]
pub struct TokenError(String);

impl TokenError {
    /// The error about a text that is no token.
    pub(crate) fn of(text: &str) -> Self {
        Self(text.chars().take(64).collect())
    }
}

impl fmt::Display for StreamToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            position,
            presence,
            typing,
            to_device,
            sticky,
        } = self;
        write!(f, "s{position}_{presence}_{typing}")?;
        match (to_device, sticky) {
            (0, None) => Ok(()),
            (shown, None) => write!(f, "_{shown}"),
            (shown, Some(StickyPlace { came, told, begun })) => {
                write!(f, "_{shown}_{came}_{told}_{begun}")
            }
        }
    }
}

impl fmt::Display for RoomToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}-{}_0_0", self.depth, self.before)
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let invalid = || TokenError(text.chars().take(64).collect());
        let (place, lags) = text.split_once('_').unwrap_or((text, "0"));
        let lags: Option<Vec<i64>> = lags.split('_').map(number).collect();
        let lags = lags.ok_or_else(invalid)?;
        let lag = |index| lags.get(index).copied().unwrap_or_default();
        if let Some(position) = place.strip_prefix('s') {
            let position = number(position).ok_or_else(invalid)?;
            return Ok(Self::Stream(StreamToken {
                position,
                presence: lag(0),
                typing: lag(1),
                to_device: lag(2),
                sticky: (lags.len() >= 6).then(|| StickyPlace {
                    came: lag(3),
                    told: lag(4),
                    begun: lag(5),
                }),
            }));
        }
        let place = place.strip_prefix('t').ok_or_else(invalid)?;
        let (depth, before) = place.split_once('-').ok_or_else(invalid)?;
        let depth = number(depth).ok_or_else(invalid)?;
        // Backfilled events have negative orders: `t5--12_0_0`.
        let before = match before.strip_prefix('-') {
            Some(magnitude) => -number(magnitude).ok_or_else(invalid)?,
            None => number(before).ok_or_else(invalid)?,
        };
        Ok(Self::Room(RoomToken { depth, before }))
    }
}

impl FromStr for StreamToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        match text.parse()? {
            Token::Stream(token) => Ok(token),
            Token::Room(_) => Err(TokenError(text.chars().take(64).collect())),
        }
    }
}

fn number(digits: &str) -> Option<i64> {
    let only_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_as_they_were_printed() {
        let stream = StreamToken {
            position: 39,
            presence: 18,
            typing: 0,
            to_device: 0,
            sticky: None,
        };
        assert_eq!(stream.to_string(), "s39_18_0", "the guide's own token");
        assert_eq!("s39_18_0".parse(), Ok(stream));
        assert_eq!("s39".parse(), Ok(StreamToken::at(39)));
        assert_eq!("s39_0_0_0_7".parse(), Ok(StreamToken::at(39)));
        let with_messages = StreamToken {
            to_device: 35,
            ..stream
        };
        assert_eq!(with_messages.to_string(), "s39_18_0_35");
        assert_eq!("s39_18_0_35".parse(), Ok(with_messages));
        for token in [stream, with_messages] {
            let with_rest = StreamToken {
                sticky: Some(StickyPlace {
                    came: 21,
                    told: 20,
                    begun: 0,
                }),
                ..token
            };
            assert_eq!(with_rest.to_string().parse(), Ok(with_rest));
        }
        for before in [12, 0, -12] {
            let room = RoomToken { depth: 5, before };
            assert_eq!(room.to_string().parse(), Ok(Token::Room(room)));
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in [
            "",
            "s",
            "t",
            "t1",
            "s-1",
            "s1_",
            "s1_x",
            "garbage",
            "s99999999999999999999",
            "t1-",
            "t1---1",
            "S1",
        ] {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
        assert!(
            "t1-1_0_0".parse::<StreamToken>().is_err(),
            "a place in a room is no position in the log"
        );
    }
}
