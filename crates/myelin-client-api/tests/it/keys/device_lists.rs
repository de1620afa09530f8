//! `device_lists` in `/sync`, and `GET /keys/changes`

use http::Method;
use myelin_testkit::{Mode, TestServer, User, encode, fill_room, run, text, three_modes};
use serde_json::{Value, json};

use super::material::{query, upload_device_keys};
use crate::{covers, send_event_to_device::log_in};

three_modes!(
    who_shares_a_room_hears_of_new_keys,
    who_joins_a_room_hears_of_its_members,
    who_is_invited_or_knocks_is_told,
    who_comes_and_goes_is_told,
    many_changes_are_told_once,
    an_old_token_tells_the_same,
    what_changed_while_one_was_away_is_told,
    a_change_ends_the_wait_of_those_who_share_a_room,
    changes_are_listed_between_tokens,
    odd_tokens_are_refused,
);

covers! {
    "GET /_matrix/client/v3/keys/changes":
        works = changes_are_listed_between_tokens;
}

async fn encrypted_room(user: &User) -> String {
    let encryption = json!({
        "type": "m.room.encryption",
        "state_key": "",
        "content": {"algorithm": "m.megolm.v1.aes-sha2"},
    });
    let body = json!({"preset": "public_chat", "initial_state": [encryption]});
    user.create_room_with(body).await
}

/// A client that polls.
struct Client {
    user: User,
    since: String,
}

impl Client {
    async fn new(user: &User) -> Self {
        let since = text(&user.sync(None).await, "next_batch");
        Self {
            user: user.clone(),
            since,
        }
    }

    /// What changed and what was left since the last poll, sorted.
    async fn poll(&mut self) -> (Vec<String>, Vec<String>) {
        let sync = self.user.sync(Some(&self.since)).await;
        self.since = text(&sync, "next_batch");
        lists(&sync["device_lists"])
    }
}

fn lists(lists: &Value) -> (Vec<String>, Vec<String>) {
    let list = |key: &str| {
        let users = lists[key].as_array().unwrap().iter();
        let mut users: Vec<_> = users
            .map(|user| user.as_str().unwrap().to_owned())
            .collect();
        users.sort_unstable();
        users
    };
    (list("changed"), list("left"))
}

fn changed(users: &[&User]) -> (Vec<String>, Vec<String>) {
    (
        users.iter().map(|user| user.id.clone()).collect(),
        Vec::new(),
    )
}

fn left(users: &[&User]) -> (Vec<String>, Vec<String>) {
    (
        Vec::new(),
        users.iter().map(|user| user.id.clone()).collect(),
    )
}

async fn who_shares_a_room_hears_of_new_keys(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let carol = server.user("carol").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let mut clients = Vec::new();
    for user in [&alice, &bob, &carol] {
        clients.push(Client::new(user).await);
    }
    upload_device_keys(&bob).await;
    for (client, told) in clients.iter_mut().zip([true, true, false]) {
        let expected = if told { changed(&[&bob]) } else { changed(&[]) };
        assert_eq!(client.poll().await, expected);
        assert_eq!(client.poll().await, changed(&[]));
    }
    // Another name, and the end of a device.
    let path = format!("/devices/{}", encode(&bob.device));
    bob.put(&path, json!({"display_name": "Phone"})).await.ok();
    assert_eq!(clients[0].poll().await, changed(&[&bob]));
    let tablet = log_in(server, "bob", "TABLET").await;
    assert_eq!(clients[0].poll().await, changed(&[]), "no keys yet");
    upload_device_keys(&tablet).await;
    assert_eq!(clients[0].poll().await, changed(&[&bob]));
    tablet
        .request(Method::POST, "/logout", String::new())
        .await
        .ok();
    assert_eq!(clients[0].poll().await, changed(&[&bob]));
    let shown = query(&alice, &bob.id).await;
    let devices = shown["device_keys"][&bob.id].as_object().unwrap();
    assert_eq!(devices.keys().collect::<Vec<_>>(), [&bob.device]);
}

async fn who_joins_a_room_hears_of_its_members(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = encrypted_room(&alice).await;
    let open = alice.create_public_room().await;
    let mut client = Client::new(&bob).await;
    // Whether it is encrypted or not yet.
    for room in [&open, &room] {
        bob.join(room).await.ok();
        assert_eq!(client.poll().await, changed(&[&alice]));
    }
    bob.leave(&open).await.ok();
    assert_eq!(client.poll().await, left(&[]), "there is another room");
    bob.leave(&room).await.ok();
    assert_eq!(client.poll().await, left(&[&alice]));
    upload_device_keys(&alice).await;
    assert_eq!(client.poll().await, changed(&[]));
}

/// The members of a large room are of use where it is encrypted alone.
#[test]
fn who_joins_a_large_room_hears_of_its_members_where_it_is_encrypted() {
    run(Mode::Sqlite, &async |server: &TestServer| {
        let alice = server.user("alice").await;
        let bob = server.user("bob").await;
        let room = alice.create_public_room().await;
        fill_room(server, &room, 500).await;
        let mut client = Client::new(&bob).await;
        for (is_encrypted, told) in [(false, 0), (true, 501)] {
            if is_encrypted {
                let algorithm = json!({"algorithm": "m.megolm.v1.aes-sha2"});
                alice
                    .set_state(&room, "m.room.encryption", "", algorithm)
                    .await
                    .ok();
            }
            bob.join(&room).await.ok();
            let (changed, left) = client.poll().await;
            assert_eq!((changed.len(), left.len()), (told, 0));
            bob.leave(&room).await.ok();
            let (changed, left) = client.poll().await;
            assert_eq!((changed.len(), left.len()), (0, 501));
        }
    });
}

/// Who is invited is given the keys of what is said until they join, so their devices must be known.
/// Nobody leaves by being invited.
async fn who_is_invited_or_knocks_is_told(server: &TestServer) {
    let alice = server.user("alice").await;
    let (bob, carol) = (server.user("bob").await, server.user("carol").await);
    let room = encrypted_room(&alice).await;
    let rule = json!({"join_rule": "knock"});
    alice
        .set_state(&room, "m.room.join_rules", "", rule)
        .await
        .ok();
    let mut client = Client::new(&alice).await;
    let mut later = Client::new(&alice).await;
    let mut invited = Client::new(&bob).await;
    alice.invite(&room, &bob).await.ok();
    assert_eq!(client.poll().await, changed(&[&bob]));
    assert_eq!(invited.poll().await, changed(&[]), "nothing is shared yet");
    let path = format!("/knock/{}", encode(&room));
    carol.post(&path, json!({})).await.ok();
    assert_eq!(client.poll().await, changed(&[&carol]));
    // What the nodes remember of the log is gone.
    server.restart().await;
    assert_eq!(later.poll().await, changed(&[&bob, &carol]));
    bob.join(&room).await.ok();
    assert_eq!(client.poll().await, changed(&[&bob]));
    // Who knocked before waits still.
    assert_eq!(invited.poll().await, changed(&[&alice, &carol]));
}

async fn what_changed_while_one_was_away_is_told(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = encrypted_room(&alice).await;
    bob.join(&room).await.ok();
    for (goer, device) in [(&alice, "LAPTOP"), (&bob, "TABLET")] {
        let mut client = Client::new(&alice).await;
        goer.leave(&room).await.ok();
        upload_device_keys(&log_in(server, "bob", device).await).await;
        goer.join(&room).await.ok();
        assert_eq!(client.poll().await, changed(&[&bob]), "{}", goer.id);
    }
}

async fn who_comes_and_goes_is_told(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = encrypted_room(&alice).await;
    let other = encrypted_room(&alice).await;
    let mut client = Client::new(&alice).await;
    bob.join(&room).await.ok();
    assert_eq!(client.poll().await, changed(&[&bob]));
    bob.join(&other).await.ok();
    client.poll().await;
    bob.leave(&room).await.ok();
    assert_eq!(client.poll().await, left(&[]));
    bob.leave(&other).await.ok();
    assert_eq!(client.poll().await, left(&[&bob]));
    bob.join(&room).await.ok();
    bob.leave(&room).await.ok();
    assert_eq!(client.poll().await, left(&[&bob]));
    bob.join(&other).await.ok();
    bob.join(&room).await.ok();
    bob.leave(&other).await.ok();
    assert_eq!(client.poll().await, changed(&[&bob]));
}

async fn many_changes_are_told_once(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = encrypted_room(&alice).await;
    bob.join(&room).await.ok();
    let mut client = Client::new(&alice).await;
    for number in 0..5 {
        let device = log_in(server, "bob", &format!("D{number}")).await;
        upload_device_keys(&device).await;
    }
    assert_eq!(client.poll().await, changed(&[&bob]));
    assert_eq!(client.poll().await, changed(&[]));
}

async fn an_old_token_tells_the_same(server: &TestServer) {
    let alice = server.user("alice").await;
    let (bob, carol, dave) = (
        server.user("bob").await,
        server.user("carol").await,
        server.user("dave").await,
    );
    let room = encrypted_room(&alice).await;
    for user in [&bob, &dave] {
        user.join(&room).await.ok();
    }
    let mut client = Client::new(&alice).await;
    upload_device_keys(&bob).await;
    carol.join(&room).await.ok();
    dave.leave(&room).await.ok();
    // What the nodes remember of the log is gone.
    server.restart().await;
    let (changed, left) = client.poll().await;
    assert_eq!(changed, [bob.id.clone(), carol.id.clone()]);
    assert_eq!(left, std::slice::from_ref(&dave.id));
    assert_eq!(client.poll().await, self::changed(&[]));
}

async fn a_change_ends_the_wait_of_those_who_share_a_room(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = encrypted_room(&alice).await;
    bob.join(&room).await.ok();
    let client = Client::new(&alice).await;
    let waiting = alice.sync_waiting(&client.since, 60_000);
    let (sync, ()) = tokio::join!(waiting, upload_device_keys(&bob));
    assert_eq!(lists(&sync["device_lists"]), changed(&[&bob]));
}

async fn changes_are_listed_between_tokens(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let carol = server.user("carol").await;
    let room = encrypted_room(&alice).await;
    for user in [&bob, &carol] {
        user.join(&room).await.ok();
    }
    let from = Client::new(&alice).await.since;
    upload_device_keys(&bob).await;
    carol.leave(&room).await.ok();
    let to = Client::new(&alice).await.since;
    let changes = async |from: &str| {
        let path = format!("/keys/changes?from={}&to={}", encode(from), encode(&to));
        lists(&alice.get(&path).await.ok())
    };
    let expected = (vec![bob.id.clone()], vec![carol.id.clone()]);
    assert_eq!(changes(&from).await, expected);
    assert_eq!(changes(&to).await, changed(&[]));
    server.restart().await;
    assert_eq!(changes(&from).await, expected);
}

async fn odd_tokens_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    for (query, code) in [
        ("from=s1", "M_MISSING_PARAM"),
        ("to=s1", "M_MISSING_PARAM"),
        ("from=nonsense&to=s1", "M_INVALID_PARAM"),
        ("from=s1&to=nonsense", "M_INVALID_PARAM"),
    ] {
        let answer = alice.get(&format!("/keys/changes?{query}")).await;
        answer.refused(400, code);
    }
}
