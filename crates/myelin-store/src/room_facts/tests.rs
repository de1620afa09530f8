use super::*;
use crate::test_stores;

#[tokio::test]
async fn facts_are_what_was_last_written() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        for fact in Fact::ALL {
            put(&mut writes, 1, fact, Some(&format!("{fact:?} \0")));
        }
        put(&mut writes, 2, Fact::Name, Some("two"));
        put(&mut writes, 3, Fact::Name, Some("three"));
        nodes.one.commit(writes).await.unwrap();
        let mut writes = WriteSet::new();
        put(&mut writes, 1, Fact::Name, Some("one"));
        put(&mut writes, 1, Fact::Topic, None);
        put(&mut writes, 2, Fact::Topic, None);
        nodes.one.commit(writes).await.unwrap();
        let mut found = list(&mut nodes.two.read(), &[1, 2, 9]).await.unwrap();
        found.sort();
        let mut wanted: Vec<_> = Fact::ALL
            .into_iter()
            .filter(|fact| *fact != Fact::Topic)
            .map(|fact| (1, fact, format!("{fact:?} \0")))
            .collect();
        wanted[0].2 = "one".to_owned();
        wanted.push((2, Fact::Name, "two".to_owned()));
        assert_eq!(found, wanted);
        assert_eq!(list(&mut nodes.two.read(), &[]).await.unwrap(), []);
        nodes.close().await;
    }
}
