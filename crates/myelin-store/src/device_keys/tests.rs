use super::*;
use crate::{
    StoreError,
    sessions::{self, Device, NewTokens},
    test_stores,
};

const PHONE: (i64, &str) = (7, "PHONE");

#[tokio::test]
async fn keys_are_read_with_their_device_and_go_with_it() {
    for nodes in test_stores::both().await {
        let device = Device {
            user_number: 7,
            device_id: "PHONE".to_owned(),
            display_name: Some("My phone".to_owned()),
            version: 1,
            ..Device::default()
        };
        let tokens = NewTokens {
            access: [1; 32],
            expires_ms: None,
            refresh: None,
        };
        let mut writes = WriteSet::new();
        sessions::insert(&mut writes, &device, &tokens, 1);
        put(&mut writes, PHONE, "first".into(), None);
        // Nobody has this device.
        put(&mut writes, (7, "TABLET"), "orphan".into(), None);
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        assert_eq!(find(&mut read, (8, "PHONE")).await.unwrap(), None);
        let found = find(&mut read, PHONE).await.unwrap().unwrap();
        assert_eq!(found.keys, "first");
        assert_eq!(found.display_name.as_deref(), Some("My phone"));
        for (keys, version, fits) in [("stale", None, false), ("second", Some(1), true)] {
            let mut writes = WriteSet::new();
            put(&mut writes, PHONE, keys.into(), version);
            let put = nodes.two.commit(writes).await;
            assert_eq!(put.is_ok(), fits);
            assert!(fits || matches!(put, Err(StoreError::Conflict)));
        }
        let all = list(&mut read, &[7, 8]).await.unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!((&all[0].keys[..], all[0].version), (&b"second"[..], 2));
        for (version, fits) in [(None, false), (Some(2), true)] {
            let mut writes = WriteSet::new();
            delete(&mut writes, PHONE, version);
            assert_eq!(nodes.one.commit(writes).await.is_ok(), fits);
        }
        assert_eq!(list(&mut read, &[7]).await.unwrap(), []);
        nodes.close().await;
    }
}
