//! An answer that is read while it comes in.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use ruma::OwnedServerName;
use tokio::time::{Instant, timeout_at};

use super::{FederationError, Limits};
use crate::Body;

/// The longest silence before an answer is given up.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// The body of an answer, piece by piece, within its limits.
pub struct Pieces {
    server: OwnedServerName,
    body: Body,
    bytes_left: usize,
    deadline: Instant,
}

impl Pieces {
    pub(super) fn new(server: OwnedServerName, body: Body, limits: Limits, begun: Instant) -> Self {
        Self {
            server,
            body,
            bytes_left: limits.bytes,
            deadline: begun + limits.time,
        }
    }

    /// The next piece; None at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FederationError> {
        loop {
            let deadline = self.deadline.min(Instant::now() + SILENCE_MAX);
            let frame = timeout_at(deadline, self.body.frame()).await;
            let timed_out = |_| FederationError::TimedOut(self.server.to_string());
            let Some(frame) = frame.map_err(timed_out)? else {
                return Ok(None);
            };
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            self.bytes_left = self
                .bytes_left
                .checked_sub(data.len())
                .ok_or_else(|| FederationError::TooLong(self.server.to_string()))?;
            return Ok(Some(data));
        }
    }
}
