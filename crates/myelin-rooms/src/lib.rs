//! The spine: rooms are created, events are appended, users come and go, state is read.
//!
//! Not here: what clients are shown of it (`myelin-sync`), and HTTP. Start reading at
//! [`Rooms::send`], then `append.rs`.

mod acl;
mod advance;
mod aliases;
mod append;
mod auth_graph;
mod backfill;
mod change_state;
mod create;
mod delayed_events;
mod directory;
mod edu;
mod head;
mod jobs;
mod members;
mod membership;
mod mutual_rooms;
mod notify;
mod numbers;
mod open_room;
mod originals;
mod policed;
mod policy;
mod receipts;
mod receive;
mod report;
mod resolution;
mod send;
mod send_options;
mod served;
mod server_notices;
mod set_state;
mod snapshot;
mod state;
mod sticky;
mod summary;
mod take_along;
mod thread_subscriptions;
mod transaction;
mod typing;
mod upgrade;
mod verify;
mod visibility;

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64},
};

use myelin_accounts::RemoteProfiles;
use myelin_core::server::Server;
use myelin_net::{Federation, Outbound};
use myelin_store::Store;

pub use acl::PeerError;
pub use aliases::{AliasError, AliasTarget, CanonicalAliasError};
pub use append::AppendError;
pub use backfill::Backfilled;
pub use change_state::{ChangeState, ChangeStateError, MakeContent};
pub use create::{CreateRoom, CreateRoomError, InitialState, Preset, RoomSettings};
pub use delayed_events::{
    DELAY_MS_MAX, DelayedEventAction, DescribeFailure, ManageDelayedEventError, SCHEDULED_MAX,
    ScheduleError, ScheduleEvent, SendDelayedError, ShownDelayedEvent,
};
pub use directory::{
    DirectoryError, DirectoryPage, DirectoryPlace, DirectoryRequest, ListedRoom, PublicRoom,
    PublicRooms, PublicRoomsFilter, PublicRoomsQuery, PublishError,
};
pub use edu::{EduPresence, EduReceipt, EduReceiptData, TypingEdu};
pub use members::{EventPages, MemberFilter};
pub use membership::{
    ForgetError, HandshakeError, Invite, InviteError, InviteState, Join, JoinAnswer, JoinError,
    Knock, KnockError, Leave, LeaveError, MadeTemplate, MakeTemplate, Moderation, ModerationError,
    ReceivedInvite, RemoteError, SendMember, SentMember, ThirdPartyInvite,
};
pub use mutual_rooms::MutualRooms;
pub use notify::{AskedEvent, Asks};
pub use policy::PolicyError;
pub use receipts::{MarkRead, NewReceipt, ReceiptError};
pub use receive::{Outcome, ReceiveError, TakeTransactionError, Transaction};
pub use report::{MakeReport, ReportError, ReportOf};
pub use resolution::{Pending, ResolveError, Resolved};
pub use send::{RedactEvent, SendError, SendEvent};
pub use send_options::SendOptions;
pub use served::{Missing, PeerView, ServedState};
pub use server_notices::{NoticeError, ServerNotice, ServerNotices};
pub use set_state::SetState;
pub use snapshot::{Snapshot, SnapshotError, StoredSnapshot};
pub use summary::{
    Hierarchy, HierarchyError, HierarchyRequest, HierarchyToken, RoomSummary, ServerHierarchy,
    SpaceRoom, SummaryError,
};
pub use thread_subscriptions::{SeenThread, ThreadSubscriptionError};
pub use transaction::{ActingDevice, ClientTransaction};
pub use typing::{Typing, TypingError};
pub use upgrade::{UpgradeError, UpgradeRoom};
pub use verify::PduError;
pub use visibility::{AccessError, EventNear, RoomView, Standing, VisibleEvent};

use crate::{
    acl::ServerAcls, backfill::Backfills, head::Heads, membership::RemoteWork,
    policy::PolicyServers, snapshot::AllHeld, summary::RemoteRooms,
};

/// The rooms of this server: use cases over the store, and the heads that they build on.
#[derive(Clone)]
pub struct Rooms {
    server: Arc<Server>,
    store: Store,
    federation: Federation,
    outbound: Outbound,
    remote_profiles: RemoteProfiles,
    told_by_others: Arc<RemoteRooms>,
    heads: Arc<Heads>,
    acls: Arc<ServerAcls>,
    remote: Arc<RemoteWork>,
    backfills: Arc<Backfills>,
    snapshots_held: AllHeld,
    policy: Arc<PolicyServers>,
    /// The time of the newest create event, which the next one must not share.
    newest_creation_ms: Arc<AtomicU64>,
    /// How many local changes of power or membership resolutions have undone.
    undone_changes: Arc<AtomicU64>,
    /// How many PDUs this node has taken in: their order, finer than time.
    taken_pdus: Arc<AtomicI64>,
}

impl Rooms {
    /// Rooms over a store. One value serves a whole node: its heads order the node's appends.
    pub fn new(
        server: Arc<Server>,
        store: Store,
        federation: Federation,
        outbound: Outbound,
    ) -> Self {
        Self {
            told_by_others: Arc::default(),
            remote_profiles: RemoteProfiles::new(server.clone(), federation.clone()),
            server,
            store,
            federation,
            outbound,
            heads: Arc::default(),
            acls: Arc::default(),
            remote: Arc::default(),
            backfills: Arc::default(),
            snapshots_held: AllHeld::default(),
            policy: Arc::default(),
            newest_creation_ms: Arc::default(),
            undone_changes: Arc::default(),
            taken_pdus: Arc::default(),
        }
    }

    /// The store that the rooms live in.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The way to other servers.
    pub fn federation(&self) -> &Federation {
        &self.federation
    }

    /// The profiles of users of other servers.
    pub fn remote_profiles(&self) -> &RemoteProfiles {
        &self.remote_profiles
    }

    /// Ends what goes on with other servers though its client is gone. For the end of a node.
    pub fn end(&self) {
        self.remote.end();
        self.federation.end();
    }

    /// The server whose rooms these are.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn now_ms(&self) -> i64 {
        self.server.now_ms().cast_signed()
    }
}
