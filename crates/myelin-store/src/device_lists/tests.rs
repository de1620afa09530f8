use super::*;
use crate::test_stores;

#[tokio::test]
async fn the_newest_change_of_each_user_is_told() {
    for nodes in test_stores::both().await {
        for (turn, (user, changed)) in [(7, &[1, 2][..]), (8, &[]), (7, &[-3, i64::MAX])]
            .into_iter()
            .enumerate()
        {
            let mut writes = WriteSet::new();
            log_change(&mut writes, user, changed);
            nodes.by_turns(turn).commit(writes).await.unwrap();
        }
        let mut read = nodes.two.read();
        let entries = list(&mut read, (0, i64::MAX)).await.unwrap();
        let told: Vec<(i64, Vec<i64>)> = entries
            .iter()
            .map(|entry| (entry.subject, rooms(entry).collect()))
            .collect();
        assert_eq!(told, [(8, vec![]), (7, vec![-3, i64::MAX])]);
        let entries = list(&mut read, (2, 2)).await.unwrap();
        assert!(entries.is_empty());
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
        log_change(&mut writes, 7, &[1, 2]);
        nodes.one.commit(writes).await.unwrap();
        watch.changed_since(mark).await;
        nodes.close().await;
    }
}
