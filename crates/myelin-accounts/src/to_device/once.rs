//! What was done for a request, so that its repetition does nothing.

use bytes::Bytes;
use myelin_store::{
    Read, StoreResult, WriteSet, received_transactions,
    transactions::{self, Transaction},
};

/// A request that may come again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Once<'a> {
    /// A client's, named by its transaction id.
    OfClient {
        user: i64,
        device: &'a str,
        event_type: &'a str,
        txn_id: &'a str,
    },
    /// Another server's, named by the id of the messages.
    OfServer { origin: i64, message_id: &'a str },
}

impl Once<'_> {
    /// Whether this part of the request was done before.
    pub(super) async fn is_done(self, read: &mut Read, part: &str) -> StoreResult<bool> {
        Ok(match self.transaction(part) {
            Name::OfClient(transaction) => transactions::find(read, &transaction).await?.is_some(),
            Name::OfServer(origin, name) => received_transactions::find(read, origin, &name)
                .await?
                .is_some(),
        })
    }

    /// Notes that it was done, in the set that does it. The set falls if it was done meanwhile.
    pub(super) fn write(self, writes: &mut WriteSet, part: &str, now_ms: u64) {
        let now_ms = now_ms.cast_signed();
        match self.transaction(part) {
            Name::OfClient(transaction) => transactions::insert(writes, &transaction, 0, now_ms),
            Name::OfServer(origin, name) => {
                received_transactions::insert(writes, (origin, &name), Bytes::new(), now_ms);
            }
        }
    }

    fn transaction(self, part: &str) -> Name {
        match self {
            Self::OfClient {
                user,
                device,
                event_type,
                txn_id,
            } => Name::OfClient(Transaction {
                user,
                device: device.to_owned(),
                scope: format!("sendToDevice {event_type} {part}"),
                txn_id: txn_id.to_owned(),
            }),
            // No server finds a transaction of its own under such a name: they have no spaces.
            Self::OfServer { origin, message_id } => {
                Name::OfServer(origin, format!("m.direct_to_device {part} {message_id}"))
            }
        }
    }
}

/// Where it is noted.
enum Name {
    OfClient(Transaction),
    OfServer(i64, String),
}
