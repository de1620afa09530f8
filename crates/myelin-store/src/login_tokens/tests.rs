use super::*;
use crate::test_stores;

fn token(expires_ms: i64) -> LoginToken {
    LoginToken {
        user_number: 7,
        expires_ms,
    }
}

#[tokio::test]
async fn a_token_is_taken_once_and_expired_ones_are_found() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        insert(&mut writes, &[1; 32], &token(10));
        insert(&mut writes, &[2; 32], &token(20));
        insert(&mut writes, &[3; 32], &token(30));
        nodes.one.commit(writes).await.unwrap();

        let taking = |store: crate::Store| async move {
            let mut writes = WriteSet::new();
            let index = take(&mut writes, &[1; 32]);
            let committed = store.commit(writes).await.unwrap();
            committed.taken[index]
                .as_ref()
                .map(|row| from_taken(row).unwrap())
        };
        let (a, b) = tokio::join!(taking(nodes.one.clone()), taking(nodes.two.clone()));
        assert_eq!(
            [&a, &b].into_iter().flatten().collect::<Vec<_>>(),
            [&token(10)]
        );

        let mut read = nodes.one.read();
        let expired = list_expired(&mut read, 30, 1).await.unwrap();
        assert_eq!(expired, [Bytes::copy_from_slice(&[2; 32])]);
        let mut writes = WriteSet::new();
        delete(&mut writes, expired[0].clone());
        nodes.two.commit(writes).await.unwrap();
        assert_eq!(list_expired(&mut read, 29, 9).await.unwrap().len(), 0);
        assert_eq!(list_expired(&mut read, 30, 9).await.unwrap().len(), 1);
        nodes.close().await;
    }
}
