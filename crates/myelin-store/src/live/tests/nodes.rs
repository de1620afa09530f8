use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use crate::{LogKind, LogWrite, Store, WriteSet, test_stores};

const SOON: Duration = Duration::from_mins(1);

async fn append(store: &Store, subject: i64) -> i64 {
    let mut writes = WriteSet::new();
    writes.log(LogWrite {
        kind: LogKind::Event,
        subject,
        reference: 1,
        data: Bytes::from_static(b"data"),
    });
    store.commit(writes).await.unwrap().last
}

#[tokio::test]
async fn what_one_node_was_told_every_node_sees_once_it_catches_up() {
    for nodes in test_stores::both().await {
        for round in 0..20 {
            let (writer, reader) = (nodes.by_turns(round), nodes.by_turns(round + 1));
            let before = reader.live().catch_up().await.unwrap();
            let pos = append(writer, 20).await;
            assert!(reader.live().catch_up().await.unwrap() >= pos);
            let seen = reader.live().entries_since(before, &mut |_| true).unwrap();
            assert_eq!(seen.len(), 1);
            assert_eq!((seen[0].pos, &seen[0].data[..]), (pos, &b"data"[..]));
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_watch_hears_of_other_nodes() {
    for nodes in test_stores::both().await {
        let watch = nodes.two.live().watch();
        watch.add(20);
        let pos = append(&nodes.one, 20).await;
        timeout(SOON, watch.changed()).await.unwrap();
        let seen = nodes.two.live().entries_since(pos - 1, &mut |_| true);
        assert_eq!(seen.unwrap().len(), 1);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_node_starts_at_the_end_of_the_log() {
    for nodes in test_stores::both().await {
        let pos = append(&nodes.one, 20).await;
        let nodes = nodes.restart().await;
        let live = nodes.two.live();
        assert_eq!(live.position(), pos);
        assert!(live.entries_since(pos - 1, &mut |_| true).is_none());
        nodes.close().await;
    }
}

#[tokio::test]
async fn catching_up_costs_the_embedded_engine_nothing() {
    let nodes = test_stores::sqlite().await;
    append(&nodes.one, 20).await;
    let before = nodes.one.counts();
    assert_eq!(nodes.one.live().catch_up().await.unwrap(), 1);
    assert_eq!(nodes.one.counts(), before);
    nodes.close().await;
}
