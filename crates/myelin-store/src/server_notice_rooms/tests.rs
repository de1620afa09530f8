use super::*;
use crate::{StoreError, test_stores};

#[tokio::test]
async fn a_user_has_one_room() {
    for nodes in test_stores::both().await {
        let give = async |room| {
            let mut writes = WriteSet::new();
            insert(&mut writes, 7, room);
            nodes.one.commit(writes).await
        };
        give(1).await.unwrap();
        let again = give(2).await;
        assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
        let mut read = nodes.two.read();
        assert_eq!(find(&mut read, 7).await.unwrap(), Some(1));
        assert_eq!(find(&mut read, 8).await.unwrap(), None);
        nodes.close().await;
    }
}
