use std::{future::poll_fn, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;
use tokio_postgres::AsyncMessage;

use crate::{LogKind, LogWrite, Store, StoreResult, WriteSet, postgres::Connector, test_stores};

const SOON: Duration = Duration::from_mins(1);

async fn append(store: &Store, subject: i64) -> i64 {
    try_append(store, subject).await.unwrap()
}

async fn try_append(store: &Store, subject: i64) -> StoreResult<i64> {
    let mut writes = WriteSet::new();
    writes.log(LogWrite {
        kind: LogKind::Event,
        subject,
        reference: 1,
        data: Bytes::from_static(b"data"),
    });
    Ok(store.commit(writes).await?.last)
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
async fn nodes_find_each_other_again_after_a_lost_connection() {
    for nodes in test_stores::both().await {
        let watch = nodes.two.live().watch();
        watch.add(20);
        append(&nodes.one, 20).await;
        timeout(SOON, watch.changed()).await.unwrap();
        nodes.disconnect_all();
        while try_append(&nodes.one, 20).await.is_err() {
            tokio::task::yield_now().await;
        }
        timeout(SOON, watch.changed()).await.unwrap();
        nodes.close().await;
    }
}

#[tokio::test]
async fn others_are_told_of_a_commit() {
    let Some(nodes) = test_stores::postgres().await else {
        return;
    };
    let connector = Connector::new(&nodes.postgres_url()).unwrap();
    let (client, mut connection) = connector.connect().await.unwrap();
    let mut messages = poll_fn(|context| connection.poll_message(context));
    let listening = client.batch_execute("LISTEN myelin_log");
    tokio::select! {
        result = listening => result.unwrap(),
        message = &mut messages => panic!("{:?}", message.is_some()),
    }
    append(&nodes.one, 20).await;
    let message = timeout(SOON, messages).await.unwrap();
    let Some(Ok(AsyncMessage::Notification(told))) = message else {
        panic!("the connection has ended");
    };
    assert_eq!(told.payload(), "1-1");
    nodes.close().await;
}

#[tokio::test]
async fn nothing_goes_on_after_the_end() {
    for nodes in test_stores::both().await {
        let live = Arc::downgrade(&nodes.two.inner.live);
        append(&nodes.two, 20).await;
        nodes.close().await;
        assert!(live.upgrade().is_none(), "a task still has it");
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
