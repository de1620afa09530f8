//! Read models: what a client is shown of its rooms, at once (`initial`), from then on
//! (`changes`), and further back (`messages`).
//!
//! Nothing is written here. Start reading at [`Syncs::sync`].

mod activity;
mod bundle;
mod changes;
mod context;
pub mod filter;
mod initial;
mod messages;
mod new_events;
mod notifications;
mod pending;
mod places;
mod presence;
mod relations;
mod render;
mod sync_events;
mod threads;
mod token;
mod unread;
mod walk;
mod watch;

use std::{collections::HashMap, sync::Arc};

use myelin_rooms::Rooms;
use myelin_store::Store;
use parking_lot::Mutex;

pub use activity::UserPresence;
pub use changes::{Changes, Viewer};
pub use context::Context;
pub use initial::{Overview, RoomOverview, place_after, place_before};
pub use messages::{MessagesError, Page, PageRequest};
pub use new_events::{EventsRequest, NewEvents};
pub use notifications::{
    Notification, NotificationsPage, NotificationsRequest, NotificationsToken,
};
pub use presence::{PresenceError, ShownPresence};
pub use relations::{Related, Relating};
pub use render::{Audience, Notes, ShownEvent, write_shown};
pub use sync_events::{DeviceLists, StateForm, SyncAnswer, SyncRequest};
pub use threads::Threads;
pub use token::{RoomToken, StickyPlace, StreamToken, Token, TokenError};
pub use walk::Direction;

use crate::{sync_events::SentMembers, watch::UserWatch};

/// Most users whose room sets a node remembers between polls.
const WATCHES_MAX: usize = 50_000;

/// The read models over one node's rooms.
#[derive(Clone)]
pub struct Syncs {
    rooms: Rooms,
    store: Store,
    watches: Arc<Mutex<HashMap<i64, Arc<UserWatch>>>>,
    sent_members: Arc<SentMembers>,
}

impl Syncs {
    /// Read models over these rooms. One value serves a whole node.
    pub fn new(rooms: Rooms) -> Self {
        let store = rooms.store().clone();
        Self {
            rooms,
            store,
            watches: Arc::default(),
            sent_members: Arc::default(),
        }
    }

    /// What a user's polls have in common: the rooms, and what wakes the poll.
    async fn watch(&self, user: i64) -> myelin_store::StoreResult<Arc<UserWatch>> {
        let known = self.watches.lock().get(&user).cloned();
        if let Some(watch) = known {
            return Ok(watch);
        }
        let watch = Arc::new(UserWatch::load(&self.store, user).await?);
        let mut watches = self.watches.lock();
        if watches.len() >= WATCHES_MAX {
            watches.retain(|_, watch| Arc::strong_count(watch) > 1);
        }
        Ok(Arc::clone(watches.entry(user).or_insert(watch)))
    }
}
