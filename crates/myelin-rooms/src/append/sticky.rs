//! Sticky events of users of this server: nobody has too many of them.

use super::{AppendError, Draft};
use crate::{open_room::OpenRoom, sticky::SHOWN_MAX};

impl OpenRoom<'_> {
    /// Refuses a sticky event of who has enough of them in the room. Requests that are made at the
    /// same time may together exceed that by a few.
    pub(crate) async fn check_sticky(&mut self, draft: &Draft<'_>) -> Result<(), AppendError> {
        if draft.options.sticky_ms.unwrap_or_default() == 0 {
            return Ok(());
        }
        let (count, free_ms) = self.count_shown(draft.numbers.sender).await?;
        if count < SHOWN_MAX {
            return Ok(());
        }
        let wait_ms = free_ms.unwrap_or_default() - self.now_ms();
        let retry_after_ms = u64::try_from(wait_ms).unwrap_or_default().max(1);
        Err(AppendError::TooManySticky { retry_after_ms })
    }
}
