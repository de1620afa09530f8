use super::*;
use crate::{
    Store, StoreError, test_stores,
    users::{self, User},
};

const ALICE: i64 = 7;
const NOW_MS: i64 = 1_767_225_600_000;

fn device(id: &str) -> Device {
    Device {
        user_number: ALICE,
        device_id: id.to_owned(),
        display_name: None,
        created_ms: NOW_MS,
        token_hash: None,
        version: 1,
    }
}

async fn commit(store: &Store, build: impl FnOnce(&mut WriteSet)) -> StoreResult<()> {
    let mut writes = WriteSet::new();
    build(&mut writes);
    store.commit(writes).await.map(drop)
}

fn alice() -> User {
    User {
        number: ALICE,
        user_id: "@alice:localhost".to_owned(),
        password_hash: None,
        created_ms: NOW_MS,
        deactivated_ms: None,
        admin: true,
        guest: false,
        version: 1,
    }
}

/// Alice with a session on her phone.
async fn log_in(store: &Store) {
    commit(store, |writes| {
        users::insert(writes, &alice());
        insert(writes, &device("PHONE"), &[1; 32], NOW_MS);
    })
    .await
    .unwrap();
}

async fn session(store: &Store, token: u8) -> Option<SessionRow> {
    find(&mut store.read(), &[token; 32]).await.unwrap()
}

#[tokio::test]
async fn a_token_leads_to_user_and_device() {
    for nodes in test_stores::both().await {
        log_in(&nodes.one).await;
        let expected = SessionRow {
            user_number: ALICE,
            user_id: "@alice:localhost".to_owned(),
            device_id: "PHONE".to_owned(),
            last_seen_ms: NOW_MS,
            admin: true,
            guest: false,
        };
        assert_eq!(session(&nodes.two, 1).await, Some(expected));
        assert_eq!(session(&nodes.two, 2).await, None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn activity_only_moves_forward() {
    for nodes in test_stores::both().await {
        log_in(&nodes.one).await;
        for (seen_ms, shown_ms) in [(20, 20), (10, 20), (30, 30)] {
            let mut writes = WriteSet::new();
            touch(&mut writes, ALICE, "PHONE", NOW_MS + seen_ms);
            nodes.one.commit(writes).await.unwrap();
            let session = session(&nodes.two, 1).await.unwrap();
            assert_eq!(session.last_seen_ms, NOW_MS + shown_ms);
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_deactivated_account_has_no_sessions() {
    for nodes in test_stores::both().await {
        log_in(&nodes.one).await;
        let gone = User {
            deactivated_ms: Some(NOW_MS),
            ..alice()
        };
        commit(&nodes.one, |writes| users::update(writes, &gone))
            .await
            .unwrap();
        assert_eq!(session(&nodes.two, 1).await, None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_new_login_replaces_the_token_of_the_device_it_read() {
    for nodes in test_stores::both().await {
        log_in(&nodes.one).await;
        let known = find_device(&mut nodes.two.read(), ALICE, "PHONE")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(known.token_hash.as_deref(), Some(&[1; 32][..]));
        commit(&nodes.two, |writes| {
            update(writes, &known, &[2; 32], NOW_MS);
        })
        .await
        .unwrap();
        assert_eq!(session(&nodes.one, 1).await, None);
        assert!(session(&nodes.one, 2).await.is_some());

        let late = commit(&nodes.one, |writes| {
            update(writes, &known, &[3; 32], NOW_MS);
        })
        .await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        let late = commit(&nodes.one, |writes| delete(writes, &known)).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        let twice = commit(&nodes.one, |writes| {
            insert(writes, &device("PHONE"), &[4; 32], NOW_MS);
        })
        .await;
        assert!(matches!(twice, Err(StoreError::Conflict)), "{twice:?}");
        assert!(session(&nodes.two, 2).await.is_some());
        nodes.close().await;
    }
}

#[tokio::test]
async fn devices_are_listed_and_deleted_with_their_tokens() {
    for nodes in test_stores::both().await {
        log_in(&nodes.one).await;
        let laptop = Device {
            display_name: Some("Läptop".to_owned()),
            ..device("LAPTOP")
        };
        let of_another = Device {
            user_number: ALICE + 1,
            ..device("PHONE")
        };
        commit(&nodes.one, |writes| {
            insert(writes, &laptop, &[2; 32], NOW_MS);
            insert(writes, &of_another, &[3; 32], NOW_MS);
            touch(writes, ALICE, "PHONE", NOW_MS + 1);
        })
        .await
        .unwrap();
        let devices = list_devices(&mut nodes.two.read(), ALICE).await.unwrap();
        let shown: Vec<_> = devices
            .iter()
            .map(|device| (device.device_id.as_str(), device.display_name.as_deref()))
            .collect();
        assert_eq!(shown, [("LAPTOP", Some("Läptop")), ("PHONE", None)]);

        commit(&nodes.two, |writes| {
            delete(writes, &devices[1]);
            log_change(writes, ALICE);
        })
        .await
        .unwrap();
        assert_eq!(session(&nodes.one, 1).await, None);
        assert!(session(&nodes.one, 2).await.is_some());
        let mut read = nodes.one.read();
        assert_eq!(list_devices(&mut read, ALICE).await.unwrap().len(), 1);
        assert_eq!(list_devices(&mut read, ALICE + 1).await.unwrap().len(), 1);
        nodes.close().await;
    }
}

#[tokio::test]
async fn users_were_last_seen_on_the_device_that_they_used_last() {
    for nodes in test_stores::both().await {
        log_in(&nodes.one).await;
        let seen = async || {
            list_last_seen(&mut nodes.two.read(), &[ALICE, ALICE + 1])
                .await
                .unwrap()
        };
        let alice_at = |ms: i64| vec![("@alice:localhost".to_owned(), NOW_MS + ms)];
        assert_eq!(seen().await, alice_at(0));
        commit(&nodes.one, |writes| {
            touch(writes, ALICE, "PHONE", NOW_MS + 5);
        })
        .await
        .unwrap();
        assert_eq!(seen().await, alice_at(5));
        let mut tablet = device("TABLET");
        tablet.created_ms = NOW_MS + 7;
        commit(&nodes.one, |writes| {
            insert(writes, &tablet, &[2; 32], NOW_MS + 7);
        })
        .await
        .unwrap();
        assert_eq!(seen().await, alice_at(7));
        let phone = find_device(&mut nodes.one.read(), ALICE, "PHONE")
            .await
            .unwrap();
        let phone = phone.unwrap();
        commit(&nodes.one, |writes| {
            update(writes, &phone, &[3; 32], NOW_MS + 9);
        })
        .await
        .unwrap();
        assert_eq!(seen().await, alice_at(9), "logging in again is activity");
        nodes.close().await;
    }
}
