//! A server is killed after each commit of a join: it is in the room or it is not, and can come in.

use std::{sync::Arc, time::Duration};

use http::Method;
use myelin_testkit::{
    Answer, Peer, PeerHost, PeerRoom, TestServer, User, encode, let_pass, simulate_nodes, text,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// More than fit one slice of any kind but memberships.
const MEMBERS: usize = 600;
/// Longer than any lease, and than anybody waits.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_kill_after_any_commit_of_a_join_leaves_nothing_half() {
    at_each_commit(1, &async |kill, server: &TestServer| {
        let scene = Scene::new(server).await;
        let seen = scene.outside(server).await;
        let joined = scene.join_until(server, kill, async |server| {
            server.kill().await;
            server.start_again().await;
        });
        let joined = joined.await;
        scene.judge(server, &seen).await;
        joined
    });
}

#[test]
fn a_kill_after_any_commit_of_a_return_leaves_nothing_half() {
    at_each_commit(1, &async |kill, server: &TestServer| {
        let scene = Scene::new(server).await;
        scene.join().await.ok();
        scene.bob.leave(&scene.id()).await.ok();
        let_pass(PATIENCE).await;
        scene.go_on_without_us();
        let seen = scene.outside(server).await;
        let joined = scene.join_until(server, kill, async |server| {
            server.kill().await;
            server.start_again().await;
        });
        let joined = joined.await;
        scene.judge(server, &seen).await;
        joined
    });
}

#[test]
fn one_of_two_nodes_is_killed_after_any_commit_of_a_join() {
    for node in 0..2 {
        at_each_commit(2, &async |kill, server: &TestServer| {
            let scene = Scene::new(server).await;
            let seen = scene.outside(server).await;
            let kill_one = async |server: &TestServer| server.kill_node(node).await;
            let joined = scene.join_until(server, kill, kill_one).await;
            scene.judge(server, &seen).await;
            joined
        });
    }
}

/// Runs the scene once for each commit, until the join is done before the kill comes.
fn at_each_commit(nodes: usize, scene: &impl AsyncFn(Duration, &TestServer) -> bool) {
    let mut kills = 0;
    loop {
        // Commits happen at whole milliseconds.
        let kill = Duration::from_micros(500 + 1_000 * kills);
        let is_done = simulate_nodes((nodes, 1), async |server| scene(kill, server).await);
        if is_done {
            break;
        }
        kills += 1;
    }
    assert!(kills > 8, "{kills} commits");
}

/// A large room of a peer, and who wants to be in it.
struct Scene {
    host: PeerHost,
    peer: Arc<Peer>,
    bob: User,
}

impl Scene {
    async fn new(server: &TestServer) -> Self {
        let peer = Peer::start(server.network(), "peer.example");
        // A peer that nobody has asked yet has no keys here; then the moments would differ.
        let mut room = PeerRoom::create(&peer, "11", "mallory");
        for n in 0..MEMBERS {
            let user = room.user(&format!("member{n}"));
            let content = json!({"membership": "join"});
            room.set(&user, "m.room.member", user.as_str(), content);
        }
        Self {
            host: PeerHost::new(room),
            peer,
            bob: server.user("bob").await,
        }
    }

    fn id(&self) -> String {
        self.host.room.lock().id.to_string()
    }

    fn path(&self, rest: &str) -> String {
        format!("/rooms/{}/{rest}", encode(&self.id()))
    }

    fn join_path(&self) -> String {
        format!(
            "/_matrix/client/v3/join/{}?via=peer.example",
            encode(&self.id())
        )
    }

    async fn join(&self) -> Answer {
        self.bob.post(&self.join_path(), json!({})).await
    }

    /// Joins until the kill; whether that came too late.
    async fn join_until(
        &self,
        server: &TestServer,
        kill: Duration,
        end: impl AsyncFnOnce(&TestServer),
    ) -> bool {
        let (bob, path) = (self.bob.clone(), self.join_path());
        let mut joining = JoinSet::new();
        joining.spawn(async move { bob.try_request(Method::POST, &path, json!({})).await });
        let_pass(kill).await;
        let done = joining.try_join_next();
        let is_done = done.is_some();
        end(server).await;
        let answer = match done {
            Some(answer) => Some(answer),
            None => joining.join_next().await,
        };
        let answer = answer.expect("there is a task").expect("nothing panics");
        assert!(answer.is_some() || !is_done);
        if let Some(answer) = answer {
            // Before the kill, or by another node.
            answer.ok();
            assert!(self.is_joined().await, "what was acknowledged is lost");
        }
        is_done
    }

    /// Somebody comes into the room while this server is not in it.
    fn go_on_without_us(&self) {
        let mut room = self.host.room.lock();
        let sent = self.peer.received().pop();
        assert!(sent.is_some_and(|sent| sent.path.contains("/send_join/")));
        let left = self.peer.pdus().pop().expect("the leave was sent");
        let left = myelin_core::event::parse(left.to_string().as_bytes(), &room.version);
        room.take(&left.expect("it is an event"));
        for n in 0..9 {
            let user = room.user(&format!("late{n}"));
            let content = json!({"membership": "join"});
            room.set(&user, "m.room.member", user.as_str(), content);
        }
    }

    async fn is_joined(&self) -> bool {
        let joined = self.bob.get("/joined_rooms").await.ok();
        joined["joined_rooms"] == json!([self.id()])
    }

    /// What bob sees of the room while he is not in it.
    async fn outside(&self, server: &TestServer) -> Vec<Value> {
        let mut seen = Vec::new();
        let views = [
            "state",
            "members",
            "joined_members",
            "messages?dir=b",
            "aliases",
        ];
        for view in views {
            let answer = self.bob.get(&self.path(view)).await;
            let mut body = answer.body.clone();
            forget_moments(&mut body);
            if let Some(events) = body.as_array_mut() {
                events.sort_by_key(|event| text(event, "event_id"));
            }
            seen.push(json!([view, answer.status, body]));
        }
        let sync = self.bob.sync(None).await;
        seen.push(sync["rooms"].clone());
        let public = self.bob.get("/publicRooms").await.ok();
        seen.push(public["chunk"].clone());
        let room = encode(&self.id());
        let asked = format!("/_matrix/federation/v1/make_join/{room}/@eve:peer.example?ver=11");
        let asked = self.peer.get(server, &asked).await;
        seen.push(json!([asked.status, asked.body]));
        seen
    }

    /// Either bob is in the room, and sees all of it, or it is as if he had not tried, and he can
    /// come in.
    async fn judge(&self, server: &TestServer, seen: &[Value]) {
        if !self.is_joined().await {
            assert_eq!(self.outside(server).await, seen);
            let (bob, path) = (self.bob.clone(), self.join_path());
            let again = bob.try_request(Method::POST, &path, json!({}));
            let again = tokio::time::timeout(PATIENCE, again).await;
            let again = again
                .expect("bob is not let in again")
                .expect("nobody kills");
            again.ok();
        }
        assert!(self.is_joined().await);
        self.sees_all().await;
        self.is_heard_once().await;
    }

    async fn sees_all(&self) {
        let state = self.bob.get(&self.path("state")).await.ok();
        let state = state.as_array().expect("a list of events");
        let mut found: Vec<String> = state.iter().map(|event| text(event, "event_id")).collect();
        let mut expected: Vec<String> = {
            let room = self.host.room.lock();
            room.state.values().map(ToString::to_string).collect()
        };
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        let count = |kind: &str| state.iter().filter(|event| event["type"] == kind).count();
        let joined = self.bob.get(&self.path("joined_members")).await.ok();
        let joined = joined["joined"].as_object().expect("an object").len();
        assert_eq!(joined, count("m.room.member"));
        let sync = self.bob.sync(None).await;
        let told = &sync["rooms"]["join"][&self.id()];
        assert_eq!(told["summary"]["m.joined_member_count"], joined);
    }

    /// What the peer would show of all this: joins of bob that change nothing after the first, and
    /// a message, once.
    async fn is_heard_once(&self) {
        let joins: Vec<Value> = self
            .peer
            .received()
            .into_iter()
            .filter_map(|request| request.path.contains("/send_join/").then_some(request.body))
            .collect();
        assert!(joins.len() <= 3, "{joins:#?}");
        for join in &joins {
            assert_eq!(join["content"], joins[0]["content"]);
        }
        self.bob.send(&self.id(), "here I am").await;
        let_pass(PATIENCE).await;
        let told = self.peer.pdus();
        let texts = told
            .iter()
            .filter(|pdu| pdu["content"]["body"] == "here I am");
        assert_eq!(texts.count(), 1, "{told:#?}");
        let joins = told
            .iter()
            .filter(|pdu| pdu["content"]["membership"] == "join");
        assert_eq!(
            joins.count(),
            0,
            "the peer has sent the joins itself: {told:#?}"
        );
    }
}

/// Takes out what changes though nothing happens: tokens, which are positions in the log, and ages.
fn forget_moments(seen: &mut Value) {
    match seen {
        Value::Object(object) => {
            for key in ["start", "end", "age"] {
                object.remove(key);
            }
            object.values_mut().for_each(forget_moments);
        }
        Value::Array(list) => list.iter_mut().for_each(forget_moments),
        _ => {}
    }
}
