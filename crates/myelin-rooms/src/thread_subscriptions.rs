//! Subscriptions to threads: which of them a user wants to hear of (MSC4306).

use myelin_accounts::silence_other_threads;
use myelin_core::relation::Relation;
use myelin_store::{
    StoreError, StoreResult, WriteSet, rooms,
    thread_subscriptions::{self, Standing, Subscription},
};
use ruma::{EventId, OwnedEventId, OwnedRoomId, UserId};

use crate::{Rooms, receipts::thread_of, visibility::VisibleEvent};

/// A thread as a local user sees it.
#[derive(Clone, Debug)]
pub struct SeenThread<'a> {
    /// The user.
    pub user: &'a UserId,
    /// The room.
    pub room_id: OwnedRoomId,
    /// The event that the thread starts from.
    pub root: OwnedEventId,
}

/// Why a user is not subscribed to a thread.
#[derive(Debug, thiserror::Error)]
pub enum ThreadSubscriptionError {
    /// The event that the thread starts from is not there, or the user may not see it.
    #[error("there is no thread of the event {0}")]
    NoThread(String),
    /// The event that is said to be the cause is not in the thread, or the user may not see it.
    #[error("the event {0} is not in the thread")]
    NotInThread(String),
    /// The user has ended the subscription since the event that is said to be the cause.
    #[error("the user has unsubscribed since the event {0}")]
    Unsubscribed(String),
    /// The database failed.
    #[error("the subscription could not be stored")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// How a user has subscribed to a thread; None: not at all, or the user may not see it.
    pub async fn thread_subscription(
        &self,
        thread: &SeenThread<'_>,
    ) -> StoreResult<Option<Subscription>> {
        let Some((user, room)) = self.find_thread(thread).await? else {
            return Ok(None);
        };
        let place = (room, thread.root.as_str());
        let standing = thread_subscriptions::find(&mut self.store.read(), user, place).await?;
        Ok(standing.subscription)
    }

    /// Subscribes a user to a thread: by the user's own wish, or, with `cause`, because a client has
    /// seen that event. The latter neither takes the place of the former, nor undoes that the user
    /// has unsubscribed after that event.
    ///
    /// With the first subscription the rule begins to hold that silences all other threads.
    pub async fn subscribe_to_thread(
        &self,
        thread: &SeenThread<'_>,
        cause: Option<&EventId>,
    ) -> Result<(), ThreadSubscriptionError> {
        let (user, room) = self.thread(thread).await?;
        let cause = match cause {
            Some(cause) => Some((cause, self.cause_order(thread, cause).await?)),
            None => None,
        };
        let place = (room, thread.root.as_str());
        let mut attempts = self.store.attempts();
        loop {
            let mut read = self.store.read();
            let before = thread_subscriptions::find(&mut read, user, place).await?;
            let subscription = match (cause, before.subscription) {
                (_, Some(Subscription::Manual)) | (Some(_), Some(Subscription::Automatic)) => {
                    return Ok(());
                }
                (Some((cause, order)), None) if order <= before.ended_at => {
                    return Err(ThreadSubscriptionError::Unsubscribed(cause.to_string()));
                }
                (Some(_), None) => Subscription::Automatic,
                (None, _) => Subscription::Manual,
            };
            let mut writes = WriteSet::new();
            if !thread_subscriptions::has_any(&mut read, user).await? {
                silence_other_threads(&mut read, &mut writes, user).await?;
            }
            let after = Standing {
                subscription: Some(subscription),
                ..before
            };
            thread_subscriptions::put(&mut writes, user, place, (&before, &after));
            if attempts.commit(writes).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// Ends a user's subscription to a thread, if there is one.
    pub async fn unsubscribe_from_thread(
        &self,
        thread: &SeenThread<'_>,
    ) -> Result<(), ThreadSubscriptionError> {
        let (user, room) = self.thread(thread).await?;
        let place = (room, thread.root.as_str());
        let mut attempts = self.store.attempts();
        loop {
            let mut read = self.store.read();
            let before = thread_subscriptions::find(&mut read, user, place).await?;
            if before.subscription.is_none() {
                return Ok(());
            }
            // Read after what is expected, so what comes later in the room comes after it.
            let newest = rooms::find(&mut read, room).await?;
            let after = Standing {
                subscription: None,
                ended_at: newest.map_or(before.ended_at, |row| row.room_order),
                ..before
            };
            let mut writes = WriteSet::new();
            thread_subscriptions::put(&mut writes, user, place, (&before, &after));
            if attempts.commit(writes).await?.is_some() {
                return Ok(());
            }
        }
    }

    async fn thread(&self, thread: &SeenThread<'_>) -> Result<(i64, i64), ThreadSubscriptionError> {
        let found = self.find_thread(thread).await?;
        found.ok_or_else(|| ThreadSubscriptionError::NoThread(thread.root.to_string()))
    }

    /// The numbers of the user and the room, if the user may see the root of the thread, and that can be
    /// one. Nothing need be in the thread yet: clients subscribe while they send the first answer.
    async fn find_thread(&self, thread: &SeenThread<'_>) -> StoreResult<Option<(i64, i64)>> {
        let SeenThread {
            user,
            room_id,
            root,
        } = thread;
        let found = self
            .visible_event_in(&mut self.store.read(), user, (room_id, root))
            .await?;
        let is_root = |seen: &VisibleEvent| Relation::type_of_event(&seen.event.json).is_none();
        let found = found.filter(|(_, seen)| is_root(seen));
        Ok(found.map(|(view, _)| (view.user, view.room)))
    }

    /// Where in the room the cause of an automatic subscription stands.
    async fn cause_order(
        &self,
        thread: &SeenThread<'_>,
        cause: &EventId,
    ) -> Result<i64, ThreadSubscriptionError> {
        let not_in_thread = || ThreadSubscriptionError::NotInThread(cause.to_string());
        let mut read = self.store.read();
        let place = (&*thread.room_id, cause);
        let found = self.visible_event_in(&mut read, thread.user, place).await?;
        let (_, VisibleEvent { event, .. }) = found.ok_or_else(not_in_thread)?;
        let (root, _) = thread_of(&mut read, &event).await?;
        root.filter(|root| *root == thread.root)
            .ok_or_else(not_in_thread)?;
        Ok(event.room_order)
    }
}
