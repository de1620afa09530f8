use super::*;
use crate::{Store, StoreError, test_stores};

const PHONE: (i64, &str) = (7, "PHONE");
const LAPTOP: (i64, &str) = (7, "LAPTOP");

fn key(algorithm: i64, key_id: &str) -> OneTimeKey {
    OneTimeKey {
        algorithm,
        key_id: key_id.to_owned(),
        value: format!("\"{key_id}\"").into(),
    }
}

async fn upload(
    store: &Store,
    owner: (i64, &str),
    (next, keys): (Option<i64>, &[OneTimeKey]),
) -> StoreResult<()> {
    let mut writes = WriteSet::new();
    insert(&mut writes, owner, next, keys);
    store.commit(writes).await.map(drop)
}

/// The ids of the keys that one set takes.
async fn take_from(store: &Store, owners: &[((i64, &str), i64)]) -> Vec<Option<String>> {
    let mut writes = WriteSet::new();
    let places: Vec<usize> = owners
        .iter()
        .map(|(owner, algorithm)| take(&mut writes, *owner, *algorithm))
        .collect();
    let committed = store.commit(writes).await.unwrap();
    let keys = places.into_iter().map(|place| {
        let row = committed.taken[place].as_ref()?;
        Some(from_taken(row).unwrap().key_id)
    });
    keys.collect()
}

/// Takes two keys of one device and one of the other.
async fn take_three(store: Store) -> Vec<Option<String>> {
    take_from(&store, &[(PHONE, 5), (LAPTOP, 5), (PHONE, 5)]).await
}

#[tokio::test]
async fn keys_are_taken_in_the_order_of_their_upload() {
    for nodes in test_stores::both().await {
        let first = [key(5, "z"), key(6, "other"), key(5, "b")];
        upload(&nodes.one, PHONE, (None, &first)).await.unwrap();
        let stale = upload(&nodes.two, PHONE, (None, &[key(5, "c")])).await;
        assert!(matches!(stale, Err(StoreError::Conflict)), "{stale:?}");
        let mut read = nodes.two.read();
        let next = find_next(&mut read, PHONE).await.unwrap();
        assert_eq!(next, Some(4));
        let second = [key(5, "a")];
        upload(&nodes.two, PHONE, (next, &second)).await.unwrap();
        let upload_of_laptop = [key(5, "laptop")];
        upload(&nodes.one, LAPTOP, (None, &upload_of_laptop))
            .await
            .unwrap();
        assert_eq!(list(&mut read, PHONE).await.unwrap().len(), 4);
        let counted = counts(&mut read, PHONE).await.unwrap();
        assert_eq!(counted.one_time, [(5, 3), (6, 1)]);
        // One set takes below many prefixes, and twice below one of them.
        let wanted = [
            (PHONE, 5),
            (LAPTOP, 5),
            (PHONE, 5),
            ((8, "X"), 5),
            (PHONE, 9),
        ];
        let taken = take_from(&nodes.two, &wanted).await;
        let taken: Vec<_> = taken.iter().map(Option::as_deref).collect();
        assert_eq!(taken, [Some("z"), Some("laptop"), Some("b"), None, None]);
        let rest = take_from(&nodes.one, &[(PHONE, 5), (PHONE, 5)]).await;
        assert_eq!(rest, [Some("a".to_owned()), None]);
        nodes.close().await;
    }
}

#[tokio::test]
async fn each_key_has_one_taker() {
    for nodes in test_stores::both().await {
        let keys: Vec<_> = (0..40).map(|n| key(5, &n.to_string())).collect();
        upload(&nodes.one, PHONE, (None, &keys)).await.unwrap();
        upload(&nodes.one, LAPTOP, (None, &keys)).await.unwrap();
        let mut takers = tokio::task::JoinSet::new();
        for turn in 0..25 {
            let store = nodes.by_turns(turn).clone();
            takers.spawn(take_three(store));
        }
        let (mut of_phone, mut of_laptop) = (Vec::new(), Vec::new());
        for taken in takers.join_all().await {
            of_phone.extend([&taken[0], &taken[2]].into_iter().flatten().cloned());
            of_laptop.extend(taken[1].clone());
        }
        assert_eq!((of_phone.len(), of_laptop.len()), (40, 25));
        for taken in [&mut of_phone, &mut of_laptop] {
            let count = taken.len();
            taken.sort_unstable();
            taken.dedup();
            assert_eq!(taken.len(), count, "none twice");
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_fallback_key_stays_until_it_is_replaced() {
    for nodes in test_stores::both().await {
        let put = async |key: &OneTimeKey, is_used, version| {
            let mut writes = WriteSet::new();
            put_fallback(&mut writes, PHONE, (key, is_used), version);
            nodes.two.commit(writes).await.map(drop)
        };
        put(&key(5, "first"), false, None).await.unwrap();
        put(&key(6, "other"), true, None).await.unwrap();
        let mut read = nodes.one.read();
        let counted = counts(&mut read, PHONE).await.unwrap();
        assert_eq!(counted.unused_fallback, [5]);
        let found = list_fallback(&mut read, &[7, 8]).await.unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].key, key(5, "first"));
        assert_eq!((found[0].is_used, found[1].is_used), (false, true));
        let stale = put(&key(5, "second"), true, None).await;
        assert!(matches!(stale, Err(StoreError::Conflict)), "{stale:?}");
        put(&key(5, "second"), true, Some(1)).await.unwrap();
        let found = list_fallback(&mut read, &[7]).await.unwrap();
        assert_eq!((&found[0].key, found[0].version), (&key(5, "second"), 2));
        nodes.close().await;
    }
}

#[tokio::test]
async fn keys_go_with_their_device() {
    for nodes in test_stores::both().await {
        for owner in [PHONE, LAPTOP] {
            let mut writes = WriteSet::new();
            insert(&mut writes, owner, None, &[key(5, "a"), key(6, "b")]);
            put_fallback(&mut writes, owner, (&key(5, "f"), false), None);
            nodes.one.commit(writes).await.unwrap();
        }
        let mut writes = WriteSet::new();
        delete_of_device(&mut writes, PHONE);
        log_change(&mut writes, LAPTOP);
        nodes.two.commit(writes).await.unwrap();
        let mut read = nodes.one.read();
        let gone = counts(&mut read, PHONE).await.unwrap();
        assert_eq!(gone, KeyCounts::default());
        assert_eq!(find_next(&mut read, PHONE).await.unwrap(), None);
        let left = counts(&mut read, LAPTOP).await.unwrap();
        assert_eq!(left.one_time, [(5, 1), (6, 1)]);
        assert_eq!(left.unused_fallback, [5]);
        nodes.close().await;
    }
}
