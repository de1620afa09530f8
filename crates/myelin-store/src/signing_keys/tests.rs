use super::*;
use crate::{StoreError, test_stores};

fn key(version: &str) -> SigningKeyRow {
    SigningKeyRow {
        key_version: version.to_owned(),
        seed: Bytes::from_static(&[7; 32]),
        created_ms: 5,
        expired_ms: None,
    }
}

#[tokio::test]
async fn the_first_key_is_made_once() {
    for nodes in test_stores::both().await {
        assert!(find_newest(&mut nodes.one.read()).await.unwrap().is_none());
        let insert = |version| {
            let mut writes = WriteSet::new();
            insert_first(&mut writes, &key(version));
            writes
        };
        nodes.one.commit(insert("a_first")).await.unwrap();
        let late = nodes.two.commit(insert("a_late")).await;
        assert!(matches!(late, Err(StoreError::Conflict)));
        let found = find_newest(&mut nodes.two.read()).await.unwrap();
        assert!(found == Some(key("a_first")));
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_new_key_comes_before_the_others() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        insert_first(&mut writes, &key("a"));
        nodes.one.commit(writes).await.unwrap();
        let mut keys = list(&mut nodes.two.read()).await.unwrap();
        keys[0].expired_ms = Some(9);
        let rotate = |version| {
            let mut writes = WriteSet::new();
            rotate(&mut writes, &keys, &key(version));
            writes
        };
        nodes.one.commit(rotate("b")).await.unwrap();
        let late = nodes.two.commit(rotate("c")).await;
        assert!(matches!(late, Err(StoreError::Conflict)));
        let found = list(&mut nodes.two.read()).await.unwrap();
        assert!(found == [key("b"), keys[0].clone()]);
        let newest = find_newest(&mut nodes.two.read()).await.unwrap();
        assert!(newest == Some(key("b")));
        nodes.close().await;
    }
}
