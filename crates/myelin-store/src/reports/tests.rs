use super::*;
use crate::test_stores;

fn report(report: i64, received_ms: i64, about: Reported) -> Report {
    Report {
        report,
        received_ms,
        reporter: 40,
        about,
        reason: None,
        score: None,
    }
}

#[tokio::test]
async fn reports_are_listed_in_the_order_in_which_they_came() {
    for nodes in test_stores::both().await {
        let event = Reported::Event { room: 2, event: 3 };
        let all = [
            report(9, 1_000, Reported::Room(1)),
            Report {
                reason: Some("sad \0".to_owned()),
                score: Some(-100),
                ..report(1, 2_000, event)
            },
            report(5, 2_000, Reported::User(4)),
        ];
        for report in all.iter().rev() {
            let mut writes = WriteSet::new();
            insert(&mut writes, report);
            nodes.one.commit(writes).await.unwrap();
        }
        let mut read = nodes.two.read();
        for (after, limit, found) in [
            ((0, 0), 9, &all[..]),
            ((0, 0), 2, &all[..2]),
            ((1_000, 9), 9, &all[1..]),
            ((2_000, 1), 9, &all[2..]),
            ((2_000, 5), 9, &[]),
        ] {
            assert_eq!(list(&mut read, after, limit).await.unwrap(), found);
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_number_names_one_report() {
    for nodes in test_stores::both().await {
        let mut result = Ok(());
        for _ in 0..2 {
            let mut writes = WriteSet::new();
            insert(&mut writes, &report(9, 1, Reported::Room(1)));
            result = nodes.one.commit(writes).await.map(drop);
        }
        assert!(matches!(result, Err(StoreError::Conflict)), "{result:?}");
        nodes.close().await;
    }
}
