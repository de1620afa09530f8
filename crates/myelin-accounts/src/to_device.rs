//! Messages from device to device.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#send-to-device-messaging)

mod once;
mod remote;
mod waiting;

use std::collections::BTreeMap;

use bytes::Bytes;
use myelin_core::server::Server;
use myelin_net::Federation;
use myelin_store::{
    Sequence, Store, StoreError, StoreResult, WriteSet,
    to_device::{self, Recipient},
};
use ruma::{OwnedUserId, UserId};
use serde_json::{Map, Value, json};

pub use waiting::acknowledge_to_device;

pub(crate) use waiting::DELETIONS_PER_SET;

use self::{once::Once, waiting::bound};

/// Largest message, as large as an event of a room may be.
const MESSAGE_BYTES_MAX: usize = 65_536;
/// Most bytes and most messages in one commit; it takes four times as many rows.
const SET_BYTES_MAX: usize = 2 * 1_024 * 1_024;
const SET_MESSAGES_MAX: usize = 400;

/// The device id that means all devices of a user.
const ALL_DEVICES: &str = "*";

/// Messages of one type, by user and device id or `*`.
pub type Messages = BTreeMap<OwnedUserId, BTreeMap<String, Map<String, Value>>>;

/// Messages that a client sends.
#[derive(Debug)]
pub struct SendToDevice<'a> {
    /// Who sends them.
    pub sender: &'a UserId,
    /// The interned number of the sender.
    pub sender_number: i64,
    /// The device that sends them.
    pub device: &'a str,
    /// The client's transaction id.
    pub txn_id: &'a str,
    /// Their type.
    pub event_type: &'a str,
    /// What is to be sent to whom.
    pub messages: &'a Messages,
}

/// Messages that another server hands on (spec: `m.direct_to_device`).
#[derive(Debug)]
pub struct ReceivedToDevice<'a> {
    /// The interned name of the server.
    pub origin: i64,
    /// What it calls these messages.
    pub message_id: &'a str,
    /// Who sends them.
    pub sender: &'a UserId,
    /// Their type.
    pub event_type: &'a str,
    /// What is to be sent to whom.
    pub messages: &'a Messages,
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum SendToDeviceError {
    /// A message is too large.
    #[error("a message has more than {MESSAGE_BYTES_MAX} bytes")]
    TooLarge,
    /// The store failed.
    #[error("the messages were not stored")]
    Store(#[from] StoreError),
}

/// A message to a device, or to all of a user's.
struct Outgoing<'a> {
    user: i64,
    device: &'a str,
    /// All of the request's messages for the user: a device that is named gets no other.
    named: &'a BTreeMap<String, Map<String, Value>>,
    event: Bytes,
}

/// Sends messages to devices of this server's users, and leaves those for others to be sent to their
/// servers. Those that nobody has are passed over, and so is a request that was made before.
pub async fn send_to_device(
    server: &Server,
    store: &Store,
    federation: &Federation,
    send: &SendToDevice<'_>,
) -> Result<(), SendToDeviceError> {
    let once = Once::OfClient {
        user: send.sender_number,
        device: send.device,
        event_type: send.event_type,
        txn_id: send.txn_id,
    };
    let what = (send.sender, send.event_type);
    let outgoing = outgoing(server, store, what, send.messages).await?;
    send_all(server, store, &outgoing, once).await?;
    remote::send(server, store, federation, (what, send.messages), once).await?;
    Ok(())
}

/// Hands messages of another server's user to devices of this server's users; once, however often
/// they come.
pub async fn receive_to_device(
    server: &Server,
    store: &Store,
    received: &ReceivedToDevice<'_>,
) -> Result<(), SendToDeviceError> {
    let once = Once::OfServer {
        origin: received.origin,
        message_id: received.message_id,
    };
    let what = (received.sender, received.event_type);
    let outgoing = outgoing(server, store, what, received.messages).await?;
    Ok(send_all(server, store, &outgoing, once).await?)
}

/// Sends to local devices.
async fn send_all(
    server: &Server,
    store: &Store,
    outgoing: &[Outgoing<'_>],
    once: Once<'_>,
) -> StoreResult<()> {
    // The slices follow from the request alone, so that each of its repetitions has the same.
    for (number, slice) in slices(outgoing).into_iter().enumerate() {
        send_slice(server, store, slice, (once, number)).await?;
    }
    Ok(())
}

/// The messages for local users, in the order of user and device id.
async fn outgoing<'a>(
    server: &Server,
    store: &Store,
    (sender, event_type): (&UserId, &str),
    messages: &'a Messages,
) -> Result<Vec<Outgoing<'a>>, SendToDeviceError> {
    let mut outgoing = Vec::new();
    for (user, messages) in messages {
        for (device, content) in messages {
            let event = json!({
                "type": event_type,
                "sender": sender,
                "content": content,
            });
            let event = event.to_string();
            if event.len() > MESSAGE_BYTES_MAX {
                return Err(SendToDeviceError::TooLarge);
            }
            if !server.is_local(user) {
                continue;
            }
            if let Some(user) = store.find_interned(user.as_bytes()).await? {
                outgoing.push(Outgoing {
                    user,
                    device,
                    named: messages,
                    event: event.into(),
                });
            }
        }
    }
    Ok(outgoing)
}

fn slices<'a, 'b>(outgoing: &'b [Outgoing<'a>]) -> Vec<&'b [Outgoing<'a>]> {
    let mut slices = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, message) in outgoing.iter().enumerate() {
        bytes += message.event.len();
        let alone = message.device == ALL_DEVICES;
        let full = bytes > SET_BYTES_MAX || index - start >= SET_MESSAGES_MAX;
        let after_all = index > start && outgoing[index - 1].device == ALL_DEVICES;
        if index > start && (full || alone || after_all) {
            slices.push(&outgoing[start..index]);
            (start, bytes) = (index, message.event.len());
        }
    }
    slices.push(&outgoing[start..]);
    slices
}

/// Sends a slice. What is for all devices of a user may be too much for one commit and is sent in
/// several, each with a transaction of its own.
async fn send_slice(
    server: &Server,
    store: &Store,
    slice: &[Outgoing<'_>],
    (once, number): (Once<'_>, usize),
) -> StoreResult<()> {
    let chunk_len = match slice {
        [all] => (SET_BYTES_MAX / all.event.len()).clamp(1, SET_MESSAGES_MAX),
        _ => SET_MESSAGES_MAX,
    };
    for chunk in 0.. {
        let part = format!("{number}.{chunk}");
        let place = (chunk * chunk_len, chunk_len);
        if !send_chunk(server, store, (slice, place), (once, &part)).await? {
            break;
        }
    }
    Ok(())
}

/// Sends to some of a slice's recipients, unless that was done before. Whether there are more.
async fn send_chunk(
    server: &Server,
    store: &Store,
    (slice, (skipped, len)): (&[Outgoing<'_>], (usize, usize)),
    (once, part): (Once<'_>, &str),
) -> StoreResult<bool> {
    let mut users: Vec<i64> = slice.iter().map(|outgoing| outgoing.user).collect();
    users.sort_unstable();
    users.dedup();
    let mut attempts = store.attempts();
    let (recipients, more) = loop {
        let mut read = store.read();
        let recipients = to_device::list_recipients(&mut read, &users).await?;
        let pairs = pairs(slice, &recipients);
        let more = pairs.len() > skipped + len;
        if once.is_done(&mut read, part).await? {
            return Ok(more);
        }
        let pairs: Vec<_> = pairs.into_iter().skip(skipped).take(len).collect();
        let numbers = store.next_numbers(Sequence::ToDevice, pairs.len()).await?;
        let mut writes = WriteSet::new();
        once.write(&mut writes, part, server.now_ms());
        for ((recipient, event), number) in pairs.iter().zip(numbers) {
            to_device::insert(&mut writes, recipient, number, (*event).clone());
        }
        if attempts.commit(writes).await?.is_some() {
            let recipients = pairs.into_iter().map(|(recipient, _)| recipient.clone());
            break (recipients.collect::<Vec<_>>(), more);
        }
    };
    for recipient in recipients {
        let device = (recipient.user, recipient.device_id.as_str());
        bound(store, device, recipient.queue).await?;
    }
    Ok(more)
}

/// Which recipient gets which message.
fn pairs<'a>(
    slice: &'a [Outgoing<'_>],
    recipients: &'a [Recipient],
) -> Vec<(&'a Recipient, &'a Bytes)> {
    let mut messages: BTreeMap<(i64, &str), &Outgoing<'_>> = BTreeMap::new();
    for outgoing in slice {
        messages.insert((outgoing.user, outgoing.device), outgoing);
    }
    let message_to = |recipient: &'a Recipient| {
        let named = messages.get(&(recipient.user, recipient.device_id.as_str()));
        let to_all = messages.get(&(recipient.user, ALL_DEVICES));
        let to_all = to_all.filter(|all| !all.named.contains_key(&recipient.device_id));
        Some((recipient, &named.or(to_all)?.event))
    };
    recipients.iter().filter_map(message_to).collect()
}

#[cfg(test)]
mod tests;
