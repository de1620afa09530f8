//! `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}`, with and without a relation type and
//! an event type, and what is told of relations elsewhere.

use myelin_testkit::{Answer, TestServer, User, encode, text, three_modes};
use serde_json::{Value, json};

use crate::covers;

three_modes!(
    lists_what_is_said_about_an_event,
    pages_both_ways,
    follows_relations_when_asked_to,
    an_event_that_is_not_visible_has_no_relations,
    refuses_bad_parameters,
    edits_are_bundled_and_fall_back,
    references_are_bundled,
    ignored_users_say_nothing,
    sync_bundles_only_what_is_limited,
    reactions_are_not_doubled,
    of_equal_reactions_at_once_one_is_taken,
    messages_are_filtered_by_relations,
    who_left_is_told_what_was_said_until_then,
    who_came_back_is_told_of_nothing_that_is_hidden,
);

covers! {
    "GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}":
        works = lists_what_is_said_about_an_event,
        404 = an_event_that_is_not_visible_has_no_relations,
        outsider = an_event_that_is_not_visible_has_no_relations;
    "GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}":
        works = lists_what_is_said_about_an_event,
        404 = an_event_that_is_not_visible_has_no_relations,
        outsider = an_event_that_is_not_visible_has_no_relations;
    "GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}":
        works = lists_what_is_said_about_an_event,
        404 = an_event_that_is_not_visible_has_no_relations,
        outsider = an_event_that_is_not_visible_has_no_relations;
}

async fn lists_what_is_said_about_an_event(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "root").await;
    let other = alice.send(&room, "other").await;
    let reaction = react(&alice, &room, &event, "+1").await.ok();
    let reaction = text(&reaction, "event_id");
    let reference = relate(&alice, &room, &event, "m.reference").await;
    let sticker = ("m.sticker", "m.reference");
    let sticker = relate_with(&alice, &room, (&event, sticker), json!({})).await;
    relate(&alice, &room, &other, "m.reference").await;
    let answer = get(&alice, &room, &event, "").await.ok();
    assert_eq!(ids(&answer), [&*sticker, &*reference, &*reaction]);
    let first = &answer["chunk"][2];
    assert_eq!(first["content"]["m.relates_to"]["key"], "+1");
    assert_eq!(first["room_id"], room);
    for missing in ["next_batch", "prev_batch", "recursion_depth"] {
        assert!(answer.get(missing).is_none(), "{answer}");
    }
    let answer = get(&alice, &room, &event, "/m.reference").await.ok();
    assert_eq!(ids(&answer), [&*sticker, &*reference]);
    let answer = get(&alice, &room, &event, "/m.reference/m.sticker").await;
    assert_eq!(ids(&answer.ok()), [&*sticker]);
    for nothing in [
        "/m.thread",
        "/m.reference/m.reaction",
        "/m.reference/m.never",
    ] {
        let answer = get(&alice, &room, &event, nothing).await.ok();
        assert_eq!(answer, json!({"chunk": []}), "{nothing}");
    }
    // A reply has no type, and what is redacted says nothing any more.
    let reply = json!({"body": "x", "m.relates_to": {"m.in_reply_to": {"event_id": event}}});
    alice
        .send_event(&room, "m.room.message", "reply", reply)
        .await
        .ok();
    redact(&alice, &room, &sticker).await;
    let answer = get(&alice, &room, &event, "").await.ok();
    assert_eq!(ids(&answer), [&*reference, &*reaction]);
}

async fn pages_both_ways(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "root").await;
    let mut said = Vec::new();
    for _ in 0..5 {
        said.push(relate(&alice, &room, &event, "m.reference").await);
        alice.send(&room, "between").await;
    }
    for (dir, wanted) in [
        ("f", said.clone()),
        ("b", said.iter().rev().cloned().collect()),
    ] {
        let (mut found, mut from) = (Vec::new(), None::<String>);
        loop {
            let start = from
                .as_deref()
                .map_or(String::new(), |from| format!("&from={}", encode(from)));
            let query = format!("?limit=2&dir={dir}{start}");
            let answer = get(&alice, &room, &event, &query).await.ok();
            assert_eq!(
                answer.get("prev_batch").and_then(Value::as_str),
                from.as_deref()
            );
            found.extend(ids(&answer).into_iter().map(str::to_owned));
            let Some(next) = answer.get("next_batch") else {
                break;
            };
            from = Some(next.as_str().unwrap().to_owned());
        }
        assert_eq!(found, wanted, "{dir}");
    }
    // Tokens of `/messages` and `/sync` are places, too.
    let page = alice.messages(&room, "dir=b&limit=4").await.ok();
    let query = format!("?to={}", encode(&text(&page, "end")));
    let answer = get(&alice, &room, &event, &query).await.ok();
    assert_eq!(ids(&answer), [&*said[4], &*said[3]]);
    let synced = alice.sync(None).await;
    let query = format!("?limit=1&from={}", encode(&text(&synced, "next_batch")));
    let answer = get(&alice, &room, &event, &query).await.ok();
    assert_eq!(ids(&answer), [&*said[4]]);
}

async fn follows_relations_when_asked_to(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let root = alice.send(&room, "root").await;
    let mut chain = vec![root.clone()];
    for _ in 0..4 {
        let last = chain.last().unwrap().clone();
        chain.push(relate(&alice, &room, &last, "m.reference").await);
    }
    for query in ["?recurse=true", "?org.matrix.msc3981.recurse=true"] {
        let answer = get(&alice, &room, &root, query).await.ok();
        assert_eq!(ids(&answer), [&*chain[3], &*chain[2], &*chain[1]]);
        assert_eq!(answer["recursion_depth"], 3);
    }
    let answer = get(&alice, &room, &root, "?recurse=false").await.ok();
    assert_eq!(ids(&answer), [&*chain[1]]);
    assert_eq!(answer["recursion_depth"], 1);
    // What leads there has to be of the kinds that are asked for, too.
    let first = text(&react(&alice, &room, &root, "+1").await.ok(), "event_id");
    let second = text(&react(&alice, &room, &first, "+1").await.ok(), "event_id");
    react(&alice, &room, &chain[2], "+1").await.ok();
    for kinds in ["/m.annotation/m.reaction", "/m.annotation"] {
        let query = format!("{kinds}?recurse=true");
        let answer = get(&alice, &room, &root, &query).await.ok();
        assert_eq!(ids(&answer), [&*second, &*first], "{kinds}");
    }
    let as_sticker = ("m.sticker", "m.reference");
    let sticker = relate_with(&alice, &room, (&root, as_sticker), json!({})).await;
    let behind = relate(&alice, &room, &sticker, "m.reference").await;
    let query = "/m.reference/m.room.message?recurse=true";
    let answer = get(&alice, &room, &root, query).await.ok();
    assert!(!ids(&answer).contains(&&*behind), "{answer}");
    assert_eq!(answer["recursion_depth"], 3);
}

async fn an_event_that_is_not_visible_has_no_relations(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let elsewhere = alice.create_room().await;
    let event = alice.send(&room, "root").await;
    relate(&alice, &room, &event, "m.reference").await;
    for path in ["", "/m.reference", "/m.reference/m.room.message"] {
        let answer = get(&bob, &room, &event, path).await;
        answer.refused(404, "M_NOT_FOUND");
        let answer = get(&alice, &elsewhere, &event, path).await;
        answer.refused(404, "M_NOT_FOUND");
        let answer = get(&alice, &room, "$nothing", path).await;
        answer.refused(404, "M_NOT_FOUND");
    }
}

async fn refuses_bad_parameters(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "root").await;
    for query in [
        "?from=garbage",
        "?to=garbage",
        "?dir=x",
        "?limit=x",
        "?recurse=x",
        "?org.matrix.msc3981.recurse=x",
    ] {
        let answer = get(&alice, &room, &event, query).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
}

async fn edits_are_bundled_and_fall_back(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let event = alice.send(&room, "first").await;
    let first = edit(&alice, &room, &event, "second").await;
    server.clock().advance(std::time::Duration::from_secs(1));
    let second = edit(&alice, &room, &event, "third").await;
    // Not an edit: of another's, of another type, of an edit, without content.
    edit(&bob, &room, &event, "bob's").await;
    let as_sticker = ("m.sticker", "m.replace");
    let new = json!({"m.new_content": {}});
    relate_with(&alice, &room, (&event, as_sticker), new).await;
    edit(&alice, &room, &second, "fourth").await;
    let without_content = relate(&alice, &room, &event, "m.replace").await;
    edit(&alice, &room, &without_content, "fifth").await;

    for shown in everywhere(&bob, &room, &event).await {
        let replace = &shown["unsigned"]["m.relations"]["m.replace"];
        assert_eq!(replace["event_id"], second, "{shown}");
        assert_eq!(replace["content"]["m.new_content"]["body"], "third");
        assert_eq!(replace["sender"], alice.id);
        assert_eq!(shown["content"]["body"], "first");
    }
    for edit in [&second, &without_content] {
        for shown in everywhere(&bob, &room, edit).await {
            assert!(relations(&shown).is_null(), "{shown}");
        }
    }
    redact(&alice, &room, &second).await;
    for shown in everywhere(&bob, &room, &event).await {
        let replace = &shown["unsigned"]["m.relations"]["m.replace"];
        assert_eq!(replace["event_id"], first, "{shown}");
    }
    redact(&alice, &room, &event).await;
    for shown in everywhere(&bob, &room, &event).await {
        assert!(relations(&shown).is_null(), "{shown}");
    }
}

async fn references_are_bundled(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "root").await;
    let one = relate(&alice, &room, &event, "m.reference").await;
    let two = relate(&alice, &room, &event, "m.reference").await;
    react(&alice, &room, &event, "+1").await.ok();
    for shown in everywhere(&alice, &room, &event).await {
        let wanted = json!({
            "m.reference": {"chunk": [{"event_id": one}, {"event_id": two}]},
        });
        assert_eq!(*relations(&shown), wanted);
    }
    // State gets none.
    let state = json!({"topic": "x"});
    let topic = alice.set_state(&room, "m.room.topic", "", state).await.ok();
    let topic = text(&topic, "event_id");
    relate(&alice, &room, &topic, "m.reference").await;
    for shown in everywhere(&alice, &room, &topic).await {
        assert!(relations(&shown).is_null(), "{shown}");
    }
}

async fn ignored_users_say_nothing(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let event = alice.send(&room, "root").await;
    let own = relate(&alice, &room, &event, "m.reference").await;
    relate(&bob, &room, &event, "m.reference").await;
    let of_bob = bob.send(&room, "bob's").await;
    edit(&bob, &room, &of_bob, "edited").await;
    relate(&alice, &room, &of_bob, "m.thread").await;
    ignore(&alice, &bob).await;
    // Not even about what they have said themselves, where that is shown.
    let path = format!("/rooms/{}/event/{}", encode(&room), encode(&of_bob));
    let shown = alice.get(&path).await.ok();
    assert_eq!(relations(&shown)["m.thread"]["count"], 1);
    assert!(relations(&shown).get("m.replace").is_none(), "{shown}");
    let path = format!("/_matrix/client/v1/rooms/{}/threads", encode(&room));
    let listed = alice.get(&path).await.ok();
    assert_eq!(ids(&listed), [&*of_bob]);
    let bundle = relations(&listed["chunk"][0]);
    assert!(bundle.get("m.replace").is_none(), "{listed}");
    for shown in everywhere(&alice, &room, &event).await {
        let chunk = &relations(&shown)["m.reference"]["chunk"];
        assert_eq!(*chunk, json!([{"event_id": own}]));
    }
    let answer = get(&alice, &room, &event, "").await.ok();
    assert_eq!(ids(&answer), [&*own]);
}

async fn sync_bundles_only_what_is_limited(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let since = text(&alice.sync(None).await, "next_batch");
    alice.send(&room, "before").await;
    let event = alice.send(&room, "root").await;
    relate(&alice, &room, &event, "m.reference").await;
    // The client is told of both anyway, or it has not heard of the first one.
    for (limit, is_limited) in [(3, false), (2, true)] {
        let filter = json!({"room": {"timeline": {"limit": limit}}}).to_string();
        let query = format!("since={since}&filter={}", encode(&filter));
        let synced = alice.get(&format!("/sync?{query}")).await.ok();
        let timeline = &synced["rooms"]["join"][&room]["timeline"];
        assert_eq!(timeline["limited"], is_limited, "{timeline}");
        let shown = timeline["events"].as_array().unwrap();
        let shown = shown.iter().find(|shown| shown["event_id"] == event);
        let bundle = relations(shown.unwrap());
        assert_eq!(!bundle.is_null(), is_limited, "{timeline}");
    }
}

async fn reactions_are_not_doubled(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let event = alice.send(&room, "root").await;
    let first = react(&alice, &room, &event, "+1").await.ok();
    let again = react(&alice, &room, &event, "+1").await;
    again.refused(400, "M_DUPLICATE_ANNOTATION");
    react(&alice, &room, &event, "-1").await.ok();
    react(&bob, &room, &event, "+1").await.ok();
    redact(&alice, &room, &text(&first, "event_id")).await;
    // The same request again is no second reaction.
    let path = format!("/rooms/{}/send/m.reaction/once", encode(&room));
    let relates_to = json!({"rel_type": "m.annotation", "event_id": event, "key": "+1"});
    let reaction = json!({"m.relates_to": relates_to});
    let sent = alice.put(&path, reaction.clone()).await.ok();
    assert_eq!(alice.put(&path, reaction).await.ok(), sent);
}

async fn of_equal_reactions_at_once_one_is_taken(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let event = alice.send(&room, "root").await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (alice, room, event) = (alice.clone(), room.clone(), event.clone());
        tasks.spawn(async move { react(&alice, &room, &event, "+1").await });
    }
    let mut taken = 0;
    for answer in tasks.join_all().await {
        if answer.status == 200 {
            taken += 1;
        } else {
            answer.refused(400, "M_DUPLICATE_ANNOTATION");
        }
    }
    assert_eq!(taken, 1);
    let answer = get(&alice, &room, &event, "/m.annotation").await.ok();
    assert_eq!(ids(&answer).len(), 1);
}

async fn messages_are_filtered_by_relations(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let one = alice.send(&room, "one").await;
    let two = alice.send(&room, "two").await;
    let reference = relate(&alice, &room, &one, "m.reference").await;
    react(&bob, &room, &two, "+1").await.ok();
    let wanted = |filter: Value| {
        let (alice, room) = (&alice, &room);
        async move {
            let query = format!("dir=b&limit=50&filter={}", encode(&filter.to_string()));
            let page = alice.messages(room, &query).await.ok();
            ids(&page)
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(
        wanted(json!({"related_by_senders": [bob.id]})).await,
        [&*two]
    );
    let by = json!({"related_by_rel_types": ["m.reference", "m.thread"]});
    assert_eq!(wanted(by).await, [&*one]);
    let by = json!({"related_by_rel_types": ["m.reference"], "related_by_senders": [bob.id]});
    assert!(wanted(by).await.is_empty());
    assert_eq!(
        wanted(json!({"rel_types": ["m.reference"]})).await,
        [&*reference]
    );
    let unstable = json!({"org.matrix.msc3874.rel_types": ["m.reference"]});
    assert_eq!(wanted(unstable).await, [&*reference]);
    let without = json!({"not_rel_types": ["m.reference"], "types": ["m.room.message"]});
    assert_eq!(wanted(without).await, [&*two, &*one]);
    // So are timelines and what stands around an event.
    let by = json!({"related_by_rel_types": ["m.reference"]});
    let filter = encode(&json!({"room": {"timeline": by}}).to_string());
    let synced = alice.get(&format!("/sync?filter={filter}")).await.ok();
    let timeline = &synced["rooms"]["join"][&room]["timeline"];
    assert_eq!(ids(&json!({"chunk": timeline["events"]})), [&*one]);
    let filter = encode(&by.to_string());
    let (around, path) = (encode(&two), encode(&room));
    let path = format!("/rooms/{path}/context/{around}?filter={filter}");
    let context = alice.get(&path).await.ok();
    assert_eq!(ids(&json!({"chunk": context["events_before"]})), [&*one]);
    assert!(context.get("events_after").is_none(), "{context}");
}

async fn who_left_is_told_what_was_said_until_then(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let event = alice.send(&room, "root").await;
    let before = edit(&alice, &room, &event, "before").await;
    bob.leave(&room).await.ok();
    server.clock().advance(std::time::Duration::from_secs(1));
    edit(&alice, &room, &event, "after").await;
    for shown in everywhere(&bob, &room, &event).await {
        let replace = &shown["unsigned"]["m.relations"]["m.replace"];
        assert_eq!(replace["event_id"], before, "{shown}");
    }
    let answer = get(&bob, &room, &event, "/m.replace").await.ok();
    assert_eq!(ids(&answer), [&*before]);
}

async fn who_came_back_is_told_of_nothing_that_is_hidden(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let visibility = json!({"history_visibility": "joined"});
    let kind = "m.room.history_visibility";
    alice.set_state(&room, kind, "", visibility).await.ok();
    bob.join(&room).await.ok();
    let event = alice.send(&room, "root").await;
    let mut said = Vec::new();
    for round in 0..3 {
        server.clock().advance(std::time::Duration::from_secs(1));
        let edited = edit(&alice, &room, &event, "edited").await;
        let reference = relate(&alice, &room, &event, "m.reference").await;
        let answer = relate(&alice, &room, &event, "m.thread").await;
        said.push([edited, reference, answer]);
        if round == 0 {
            bob.leave(&room).await.ok();
        } else {
            bob.join(&room).await.ok();
        }
        // Of what was said while he was away Bob is told nothing.
        let newest = [&said[0], &said[0], &said[round]][round];
        let rounds = [&[0][..], &[0], &[0, 2]][round].iter();
        let references = rounds.map(|round| json!({"event_id": said[*round][1]}));
        let references: Vec<Value> = references.collect();
        for shown in everywhere(&bob, &room, &event).await {
            let bundle = relations(&shown);
            assert_eq!(bundle["m.replace"]["event_id"], newest[0], "{shown}");
            assert_eq!(bundle["m.reference"], json!({"chunk": references}));
            let latest = &bundle["m.thread"]["latest_event"];
            assert_eq!(latest["event_id"], newest[2], "{shown}");
        }
        let path = format!("/_matrix/client/v1/rooms/{}/threads", encode(&room));
        assert_eq!(ids(&bob.get(&path).await.ok()), [&*event]);
    }
    // Who was there sees all, also with a newer member event.
    let renamed = json!({"displayname": "Alice"});
    let path = format!("/profile/{}/displayname", encode(&alice.id));
    alice.put(&path, renamed).await.ok();
    let seen = said.iter().map(|said| json!({"event_id": said[1]}));
    let seen: Vec<Value> = seen.collect();
    for shown in everywhere(&alice, &room, &event).await {
        assert_eq!(relations(&shown)["m.reference"], json!({"chunk": seen}));
    }
}

/// Lists what is said about an event; `rest` follows its id.
async fn get(user: &User, room: &str, event: &str, rest: &str) -> Answer {
    let (room, event) = (encode(room), encode(event));
    let path = format!("/_matrix/client/v1/rooms/{room}/relations/{event}{rest}");
    user.get(&path).await
}

/// The event as each endpoint shows it that bundles aggregations.
pub(crate) async fn everywhere(user: &User, room: &str, event: &str) -> Vec<Value> {
    let (path, id) = (
        format!("/_matrix/client/v3/rooms/{}", encode(room)),
        encode(event),
    );
    let single = user.get(&format!("{path}/event/{id}")).await.ok();
    let context = user.get(&format!("{path}/context/{id}?limit=0")).await.ok();
    let page = user.messages(room, "dir=b&limit=100").await.ok();
    let is_it = |shown: &&Value| shown["event_id"] == event;
    let listed = page["chunk"].as_array().unwrap().iter().find(is_it);
    vec![single, context["event"].clone(), listed.unwrap().clone()]
}

/// What is bundled with an event.
pub(crate) fn relations(shown: &Value) -> &Value {
    &shown["unsigned"]["m.relations"]
}

/// Sends a message that relates to an event.
pub(crate) async fn relate(user: &User, room: &str, event: &str, rel_type: &str) -> String {
    let kinds = ("m.room.message", rel_type);
    relate_with(user, room, (event, kinds), json!({})).await
}

/// The same of any type of event, with more in its content.
pub(crate) async fn relate_with(
    user: &User,
    room: &str,
    (event, (kind, rel_type)): (&str, (&str, &str)),
    mut content: Value,
) -> String {
    content["body"] = json!("related");
    content["m.relates_to"] = json!({"rel_type": rel_type, "event_id": event});
    let txn = user.new_txn_id();
    let sent = user.send_event(room, kind, &txn, content).await.ok();
    text(&sent, "event_id")
}

/// Edits an event.
pub(crate) async fn edit(user: &User, room: &str, event: &str, body: &str) -> String {
    let kinds = ("m.room.message", "m.replace");
    let content = json!({"m.new_content": {"body": body}});
    relate_with(user, room, (event, kinds), content).await
}

/// Reacts to an event.
pub(crate) async fn react(user: &User, room: &str, event: &str, key: &str) -> Answer {
    let relates_to = json!({"rel_type": "m.annotation", "event_id": event, "key": key});
    let content = json!({"m.relates_to": relates_to});
    let txn = user.new_txn_id();
    user.send_event(room, "m.reaction", &txn, content).await
}

pub(crate) async fn redact(user: &User, room: &str, event: &str) {
    let (room, event, txn) = (encode(room), encode(event), user.new_txn_id());
    let path = format!("/_matrix/client/v3/rooms/{room}/redact/{event}/{txn}");
    user.put(&path, json!({})).await.ok();
}

/// Has a user ignore another one.
pub(crate) async fn ignore(user: &User, other: &User) {
    let path = format!(
        "/_matrix/client/v3/user/{}/account_data/m.ignored_user_list",
        encode(&user.id)
    );
    let list = json!({"ignored_users": {&*other.id: {}}});
    user.put(&path, list).await.ok();
}

/// The ids of the events of a page.
pub(crate) fn ids(page: &Value) -> Vec<&str> {
    let chunk = page["chunk"].as_array().unwrap().iter();
    chunk
        .map(|event| event["event_id"].as_str().unwrap())
        .collect()
}
