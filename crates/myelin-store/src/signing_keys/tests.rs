use super::*;
use crate::{StoreError, test_stores};

fn key(version: &str) -> SigningKeyRow {
    SigningKeyRow {
        key_version: version.to_owned(),
        seed: Bytes::from_static(&[7; 32]),
        created_ms: 5,
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
