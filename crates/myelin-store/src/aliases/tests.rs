use super::*;
use crate::{Store, StoreError, test_stores};

async fn commit(store: &Store, build: impl FnOnce(&mut WriteSet)) -> StoreResult<()> {
    let mut writes = WriteSet::new();
    build(&mut writes);
    store.commit(writes).await.map(drop)
}

#[tokio::test]
async fn a_name_is_given_once_moved_and_taken() {
    for nodes in test_stores::both().await {
        let of = |room| Alias { room, creator: 7 };
        let found = async |alias| find_alias(&mut nodes.two.read(), alias).await.unwrap();
        for (alias, room) in [("#b", 1), ("#a", 1), ("#c", 2)] {
            commit(&nodes.one, |writes| insert(writes, alias, room, 7))
                .await
                .unwrap();
        }
        let taken = commit(&nodes.two, |writes| insert(writes, "#a", 2, 7)).await;
        assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
        assert_eq!(list(&mut nodes.two.read(), 1).await.unwrap(), ["#a", "#b"]);
        let mut read = nodes.two.read();
        for (limit, names) in [(9, vec!["#a", "#b"]), (1, vec!["#a"])] {
            let listed = list_with_creators(&mut read, 1, limit).await.unwrap();
            let wanted: Vec<_> = names
                .into_iter()
                .map(|name| (name.to_owned(), of(1)))
                .collect();
            assert_eq!(listed, wanted);
        }
        assert_eq!(found("#a").await, Some(of(1)));
        assert_eq!(found("#d").await, None);

        commit(&nodes.one, |writes| move_to(writes, "#a", of(1), 2))
            .await
            .unwrap();
        assert_eq!(found("#a").await, Some(of(2)));
        for late in [
            commit(&nodes.two, |writes| move_to(writes, "#a", of(1), 3)).await,
            commit(&nodes.two, |writes| delete(writes, "#a", 1)).await,
            commit(&nodes.two, |writes| delete(writes, "#d", 1)).await,
        ] {
            assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        }
        commit(&nodes.one, |writes| delete(writes, "#a", 2))
            .await
            .unwrap();
        assert_eq!(found("#a").await, None);
        assert_eq!(find(&mut nodes.two.read(), "#b").await.unwrap(), Some(1));
        nodes.close().await;
    }
}
