//! Table `state_nodes`: the nodes of the state trie, and the driver of the trie's step machines.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use myelin_core::trie::{Machine, NodeHash};

use crate::{OnConflict, Param, Read, Store, StoreError, StoreResult, Table, WriteSet, bytes, int};

static STATE_NODES: Table = Table {
    name: "state_nodes",
    key: &[int("room"), bytes("hash")],
    values: &[bytes("node")],
    version: None,
    on_conflict: OnConflict::Keep,
};

/// Nodes that are in a write set on its way, by hash.
pub type PendingNodes = HashMap<NodeHash, Arc<[u8]>>;

/// Runs a step machine to its end: one read for each level of the trie.
pub async fn drive<M: Machine>(
    store: &Store,
    read: &mut Read,
    room: i64,
    pending: &PendingNodes,
    mut machine: M,
) -> StoreResult<M::Output> {
    loop {
        let wanted = machine.wanted();
        if wanted.is_empty() {
            return machine.finish().map_err(corrupt);
        }
        let loaded = load(store, read, (room, pending), wanted).await?;
        machine.supply(loaded).map_err(corrupt)?;
    }
}

/// The nodes with these hashes, by one read.
pub async fn load(
    store: &Store,
    read: &mut Read,
    (room, pending): (i64, &PendingNodes),
    wanted: Vec<NodeHash>,
) -> StoreResult<Vec<(NodeHash, Arc<[u8]>)>> {
    let (held, stored): (Vec<_>, Vec<_>) = wanted
        .into_iter()
        .partition(|hash| pending.contains_key(hash));
    store.count_trie_nodes(stored.len());
    let mut loaded = list(read, room, &stored).await?;
    loaded.extend(
        held.into_iter()
            .filter_map(|hash| Some((hash, Arc::clone(pending.get(&hash)?)))),
    );
    Ok(loaded)
}

/// Writes nodes; those that are there already stay.
pub fn insert(writes: &mut WriteSet, room: i64, hash: NodeHash, node: &[u8]) {
    writes.put(
        &STATE_NODES,
        vec![room.into(), hash.0.as_slice().into()],
        vec![node.into()],
    );
}

async fn list(
    read: &mut Read,
    room: i64,
    hashes: &[NodeHash],
) -> StoreResult<Vec<(NodeHash, Arc<[u8]>)>> {
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    let keys = hashes
        .iter()
        .map(|hash| Bytes::copy_from_slice(&hash.0))
        .collect();
    let sql = "SELECT hash, node FROM state_nodes WHERE room = $1 AND hash = ANY($2)";
    let rows = read
        .query(
            STATE_NODES.name,
            sql,
            &[room.into(), Param::BytesList(keys)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let hash = row.bytes(0)?.as_ref().try_into().map_err(corrupt)?;
            Ok((NodeHash(hash), Arc::from(row.bytes(1)?.as_ref())))
        })
        .collect()
}

/// What is stored cannot be the state of a room.
fn corrupt(error: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt {
        table: STATE_NODES.name,
        column: 1,
        wanted: "a node of the state",
        found: error.to_string(),
    }
}
