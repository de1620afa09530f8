use super::*;
use crate::{StoreError, test_stores};

#[tokio::test]
async fn a_nonce_is_used_once_and_forgotten_when_it_has_expired() {
    for nodes in test_stores::both().await {
        let using = |nonce: u8, expires_ms| {
            let mut writes = WriteSet::new();
            insert(&mut writes, &[nonce; 32], expires_ms);
            writes
        };
        assert!(!exists(&mut nodes.one.read(), &[1; 32]).await.unwrap());
        nodes.one.commit(using(1, 10)).await.unwrap();
        nodes.one.commit(using(2, 20)).await.unwrap();
        assert!(exists(&mut nodes.two.read(), &[1; 32]).await.unwrap());
        let again = nodes.two.commit(using(1, 10)).await;
        assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");

        let expired = list_expired(&mut nodes.two.read(), 19, 9).await.unwrap();
        assert_eq!(expired, [Bytes::copy_from_slice(&[1; 32])]);
        let mut writes = WriteSet::new();
        delete(&mut writes, expired[0].clone());
        nodes.two.commit(writes).await.unwrap();
        assert!(!exists(&mut nodes.one.read(), &[1; 32]).await.unwrap());
        assert!(exists(&mut nodes.one.read(), &[2; 32]).await.unwrap());
        nodes.close().await;
    }
}
