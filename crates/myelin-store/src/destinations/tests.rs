use super::*;
use crate::{StoreError, deliveries, room_servers, test_stores};

#[tokio::test]
async fn a_row_is_written_by_whoever_knows_it_and_goes() {
    for nodes in test_stores::both().await {
        let new = Destination {
            server: 7,
            cursor: 5,
            failures: 1,
            failing_since_ms: 100,
            next_try_ms: 200,
            ..Destination::default()
        };
        let mut writes = WriteSet::new();
        let first = put(&mut writes, &new);
        nodes.one.commit(writes).await.unwrap();
        assert_eq!(list(&mut nodes.two.read()).await.unwrap(), [first]);
        let found = list_of(&mut nodes.two.read(), &[6, 7]).await.unwrap();
        assert_eq!(found, [first]);
        assert!(
            list_of(&mut nodes.two.read(), &[8])
                .await
                .unwrap()
                .is_empty()
        );

        let mut writes = WriteSet::new();
        let second = put(
            &mut writes,
            &Destination {
                target: 9,
                room: 3,
                room_cursor: 4,
                newest_only: true,
                ..first
            },
        );
        nodes.two.commit(writes).await.unwrap();
        for stale in [new, first] {
            let mut writes = WriteSet::new();
            put(&mut writes, &stale);
            let refused = nodes.one.commit(writes).await;
            assert!(matches!(refused, Err(StoreError::Conflict)));
            let mut writes = WriteSet::new();
            delete(&mut writes, &stale);
            let refused = nodes.one.commit(writes).await;
            assert!(matches!(refused, Err(StoreError::Conflict)));
        }
        assert_eq!(list(&mut nodes.two.read()).await.unwrap(), [second]);

        let mut writes = WriteSet::new();
        delete(&mut writes, &second);
        nodes.one.commit(writes).await.unwrap();
        assert!(list(&mut nodes.two.read()).await.unwrap().is_empty());
        nodes.close().await;
    }
}

#[tokio::test]
async fn the_rooms_that_a_server_missed_something_in_are_found() {
    for nodes in test_stores::both().await {
        let server = 7;
        let mut positions = Vec::new();
        // Nothing happens in the second; the third was left.
        for (room, joined, happens_in) in [(1, 1, 1), (2, 1, 9), (3, 0, 3), (4, 1, 4), (5, 1, 5)] {
            let mut writes = WriteSet::new();
            room_servers::add(&mut writes, room, server, joined);
            deliveries::insert(&mut writes, happens_in, 100 + room);
            positions.push(nodes.one.commit(writes).await.unwrap().last);
        }
        let all = (0, positions[4]);
        let read = &mut nodes.two.read();
        let found = list_missed_rooms(read, server, all, (0, 9)).await;
        let rooms: Vec<_> = found
            .unwrap()
            .iter()
            .map(|found| (found.room, found.joined))
            .collect();
        // What happened in the third before it was left may be missing.
        assert_eq!(rooms, [(1, 1), (3, 0), (4, 1), (5, 1)]);
        let after_the_first = (positions[0], positions[3]);
        let found = list_missed_rooms(read, server, after_the_first, (0, 9)).await;
        assert_eq!(found.unwrap().len(), 2);
        let found = list_missed_rooms(read, server, all, (2, 2)).await;
        assert_eq!(found.unwrap().len(), 2);
        let found = list_missed_rooms(read, 8, all, (0, 9)).await;
        assert!(found.unwrap().is_empty());
        nodes.close().await;
    }
}
