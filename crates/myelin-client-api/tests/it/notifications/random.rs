//! Random histories of messages, mentions, edits, reactions, redactions, threads, subscriptions to
//! them, receipts, rule changes, users ignored, leaves and returns, and months after which what is of no use any
//! more is deleted: whenever it is looked, the counts are those of a recount of everything by the
//! letter. A failure names the seed.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use myelin_testkit::{TestServer, User, encode, random_histories, text};
use serde_json::json;

use super::{in_thread, mention, read_up_to, redact, send_content, unread, unread_by_thread};
use crate::{
    chance::Chance,
    thread_subscriptions::{RULES, call},
};

random_histories!(case: 0..8, 100..102, 200..202);

/// Things that happen in one history.
const STEPS: usize = 60;
/// What stands for the main timeline.
const MAIN: &str = "main";

/// What a user has changed of the rules.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
struct Rules {
    /// The master rule silences everything.
    nothing: bool,
    /// The room is silent but for mentions.
    silent: bool,
    /// `cake` stands out.
    keyword: bool,
    /// Threads are silent to which the user has not subscribed.
    only_subscribed: bool,
    /// The user with this index is ignored.
    ignored: Option<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Message,
    Cake,
    Reaction,
    Edit,
    /// Of the user with this index.
    Mention(usize),
    /// A member event, or a redaction.
    Other,
}

struct Event {
    id: String,
    sender: usize,
    kind: Kind,
    thread: String,
    redacted: bool,
    /// Whether something refers to it: what is redacted refers to nothing any more.
    answered: bool,
    /// The rules of all users at that time, and who had subscribed to the thread.
    rules: Vec<Rules>,
    subscribers: BTreeSet<usize>,
}

/// What a user has read, and since when the user is there.
#[derive(Default)]
struct Reader {
    /// By receipts, and by the join: of everything, and of threads.
    whole: usize,
    receipts: BTreeMap<String, usize>,
    /// By sending something, since the join.
    sent: BTreeMap<String, usize>,
    joined: bool,
}

struct Story<'a> {
    server: &'a TestServer,
    seed: u64,
    chance: Chance,
    users: &'a [User],
    room: String,
    events: Vec<Event>,
    readers: Vec<Reader>,
    rules: Vec<Rules>,
    /// Who has subscribed to which thread, and who ever has, in this history or before it.
    subscriptions: BTreeSet<(usize, String)>,
    subscribed_once: BTreeSet<usize>,
    /// Whether rules have changed since everything was counted: until then they hold for events
    /// that were sent before.
    changed: bool,
}

async fn case(server: &TestServer, seeds: std::ops::Range<u64>) {
    let mut users = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        users.push(server.user(name).await);
    }
    let mut subscribed_once = BTreeSet::new();
    for seed in seeds {
        let room = users[0].create_public_room().await;
        let mut story = Story {
            server,
            seed,
            chance: Chance(seed),
            users: &users,
            room,
            events: Vec::new(),
            readers: users.iter().map(|_| Reader::default()).collect(),
            rules: vec![Rules::default(); users.len()],
            subscriptions: BTreeSet::new(),
            subscribed_once: std::mem::take(&mut subscribed_once),
            changed: true,
        };
        story.readers[0].joined = true;
        for user in 1..users.len() {
            story.come(user).await;
        }
        for _ in 0..STEPS {
            story.step().await;
            if story.chance.below(60) == 0 {
                server.notifications_purged().await;
            }
            if story.chance.below(4) == 0 {
                story.compare().await;
            }
        }
        server.counted().await;
        story.compare().await;
        for user in 0..users.len() {
            story.ignore(user, None).await;
            story.set_rules(user, Rules::default()).await;
        }
        subscribed_once = story.subscribed_once;
    }
}

impl Event {
    fn is_message(&self) -> bool {
        !self.redacted && !matches!(self.kind, Kind::Other | Kind::Reaction | Kind::Edit)
    }
}

impl Story<'_> {
    async fn step(&mut self) {
        let user = self.chance.below(self.users.len());
        if !self.readers[user].joined {
            return self.come(user).await;
        }
        match self.chance.below(24) {
            0..8 => self.say(user).await,
            8..11 => self.answer(user).await,
            11..15 => self.read(user).await,
            15..17 => self.redact(user).await,
            17..19 => {
                let rules = Rules {
                    nothing: self.chance.below(4) == 0,
                    silent: self.chance.below(2) == 0,
                    keyword: self.chance.below(2) == 0,
                    only_subscribed: self.chance.below(2) == 0,
                    ignored: self.rules[user].ignored,
                };
                self.set_rules(user, rules).await;
            }
            19..22 => self.subscribe(user).await,
            22 => {
                let other = self.chance.below(2 * self.users.len());
                let other = (other < self.users.len()).then_some(other);
                self.ignore(user, other).await;
            }
            _ if user > 0 => {
                self.users[user].leave(&self.room).await.ok();
                self.note(String::new(), user, (Kind::Other, MAIN));
                self.readers[user].joined = false;
                self.readers[user].sent.clear();
            }
            _ => {}
        }
    }

    async fn come(&mut self, user: usize) {
        self.users[user].join(&self.room).await.ok();
        self.note(String::new(), user, (Kind::Other, MAIN));
        let reader = &mut self.readers[user];
        reader.joined = true;
        reader.whole = self.events.len();
    }

    /// Says something, in the main timeline or in a thread.
    async fn say(&mut self, user: usize) {
        let thread = self.some_event(|event| event.thread == MAIN && event.is_message());
        let thread = thread.filter(|_| self.chance.below(2) == 0);
        let thread = thread.map(|root| self.events[root].id.clone());
        let mut content = thread
            .as_deref()
            .map_or_else(|| json!({"msgtype": "m.text", "body": "hello"}), in_thread);
        let kind = match self.chance.below(4) {
            0 => {
                content["body"] = "a piece of cake".into();
                Kind::Cake
            }
            1 => {
                let named = self.chance.below(self.users.len());
                content["m.mentions"] = mention(&self.users[named])["m.mentions"].clone();
                Kind::Mention(named)
            }
            _ => Kind::Message,
        };
        let id = send_content(&self.users[user], &self.room, &self.txn(), content).await;
        self.note(id, user, (kind, thread.as_deref().unwrap_or(MAIN)));
        self.mark_sent(user);
    }

    /// Reacts to something, or edits it.
    async fn answer(&mut self, user: usize) {
        let Some(target) = self.some_event(Event::is_message) else {
            return;
        };
        self.events[target].answered = true;
        let key = self.txn();
        let (target, thread) = (&self.events[target].id, self.events[target].thread.clone());
        let (event_type, kind, content) = if self.chance.0.is_multiple_of(2) {
            let relation = json!({"rel_type": "m.annotation", "event_id": target, "key": key});
            (
                "m.reaction",
                Kind::Reaction,
                json!({"m.relates_to": relation}),
            )
        } else {
            let relation = json!({"rel_type": "m.replace", "event_id": target});
            let content = json!({
                "msgtype": "m.text", "body": "* cake", "m.relates_to": relation,
                "m.new_content": {"msgtype": "m.text", "body": "cake"},
            });
            ("m.room.message", Kind::Edit, content)
        };
        let txn = self.txn();
        let sent = self.users[user].send_event(&self.room, event_type, &txn, content);
        let id = text(&sent.await.ok(), "event_id");
        self.note(id, user, (kind, &thread));
        self.mark_sent(user);
    }

    async fn read(&mut self, user: usize) {
        let Some(event) = self.some_event(|event| event.kind != Kind::Other && !event.redacted)
        else {
            return;
        };
        let (id, thread) = (&self.events[event].id, self.events[event].thread.clone());
        let kind = ["m.read", "m.read.private"][self.chance.below(2)];
        let thread = (self.chance.below(2) == 0).then_some(thread);
        let what = (kind, thread.as_deref());
        read_up_to(&self.users[user], &self.room, what, id).await;
        let reader = &mut self.readers[user];
        let place = match thread {
            Some(thread) => reader.receipts.entry(thread).or_default(),
            None => &mut reader.whole,
        };
        *place = (event + 1).max(*place);
    }

    async fn redact(&mut self, user: usize) {
        let own = |event: &Event| {
            event.kind != Kind::Other
                && !event.redacted
                && !event.answered
                && (user == 0 || event.sender == user)
        };
        let Some(event) = self.some_event(own) else {
            return;
        };
        redact(&self.users[user], &self.room, &self.events[event].id).await;
        self.events[event].redacted = true;
        self.note(String::new(), user, (Kind::Other, MAIN));
        self.mark_sent(user);
    }

    async fn set_rules(&mut self, user: usize, rules: Rules) {
        let client = &self.users[user];
        let master = json!({"enabled": rules.nothing});
        let path = "/pushrules/global/override/.m.rule.master/enabled";
        client.put(path, master).await.ok();
        // Disabled rather than deleted, for that it has to be there.
        super::set_room_rule(client, &self.room, json!([])).await;
        let path = format!("/pushrules/global/room/{}/enabled", encode(&self.room));
        client
            .put(&path, json!({"enabled": rules.silent}))
            .await
            .ok();
        let cake = json!({"pattern": "cake", "actions": ["notify", {"set_tweak": "highlight"}]});
        client
            .put("/pushrules/global/content/cake", cake)
            .await
            .ok();
        let enabled = json!({"enabled": rules.keyword});
        let path = "/pushrules/global/content/cake/enabled";
        client.put(path, enabled).await.ok();
        let enabled = json!({"enabled": rules.only_subscribed});
        let path = format!("{RULES}.unsubscribed_thread/enabled");
        client.put(&path, enabled).await.ok();
        self.rules[user] = rules;
        self.changed = true;
    }

    /// Ignores one of the others, or nobody.
    async fn ignore(&mut self, user: usize, other: Option<usize>) {
        // Whom a user ignored when something was said is not kept.
        self.server.counted().await;
        let others = other.map(|other| &self.users[other]);
        super::ignore(&self.users[user], others.as_slice()).await;
        self.rules[user].ignored = other;
        self.changed = true;
    }

    /// Subscribes to a thread, or to what could become one; or ends that.
    async fn subscribe(&mut self, user: usize) {
        let Some(root) = self.some_event(|event| event.thread == MAIN && event.is_message()) else {
            return;
        };
        let root = self.events[root].id.clone();
        let subscription = (user, root.clone());
        let is_new = !self.subscriptions.remove(&subscription);
        let method = if is_new { Method::PUT } else { Method::DELETE };
        call(&self.users[user], method, (&self.room, &root), json!({}))
            .await
            .ok();
        if is_new {
            self.subscriptions.insert(subscription);
            let is_first = self.subscribed_once.insert(user);
            self.rules[user].only_subscribed |= is_first;
        }
        self.changed = true;
    }

    /// Looks at everybody's counts.
    async fn compare(&mut self) {
        if std::mem::take(&mut self.changed) {
            self.server.counted().await;
        }
        for (index, user) in self.users.iter().enumerate() {
            if !self.readers[index].joined {
                continue;
            }
            let seed = self.seed;
            let wanted = self.recount(index);
            let all = wanted
                .values()
                .fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
            let name = (&user.id, seed, self.events.len());
            assert_eq!(unread(user, &self.room).await, all, "{name:?}");
            let mut shown = json!({ MAIN: [0, 0] });
            for (thread, counts) in wanted {
                shown[thread] = json!(counts);
            }
            assert_eq!(unread_by_thread(user, &self.room).await, shown, "{name:?}");
        }
    }

    /// What is unread, by the letter.
    fn recount(&self, user: usize) -> BTreeMap<String, (u64, u64)> {
        let reader = &self.readers[user];
        let mut found: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (index, event) in self.events.iter().enumerate() {
            let read = |marks: &BTreeMap<String, usize>| {
                marks.get(&event.thread).is_some_and(|read| index < *read)
            };
            let is_read = index < reader.whole || read(&reader.receipts) || read(&reader.sent);
            if is_read || event.redacted || event.sender == user {
                continue;
            }
            let (notify, highlight) = outcome(event, user);
            if notify {
                let counts = found.entry(event.thread.clone()).or_default();
                counts.0 += 1;
                counts.1 += u64::from(highlight);
            }
        }
        found
    }

    fn note(&mut self, id: String, sender: usize, (kind, thread): (Kind, &str)) {
        let subscriptions = self.subscriptions.iter();
        let subscribers = subscriptions.filter(|(_, root)| root == thread);
        self.events.push(Event {
            id,
            sender,
            kind,
            thread: thread.to_owned(),
            redacted: false,
            answered: false,
            rules: self.rules.clone(),
            subscribers: subscribers.map(|(user, _)| *user).collect(),
        });
    }

    /// Who sends something has read what came before it there.
    fn mark_sent(&mut self, user: usize) {
        let thread = self.events.last().unwrap().thread.clone();
        self.readers[user].sent.insert(thread, self.events.len());
    }

    fn some_event(&mut self, wanted: impl Fn(&Event) -> bool) -> Option<usize> {
        let events = self.events.iter().enumerate();
        let found = events.filter(|(_, event)| wanted(event));
        let found: Vec<usize> = found.map(|(index, _)| index).collect();
        (!found.is_empty()).then(|| found[self.chance.below(found.len())])
    }

    fn txn(&self) -> String {
        format!("{}-{}", self.seed, self.events.len())
    }
}

/// Whether an event notifies a user, and stands out, by the rules of that time in their order.
fn outcome(event: &Event, user: usize) -> (bool, bool) {
    let rules = event.rules[user];
    match event.kind {
        _ if rules.nothing || rules.ignored == Some(event.sender) => (false, false),
        Kind::Mention(named) if named == user => (true, true),
        Kind::Reaction | Kind::Edit | Kind::Other => (false, false),
        Kind::Cake if rules.keyword => (true, true),
        _ if event.subscribers.contains(&user) => (true, false),
        _ if event.thread != MAIN && rules.only_subscribed => (false, false),
        _ => (!rules.silent, false),
    }
}
