use super::*;
use crate::test_stores;

#[tokio::test]
async fn the_newest_change_of_each_device_is_told() {
    for nodes in test_stores::both().await {
        let changes = [
            (7, Some("PHONE"), &[1, 2][..]),
            (8, None, &[]),
            (7, Some("LAPTOP"), &[1]),
            (7, Some("PHONE"), &[-3, i64::MAX]),
            (7, None, &[4]),
        ];
        let before = nodes.one.live().catch_up().await.unwrap();
        for (turn, (user, device, changed)) in changes.into_iter().enumerate() {
            let mut writes = WriteSet::new();
            match device {
                Some(device) => log_device(&mut writes, (user, device), changed),
                None => log_keys(&mut writes, user, changed),
            }
            nodes.by_turns(turn).commit(writes).await.unwrap();
        }
        let mut read = nodes.two.read();
        let entries = list(&mut read, (0, i64::MAX), i64::MAX).await.unwrap();
        let told: Vec<_> = entries
            .iter()
            .map(|entry| {
                assert_eq!(changed_user(entry), entry.subject);
                (entry.subject, device(entry), rooms(entry).collect())
            })
            .collect();
        let expected = [
            (8, None, vec![]),
            (7, Some("LAPTOP"), vec![1]),
            (7, Some("PHONE"), vec![-3, i64::MAX]),
            (7, None, vec![4]),
        ];
        assert_eq!(told, expected);
        let first = list(&mut read, (before, i64::MAX), 1).await.unwrap();
        assert_eq!(first, entries[..1]);
        let none = list(&mut read, (i64::MAX - 1, i64::MAX), 9).await.unwrap();
        assert!(none.is_empty());
        // Those about the cross-signing keys are none of a device.
        let [_, laptop, phone, keys] = &entries[..] else {
            panic!("there are four");
        };
        let of_user = list_of_user(&mut read, 7).await.unwrap();
        assert_eq!(of_user, [laptop.clone(), phone.clone()]);
        assert!(list_of_user(&mut read, 8).await.unwrap().is_empty());
        for (at, expected) in [
            (i64::MAX, phone.pos),
            (keys.pos, phone.pos),
            (phone.pos, laptop.pos),
            (laptop.pos, 0),
        ] {
            let found = find_change_before(&mut read, 7, at).await.unwrap();
            assert_eq!(found, expected);
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_view_of_others_keys_is_about_them() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        log_view(&mut writes, 7, 9);
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let entries = list(&mut read, (0, i64::MAX), 9).await.unwrap();
        let told: Vec<_> = entries
            .iter()
            .map(|entry| (entry.subject, changed_user(entry), device(entry)))
            .collect();
        assert_eq!(told, [(7, 9, None)]);
        assert_eq!(rooms(&entries[0]).count(), 0);
        nodes.close().await;
    }
}

#[tokio::test]
async fn who_waits_in_one_of_the_rooms_is_woken() {
    for nodes in test_stores::both().await {
        let watch = nodes.two.live().watch();
        watch.add(2);
        let mark = watch.mark();
        let mut writes = WriteSet::new();
        log_device(&mut writes, (7, "PHONE"), &[1, 2]);
        nodes.one.commit(writes).await.unwrap();
        watch.changed_since(mark).await;
        nodes.close().await;
    }
}
