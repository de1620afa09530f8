//! `GET /_matrix/client/v3/rooms/{roomId}/members`

use myelin_testkit::{Mode, TestServer, User, encode, run, text, three_modes};
use serde_json::{Value, json};

use crate::{counts::room_of, covers};

three_modes!(
    lists_members_by_membership,
    shows_the_members_of_an_earlier_time,
    the_departed_see_the_members_of_their_leave,
    outsiders_see_no_members,
    refuses_bad_parameters,
);

covers! {
    "GET /_matrix/client/v3/rooms/{roomId}/members":
        works = lists_members_by_membership,
        400 = refuses_bad_parameters,
        403 = outsiders_see_no_members,
        outsider = outsiders_see_no_members;
}

mod many_members_are_read_in_pages {
    #[test]
    fn sqlite() {
        super::run(super::Mode::Sqlite, &super::many_members_are_read_in_pages);
    }
}

async fn lists_members_by_membership(server: &TestServer) {
    let [alice, bob, carol, dora] = users(server).await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    carol.join(&room).await.ok();
    carol.leave(&room).await.ok();
    alice.invite(&room, &dora).await.ok();
    let all = "alice join, bob join, carol leave, dora invite";
    for (query, wanted) in [
        ("", all),
        ("?membership=join", "alice join, bob join"),
        ("?membership=ban", ""),
        ("?not_membership=leave", "alice join, bob join, dora invite"),
        (
            "?membership=leave&not_membership=join",
            "carol leave, dora invite",
        ),
        ("?membership=join&not_membership=join", all),
    ] {
        assert_eq!(members(&alice, &room, query).await, wanted, "{query}");
    }
    let answer = get(&alice, &room, "?membership=leave").await;
    let event = &answer["chunk"][0];
    assert_eq!(event["room_id"], room);
    assert_eq!(event["sender"], carol.id);
    assert!(text(event, "event_id").starts_with('$'));
}

async fn shows_the_members_of_an_earlier_time(server: &TestServer) {
    let [alice, bob, carol, _] = users(server).await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let then = text(&alice.sync(None).await, "next_batch");
    bob.leave(&room).await.ok();
    carol.join(&room).await.ok();
    let at = format!("?at={}", encode(&then));
    assert_eq!(members(&alice, &room, &at).await, "alice join, bob join");
    let filtered = format!("{at}&not_membership=join");
    assert_eq!(members(&alice, &room, &filtered).await, "");
    let page = alice.messages(&room, "dir=b&limit=1").await.ok();
    let at = format!("?at={}", encode(&text(&page, "start")));
    let now = "alice join, bob leave, carol join";
    assert_eq!(members(&alice, &room, &at).await, now);
    let at = format!("?at={}", encode(&text(&page, "end")));
    assert_eq!(members(&alice, &room, &at).await, "alice join, bob leave");
    // A time that the user may see nothing of.
    let hidden = json!({"history_visibility": "joined"});
    let kind = "m.room.history_visibility";
    alice.set_state(&room, kind, "", hidden).await.ok();
    alice.send(&room, "hidden").await;
    let then = text(&alice.sync(None).await, "next_batch");
    bob.join(&room).await.ok();
    let path = path(&room, &format!("?at={}", encode(&then)));
    bob.get(&path).await.refused(403, "M_FORBIDDEN");
}

async fn the_departed_see_the_members_of_their_leave(server: &TestServer) {
    let [alice, bob, carol, dora] = users(server).await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    carol.join(&room).await.ok();
    bob.leave(&room).await.ok();
    carol.leave(&room).await.ok();
    dora.join(&room).await.ok();
    let then = "alice join, bob leave, carol join";
    assert_eq!(members(&bob, &room, "").await, then);
    assert_eq!(
        members(&bob, &room, "?membership=join").await,
        "alice join, carol join"
    );
    let now = text(&alice.sync(None).await, "next_batch");
    let at = format!("?at={}", encode(&now));
    assert_eq!(members(&bob, &room, &at).await, then);
}

async fn outsiders_see_no_members(server: &TestServer) {
    let [alice, bob, _, _] = users(server).await;
    let room = alice.create_public_room().await;
    for room in [&room, "!nowhere:localhost"] {
        let answer = bob.get(&path(room, "")).await;
        answer.refused(403, "M_FORBIDDEN");
    }
    alice.invite(&room, &bob).await.ok();
    let answer = bob.get(&path(&room, "")).await;
    answer.refused(403, "M_FORBIDDEN");
}

async fn refuses_bad_parameters(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    for query in ["?at=nonsense", "?membership=host", "?not_membership=host"] {
        let answer = alice.get(&path(&room, query)).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
}

async fn many_members_are_read_in_pages(server: &TestServer) {
    const MEMBERS: u64 = 10_000;
    let alice = server.user("alice").await;
    let room = room_of(server, &alice, 10_000).await;
    let store = &server.stores()[0];
    server.counted().await;
    for endpoint in ["members", "joined_members"] {
        let before = store.counts();
        let path = format!("/_matrix/client/v3/rooms/{}/{endpoint}", encode(&room));
        let pieces = server.pieces(&alice, &path).await;
        let after = store.counts();
        // One list of numbers, and as many pages as there must be.
        let statements = after.statements - before.statements;
        assert!(statements <= MEMBERS / 500 + 10, "{statements}");
        let rows = after.rows_read - before.rows_read;
        assert!(rows <= 2 * MEMBERS + 20, "{rows}");
        let longest = pieces.iter().map(String::len).max().unwrap();
        assert!(longest <= 256 * 1024, "{longest}");
        let answer: Value = serde_json::from_str(&pieces.concat()).unwrap();
        let found = match endpoint {
            "members" => answer["chunk"].as_array().unwrap().len(),
            _ => answer["joined"].as_object().unwrap().len(),
        };
        assert_eq!(found as u64, MEMBERS);
    }
}

async fn users(server: &TestServer) -> [User; 4] {
    [
        server.user("alice").await,
        server.user("bob").await,
        server.user("carol").await,
        server.user("dora").await,
    ]
}

fn path(room: &str, query: &str) -> String {
    format!("/rooms/{}/members{query}", encode(room))
}

async fn get(user: &User, room: &str, query: &str) -> Value {
    user.get(&path(room, query)).await.ok()
}

/// The members and what they are, in the order of their names.
async fn members(user: &User, room: &str, query: &str) -> String {
    let answer = get(user, room, query).await;
    let mut members: Vec<String> = answer["chunk"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let name = text(event, "state_key").replace(":localhost", "");
            format!("{} {}", &name[1..], text(&event["content"], "membership"))
        })
        .collect();
    members.sort();
    members.join(", ")
}
