use super::*;
use crate::{StoreError, test_stores};

const USER: i64 = 40;

#[tokio::test]
async fn a_profile_is_read_as_it_was_written() {
    for nodes in test_stores::both().await {
        let empty = find(&mut nodes.one.read(), USER).await.unwrap();
        assert_eq!(empty, Profile::default());
        let full = Profile {
            displayname: Some("Alice \0".to_owned()),
            avatar_url: Some("mxc://localhost/a".to_owned()),
            fields: Bytes::from_static(br#"{"m.tz":"Europe/London"}"#),
            ..empty
        };
        let bare = Profile {
            version: 1,
            ..Profile::default()
        };
        for profile in [full, bare] {
            let before = find(&mut nodes.one.read(), USER).await.unwrap();
            let mut writes = WriteSet::new();
            update(&mut writes, USER, &before, &profile);
            nodes.one.commit(writes).await.unwrap();
            let found = find(&mut nodes.two.read(), USER).await.unwrap();
            let version = before.version + 1;
            assert_eq!(found, Profile { version, ..profile });
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_change_built_on_an_old_profile_falls() {
    for nodes in test_stores::both().await {
        let old = Profile::default();
        let mut writes = WriteSet::new();
        update(&mut writes, USER, &old, &old);
        nodes.one.commit(writes).await.unwrap();
        let mut late = [WriteSet::new(), WriteSet::new()];
        update(&mut late[0], USER, &old, &old);
        expect(&mut late[1], USER, &old);
        for late in late {
            let late = nodes.two.commit(late).await;
            assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        }
        nodes.close().await;
    }
}
