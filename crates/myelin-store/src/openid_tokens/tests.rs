use super::*;
use crate::test_stores;

#[tokio::test]
async fn a_token_stands_for_its_user_until_it_expires() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        insert(&mut writes, &[1; 32], 40, 1_000);
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        for (hash, now_ms, user) in [
            ([1; 32], 999, Some(40)),
            ([1; 32], 1_000, None),
            ([2; 32], 999, None),
        ] {
            assert_eq!(find(&mut read, &hash, now_ms).await.unwrap(), user);
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn expired_tokens_are_found_and_deleted() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for (byte, expires_ms) in [(1, 30), (2, 10), (3, 20), (4, 99)] {
            insert(&mut writes, &[byte; 32], 40, expires_ms);
        }
        nodes.one.commit(writes).await.unwrap();
        let expired = async || list_expired(&mut nodes.two.read(), 30, 2).await.unwrap();
        assert_eq!(expired().await, [[2; 32].to_vec(), [3; 32].to_vec()]);
        let mut writes = WriteSet::new();
        for hash in expired().await {
            delete(&mut writes, hash);
        }
        nodes.one.commit(writes).await.unwrap();
        assert_eq!(expired().await, [[1; 32].to_vec()]);
        nodes.close().await;
    }
}
