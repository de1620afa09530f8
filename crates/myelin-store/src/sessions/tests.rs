use super::*;
use crate::{
    Store, StoreError, WriteSet, test_stores,
    users::{self, User},
};

const ALICE: i64 = 7;
const NOW_MS: i64 = 1_767_225_600_000;

fn device(id: &str) -> Device {
    Device {
        user_number: ALICE,
        device_id: id.to_owned(),
        created_ms: NOW_MS,
        version: 1,
        ..Device::default()
    }
}

fn tokens(access: u8) -> NewTokens {
    NewTokens {
        access: [access; 32],
        expires_ms: None,
        refresh: None,
    }
}

/// Tokens that expire, with a refresh token of another hash.
fn refreshable(access: u8) -> NewTokens {
    NewTokens {
        access: [access; 32],
        expires_ms: Some(NOW_MS + 1_000),
        refresh: Some([access + 100; 32]),
    }
}

async fn phone(store: &Store) -> Device {
    let found = find_device(&mut store.read(), ALICE, "PHONE").await;
    found.unwrap().unwrap()
}

/// Which of these refresh tokens are known.
async fn known_refresh(store: &Store, hashes: &[u8]) -> Vec<u8> {
    let mut known = Vec::new();
    for hash in hashes {
        let found = find_refresh_token(&mut store.read(), &[*hash; 32]).await;
        if let Some(found) = found.unwrap() {
            assert_eq!(found, (ALICE, "PHONE".to_owned()));
            known.push(*hash);
        }
    }
    known
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
        created_ms: NOW_MS,
        admin: true,
        suspended: true,
        version: 1,
        ..User::default()
    }
}

/// Alice with a session on her phone.
async fn log_in(store: &Store) {
    commit(store, |writes| {
        users::insert(writes, &alice());
        insert(writes, &device("PHONE"), &tokens(1), NOW_MS);
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
            created_ms: NOW_MS,
            admin: true,
            suspended: true,
            ..SessionRow::default()
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
        assert_eq!(known.tokens.access.as_deref(), Some(&[1; 32][..]));
        commit(&nodes.two, |writes| {
            update(writes, &known, &tokens(2), NOW_MS);
        })
        .await
        .unwrap();
        assert_eq!(session(&nodes.one, 1).await, None);
        assert!(session(&nodes.one, 2).await.is_some());

        let late = commit(&nodes.one, |writes| {
            update(writes, &known, &tokens(3), NOW_MS);
        })
        .await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        let late = commit(&nodes.one, |writes| delete(writes, &known)).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        let twice = commit(&nodes.one, |writes| {
            insert(writes, &device("PHONE"), &tokens(4), NOW_MS);
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
            insert(writes, &laptop, &tokens(2), NOW_MS);
            insert(writes, &of_another, &tokens(3), NOW_MS);
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
            insert(writes, &tablet, &tokens(2), NOW_MS + 7);
        })
        .await
        .unwrap();
        assert_eq!(seen().await, alice_at(7));
        let phone = find_device(&mut nodes.one.read(), ALICE, "PHONE")
            .await
            .unwrap();
        let phone = phone.unwrap();
        commit(&nodes.one, |writes| {
            update(writes, &phone, &tokens(3), NOW_MS + 9);
        })
        .await
        .unwrap();
        assert_eq!(seen().await, alice_at(9), "logging in again is activity");
        nodes.close().await;
    }
}

#[tokio::test]
async fn tokens_handed_out_replace_the_old_ones_when_they_are_used() {
    for nodes in test_stores::both().await {
        commit(&nodes.one, |writes| {
            users::insert(writes, &alice());
            insert(writes, &device("PHONE"), &refreshable(1), NOW_MS);
        })
        .await
        .unwrap();
        let first = phone(&nodes.two).await;
        commit(&nodes.two, |writes| {
            offer(writes, &first, &refreshable(2), NOW_MS + 1);
        })
        .await
        .unwrap();
        let late = commit(&nodes.one, |writes| {
            offer(writes, &first, &refreshable(9), NOW_MS);
        })
        .await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");

        // Asked again, because the answer was lost: what was handed out before is dead.
        let second = phone(&nodes.one).await;
        commit(&nodes.one, |writes| {
            offer(writes, &second, &refreshable(3), NOW_MS + 2);
        })
        .await
        .unwrap();
        assert_eq!(session(&nodes.two, 2).await, None);
        assert_eq!(
            known_refresh(&nodes.two, &[101, 102, 103]).await,
            [101, 103]
        );
        assert!(session(&nodes.two, 1).await.is_some_and(|row| !row.is_next));
        let offered = session(&nodes.two, 3).await.unwrap();
        assert!(offered.is_next);
        assert_eq!(offered.expires_ms, Some(NOW_MS + 1_000));
        assert_eq!(offered.created_ms, NOW_MS + 2);

        let third = phone(&nodes.one).await;
        commit(&nodes.one, |writes| confirm(writes, &third, &offered))
            .await
            .unwrap();
        assert_eq!(session(&nodes.two, 1).await, None);
        let confirmed = SessionRow {
            is_next: false,
            ..offered
        };
        assert_eq!(session(&nodes.two, 3).await, Some(confirmed));
        assert_eq!(known_refresh(&nodes.two, &[101, 103]).await, [101, 103]);
        let spent = phone(&nodes.one).await.tokens;
        assert_eq!(spent.spent_refresh.as_deref(), Some(&[101; 32][..]));
        assert_eq!(spent.refresh.as_deref(), Some(&[103; 32][..]));
        assert_eq!((spent.next_access, spent.next_refresh), (None, None));
        nodes.close().await;
    }
}

type Offer = fn(&mut WriteSet, &Device, &NewTokens, i64);

#[tokio::test]
async fn a_refresh_token_that_was_handed_out_confirms_itself() {
    for nodes in test_stores::both().await {
        commit(&nodes.one, |writes| {
            users::insert(writes, &alice());
            insert(writes, &device("PHONE"), &refreshable(1), NOW_MS);
        })
        .await
        .unwrap();
        for (access, offer) in [(2, offer as Offer), (3, offer_again), (4, offer_again)] {
            let known = phone(&nodes.two).await;
            let writes = |writes: &mut _| offer(writes, &known, &refreshable(access), NOW_MS);
            commit(&nodes.two, writes).await.unwrap();
        }
        for dead in [1, 2, 3] {
            assert_eq!(session(&nodes.one, dead).await, None);
        }
        assert!(session(&nodes.one, 4).await.is_some());
        let all = [101, 102, 103, 104];
        assert_eq!(known_refresh(&nodes.one, &all).await, [102, 103, 104]);

        let known = phone(&nodes.one).await;
        commit(&nodes.one, |writes| delete(writes, &known))
            .await
            .unwrap();
        assert_eq!(session(&nodes.two, 4).await, None);
        assert!(known_refresh(&nodes.two, &all).await.is_empty());
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_new_login_ends_what_was_handed_out() {
    for nodes in test_stores::both().await {
        commit(&nodes.one, |writes| {
            users::insert(writes, &alice());
            insert(writes, &device("PHONE"), &refreshable(1), NOW_MS);
        })
        .await
        .unwrap();
        let known = phone(&nodes.one).await;
        commit(&nodes.one, |writes| {
            offer(writes, &known, &refreshable(2), NOW_MS);
        })
        .await
        .unwrap();
        let known = phone(&nodes.one).await;
        commit(&nodes.one, |writes| {
            update(writes, &known, &tokens(3), NOW_MS);
        })
        .await
        .unwrap();
        for (access, lives) in [(1, false), (2, false), (3, true)] {
            assert_eq!(session(&nodes.two, access).await.is_some(), lives);
        }
        assert!(known_refresh(&nodes.two, &[101, 102]).await.is_empty());
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_device_is_renamed_and_shown_with_where_it_was_seen() {
    for nodes in test_stores::both().await {
        log_in(&nodes.one).await;
        let known = phone(&nodes.one).await;
        commit(&nodes.one, |writes| {
            rename(writes, &known, Some("Telephone"));
            touch(writes, ALICE, "PHONE", NOW_MS + 5);
            put_address(writes, (ALICE, "PHONE"), Some("192.0.2.1"), Some("nio"));
        })
        .await
        .unwrap();
        let late = commit(&nodes.two, |writes| rename(writes, &known, None)).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        let expected = SeenDevice {
            device_id: "PHONE".to_owned(),
            display_name: Some("Telephone".to_owned()),
            last_seen_ms: NOW_MS + 5,
            address: Some("192.0.2.1".to_owned()),
            user_agent: Some("nio".to_owned()),
        };
        let seen = list_seen(&mut nodes.two.read(), ALICE).await.unwrap();
        assert_eq!(seen, [expected]);
        assert!(session(&nodes.two, 1).await.is_some());

        let known = phone(&nodes.one).await;
        commit(&nodes.one, |writes| delete(writes, &known))
            .await
            .unwrap();
        commit(&nodes.one, |writes| {
            insert(writes, &device("PHONE"), &tokens(2), NOW_MS);
        })
        .await
        .unwrap();
        let seen = list_seen(&mut nodes.two.read(), ALICE).await.unwrap();
        let forgotten = SeenDevice {
            device_id: "PHONE".to_owned(),
            last_seen_ms: NOW_MS,
            ..SeenDevice::default()
        };
        assert_eq!(seen, [forgotten]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_device_without_a_session_is_one_all_the_same() {
    for nodes in test_stores::both().await {
        commit(&nodes.one, |writes| {
            insert_without_session(writes, &device("DRY"));
            insert(writes, &device("PHONE"), &tokens(1), NOW_MS);
        })
        .await
        .unwrap();
        let mut read = nodes.two.read();
        let dry = find_device(&mut read, ALICE, "DRY").await.unwrap();
        assert_eq!(dry, Some(device("DRY")));
        let again = commit(&nodes.two, |writes| {
            insert_without_session(writes, &device("PHONE"));
        });
        assert!(matches!(again.await, Err(StoreError::Conflict)));
        for (version, fits) in [(1, true), (2, false)] {
            let mut writes = WriteSet::new();
            expect_version(&mut writes, (ALICE, "DRY"), version);
            assert_eq!(nodes.two.commit(writes).await.is_ok(), fits);
        }
        nodes.close().await;
    }
}
