use super::*;
use crate::{StoreError, test_stores};

fn session(id: u8) -> UiaSession {
    UiaSession {
        id_hash: Bytes::copy_from_slice(&[id; 32]),
        request: Bytes::from_static(b"request"),
        act: "register".to_owned(),
        flows: "a b\nc".to_owned(),
        expires_ms: 100 + i64::from(id),
        version: 1,
        ..UiaSession::default()
    }
}

fn set(build: impl FnOnce(&mut WriteSet)) -> WriteSet {
    let mut writes = WriteSet::new();
    build(&mut writes);
    writes
}

#[tokio::test]
async fn a_session_is_continued_and_ended_once() {
    for nodes in test_stores::both().await {
        let begun = session(1);
        nodes
            .one
            .commit(set(|writes| insert(writes, &begun)))
            .await
            .unwrap();
        let found = find(&mut nodes.two.read(), &[1; 32]).await.unwrap();
        assert_eq!(found, Some(begun.clone()));
        let twice = nodes.two.commit(set(|writes| insert(writes, &begun))).await;
        assert!(matches!(twice, Err(StoreError::Conflict)), "{twice:?}");

        let further = UiaSession {
            user_number: Some(7),
            completed: "a".to_owned(),
            registration_token: Some("invitation".to_owned()),
            terms_version: Some("1.0".to_owned()),
            ..begun.clone()
        };
        nodes
            .two
            .commit(set(|writes| update(writes, &further)))
            .await
            .unwrap();
        let late = nodes.one.commit(set(|writes| update(writes, &begun))).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        let found = find(&mut nodes.one.read(), &[1; 32])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            found,
            UiaSession {
                version: 2,
                ..further
            }
        );

        nodes
            .one
            .commit(set(|writes| end(writes, &found)))
            .await
            .unwrap();
        let again = nodes.two.commit(set(|writes| end(writes, &found))).await;
        assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
        assert_eq!(find(&mut nodes.two.read(), &[1; 32]).await.unwrap(), None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn sessions_are_found_by_expiry_user_and_registration_token() {
    for nodes in test_stores::both().await {
        let with_token = |id, user| UiaSession {
            user_number: Some(user),
            registration_token: Some("invitation".to_owned()),
            ..session(id)
        };
        let all = [
            session(1),
            with_token(2, 7),
            with_token(3, 7),
            with_token(4, 8),
        ];
        let mut writes = WriteSet::new();
        for session in &all {
            insert(&mut writes, session);
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        assert_eq!(list_expired(&mut read, 103, 2).await.unwrap(), all[..2]);
        assert_eq!(list_expired(&mut read, 103, 9).await.unwrap(), all[..3]);
        let of_user = list_of_user(&mut read, 7).await.unwrap();
        assert_eq!(of_user, [all[2].clone(), all[1].clone()]);
        for (now_ms, count) in [(101, 3), (102, 2), (104, 0)] {
            let counted = count_with_registration_token(&mut read, "invitation", now_ms).await;
            assert_eq!(counted.unwrap(), count);
        }
        nodes
            .one
            .commit(set(|writes| delete(writes, &all[0])))
            .await
            .unwrap();
        assert_eq!(find(&mut read, &[1; 32]).await.unwrap(), None);
        nodes.close().await;
    }
}
