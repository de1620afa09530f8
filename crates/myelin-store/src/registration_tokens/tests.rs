use super::*;
use crate::{StoreError, test_stores};

fn token(name: &str) -> RegistrationToken {
    RegistrationToken {
        token: name.to_owned(),
        created_ms: 5,
        version: 1,
        ..RegistrationToken::default()
    }
}

fn set(build: impl FnOnce(&mut WriteSet)) -> WriteSet {
    let mut writes = WriteSet::new();
    build(&mut writes);
    writes
}

#[tokio::test]
async fn tokens_are_made_used_and_deleted() {
    for nodes in test_stores::both().await {
        assert!(!exists_any(&mut nodes.one.read()).await.unwrap());
        let limited = RegistrationToken {
            uses_allowed: Some(2),
            expires_ms: Some(9),
            ..token("b")
        };
        nodes
            .one
            .commit(set(|writes| {
                insert(writes, &limited);
                insert(writes, &token("a"));
            }))
            .await
            .unwrap();
        let mut read = nodes.two.read();
        assert!(exists_any(&mut read).await.unwrap());
        assert_eq!(
            list(&mut read).await.unwrap(),
            [token("a"), limited.clone()]
        );
        let twice = nodes
            .two
            .commit(set(|writes| insert(writes, &limited)))
            .await;
        assert!(matches!(twice, Err(StoreError::Conflict)), "{twice:?}");

        let used = RegistrationToken {
            completed: 1,
            ..limited.clone()
        };
        nodes
            .one
            .commit(set(|writes| update(writes, &used)))
            .await
            .unwrap();
        let late = nodes
            .two
            .commit(set(|writes| update(writes, &limited)))
            .await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        let found = find(&mut read, "b").await.unwrap();
        assert_eq!(found, Some(RegistrationToken { version: 2, ..used }));

        nodes
            .one
            .commit(set(|writes| delete(writes, &limited)))
            .await
            .unwrap();
        assert_eq!(find(&mut read, "b").await.unwrap(), None);
        nodes.close().await;
    }
}
