use super::*;
use crate::{Store, events, events::StoredEvent, test_stores};

fn place(event: i64, auth_events: &[i64]) -> AuthNode {
    AuthNode {
        event,
        key: StateKey {
            event_type: 2,
            state_key: event + 100,
        },
        generation: event,
        power_levels: auth_events.first().copied(),
        auth_events: auth_events.to_vec(),
    }
}

async fn put(store: &Store, places: &[AuthNode]) {
    let mut writes = WriteSet::new();
    for place in places {
        insert(&mut writes, place);
    }
    store.commit(writes).await.unwrap();
}

fn question(event: i64, before: Option<i64>, limit: usize) -> Citing {
    Citing {
        event,
        before,
        limit,
        climb: 0,
    }
}

#[tokio::test]
async fn places_are_found_by_number() {
    for nodes in test_stores::both().await {
        let places = [place(1, &[]), place(2, &[1]), place(3, &[2, 1])];
        put(&nodes.one, &places).await;
        let mut read = nodes.two.read();
        let mut found = list(&mut read, &[3, 1, 2, 9]).await.unwrap();
        found.sort_by_key(|place| place.event);
        assert_eq!(found, places);
        assert_eq!(list(&mut read, &[]).await.unwrap(), []);
        nodes.close().await;
    }
}

#[tokio::test]
async fn places_are_found_by_the_events_ids() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for number in [1, 2] {
            events::insert(&mut writes, &event(number));
        }
        insert(&mut writes, &place(1, &[]));
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let found = list_by_ids(&mut read, &["$1", "$2", "$3"]).await.unwrap();
        assert_eq!(found, [("$1".to_owned(), place(1, &[]))]);
        assert_eq!(list_by_ids(&mut read, &[]).await.unwrap(), []);
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_cites_an_event_is_listed_from_the_newest_page_by_page() {
    for nodes in test_stores::both().await {
        let mut places = vec![place(1, &[]), place(2, &[1])];
        places.extend((3..=12).map(|event| place(event, &[2])));
        put(&nodes.one, &places).await;
        let mut read = nodes.two.read();
        let questions = [
            question(1, None, 4),
            question(2, None, 4),
            question(12, None, 4),
            question(2, Some(9), 3),
            question(2, None, 2),
            question(2, Some(4), 9),
        ];
        let mut found = list_citing(&mut read, &questions).await.unwrap();
        for (index, wanted) in [
            vec![2],
            vec![12, 11, 10, 9],
            vec![],
            vec![8, 7, 6],
            vec![12, 11],
            vec![3],
        ]
        .into_iter()
        .enumerate()
        {
            let at = found
                .iter()
                .position(|(answered, _)| *answered == questions[index]);
            let (_, citing) = found.remove(at.unwrap());
            let wanted: Vec<AuthNode> = wanted
                .into_iter()
                .map(|it| places[it - 1].clone())
                .collect();
            assert_eq!(citing, wanted);
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_few_of_the_newest_are_found_without_looking_at_the_others() {
    for nodes in test_stores::both().await {
        let mut places = vec![place(1, &[])];
        places.extend((2..=400).map(|event| place(event, &[1])));
        put(&nodes.one, &places).await;
        let mut read = nodes.one.read();
        let before = nodes.one.counts();
        let questions: Vec<Citing> = (1..=50).map(|event| question(event, None, 4)).collect();
        list_citing(&mut read, &questions).await.unwrap();
        let after = nodes.one.counts();
        assert_eq!(after.statements - before.statements, 2);
        assert_eq!(after.rows_read - before.rows_read, 50 + 4);
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_long_way_is_gone_by_one_statement() {
    for nodes in test_stores::both().await {
        let mut places = vec![place(1, &[]), place(2, &[1])];
        places.extend((3..=100).map(|event| place(event, &[event - 1, 1])));
        put(&nodes.one, &places).await;
        let mut read = nodes.one.read();
        let before = nodes.one.counts();
        let asked = Citing {
            climb: 50,
            ..question(10, Some(12), 4)
        };
        let found = list_citing(&mut read, &[asked]).await.unwrap();
        let after = nodes.one.counts();
        assert_eq!(after.statements - before.statements, 2);
        let answers: Vec<(Citing, Vec<i64>)> = found
            .iter()
            .map(|(asked, found)| (*asked, found.iter().map(|place| place.event).collect()))
            .collect();
        assert_eq!(answers[0], (asked, vec![11]));
        let newest = (10..60).map(|event| (question(event, None, 1), vec![event + 1]));
        assert_eq!(answers[1..], newest.collect::<Vec<_>>());

        let asked = Citing {
            climb: 50,
            ..question(99, None, 4)
        };
        let found = list_citing(&mut read, &[asked]).await.unwrap();
        assert_eq!(found.len(), 2, "nothing cites the newest");
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_place_that_is_there_stays() {
    for nodes in test_stores::both().await {
        put(&nodes.one, &[place(1, &[])]).await;
        put(&nodes.one, &[place(1, &[7])]).await;
        let mut read = nodes.two.read();
        assert_eq!(list(&mut read, &[1]).await.unwrap(), [place(1, &[])]);
        nodes.close().await;
    }
}

fn event(number: i64) -> StoredEvent {
    StoredEvent {
        event: number,
        id: format!("${number}"),
        room: 1,
        room_order: number,
        event_type: 2,
        state_key: Some(3),
        sender: 3,
        depth: number,
        origin_server_ts: 4,
        status: events::Status::Accepted,
        root_before: Vec::new().into(),
        device: None,
        txn_id: None,
        delayed: None,
        json: "{}".to_owned(),
        redaction: None,
    }
}
