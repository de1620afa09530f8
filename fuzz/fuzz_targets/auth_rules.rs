//! A room version and what people try in a room: whatever the rules allow, some things must hold.
#![no_main]

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use myelin_core::{
    auth,
    event::{self, Event},
    membership::Membership,
    power::PowerLevels,
};
use ruma::{OwnedEventId, RoomVersionId, UserId};
use serde_json::{Value, json, value::to_raw_value};

#[derive(Debug, Arbitrary)]
struct Input {
    version: u8,
    additional_creators: Vec<u8>,
    federate: Option<bool>,
    attempts: Vec<Attempt>,
}

#[derive(Debug, Arbitrary)]
struct Attempt {
    sender: u8,
    what: What,
}

#[derive(Debug, Arbitrary)]
enum What {
    Member {
        target: u8,
        membership: u8,
        via: Option<u8>,
        token: Option<u8>,
    },
    JoinRules(u8),
    PowerLevels {
        users: Vec<(u8, Level)>,
        fields: Vec<(u8, Level)>,
        events: Vec<(u8, Level)>,
        notifications: Option<Level>,
    },
    ThirdPartyInvite(u8),
    /// Any content under one of the types and keys that the rules know.
    Raw {
        event_type: u8,
        state_key: Option<u8>,
        content: String,
    },
}

#[derive(Debug, Arbitrary)]
enum Level {
    Small(i8),
    Large(i64),
    Text(String),
    Null,
}

/// More find nothing that these do not, and slow every run down.
const ATTEMPTS_MAX: usize = 24;

const USERS: [&str; 5] = [
    "@creator:a.org",
    "@mod:a.org",
    "@alice:a.org",
    "@bob:b.org",
    "@carol:b.org",
];
const MEMBERSHIPS: [&str; 6] = ["join", "invite", "leave", "ban", "knock", "dance"];
const JOIN_RULES: [&str; 7] = [
    "public",
    "invite",
    "knock",
    "restricted",
    "knock_restricted",
    "private",
    "other",
];
const TYPES: [&str; 9] = [
    "m.room.member",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.third_party_invite",
    "m.room.create",
    "m.room.aliases",
    "m.room.redaction",
    "m.room.message",
    "",
];
const FIELDS: [&str; 8] = [
    "users_default",
    "events_default",
    "state_default",
    "ban",
    "kick",
    "redact",
    "invite",
    "users",
];

fuzz_target!(|input: Input| {
    let Some(mut room) = Room::new(&input) else {
        return;
    };
    for attempt in input.attempts.iter().take(ATTEMPTS_MAX) {
        room.attempt(attempt);
    }
});

struct Room {
    version: RoomVersionId,
    room_id: String,
    last: OwnedEventId,
    n: usize,
    state: BTreeMap<(String, String), Event>,
}

impl Room {
    fn new(input: &Input) -> Option<Room> {
        let number = input.version % 12 + 1;
        let version = RoomVersionId::try_from(number.to_string()).ok()?;
        let mut content = json!({ "creator": USERS[0], "room_version": version.as_str() });
        if !input.additional_creators.is_empty() {
            let users = input.additional_creators.iter().map(|n| pick(&USERS, *n));
            content["additional_creators"] = users.collect();
        }
        if let Some(federate) = input.federate {
            content["m.federate"] = json!(federate);
        }
        let mut pdu = pdu(&version, 0, USERS[0], "m.room.create", Some(""), &content);
        if number < 12 {
            pdu["room_id"] = json!("!room:a.org");
        }
        let create = event::parse(pdu.to_string().as_bytes(), &version).ok()?;
        auth::check(&version, &create, |_, _| None).expect("a good create event is allowed");
        Some(Room {
            room_id: create.room_id.to_string(),
            last: create.event_id.clone(),
            n: 1,
            state: BTreeMap::from([(("m.room.create".to_owned(), String::new()), create)]),
            version,
        })
    }

    fn state(&self, event_type: &str, key: &str) -> Option<&Event> {
        self.state.get(&(event_type.to_owned(), key.to_owned()))
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let sender = pick(&USERS, attempt.sender);
        let (event_type, state_key, content) = attempt.what.event();
        let Some(event) = self.build(sender, event_type, state_key.as_deref(), &content) else {
            return;
        };
        let allowed = auth::check(&self.version, &event, |name, key| self.state(name, key));
        if allowed.is_err() {
            return;
        }
        self.check_allowed(&event);
        self.last = event.event_id.clone();
        if let Some(key) = &event.state_key {
            // Nobody accepts a second create event on top of a room.
            assert!(event_type != "m.room.create");
            self.state
                .insert((event_type.to_owned(), key.clone()), event);
        }
        self.levels();
    }

    fn build(
        &mut self,
        sender: &str,
        event_type: &str,
        state_key: Option<&str>,
        content: &Value,
    ) -> Option<Event> {
        let raw = to_raw_value(content).ok()?;
        let user = <&UserId>::try_from(sender).ok()?;
        let types = auth::auth_types(&self.version, event_type, user, state_key, &raw).ok()?;
        let auth_events: Vec<&OwnedEventId> = types
            .iter()
            .filter_map(|key| self.state.get(key))
            .map(|event| &event.event_id)
            .collect();
        let mut pdu = pdu(
            &self.version,
            self.n,
            sender,
            event_type,
            state_key,
            content,
        );
        self.n += 1;
        pdu["room_id"] = json!(self.room_id);
        if matches!(self.version.as_str(), "1" | "2") {
            pdu["auth_events"] = auth_events.iter().map(|id| json!([id, {}])).collect();
            pdu["prev_events"] = json!([[self.last, {}]]);
        } else {
            pdu["auth_events"] = json!(auth_events);
            pdu["prev_events"] = json!([self.last]);
        }
        event::parse(pdu.to_string().as_bytes(), &self.version).ok()
    }

    /// The levels that hold; what the rules let into the state can always be read.
    fn levels(&self) -> PowerLevels {
        let create = self.state("m.room.create", "").expect("the room has one");
        let event = self.state("m.room.power_levels", "");
        PowerLevels::of_room(&self.version, create, event).expect("accepted levels are readable")
    }

    fn membership(&self, user: &str) -> Membership {
        self.state("m.room.member", user)
            .map_or(Membership::Leave, |event| {
                Membership::of_content(&event.content).expect("accepted memberships are readable")
            })
    }

    fn check_allowed(&self, event: &Event) {
        let event_type = event.type_str();
        let has_aliases_rule = matches!(self.version.as_str(), "1" | "2" | "3" | "4" | "5");
        if event_type == "m.room.aliases" && has_aliases_rule {
            return;
        }
        let levels = self.levels();
        let level = levels.level_of(&event.sender);
        if event_type == "m.room.member" {
            self.check_member(event, &levels, level);
            return;
        }
        assert_eq!(self.membership(event.sender.as_str()), Membership::Join);
        if event_type == "m.room.third_party_invite" {
            assert!(level >= levels.invite);
        } else {
            assert!(level >= levels.required_level(event_type, event.is_state()));
        }
    }

    fn check_member(&self, event: &Event, levels: &PowerLevels, level: i64) {
        let target = event
            .state_key
            .as_deref()
            .expect("a member event has a state key");
        let before = self.membership(target);
        let after = Membership::of_content(&event.content).expect("and a membership");
        let is_self = event.sender == target;
        let create = self.state("m.room.create", "").expect("the room has one");
        if event.prev_events == [create.event_id.clone()] && after == Membership::Join {
            // The first join may be anybody's doing, as long as it is the creator who joins.
            return;
        }
        match after {
            Membership::Join => assert!(is_self && before != Membership::Ban),
            Membership::Knock => assert!(is_self && before != Membership::Join),
            Membership::Invite => assert!(before != Membership::Ban),
            Membership::Leave => assert!(is_self || level >= levels.kick),
            Membership::Ban => assert!(level >= levels.ban),
        }
        if before == Membership::Ban && after == Membership::Leave {
            assert!(level >= levels.ban && level >= levels.kick);
        }
    }
}

impl What {
    fn event(&self) -> (&'static str, Option<String>, Value) {
        match self {
            What::Member {
                target,
                membership,
                via,
                token,
            } => {
                let target = pick(&USERS, *target);
                let mut content = json!({ "membership": pick(&MEMBERSHIPS, *membership) });
                if let Some(via) = via {
                    content["join_authorised_via_users_server"] = json!(pick(&USERS, *via));
                }
                if let Some(token) = token {
                    let signed = json!({
                        "mxid": target, "token": token.to_string(),
                        "signatures": { "id.org": { "ed25519:0": "AAAA" } },
                    });
                    content["third_party_invite"] = json!({ "signed": signed });
                }
                ("m.room.member", Some(target.to_owned()), content)
            }
            What::JoinRules(rule) => {
                let content = json!({ "join_rule": pick(&JOIN_RULES, *rule) });
                ("m.room.join_rules", Some(String::new()), content)
            }
            What::PowerLevels {
                users,
                fields,
                events,
                notifications,
            } => {
                let mut content = levels(&FIELDS, fields);
                content["users"] = levels(&USERS, users);
                content["events"] = levels(&TYPES, events);
                if let Some(level) = notifications {
                    content["notifications"] = json!({ "room": level.value() });
                }
                ("m.room.power_levels", Some(String::new()), content)
            }
            What::ThirdPartyInvite(token) => {
                let content = json!({ "public_key": "AAAA" });
                (
                    "m.room.third_party_invite",
                    Some(token.to_string()),
                    content,
                )
            }
            What::Raw {
                event_type,
                state_key,
                content,
            } => {
                let key = state_key.map(|n| match n % 3 {
                    0 => String::new(),
                    1 => pick(&USERS, n).to_owned(),
                    _ => "a.org".to_owned(),
                });
                let content: Value = serde_json::from_str(content).unwrap_or_else(|_| json!({}));
                (pick(&TYPES, *event_type), key, content)
            }
        }
    }
}

impl Level {
    fn value(&self) -> Value {
        match self {
            Level::Small(level) => json!(level),
            Level::Large(level) => json!(level >> 10),
            Level::Text(text) => json!(text),
            Level::Null => Value::Null,
        }
    }
}

fn levels(names: &[&str], given: &[(u8, Level)]) -> Value {
    let mut levels = json!({});
    for (name, level) in given {
        levels[pick(names, *name)] = level.value();
    }
    levels
}

fn pick<'a>(names: &[&'a str], n: u8) -> &'a str {
    names[usize::from(n) % names.len()]
}

fn pdu(
    version: &RoomVersionId,
    n: usize,
    sender: &str,
    event_type: &str,
    state_key: Option<&str>,
    content: &Value,
) -> Value {
    let mut pdu = json!({
        "auth_events": [], "content": content, "depth": n, "hashes": { "sha256": "x" },
        "origin_server_ts": n, "prev_events": [], "sender": sender, "signatures": {},
        "type": event_type,
    });
    if let Some(state_key) = state_key {
        pdu["state_key"] = json!(state_key);
    }
    if matches!(version.as_str(), "1" | "2") {
        pdu["event_id"] = json!(format!("${n}:a.org"));
    }
    pdu
}
