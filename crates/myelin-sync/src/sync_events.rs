//! `GET /sync`: everything, or what is new, waiting for it if there is nothing.
//!
//! A poll is planned (`plan`) from what the log holds for the user (`news`), and answered room by
//! room (`room`): a timeline, the state that leads to it or past it, and what stands beside them.
//! Nothing here needs a transaction. Events up to a position and the state at their roots never
//! change, and whatever else is read may only be newer than the position that the client is told,
//! so that it hears of it again with its next poll.

mod account_data;
mod answer;
mod device_lists;
mod ephemeral;
mod members;
mod news;
mod plan;
mod poll;
mod request;
mod room;
mod room_text;
mod state;
mod sticky;
mod stripped;
mod style;
mod summary;
mod timeline;
mod to_device;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use myelin_accounts::ignored_users;
use myelin_store::StoreResult;
use ruma::OwnedUserId;
use tokio::time::Instant;

use crate::{StreamToken, Syncs, Viewer, presence::PresenceNews};

pub use answer::SyncAnswer;
pub use device_lists::DeviceLists;
pub use request::{StateForm, SyncRequest};

pub(crate) use members::SentMembers;

use ephemeral::TypingNews;
use news::News;
use poll::Poll;
use sticky::StickyNews;
use to_device::ToDeviceNews;

/// Longest wait, whatever the client asks for: proxies in between rarely wait longer.
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_mins(2);
/// Events of a room in one answer, unless the client asks otherwise.
const TIMELINE_LIMIT: usize = 10;
/// Most events of a room in one answer.
const TIMELINE_LIMIT_MAX: usize = 1_000;
/// Most events of a room that are looked at for one answer.
const SCAN_MAX: usize = 1_000;

/// What an answer is made of besides rooms.
struct Beside {
    ignored: BTreeSet<OwnedUserId>,
    typing: TypingNews,
    presence: PresenceNews,
    to_device: ToDeviceNews,
    keys: KeyNews,
}

/// What is new about keys of end-to-end encryption.
#[derive(Default)]
struct KeyNews {
    lists: DeviceLists,
    /// Whether keys of the device that polls were claimed.
    claimed: bool,
}

impl Syncs {
    /// Answers a poll.
    pub async fn sync(&self, request: &Arc<SyncRequest>) -> StoreResult<SyncAnswer> {
        let now = self.position().await?;
        // A token ahead of the log is from before a backup was restored: begin anew.
        let Some(mut since) = request.since.filter(|since| since.position <= now) else {
            return self.sync_everything(request).await;
        };
        if request.full_state {
            let news = self.news(request.viewer.user, since.position, true).await?;
            return self.answer(request, since, news).await;
        }
        let deadline = Instant::now() + request.timeout.min(TIMEOUT_MAX);
        let watch = self.watch(request.viewer.user).await?;
        loop {
            let mark = watch.mark();
            let with_joined = since.sticky.is_some();
            let news = self
                .news(request.viewer.user, since.position, with_joined)
                .await?;
            let mut answer = self.answer(request, since, news).await?;
            if answer.has_content().await? || Instant::now() >= deadline {
                return Ok(answer);
            }
            // What there was is nothing to this client; but it is told of presence, which ends no
            // wait, in the end.
            since = StreamToken {
                presence: since.presence,
                ..answer.next_batch()
            };
            // Whether woken or out of time: the next look decides.
            let _ = tokio::time::timeout_at(deadline, watch.changed(mark)).await;
        }
    }

    async fn sync_everything(&self, request: &Arc<SyncRequest>) -> StoreResult<SyncAnswer> {
        let include_leave = request.filter.room.include_leave();
        let all = self
            .plan_everything(request.viewer.user, include_leave)
            .await?;
        let ignored = self.ignored(request).await?;
        let filter = &request.filter.room.ephemeral;
        let typing = self.typing_now(request.viewer.user, filter).await?;
        let beside = Beside {
            ignored,
            typing,
            presence: self.presence_of(request, 0, &[]).await?,
            to_device: self.to_device(&request.viewer, all.position).await?,
            keys: KeyNews::default(),
        };
        let poll = self.poll(request, (None, all.position), beside).await?;
        SyncAnswer::everything(self, poll, all).await
    }

    async fn answer(
        &self,
        request: &Arc<SyncRequest>,
        since: StreamToken,
        mut news: News,
    ) -> StoreResult<SyncAnswer> {
        let asks = (request.viewer.user, &request.filter.room.ephemeral);
        let typing = self.typing_news(asks, since, &mut news).await?;
        let has_rest = since.sticky.is_some() || request.full_state;
        let ignored = if news.is_empty() && !has_rest {
            BTreeSet::new()
        } else {
            self.ignored(request).await?
        };
        let span = (Some(since), news.position);
        let presence = self
            .presence_of(request, since.presence, &news.entered())
            .await?;
        let viewer = &request.viewer;
        let to_device = self
            .to_device_since(viewer, (since, news.position), &news.messages_to)
            .await?;
        let beside = Beside {
            ignored,
            typing,
            presence,
            to_device,
            keys: self.key_news(viewer, since.position, &news).await?,
        };
        let poll = self.poll(request, span, beside).await?;
        SyncAnswer::news(self, poll, news).await
    }

    async fn key_news(&self, viewer: &Viewer, since: i64, news: &News) -> StoreResult<KeyNews> {
        let device = viewer.device.as_ref();
        Ok(KeyNews {
            lists: self.device_lists(viewer.user, since, news).await?,
            claimed: device.is_some_and(|id| news.keys_claimed_of.contains(id.as_bytes())),
        })
    }

    async fn presence_of(
        &self,
        request: &SyncRequest,
        since: i64,
        entered: &[i64],
    ) -> StoreResult<PresenceNews> {
        let filter = &request.filter.presence;
        self.presence_news(request.viewer.user, (since, entered), filter)
            .await
    }

    async fn ignored(&self, request: &SyncRequest) -> StoreResult<BTreeSet<OwnedUserId>> {
        ignored_users(&self.store, &mut self.store.read(), request.viewer.user).await
    }

    async fn poll(
        &self,
        request: &Arc<SyncRequest>,
        (since, position): (Option<StreamToken>, i64),
        beside: Beside,
    ) -> StoreResult<Poll> {
        let Beside {
            ignored,
            typing,
            presence,
            to_device,
            keys,
        } = beside;
        Ok(Poll {
            request: Arc::clone(request),
            watch: self.watch(request.viewer.user).await?,
            since,
            position,
            ignored,
            typing,
            presence,
            to_device,
            keys,
            sticky: StickyNews::default(),
            now_ms: self.rooms.server().now_ms(),
        })
    }
}
