use super::*;
use crate::test_stores;

fn key(server: &str, key_id: &str, valid_until_ms: i64) -> RemoteKeyRow {
    RemoteKeyRow {
        server: server.to_owned(),
        key_id: key_id.to_owned(),
        public_key: Bytes::from_static(&[7; 32]),
        valid_until_ms,
    }
}

#[tokio::test]
async fn keys_are_found_by_their_servers() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for server in ["a", "b", "c"] {
            upsert(&mut writes, key(server, "ed25519:1", 5));
        }
        upsert(&mut writes, key("a", "ed25519:2", 6));
        nodes.one.commit(writes).await.unwrap();
        let mut writes = WriteSet::new();
        upsert(&mut writes, key("a", "ed25519:1", 9));
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let found = list_by_servers(&mut read, ["a", "c", "d"]).await.unwrap();
        let wanted = [
            key("a", "ed25519:1", 9),
            key("a", "ed25519:2", 6),
            key("c", "ed25519:1", 5),
        ];
        assert_eq!(found, wanted);
        nodes.close().await;
    }
}

#[tokio::test]
async fn the_last_answer_of_a_server_is_kept() {
    for nodes in test_stores::both().await {
        let answer = |json: &'static [u8], fetched_ms| RemoteKeyAnswer {
            json: Bytes::from_static(json),
            fetched_ms,
            valid_until_ms: 10 * fetched_ms,
        };
        for fetched_ms in [1, 2] {
            let mut writes = WriteSet::new();
            upsert_answer(&mut writes, "a", answer(b"{}", fetched_ms));
            nodes.one.commit(writes).await.unwrap();
        }
        let mut read = nodes.two.read();
        let found = find_answer(&mut read, "a").await.unwrap();
        assert_eq!(found, Some(answer(b"{}", 2)));
        assert_eq!(find_answer(&mut read, "b").await.unwrap(), None);
        nodes.close().await;
    }
}
