//! Messages to devices of other servers' users: they wait for their servers as EDUs.

use std::collections::BTreeMap;

use bytes::Bytes;
use myelin_core::server::Server;
use myelin_net::Federation;
use myelin_store::{Sequence, Store, StoreResult, WriteSet, to_device};
use ruma::{OwnedUserId, ServerName, UserId};
use serde_json::{Map, Value, json};

use super::{ALL_DEVICES, Messages, SET_BYTES_MAX, SET_MESSAGES_MAX, once::Once, waiting::bound};

/// An EDU above this size takes no further message.
const EDU_BYTES_MAX: usize = 65_536;

/// Contents by device id.
type Devices = BTreeMap<String, Map<String, Value>>;

/// An EDU for a server.
struct Edu<'a> {
    server: &'a ServerName,
    text: Bytes,
}

/// Leaves messages to be sent to the servers of their recipients, those excepted that are not
/// spoken with.
pub(super) async fn send(
    server: &Server,
    store: &Store,
    federation: &Federation,
    ((sender, event_type), messages): ((&UserId, &str), &Messages),
    once: Once<'_>,
) -> StoreResult<()> {
    let mut of_servers: BTreeMap<&ServerName, Vec<(&OwnedUserId, &Devices)>> = BTreeMap::new();
    for (user, devices) in messages {
        let name = user.server_name();
        if !server.is_local(user) && federation.allows(name) {
            of_servers.entry(name).or_default().push((user, devices));
        }
    }
    let mut edus = Vec::new();
    for (name, users) in of_servers {
        for messages in packed(&users) {
            let content = json!({
                "sender": sender,
                "type": event_type,
                "message_id": server.random_token(22),
                "messages": messages,
            });
            let edu = json!({"edu_type": "m.direct_to_device", "content": content});
            let text = edu.to_string().into();
            edus.push(Edu { server: name, text });
        }
    }
    // As many as there are, and each as long, whenever the request is made again.
    for (number, slice) in slices(&edus).into_iter().enumerate() {
        write(server, store, slice, (once, &format!("remote {number}"))).await?;
    }
    Ok(())
}

/// The messages for the users of one server, divided so that none of the parts is much too large.
/// Where there is one for all devices of a user, those that are named stay beside it.
fn packed(users: &[(&OwnedUserId, &Devices)]) -> Vec<BTreeMap<OwnedUserId, Devices>> {
    let mut parts: Vec<BTreeMap<OwnedUserId, Devices>> = Vec::new();
    let mut bytes = EDU_BYTES_MAX;
    for (user, devices) in users {
        let whole = devices.contains_key(ALL_DEVICES);
        let mut rest = devices.iter().peekable();
        while rest.peek().is_some() {
            let piece = rest.by_ref().take(if whole { devices.len() } else { 1 });
            let piece: Devices = piece
                .map(|(device, content)| (device.clone(), content.clone()))
                .collect();
            let size = json!(piece).to_string().len();
            if bytes + size > EDU_BYTES_MAX {
                parts.push(BTreeMap::new());
                bytes = 0;
            }
            bytes += size;
            if let Some(part) = parts.last_mut() {
                part.entry((*user).clone()).or_default().extend(piece);
            }
        }
    }
    parts
}

fn slices<'a, 'b>(edus: &'b [Edu<'a>]) -> Vec<&'b [Edu<'a>]> {
    let mut slices = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, edu) in edus.iter().enumerate() {
        bytes += edu.text.len();
        let is_full = bytes > SET_BYTES_MAX || index - start >= SET_MESSAGES_MAX;
        if index > start && is_full {
            slices.push(&edus[start..index]);
            (start, bytes) = (index, edu.text.len());
        }
    }
    if start < edus.len() {
        slices.push(&edus[start..]);
    }
    slices
}

/// Puts EDUs into the queues of their servers, unless that was done before.
async fn write(
    server: &Server,
    store: &Store,
    edus: &[Edu<'_>],
    (once, part): (Once<'_>, &str),
) -> StoreResult<()> {
    let names: Vec<&[u8]> = edus.iter().map(|edu| edu.server.as_bytes()).collect();
    let servers = store.intern(&names).await?;
    let mut attempts = store.attempts();
    loop {
        let mut read = store.read();
        if once.is_done(&mut read, part).await? {
            return Ok(());
        }
        let numbers = store.next_numbers(Sequence::ToDevice, edus.len()).await?;
        let mut writes = WriteSet::new();
        once.write(&mut writes, part, server.now_ms());
        for ((edu, to), number) in edus.iter().zip(&servers).zip(numbers) {
            to_device::insert_for_server(&mut writes, *to, number, edu.text.clone());
        }
        if attempts.commit(writes).await?.is_some() {
            break;
        }
    }
    let mut bounded = servers;
    bounded.dedup();
    for to in bounded {
        let of = (to, to_device::SERVER);
        let queue = to_device::find_queue(&mut store.read(), of).await?;
        bound(store, of, queue.unwrap_or_default()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(len: usize) -> Map<String, Value> {
        let text = Value::from("x".repeat(len));
        Map::from_iter([("text".to_owned(), text)])
    }

    #[test]
    fn messages_are_divided_by_size_and_what_is_for_all_stays_whole() {
        let user = |name: &str| OwnedUserId::try_from(format!("@{name}:b.example"));
        let [alice, bob] = ["alice", "bob"].map(|name| user(name).expect("a user id"));
        let devices = |names: &[&str], len| {
            let devices = names.iter().map(|name| ((*name).to_owned(), content(len)));
            devices.collect::<Devices>()
        };
        let small = devices(&["A", "B", "C"], 100);
        let large = devices(&["*", "D", "E"], 40_000);
        let parts = packed(&[(&alice, &small), (&bob, &large)]);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0][&alice], small);
        assert_eq!(parts[1][&bob], large, "D and E get none that is for all");
        let named = devices(&["D", "E", "F"], 40_000);
        let parts = packed(&[(&bob, &named), (&alice, &small)]);
        let sizes: Vec<_> = parts
            .iter()
            .map(|part| part.values().map(BTreeMap::len).sum::<usize>())
            .collect();
        assert_eq!(sizes, [1, 1, 4]);
        assert!(packed(&[]).is_empty());
    }
}
