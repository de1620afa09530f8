//! Rooms of other servers: how users of this server come into them, and out of invitations to them.
//!
//! Start reading at `join.rs`. What other servers answer is hostile until it is checked: templates
//! are made anew (`template.rs`), a state is verified and judged (see [`crate::snapshot`]).

mod absent;
mod candidates;
mod invite;
mod join;
mod knock;
mod leave;
mod outside;
mod publish;
mod template;
mod withdrawn;

use std::{collections::HashMap, sync::Arc, time::Duration};

use myelin_core::event::Event;
use myelin_net::{FederationError, Limits};
use myelin_store::StoreError;
use parking_lot::Mutex;
use ruma::{
    CanonicalJsonObject, OwnedRoomId, RoomId, RoomVersionId, ServerName,
    api::{OutgoingRequest, path_builder::PathBuilder},
};
use serde_json::value::RawValue;
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard, oneshot},
    task::JoinSet,
};

pub(crate) use self::outside::Outside;
use self::template::{Template, Wanted};
use crate::{Rooms, SnapshotError, snapshot::ReadError};

/// How long a server may take to make a template, or to take what was made of it.
const TEMPLATE_LIMITS: Limits = Limits {
    time: Duration::from_secs(20),
    bytes: 512 * 1024,
};

/// Why other servers did not do what was asked of them.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Nobody can be asked.
    #[error("no other server is known that is in the room {0}")]
    NobodyToAsk(String),
    /// One of them, which knows the room, refused.
    #[error("{server} refuses: {message}")]
    Refused {
        /// Which one.
        server: String,
        /// The HTTP status of its answer.
        status: u16,
        /// Its `errcode`.
        errcode: String,
        /// Its `error`.
        message: String,
        /// The room version, where that is the reason.
        room_version: Option<String>,
    },
    /// It does not answer, or with something that cannot be used.
    #[error("{server} does not help: {reason}")]
    Failed {
        /// Which one.
        server: String,
        /// Why.
        reason: String,
    },
    /// The database failed.
    #[error("the room could not be stored")]
    Store(#[from] StoreError),
}

impl RemoteError {
    /// An answer that cannot be used.
    fn unusable(server: &ServerName, reason: impl std::fmt::Display) -> Self {
        Self::Failed {
            server: server.to_string(),
            reason: reason.to_string(),
        }
    }

    fn of_request(server: &ServerName, error: FederationError) -> Self {
        match error {
            FederationError::Refused {
                status,
                errcode,
                message,
                body,
                ..
            } if status.is_client_error() => Self::Refused {
                server: server.to_string(),
                status: status.as_u16(),
                room_version: body["room_version"].as_str().map(ToOwned::to_owned),
                errcode,
                message: message.trim_end_matches('.').to_owned(),
            },
            error => Self::unusable(server, error),
        }
    }

    fn of_snapshot(server: &ServerName, error: SnapshotError) -> Self {
        match error {
            SnapshotError::Store(error) => Self::Store(error),
            error => Self::unusable(server, error),
        }
    }

    fn of_reading(server: &ServerName, error: ReadError) -> Self {
        match error {
            ReadError::Federation(error) => Self::of_request(server, error),
            ReadError::Snapshot(error) => Self::of_snapshot(server, error),
            error => Self::unusable(server, error),
        }
    }

    /// How much an error tells the user: of several servers' the most telling is shown.
    fn weight(&self) -> u8 {
        match self {
            Self::NobodyToAsk(_) => 0,
            Self::Failed { .. } => 1,
            Self::Refused { status: 404, .. } => 2,
            Self::Refused { status: 403, .. } => 4,
            Self::Refused { .. } => 3,
            Self::Store(_) => 5,
        }
    }

    /// The more telling of two.
    fn or(self, other: Self) -> Self {
        if other.weight() > self.weight() {
            other
        } else {
            self
        }
    }
}

/// An event that was made from another server's template.
pub(crate) struct Proposal {
    pub(crate) version: RoomVersionId,
    pub(crate) event: Event,
    /// Its form between servers.
    pub(crate) pdu: Box<RawValue>,
}

impl Rooms {
    /// Asks another server for its part in a change of membership.
    async fn ask_for_help<R>(
        &self,
        server: &ServerName,
        request: R,
    ) -> Result<R::IncomingResponse, RemoteError>
    where
        R: OutgoingRequest,
        R::PathBuilder: for<'a> PathBuilder<Input<'a> = ()>,
    {
        let answer = self.federation.ask_within(server, request, TEMPLATE_LIMITS);
        let answer = answer.await;
        answer.map_err(|error| RemoteError::of_request(server, error))
    }

    /// Makes the event that is wanted from what a server has answered: the version of the room and
    /// a template.
    fn propose(
        &self,
        server: &ServerName,
        (version, template): (Option<RoomVersionId>, &RawValue),
        wanted: &Wanted<'_>,
        content: CanonicalJsonObject,
    ) -> Result<Proposal, RemoteError> {
        let unusable = |error: &dyn std::fmt::Display| RemoteError::unusable(server, error);
        let template =
            Template::read(version, template, wanted).map_err(|error| unusable(&error))?;
        let event = self.event_of(&template, wanted, content);
        let event = event.map_err(|error| unusable(&error))?;
        let pdu = RawValue::from_string(event.json.to_string());
        Ok(Proposal {
            version: template.version,
            pdu: pdu.map_err(|error| unusable(&error))?,
            event,
        })
    }
}

/// The room versions that this server knows, as it tells others.
pub(crate) fn known_versions() -> Vec<RoomVersionId> {
    let numbers = (1..=12).map(|number: u8| RoomVersionId::try_from(number.to_string()));
    numbers.filter_map(Result::ok).collect()
}

/// Work with other servers that goes on when the client that wanted it is gone: they believe that
/// it was done.
#[derive(Default)]
pub(crate) struct RemoteWork {
    tasks: Mutex<JoinSet<()>>,
    rooms: Mutex<HashMap<OwnedRoomId, Arc<AsyncMutex<()>>>>,
}

impl RemoteWork {
    /// Works on, whether the caller waits for it or not. None: the server is shutting down.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (answer, receiver) = oneshot::channel();
        {
            let mut tasks = self.tasks.lock();
            while tasks.try_join_next().is_some() {}
            tasks.spawn(async move {
                // Nobody may be waiting any more.
                let _ = answer.send(work.await);
            });
        }
        receiver.await.ok()
    }

    /// Cuts off what nobody waits for any more.
    pub(crate) fn end(&self) {
        self.tasks.lock().abort_all();
    }

    /// One of this node's users at a time comes into a room of others: the next finds it here.
    async fn lock(&self, room_id: &RoomId) -> OwnedMutexGuard<()> {
        let lock = {
            let mut rooms = self.rooms.lock();
            rooms.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(rooms.entry(room_id.to_owned()).or_default())
        };
        lock.lock_owned().await
    }
}
