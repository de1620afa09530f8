use super::*;
use crate::test_stores;

const USER: i64 = 40;

#[tokio::test]
async fn filters_are_found_by_user_and_id() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        insert(&mut writes, USER, ("a", "{}"), 1);
        nodes.one.commit(writes).await.unwrap();
        let mut again = WriteSet::new();
        insert(&mut again, USER, ("a", "{}"), 2);
        nodes.two.commit(again).await.unwrap();
        let mut read = nodes.two.read();
        let found = find(&mut read, USER, "a").await.unwrap();
        assert_eq!(found.as_deref(), Some(&b"{}"[..]));
        for (user, id) in [(USER, "b"), (41, "a")] {
            assert_eq!(find(&mut read, user, id).await.unwrap(), None);
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn the_oldest_can_be_found_and_deleted() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for (id, created_ms) in [("b", 2), ("a", 1), ("c", 3)] {
            insert(&mut writes, USER, (id, "{}"), created_ms);
        }
        insert(&mut writes, 41, ("d", "{}"), 0);
        nodes.one.commit(writes).await.unwrap();
        let oldest = list_oldest(&mut nodes.two.read(), USER, 1).await;
        assert_eq!(oldest.unwrap(), ["b", "a"]);
        let mut writes = WriteSet::new();
        delete(&mut writes, USER, "a");
        nodes.one.commit(writes).await.unwrap();
        let oldest = list_oldest(&mut nodes.two.read(), USER, 0).await;
        assert_eq!(oldest.unwrap(), ["c", "b"]);
        nodes.close().await;
    }
}
