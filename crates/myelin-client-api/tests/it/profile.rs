//! `GET /_matrix/client/v3/profile/{userId}`, and `GET`, `PUT` and `DELETE` of
//! `/_matrix/client/v3/profile/{userId}/{keyName}`

use http::Method;
use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes, wait_until};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    what_is_set_can_be_read_by_everybody,
    what_is_deleted_is_not_found,
    who_has_nothing_to_tell_is_not_found,
    who_is_not_spoken_with_is_not_asked,
    each_user_changes_their_own,
    odd_keys_are_refused,
    odd_values_are_refused,
    a_profile_has_a_limit,
    member_events_show_the_profile,
    a_change_reaches_all_rooms,
    the_last_of_many_changes_reaches_all_rooms,
    a_change_goes_on_after_a_restart,
    a_change_makes_one_event_a_room_and_no_more,
    fields_changed_at_once_are_all_kept,
);

covers! {
    "GET /_matrix/client/v3/profile/{userId}":
        works = what_is_set_can_be_read_by_everybody,
        403 = who_is_not_spoken_with_is_not_asked,
        404 = who_has_nothing_to_tell_is_not_found;
    "GET /_matrix/client/v3/profile/{userId}/{keyName}":
        works = what_is_set_can_be_read_by_everybody,
        403 = who_is_not_spoken_with_is_not_asked,
        404 = what_is_deleted_is_not_found;
    "PUT /_matrix/client/v3/profile/{userId}/{keyName}":
        works = what_is_set_can_be_read_by_everybody,
        400 = odd_values_are_refused,
        403 = each_user_changes_their_own;
    "DELETE /_matrix/client/v3/profile/{userId}/{keyName}":
        works = what_is_deleted_is_not_found,
        400 = odd_keys_are_refused,
        403 = each_user_changes_their_own;
}

/// More than two slices of the job.
const ROOMS: usize = 36;
const AVATAR: &str = "mxc://localhost/avatar";

fn path(user: &str, key: &str) -> String {
    format!("/profile/{}/{}", encode(user), encode(key))
}

async fn set(user: &User, key: &str, value: impl Into<Value>) -> Answer {
    let body = json!({key: value.into()});
    user.put(&path(&user.id, key), body).await
}

async fn delete(user: &User, key: &str) -> Answer {
    let path = path(&user.id, key);
    user.request(Method::DELETE, &path, String::new()).await
}

/// Without a session.
async fn look(server: &TestServer, user: &str) -> Answer {
    let path = format!("/_matrix/client/v3/profile/{}", encode(user));
    server.get(&path).await
}

async fn member(viewer: &User, room: &str, user: &User) -> Value {
    viewer.state(room, "m.room.member", &user.id).await.ok()
}

async fn shows(viewer: &User, rooms: &[String], user: &User, name: &str) -> bool {
    for room in rooms {
        if member(viewer, room, user).await["displayname"] != name {
            return false;
        }
    }
    true
}

async fn what_is_set_can_be_read_by_everybody(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let fields = [
        ("displayname", json!("Alice \u{1f98b}")),
        ("avatar_url", json!(AVATAR)),
        ("m.tz", json!("Europe/London")),
        ("org.example.x-y_1", json!({"any": [1, 0.5, null]})),
        ("org.example.null", json!(null)),
    ];
    for (key, value) in &fields {
        assert_eq!(set(&alice, key, value.clone()).await.ok(), json!({}));
        let answer = bob.get(&path(&alice.id, key)).await.ok();
        assert_eq!(answer, json!({*key: value}));
        let path = format!("/_matrix/client/v3{}", path(&alice.id, key));
        assert_eq!(server.get(&path).await.ok(), json!({*key: value}));
    }
    let all = look(server, &alice.id).await.ok();
    assert_eq!(
        all,
        json!(
            fields
                .into_iter()
                .collect::<std::collections::BTreeMap<_, _>>()
        )
    );
    set(&alice, "displayname", "Alice the Second").await.ok();
    let all = look(server, &alice.id).await.ok();
    assert_eq!(text(&all, "displayname"), "Alice the Second");
    assert_eq!(text(&all, "avatar_url"), AVATAR);
}

async fn what_is_deleted_is_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    set(&alice, "displayname", "Alice").await.ok();
    for (key, value) in [("avatar_url", AVATAR), ("org.example.x", "x")] {
        alice
            .get(&path(&alice.id, key))
            .await
            .refused(404, "M_NOT_FOUND");
        set(&alice, key, value).await.ok();
        // What is not there can be deleted as well.
        for _ in 0..2 {
            assert_eq!(delete(&alice, key).await.ok(), json!({}));
            alice
                .get(&path(&alice.id, key))
                .await
                .refused(404, "M_NOT_FOUND");
        }
        assert_eq!(
            look(server, &alice.id).await.ok(),
            json!({"displayname": "Alice"})
        );
    }
    for key in ["displayname", "avatar_url"] {
        set(&alice, key, AVATAR).await.ok();
        set(&alice, key, "").await.ok();
        alice
            .get(&path(&alice.id, key))
            .await
            .refused(404, "M_NOT_FOUND");
    }
}

async fn who_has_nothing_to_tell_is_not_found(server: &TestServer) {
    let alice = server.user("alice").await;
    for user in [alice.id.as_str(), "@nobody:localhost"] {
        look(server, user).await.refused(404, "M_NOT_FOUND");
    }
    look(server, "nonsense")
        .await
        .refused(400, "M_INVALID_PARAM");
}

async fn who_is_not_spoken_with_is_not_asked(server: &TestServer) {
    let alice = server.user("alice").await;
    let stranger = "@alice:elsewhere.example";
    let deny = vec!["*.example".to_owned()];
    server
        .restart_changed(|settings| settings.federation.deny = deny)
        .await;
    look(server, stranger).await.refused(403, "M_FORBIDDEN");
    alice
        .get(&path(stranger, "displayname"))
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn each_user_changes_their_own(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    set(&alice, "displayname", "Alice").await.ok();
    let path = path(&alice.id, "displayname");
    bob.put(&path, json!({"displayname": "Fool"}))
        .await
        .refused(403, "M_FORBIDDEN");
    bob.request(Method::DELETE, &path, String::new())
        .await
        .refused(403, "M_FORBIDDEN");
    assert_eq!(
        look(server, &alice.id).await.ok(),
        json!({"displayname": "Alice"})
    );
}

async fn odd_keys_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    for key in [
        "Name",
        "name",
        "m.",
        ".x",
        "a..b",
        "org.example.\u{e4}",
        "1.a",
        "m.a/b",
    ] {
        for answer in [set(&alice, key, 1).await, delete(&alice, key).await] {
            assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{key}");
        }
    }
    let long = format!("m.{}", "x".repeat(254));
    set(&alice, &long, 1).await.refused(400, "M_KEY_TOO_LARGE");
    delete(&alice, &long).await.refused(400, "M_KEY_TOO_LARGE");
    set(&alice, &long[..255], 1).await.ok();
}

async fn odd_values_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    for (key, value) in [
        ("displayname", json!(1)),
        ("displayname", json!(null)),
        ("displayname", json!("x".repeat(257))),
        ("avatar_url", json!("https://example.org/a.png")),
        ("avatar_url", json!("mxc://localhost")),
        (
            "avatar_url",
            json!(format!("mxc://localhost/{}", "x".repeat(1_000))),
        ),
        ("m.tz", json!(1)),
    ] {
        let answer = set(&alice, key, value.clone()).await;
        assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{key}: {value}");
    }
    let path = path(&alice.id, "displayname");
    for (body, errcode) in [
        ("{}", "M_MISSING_PARAM"),
        (r#"{"avatar_url": "mxc://a/b"}"#, "M_MISSING_PARAM"),
        ("[]", "M_BAD_JSON"),
        ("{", "M_NOT_JSON"),
    ] {
        let answer = alice.request(Method::PUT, &path, body.to_owned()).await;
        assert_eq!(answer.code(), (400, errcode), "{body}");
    }
    look(server, &alice.id).await.refused(404, "M_NOT_FOUND");
}

async fn a_profile_has_a_limit(server: &TestServer) {
    let alice = server.user("alice").await;
    let large = "x".repeat(60_000);
    set(&alice, "org.example.a", large.clone()).await.ok();
    set(&alice, "org.example.b", large.clone())
        .await
        .refused(400, "M_PROFILE_TOO_LARGE");
    delete(&alice, "org.example.a").await.ok();
    set(&alice, "org.example.b", large).await.ok();
}

async fn member_events_show_the_profile(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let carol = server.user("carol").await;
    for user in [&alice, &bob] {
        set(user, "displayname", user.id.to_uppercase()).await.ok();
        set(user, "avatar_url", AVATAR).await.ok();
    }
    let body = json!({"preset": "public_chat", "invite": [bob.id, carol.id]});
    let room = alice.create_room_with(body).await;
    let whole = |membership: &str, user: &User| {
        json!({
            "membership": membership,
            "displayname": user.id.to_uppercase(),
            "avatar_url": AVATAR,
        })
    };
    assert_eq!(member(&alice, &room, &alice).await, whole("join", &alice));
    assert_eq!(member(&alice, &room, &bob).await, whole("invite", &bob));
    assert_eq!(
        member(&alice, &room, &carol).await,
        json!({"membership": "invite"})
    );
    for user in [&bob, &carol] {
        user.join(&room).await.ok();
    }
    assert_eq!(member(&alice, &room, &bob).await, whole("join", &bob));
    assert_eq!(
        member(&alice, &room, &carol).await,
        json!({"membership": "join"})
    );
    bob.leave(&room).await.ok();
    assert_eq!(
        member(&alice, &room, &bob).await,
        json!({"membership": "leave"})
    );
    alice.invite(&room, &bob).await.ok();
    assert_eq!(member(&alice, &room, &bob).await, whole("invite", &bob));
}

async fn a_change_reaches_all_rooms(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        let room = bob.create_public_room().await;
        alice.join(&room).await.ok();
        rooms.push(room);
    }
    let other = bob.create_room().await;
    bob.invite(&other, &alice).await.ok();
    set(&alice, "displayname", "Alice").await.ok();
    wait_until("all rooms show the name", async || {
        shows(&bob, &rooms, &alice, "Alice").await
    })
    .await;
    let invited = member(&bob, &other, &alice).await;
    assert_eq!(
        invited,
        json!({"membership": "invite"}),
        "an invite stays as it is"
    );

    set(&alice, "avatar_url", AVATAR).await.ok();
    delete(&alice, "displayname").await.ok();
    wait_until("all rooms show the avatar alone", async || {
        let mut all = true;
        for room in &rooms {
            let wanted = json!({"membership": "join", "avatar_url": AVATAR});
            all &= member(&bob, room, &alice).await == wanted;
        }
        all
    })
    .await;
}

async fn the_last_of_many_changes_reaches_all_rooms(server: &TestServer) {
    let alice = server.user("alice").await;
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        rooms.push(alice.create_room().await);
    }
    for number in 0..8 {
        set(&alice, "displayname", format!("Alice {number}"))
            .await
            .ok();
    }
    wait_until("all rooms show the last name", async || {
        shows(&alice, &rooms, &alice, "Alice 7").await
    })
    .await;
}

async fn a_change_goes_on_after_a_restart(server: &TestServer) {
    let alice = server.user("alice").await;
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        rooms.push(alice.create_room().await);
    }
    set(&alice, "displayname", "Alice").await.ok();
    server.restart().await;
    wait_until("all rooms show the name", async || {
        shows(&alice, &rooms, &alice, "Alice").await
    })
    .await;
}

async fn a_change_makes_one_event_a_room_and_no_more(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    alice
        .set_state(
            &room,
            "m.room.member",
            &alice.id,
            json!({"membership": "join", "org.example.own": "stays", "reason": "once"}),
        )
        .await
        .ok();
    set(&alice, "displayname", "Alice").await.ok();
    let rooms = [room.clone()];
    wait_until("the room shows the name", async || {
        shows(&alice, &rooms, &alice, "Alice").await
    })
    .await;
    let newest = async || alice.messages(&room, "dir=b&limit=1").await.ok()["chunk"][0].clone();
    let event = newest().await;
    assert_eq!(
        event["content"],
        json!({"membership": "join", "displayname": "Alice", "org.example.own": "stays"})
    );
    // The same name again, and a field that rooms do not show, change no room.
    set(&alice, "displayname", "Alice").await.ok();
    set(&alice, "m.tz", "Europe/London").await.ok();
    let other = alice.create_room().await;
    assert_eq!(member(&alice, &other, &alice).await["displayname"], "Alice");
    assert_eq!(newest().await["event_id"], event["event_id"]);
}

async fn fields_changed_at_once_are_all_kept(server: &TestServer) {
    let alice = server.user("alice").await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..6 {
        let alice = alice.clone();
        tasks.spawn(async move {
            set(&alice, &format!("org.example.n{number}"), number)
                .await
                .ok();
        });
    }
    tasks.join_all().await;
    let all = look(server, &alice.id).await.ok();
    assert_eq!(all.as_object().unwrap().len(), 6);
}
