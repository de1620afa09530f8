//! Rate limits: each limited endpoint refuses who asks too often, and lets them in again later.

use std::{net::IpAddr, time::Duration};

use http::{Method, Request};
use myelin_http::{ClientAddress, HttpSettings, RateLimits};
use myelin_store::{WriteSet, rate_limit_exemptions};
use myelin_testkit::{Answer, Mode, TestServer, User, encode, three_modes};
use serde_json::{Value, json};

three_modes!(
    each_limited_endpoint_refuses_and_recovers,
    addresses_are_limited_each_for_itself,
    failed_logins_are_limited_more,
    an_account_is_limited_from_wherever_it_is_tried,
    what_is_read_is_not_limited,
    who_is_exempt_is_never_refused,
    the_usual_limits_let_a_client_work,
);

/// More than any limit here allows at once, on two nodes together.
const TOO_MANY: usize = 9;

/// At most three at once, and then one in ten seconds.
fn strict() -> HttpSettings {
    let rate = "0.1/3".parse().unwrap();
    HttpSettings {
        rate_limits: Some(RateLimits {
            login: rate,
            failed_login: "0.1/2".parse().unwrap(),
            registration: rate,
            messages: rate,
            joins: rate,
            invites: rate,
            room_creation: rate,
            reports: rate,
            federation: rate,
            other: rate,
        }),
        ..HttpSettings::default()
    }
}

async fn each_limited_endpoint_refuses_and_recovers(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_public_room().await;
    let event = alice.send(&room, "hello").await;
    server.restart_with(strict()).await;
    let (in_room, id) = (format!("/rooms/{}", encode(&room)), encode(&alice.id));
    let event = encode(&event);
    let (get, put, post) = (Method::GET, Method::PUT, Method::POST);
    let of_users = [
        (&put, format!("{in_room}/send/m.room.message/{{n}}")),
        (&put, format!("{in_room}/state/m.room.topic/")),
        (&put, format!("{in_room}/redact/{event}/{{n}}")),
        (&put, format!("{in_room}/delayed_event/m.x/{{n}}")),
        (&post, "/_matrix/client/v1/delayed_events/0/send".to_owned()),
        (
            &post,
            "/_matrix/client/v1/delayed_events/0/restart".to_owned(),
        ),
        (&get, "/_matrix/client/v1/delayed_events".to_owned()),
        (&get, "/_matrix/client/v1/delayed_events/0".to_owned()),
        (
            &get,
            "/_matrix/client/unstable/org.matrix.msc4140/delayed_events".to_owned(),
        ),
        (
            &get,
            "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/0".to_owned(),
        ),
        (&post, format!("/join/{}", encode(&room))),
        (&post, format!("{in_room}/join")),
        (&post, format!("{in_room}/invite")),
        (&post, "/createRoom".to_owned()),
        (&post, format!("{in_room}/receipt/m.read/{event}")),
        (&post, format!("{in_room}/read_markers")),
        (&put, format!("{in_room}/typing/{id}")),
        (&put, format!("/presence/{id}/status")),
        (&put, format!("/user/{id}/account_data/m.test")),
        (&put, format!("/profile/{id}/displayname")),
    ];
    for (method, path) in of_users {
        refuses_and_recovers(server, &path, async |n| {
            let path = path.replace("{n}", &n.to_string());
            alice.request(method.clone(), &path, "{}".to_owned()).await
        })
        .await;
    }
    let anybodys = [
        (&post, "/_matrix/client/v3/login"),
        (&post, "/_matrix/client/api/v1/login"),
        (&post, "/_matrix/client/v3/register"),
        (&post, "/_matrix/client/api/v1/register"),
        (&get, "/_matrix/client/v3/register/available?username=bob"),
    ];
    for (method, path) in anybodys {
        if method == get && server.get(path).await.status == 404 {
            continue;
        }
        refuses_and_recovers(server, path, async |_| {
            from(server, (method, path), "192.0.2.1", &json!({})).await
        })
        .await;
    }
}

async fn addresses_are_limited_each_for_itself(server: &TestServer) {
    server.restart_with(strict()).await;
    let path = (&Method::POST, "/_matrix/client/v3/register");
    for _ in 0..TOO_MANY {
        from(server, path, "192.0.2.1", &json!({})).await;
    }
    let body = json!({});
    let refused = from(server, path, "192.0.2.1", &body).await;
    refused.refused(429, "M_LIMIT_EXCEEDED");
    let answer = from(server, path, "192.0.2.2", &body).await;
    assert_ne!(answer.status, 429, "{}", answer.text);
}

async fn failed_logins_are_limited_more(server: &TestServer) {
    server.user("alice").await;
    server.restart_with(strict()).await;
    let path = (&Method::POST, "/_matrix/client/v3/login");
    let body = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "alice"},
        "password": "wrong",
    });
    let mut failed = 0;
    while from(server, path, "192.0.2.1", &body).await.status == 403 {
        failed += 1;
    }
    let nodes = if server.mode() == Mode::TwoNodes {
        2
    } else {
        1
    };
    assert_eq!(failed, 2 * nodes);
}

async fn an_account_is_limited_from_wherever_it_is_tried(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    server.restart_with(strict()).await;
    let login = (&Method::POST, "/_matrix/client/v3/login");
    let wrong = |user: &str| {
        json!({
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": user},
            "password": "wrong",
        })
    };
    let mut refused = false;
    for n in 1..=TOO_MANY {
        let user = if n % 2 == 0 {
            "alice"
        } else {
            alice.id.as_str()
        };
        let answer = from(server, login, &format!("192.0.2.{n}"), &wrong(user)).await;
        assert!([403, 429].contains(&answer.status), "{}", answer.text);
        refused |= answer.status == 429;
    }
    assert!(refused);
    let answer = from(server, login, "192.0.2.100", &wrong("bob")).await;
    answer.refused(403, "M_FORBIDDEN");
    // Nor are passwords tried by whoever has stolen a session.
    let limits = strict().rate_limits.map(|strict| RateLimits {
        other: RateLimits::default().other,
        ..strict
    });
    let http = HttpSettings {
        rate_limits: limits,
        ..HttpSettings::default()
    };
    server.restart_with(http).await;
    let change = json!({
        "new_password": "another",
        "auth": {"type": "m.login.password", "password": "wrong",
            "identifier": {"type": "m.id.user", "user": "bob"}},
    });
    let mut refused = false;
    for _ in 0..TOO_MANY {
        let answer = bob.post("/account/password", change.clone()).await;
        refused |= answer.status == 429;
    }
    assert!(refused);
}

async fn what_is_read_is_not_limited(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    server.restart_with(strict()).await;
    for _ in 0..2 * TOO_MANY {
        alice.sync(None).await;
        alice.state(&room, "m.room.create", "").await.ok();
        server.get("/_matrix/client/versions").await.ok();
        server.get("/_matrix/client/v3/login").await.ok();
    }
}

async fn who_is_exempt_is_never_refused(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    server.restart_with(strict()).await;
    let store = server.stores().remove(0);
    let number = store.find_interned(alice.id.as_bytes()).await.unwrap();
    let mut writes = WriteSet::new();
    rate_limit_exemptions::upsert(&mut writes, number.unwrap(), 0);
    store.commit(writes).await.unwrap();
    drop(store);
    for n in 0..2 * TOO_MANY {
        alice.send(&room, &n.to_string()).await;
    }
    let mut refused = false;
    for n in 0..TOO_MANY {
        refused |= send(&bob, &room, n).await.status == 429;
    }
    assert!(refused);
}

async fn the_usual_limits_let_a_client_work(server: &TestServer) {
    let usual = HttpSettings {
        rate_limits: Some(RateLimits::default()),
        ..HttpSettings::default()
    };
    server.restart_with(usual).await;
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    for n in 0..50 {
        send(&alice, &room, n).await.ok();
    }
    for _ in 0..5 {
        let room = alice.create_room().await;
        alice.invite(&room, &bob).await.ok();
        bob.join(&room).await.ok();
    }
}

/// Asks until it is refused, waits for as long as it is told to, and asks again.
async fn refuses_and_recovers(server: &TestServer, what: &str, ask: impl AsyncFn(usize) -> Answer) {
    // Whatever was counted with it before is forgotten by then.
    server.clock().advance(Duration::from_mins(10));
    let mut refused = 0;
    let mut last = ask(0).await;
    for n in 1..=TOO_MANY {
        last = ask(n).await;
        refused += usize::from(last.status == 429);
    }
    assert!(refused > 0, "{what} is not limited");
    let retry_after_ms = last.body["retry_after_ms"].as_u64();
    let retry_after_ms = retry_after_ms.expect("it says when to try again");
    let header = last.headers.get("retry-after").unwrap().to_str().unwrap();
    assert_eq!(header, retry_after_ms.div_ceil(1_000).to_string());
    last.refused(429, "M_LIMIT_EXCEEDED");
    server
        .clock()
        .advance(Duration::from_millis(retry_after_ms));
    for n in 0..2 {
        let answer = ask(2 * TOO_MANY + n).await;
        let is_next = server.mode() == Mode::TwoNodes || n == 0;
        assert!(
            answer.status != 429 || !is_next,
            "{what} does not recover: {}",
            answer.text
        );
    }
}

async fn send(user: &User, room: &str, n: usize) -> Answer {
    let content = json!({"msgtype": "m.text", "body": "hello"});
    user.send_event(room, "m.room.message", &format!("again {n}"), content)
        .await
}

/// A request from an address.
async fn from(
    server: &TestServer,
    (method, path): (&Method, &str),
    address: &str,
    body: &Value,
) -> Answer {
    let address: IpAddr = address.parse().unwrap();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .extension(ClientAddress(address));
    server.call(request.body(body.to_string()).unwrap()).await
}
