//! The forty checks that the API of 2014 has to pass, and which test makes each. Those here are the
//! ones that no module of one endpoint makes.
//!
//! |  # | given, when, then | tests |
//! | -- | --- | --- |
//! |  1 | the guide's registration as curl sends it | `register::registers_as_the_guide_does` |
//! |  2 | a name that is taken | `register::refuses_a_name_that_is_taken` |
//! |  3 | no name and no password | `register::makes_up_a_name_where_none_is_given` |
//! |  4 | the form of October 2014 | `register::registers_as_later_clients_did` |
//! |  5 | a name that is no localpart | `register::refuses_names_that_are_no_localparts` |
//! |  6 | the first flow of a login | `login::offers_passwords_first` |
//! |  7 | logins by localpart and by full id | `login::logs_in_by_name_and_by_full_id` |
//! |  8 | logins that are refused | `login::refuses_what_does_not_match`, `login::refuses_bodies_that_are_no_login` |
//! |  9 | the login page | `login::a_page_logs_in_without_the_api`, `login_fallback_page::logs_in_as_the_page_does` |
//! | 10 | no token, and a bad one | `every_endpoint::asks_who_you_are_with_status_403` |
//! | 11 | preflights | `every_endpoint::lets_browsers_in` |
//! | 12 | indented for curl alone | `every_endpoint::indents_for_curl_alone` |
//! | 13 | the guide's room, its alias and its id | `create_room::makes_a_room_as_the_guide_does` |
//! | 14 | open to all, or private | `create_room::is_open_to_all_unless_private` |
//! | 15 | an alias that is taken | `create_room::refuses_an_alias_that_is_taken` |
//! | 16 | three ways to write a room's id | `send::sends_however_the_room_is_written` |
//! | 17 | `msgtype`, missing or unheard of | `send::refuses_bad_bodies` |
//! | 18 | a transaction twice, a post twice | `send::a_repeated_transaction_sends_once`, `send::two_posts_are_two_events` |
//! | 19 | bodies that are no objects | `send::refuses_bad_bodies` |
//! | 20 | an invitation for nobody | `membership::invites_whom_nobody_has_heard_of` |
//! | 21 | a private room, uninvited and invited | `acceptance::a_private_room_opens_by_invitation_only`, `membership::an_invite_opens_a_private_room` |
//! | 22 | joining twice | `membership::joining_twice_does_nothing` |
//! | 23 | an unknown alias | `membership::refuses_what_cannot_be_joined` |
//! | 24 | the guide's overview, key by key | `acceptance::the_overview_has_every_key_of_the_guide` |
//! | 25 | the levels of 2014 | `create_room::has_the_levels_of_its_time` |
//! | 26 | old keys for old readers alone | `send::old_readers_see_old_keys_and_new_ones_do_not` |
//! | 27 | how many messages of each room | `initial_sync::the_limit_counts_messages_of_each_room` |
//! | 28 | the shape of tokens | `resume::tokens_have_the_shape_of_2014` |
//! | 29 | presence of who only sends | `presence::grows_until_the_user_does_something` |
//! | 30 | invitations, and rooms left | `initial_sync::shows_an_invite_with_its_event`, `initial_sync::left_rooms_are_gone` |
//! | 31 | nothing new | `events::nothing_new_is_nothing` |
//! | 32 | a message ends the wait | `events::wakes_up_for_a_message` |
//! | 33 | fifty events and a restart | `resume::nothing_is_lost_by_a_restart` |
//! | 34 | what `from` may be | `events::every_way_to_say_now_is_now`, `events::takes_a_token_of_2014`, `acceptance::parameters_that_are_none_are_refused` |
//! | 35 | rooms made, invitations got | `events::brings_rooms_made_and_invites_got_meanwhile` |
//! | 36 | back to the beginning | `messages::pages_back_to_the_beginning` |
//! | 37 | the members | `members::lists_every_membership`, `members::members_alone_may_look` |
//! | 38 | writes of levels | `room_state::a_write_of_levels_keeps_what_it_does_not_name`, `room_state::the_same_levels_again_are_no_event` |
//! | 39 | a room of today's newest version | `acceptance::a_room_of_version_12_is_a_room_like_any_other` |
//! | 40 | the pages of 2014 in a browser | `crates/myelin/tests/browser/fiddles.rs` |

use std::fs;

use myelin_testkit::{TestServer, text, three_modes};
use serde_json::{Value, json};

use super::{get, post, room_path};

three_modes!(
    a_private_room_opens_by_invitation_only,
    the_overview_has_every_key_of_the_guide,
    parameters_that_are_none_are_refused,
    a_room_of_version_12_is_a_room_like_any_other,
);

#[test]
fn every_check_has_its_test() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/v1");
    let table = fs::read_to_string(format!("{folder}/acceptance.rs")).unwrap();
    let mut checks = 0;
    for line in table
        .lines()
        .filter(|line| line.starts_with("//! |"))
        .skip(2)
    {
        checks += 1;
        let tests = line.rsplit(" | ").next().unwrap();
        for test in tests.trim_end_matches('|').split(", ") {
            let Some((module, test)) = test.trim().trim_matches('`').split_once("::") else {
                continue;
            };
            let source = fs::read_to_string(format!("{folder}/{module}.rs")).unwrap();
            let is_there = source.contains(&format!("async fn {test}("));
            assert!(is_there, "{module} has no test {test}");
        }
    }
    assert_eq!(checks, 40);
}

async fn a_private_room_opens_by_invitation_only(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let body = json!({"visibility": "private", "room_alias_name": "private"});
    let room = post(server, &alice, "/createRoom", body).await.ok();
    let room = text(&room, "room_id");
    let ways = [
        room_path(&room, "join"),
        "/join/%23private%3Alocalhost".to_owned(),
    ];
    for way in &ways {
        post(server, &bob, way, json!({}))
            .await
            .refused(403, "M_FORBIDDEN");
    }
    for way in &ways {
        let body = json!({"user_id": bob.id});
        post(server, &alice, &room_path(&room, "invite"), body)
            .await
            .ok();
        post(server, &bob, way, json!({})).await.ok();
        post(server, &bob, &room_path(&room, "leave"), json!({}))
            .await
            .ok();
    }
}

/// The events of the guide's sample, each with what it has beside `event_id`, `room_id`, `ts`,
/// `type` and `user_id`.
fn sample(user: &str) -> Vec<Value> {
    let joined = json!({"membership": "join", "displayname": null, "avatar_url": null});
    vec![
        json!({"type": "m.room.power_levels", "required_power_level": 10, "state_key": "",
               "content": {user: 10, "default": 0}}),
        json!({"type": "m.room.join_rules", "required_power_level": 10, "state_key": "",
               "content": {"join_rule": "public"}}),
        json!({"type": "m.room.add_state_level", "required_power_level": 10, "state_key": "",
               "content": {"level": 10}}),
        json!({"type": "m.room.send_event_level", "required_power_level": 10, "state_key": "",
               "content": {"level": 0}}),
        json!({"type": "m.room.ops_levels", "required_power_level": 10, "state_key": "",
               "content": {"ban_level": 5, "kick_level": 5}}),
        json!({"type": "m.room.member", "membership": "join", "state_key": user,
               "content": joined}),
        json!({"type": "m.room.member", "membership": "invite",
               "state_key": "@myfriend:localhost", "content": {"membership": "invite"}}),
    ]
}

async fn the_overview_has_every_key_of_the_guide(server: &TestServer) {
    let alice = server.user("example").await;
    let body = json!({"room_alias_name": "tutorial"});
    let room = post(server, &alice, "/createRoom", body).await.ok();
    let room = text(&room, "room_id");
    let hello = json!({"msgtype": "m.text", "body": "hello"});
    post(
        server,
        &alice,
        &room_path(&room, "send/m.room.message"),
        hello,
    )
    .await
    .ok();
    let friend = json!({"user_id": "@myfriend:localhost"});
    post(server, &alice, &room_path(&room, "invite"), friend)
        .await
        .ok();
    post(server, &alice, &room_path(&room, "join"), json!({}))
        .await
        .ok();
    let sync = get(server, &alice, "/initialSync").await.ok();
    let shown = &sync["rooms"][0];
    let mut messages = sample(&alice.id);
    messages.push(json!({"type": "m.room.message",
        "content": {"body": "hello", "msgtype": "m.text", "hsob_ts": server.now_ms()}}));
    let mut state = sample(&alice.id);
    state.push(
        json!({"type": "m.room.create", "required_power_level": 10, "state_key": "",
        "content": {"creator": alice.id}}),
    );
    for (list, wanted) in [
        (&shown["messages"]["chunk"], messages),
        (&shown["state"], state),
    ] {
        let list = list.as_array().unwrap();
        for event in wanted {
            let found = list.iter().filter(|shown| holds(shown, &event)).count();
            assert_eq!(found, 1, "{event} in {sync}");
        }
        for event in list {
            let has_text = |key: &str| event[key].is_string();
            assert!(has_text("event_id") && has_text("type"), "{event}");
            assert!(event["ts"].is_u64(), "{event}");
            assert_eq!(
                (&event["room_id"], &event["user_id"]),
                (&json!(room), &json!(alice.id))
            );
        }
    }
}

/// Whether a value has all that another has.
fn holds(value: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(wanted) => wanted
            .iter()
            .all(|(key, wanted)| value.get(key).is_some_and(|value| holds(value, wanted))),
        wanted => value == wanted,
    }
}

async fn parameters_that_are_none_are_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    for query in ["from=garbage", "timeout=x", "limit=x", "from=END&from=END"] {
        let path = format!("/events?{query}");
        let answer = get(server, &alice, &path).await;
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        answer.refused(400, "M_INVALID_PARAM");
    }
}

async fn a_room_of_version_12_is_a_room_like_any_other(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let body = json!({"preset": "public_chat", "room_version": "12"});
    let room = alice.create_room_with(body).await;
    bob.join(&room).await.ok();
    let from = text(&get(server, &bob, "/events?timeout=0").await.ok(), "end");
    let hello = json!({"msgtype": "m.text", "body": "from 2014"});
    let path = room_path(&room, "send/m.room.message");
    let old = post(server, &alice, &path, hello).await.ok();
    let old = text(&old, "event_id");
    let new = bob.send(&room, "from today").await;
    let members = get(server, &alice, &room_path(&room, "members")).await.ok();
    assert_eq!(members["chunk"].as_array().unwrap().len(), 2);
    let page = get(
        server,
        &alice,
        &room_path(&room, "messages?from=END&dir=b&limit=2"),
    )
    .await
    .ok();
    assert_eq!(ids(&page["chunk"]), [new.clone(), old.clone()]);
    let page = bob.messages(&room, "dir=b&limit=2").await.ok();
    assert_eq!(ids(&page["chunk"]), [new.clone(), old.clone()]);
    let events = get(server, &bob, &format!("/events?timeout=0&from={from}"))
        .await
        .ok();
    assert_eq!(ids(&events["chunk"]), [old, new]);
    let sync = get(server, &alice, "/initialSync").await.ok();
    let state = sync["rooms"][0]["state"].as_array().unwrap();
    let levels = state
        .iter()
        .find(|event| event["type"] == "m.room.power_levels")
        .unwrap();
    let own = levels["content"][&alice.id].as_i64().unwrap();
    let required = state
        .iter()
        .filter_map(|event| event["required_power_level"].as_i64());
    assert!(required.max() <= Some(own), "{sync}");
}

/// Presence has no id.
fn ids(events: &Value) -> Vec<String> {
    let events = events.as_array().unwrap().iter();
    events
        .filter_map(|event| Some(event["event_id"].as_str()?.to_owned()))
        .collect()
}
