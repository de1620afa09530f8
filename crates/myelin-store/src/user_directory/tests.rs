use super::*;
use crate::{
    profiles::{self, Profile},
    test_stores,
    users::{self, User},
};

fn user(number: i64, user_id: &str) -> User {
    User {
        number,
        user_id: user_id.to_owned(),
        version: 1,
        ..User::default()
    }
}

fn named(name: &str) -> Profile {
    Profile {
        displayname: Some(name.to_owned()),
        ..Profile::default()
    }
}

#[test]
fn texts_are_split_into_words() {
    for (text, wanted) in [
        ("", vec![]),
        ("alice", vec!["alice"]),
        ("Alice  Margatroid!", vec!["alice", "margatroid"]),
        ("a.b-c_d=e/f+g", vec!["a", "b", "c", "d", "e", "f", "g"]),
        ("\u{c4}RGER \u{1f98b} x2", vec!["x2", "\u{e4}rger"]),
        ("twice TWICE", vec!["twice"]),
    ] {
        assert_eq!(
            words(text).into_iter().collect::<Vec<_>>(),
            wanted,
            "{text}"
        );
    }
    assert_eq!(words(&"a ".repeat(9_999)).len(), 1);
    let long = words(&"x".repeat(100));
    assert_eq!(long.first().unwrap().len(), WORD_CHARS_MAX);
    let many: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(words(&many.join(" ")).len(), WORDS_MAX);
    assert_eq!(localpart("@a.b:example.org:8448"), "a.b");
}

#[tokio::test]
async fn users_are_found_by_localpart_and_display_name() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        users::insert(&mut writes, &user(10, "@alice:x"));
        users::insert(&mut writes, &user(11, "@al.ice:x"));
        users::insert(&mut writes, &user(12, "@bob:x"));
        profiles::update(
            &mut writes,
            12,
            &Profile::default(),
            &named("Alistair \u{e4}"),
        );
        profiles::update(&mut writes, 10, &Profile::default(), &named("Alice"));
        nodes.one.commit(writes).await.unwrap();

        let mut read = nodes.two.read();
        let place = |word: &str, user| DirectoryPlace {
            word: word.to_owned(),
            user,
        };
        let start = DirectoryPlace::default();
        let all = list(&mut read, "al", &start, 9).await.unwrap();
        let wanted = [place("al", 11), place("alice", 10), place("alistair", 12)];
        assert_eq!(all, wanted);
        let first = list(&mut read, "al", &start, 2).await.unwrap();
        assert_eq!(first, wanted[..2]);
        let rest = list(&mut read, "al", &wanted[0], 9).await.unwrap();
        assert_eq!(rest, wanted[1..]);
        let found = list(&mut read, "\u{e4}", &start, 9).await.unwrap();
        assert_eq!(found, [place("\u{e4}", 12)]);
        for unknown in ["alx", "b", "lice"] {
            let found = list(&mut read, unknown, &start, 9).await.unwrap();
            assert_eq!(found.len(), usize::from(unknown == "b"), "{unknown}");
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_new_name_takes_the_place_of_the_old_one() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        users::insert(&mut writes, &user(10, "@alice:x"));
        let before = named("Old Alice Name");
        profiles::update(&mut writes, 10, &Profile::default(), &before);
        nodes.one.commit(writes).await.unwrap();
        let mut writes = WriteSet::new();
        let before = Profile {
            version: 1,
            ..before
        };
        let after = Profile {
            displayname: Some("New Name".to_owned()),
            ..before.clone()
        };
        profiles::update(&mut writes, 10, &before, &after);
        nodes.two.commit(writes).await.unwrap();
        let mut read = nodes.one.read();
        for (word, found) in [("old", 0), ("new", 1), ("name", 1), ("alice", 1)] {
            let places = list(&mut read, word, &DirectoryPlace::default(), 9).await;
            assert_eq!(places.unwrap().len(), found, "{word}");
        }
        nodes.close().await;
    }
}

#[tokio::test]
async fn guests_and_deactivated_users_are_not_shown() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        users::insert(&mut writes, &user(10, "@alice:x"));
        let deactivated = User {
            deactivated_ms: Some(1),
            ..user(11, "@bob:x")
        };
        users::insert(&mut writes, &deactivated);
        let guest = User {
            guest: true,
            ..user(12, "@carol:x")
        };
        users::insert(&mut writes, &guest);
        profiles::update(&mut writes, 10, &Profile::default(), &named("Alice"));
        nodes.one.commit(writes).await.unwrap();
        let shown = list_users(&mut nodes.two.read(), &[10, 11, 12, 13]).await;
        let alice = DirectoryUser {
            number: 10,
            user_id: "@alice:x".to_owned(),
            displayname: Some("Alice".to_owned()),
            avatar_url: None,
        };
        assert_eq!(shown.unwrap(), [alice]);
        nodes.close().await;
    }
}
