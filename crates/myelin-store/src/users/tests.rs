use super::*;
use crate::{Store, StoreError, test_stores};

fn user(number: i64) -> User {
    User {
        number,
        user_id: format!("@user{number}:localhost"),
        password_hash: None,
        created_ms: 1_767_225_600_000,
        guest: true,
        version: 1,
        ..User::default()
    }
}

async fn commit(store: &Store, build: impl FnOnce(&mut WriteSet)) -> StoreResult<()> {
    let mut writes = WriteSet::new();
    build(&mut writes);
    store.commit(writes).await.map(drop)
}

async fn read(store: &Store, number: i64) -> Option<User> {
    find(&mut store.read(), number).await.unwrap()
}

#[tokio::test]
async fn an_account_is_read_as_it_was_written() {
    for nodes in test_stores::both().await {
        let bare = user(7);
        let full = User {
            password_hash: Some("$argon2id$...".to_owned()),
            deactivated_ms: Some(5),
            admin: true,
            guest: false,
            locked: true,
            suspended: true,
            erased_ms: Some(6),
            terms_version: Some("1.2".to_owned()),
            ..user(8)
        };
        for account in [&bare, &full] {
            commit(&nodes.one, |writes| insert(writes, account))
                .await
                .unwrap();
            assert_eq!(
                read(&nodes.two, account.number).await.as_ref(),
                Some(account)
            );
        }
        assert_eq!(read(&nodes.two, 9).await, None);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_number_has_one_account() {
    for nodes in test_stores::both().await {
        commit(&nodes.one, |writes| insert(writes, &user(7)))
            .await
            .unwrap();
        let again = commit(&nodes.two, |writes| insert(writes, &user(7))).await;
        assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_change_built_on_an_old_version_falls() {
    for nodes in test_stores::both().await {
        let old = user(7);
        commit(&nodes.one, |writes| insert(writes, &old))
            .await
            .unwrap();
        let changed = User {
            admin: true,
            ..old.clone()
        };
        commit(&nodes.one, |writes| update(writes, &changed))
            .await
            .unwrap();
        let raised = User {
            version: 2,
            ..changed.clone()
        };
        assert_eq!(read(&nodes.two, 7).await, Some(raised.clone()));

        let late = commit(&nodes.two, |writes| update(writes, &old)).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        let with_other = |account: User| {
            let mut writes = WriteSet::new();
            expect(&mut writes, &account);
            insert(&mut writes, &user(account.version + 100));
            writes
        };
        let late = nodes.two.commit(with_other(old)).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        nodes.two.commit(with_other(raised)).await.unwrap();
        assert_eq!(read(&nodes.one, 101).await, None);
        assert!(read(&nodes.one, 102).await.is_some());
        nodes.close().await;
    }
}

#[tokio::test]
async fn accounts_are_listed_page_by_page() {
    for nodes in test_stores::both().await {
        for number in [9, 7, 8] {
            commit(&nodes.one, |writes| insert(writes, &user(number)))
                .await
                .unwrap();
        }
        let mut read = nodes.two.read();
        assert_eq!(list(&mut read, 0, 2).await.unwrap(), [user(7), user(8)]);
        assert_eq!(list(&mut read, 8, 2).await.unwrap(), [user(9)]);
        assert_eq!(list(&mut read, 9, 2).await.unwrap(), []);
        nodes.close().await;
    }
}

#[tokio::test]
async fn users_are_found_and_those_who_asked_for_erasure() {
    for nodes in test_stores::both().await {
        let erased = User {
            erased_ms: Some(5),
            ..user(8)
        };
        commit(&nodes.one, |writes| {
            insert(writes, &user(7));
            insert(writes, &erased);
        })
        .await
        .unwrap();
        let mut read = nodes.two.read();
        let found = list_erased(&mut read, &[7, 8, 9]).await.unwrap();
        assert_eq!(found, [(8, 5)]);
        assert!(list_erased(&mut read, &[7]).await.unwrap().is_empty());
        let found = list_existing(&mut read, &[9, 8, 7]).await.unwrap();
        assert_eq!(found, [7, 8]);
        nodes.close().await;
    }
}
