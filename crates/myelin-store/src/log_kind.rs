//! The kinds of log entries.

/// What a log entry tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum LogKind {
    /// An event entered a room: subject room, reference event number, data the root of the state
    /// after it (16 bytes, empty for no state).
    Event = 1,
    /// A local user's membership changed: subject user, reference room, data one byte of
    /// membership and the event number (8 bytes, big endian).
    Membership = 2,
    /// A user's sessions changed: subject user, reference 0.
    Sessions = 3,
    /// A user's account data changed: subject user, reference the interned key that names the room
    /// and the type (see [`crate::account_data`]).
    AccountData = 4,
    /// A user has read up to an event: subject room, reference the receipt's number, data the user
    /// (8 bytes, big endian). Of a private receipt: subject user, data the room.
    Receipt = 5,
    /// A job is to be done: subject [`crate::jobs::JOBS_SUBJECT`], reference 0.
    Jobs = 6,
    /// Events of other servers are to be worked off: subject [`crate::inbox::INBOX_SUBJECT`],
    /// reference 0.
    Inbox = 7,
    /// A user of another server was joined to a room, or is so no more: subject room, reference
    /// the server, data one byte (1: joined) and the user (8 bytes, big endian). Reference 0: many
    /// at once.
    RoomServer = 8,
    /// An event is to be sent to the other servers in its room: subject room, reference event
    /// number, data the server if it is one alone (8 bytes, big endian). Or a server is to be tried again: subject server, reference 0.
    Delivery = 9,
    /// A message waits for a device: subject the user, reference the message's number, data the
    /// device id. Or it waits for another server: subject the server, no data. It goes when the
    /// message goes, and is found by its number, for which it counts as latest, though nothing ever
    /// replaces it.
    ToDevice = 10,
    /// A device of a user, or the user's cross-signing keys have changed: subject user, reference a
    /// negative number made from the device id, or 0; data the device id, with its length before it
    /// (2 bytes), and the rooms that the user is joined to (8 bytes each), big endian. Or the user
    /// has signed another's key: reference the other, no data.
    DeviceList = 11,
    /// One-time or fallback keys of a device were claimed: subject user, reference a number made
    /// from the device id, data the device id.
    OneTimeKeys = 12,
    /// A user's push rules changed: subject user, reference the version of those that held until
    /// then (see [`crate::push_rules`]).
    PushRules = 13,
    /// Notifications of a room were counted late: subject room, reference room.
    Counts = 14,
    /// A user has subscribed to a thread, or does so no more: subject user, reference room, data one
    /// byte (1: was subscribed until then) and the id of the thread's root.
    ThreadSubscription = 15,
    /// Events are to be sent later: subject [`crate::delayed_events::DELAYED_EVENTS_SUBJECT`],
    /// reference 0.
    DelayedEvents = 17,
    /// A sticky event is to be shown: subject room, reference event number. It goes when the event
    /// is sticky no more.
    Sticky = 18,
}

impl LogKind {
    /// Whether an entry replaces the earlier one of the same kind, subject and reference, so that
    /// the log compacts itself.
    pub const fn is_latest(self) -> bool {
        match self {
            Self::Event
            | Self::Membership
            | Self::RoomServer
            | Self::Delivery
            | Self::PushRules
            | Self::ThreadSubscription => false,
            Self::Sessions
            | Self::AccountData
            | Self::Receipt
            | Self::Jobs
            | Self::Inbox
            | Self::ToDevice
            | Self::DeviceList
            | Self::OneTimeKeys
            | Self::Counts
            | Self::DelayedEvents
            | Self::Sticky => true,
        }
    }

    /// The kind with this number.
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Event),
            2 => Some(Self::Membership),
            3 => Some(Self::Sessions),
            4 => Some(Self::AccountData),
            5 => Some(Self::Receipt),
            6 => Some(Self::Jobs),
            7 => Some(Self::Inbox),
            8 => Some(Self::RoomServer),
            9 => Some(Self::Delivery),
            10 => Some(Self::ToDevice),
            11 => Some(Self::DeviceList),
            12 => Some(Self::OneTimeKeys),
            13 => Some(Self::PushRules),
            14 => Some(Self::Counts),
            15 => Some(Self::ThreadSubscription),
            17 => Some(Self::DelayedEvents),
            18 => Some(Self::Sticky),
            _ => None,
        }
    }
}
