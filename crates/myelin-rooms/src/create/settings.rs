//! What a new room begins with: presets, power levels, and the order of the first events.

use std::collections::BTreeSet;

use ruma::{CanonicalJsonObject, CanonicalJsonValue, Int, OwnedUserId, RoomAliasId, RoomVersionId};

use crate::{CreateRoom, InitialState};

/// The presets of `POST /createRoom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// By invitation.
    PrivateChat,
    /// By invitation, and who is invited with the creation is the creator's equal.
    TrustedPrivateChat,
    /// Open to everyone.
    PublicChat,
}

/// What a preset stands for.
#[derive(Clone, Debug)]
pub struct RoomSettings {
    join_rule: &'static str,
    history_visibility: Option<&'static str>,
    guest_access: Option<&'static str>,
    power: PowerLevels,
    trusted: bool,
}

/// The two families of power levels.
#[derive(Clone, Copy, Debug)]
enum PowerLevels {
    /// 100, 50 and 0, as rooms have had since September 2014.
    Modern {
        /// The level needed to invite.
        invite: i32,
    },
    /// 10, 5 and 0, as the guide of 2014 shows them.
    Guide,
}

impl RoomSettings {
    /// The settings of a preset of today's API.
    pub fn preset(preset: Preset) -> Self {
        let public = preset == Preset::PublicChat;
        Self {
            join_rule: if public { "public" } else { "invite" },
            history_visibility: Some("shared"),
            guest_access: Some(if public { "forbidden" } else { "can_join" }),
            power: PowerLevels::Modern {
                invite: if public { 50 } else { 0 },
            },
            trusted: preset == Preset::TrustedPrivateChat,
        }
    }

    /// The settings of a room made through the API of 2014. It has no history visibility and no
    /// guest access, whose absence means the same, so that the guide's ten newest events reach
    /// back to the creator's join.
    pub fn guide(public: bool) -> Self {
        Self {
            join_rule: if public { "public" } else { "invite" },
            history_visibility: None,
            guest_access: None,
            power: PowerLevels::Guide,
            trusted: false,
        }
    }
}

/// Whether rooms of this version have a random id; since version 12 the create event's hash is it.
pub(crate) fn room_id_is_random(version: &RoomVersionId) -> bool {
    !creators_rule(version)
}

/// The create event.
pub(super) fn create_event(create: &CreateRoom<'_>) -> InitialState {
    let mut content = create.creation_content.clone();
    content.insert(
        "room_version".to_owned(),
        create.room_version.to_string().into(),
    );
    let keeps_creator = create
        .room_version
        .rules()
        .is_none_or(|rules| !rules.authorization.use_room_create_sender);
    if keeps_creator {
        content.insert("creator".to_owned(), create.creator.to_string().into());
    } else {
        content.remove("creator");
    }
    if create.settings.trusted && creators_rule(&create.room_version) && !create.invite.is_empty() {
        add_creators(&mut content, &create.invite);
    }
    state("m.room.create", "", content)
}

/// Adds to `additional_creators`; if that is no list, the rules will say so.
fn add_creators(content: &mut CanonicalJsonObject, users: &[OwnedUserId]) {
    let key = "additional_creators".to_owned();
    let none = || CanonicalJsonValue::Array(Vec::new());
    let CanonicalJsonValue::Array(creators) = content.entry(key).or_insert_with(none) else {
        return;
    };
    for user in users {
        let user = CanonicalJsonValue::String(user.to_string());
        if !creators.contains(&user) {
            creators.push(user);
        }
    }
}

/// What follows the create event, in the order of the specification.
pub(super) fn initial_state(
    create: &CreateRoom<'_>,
    alias: Option<&RoomAliasId>,
) -> Vec<InitialState> {
    let settings = &create.settings;
    let mut events = vec![
        state(
            "m.room.member",
            create.creator.as_str(),
            one("membership", "join"),
        ),
        state("m.room.power_levels", "", power_levels(create)),
    ];
    if let Some(alias) = alias {
        events.push(state(
            "m.room.canonical_alias",
            "",
            one("alias", alias.as_str()),
        ));
    }
    events.push(state(
        "m.room.join_rules",
        "",
        one("join_rule", settings.join_rule),
    ));
    if let Some(visibility) = settings.history_visibility {
        events.push(state(
            "m.room.history_visibility",
            "",
            one("history_visibility", visibility),
        ));
    }
    if let Some(access) = settings.guest_access {
        events.push(state(
            "m.room.guest_access",
            "",
            one("guest_access", access),
        ));
    }
    let is_overwritten = |wanted: &&InitialState| {
        let named = wanted.event_type == "m.room.name" && create.name.is_some();
        let described = wanted.event_type == "m.room.topic" && create.topic.is_some();
        wanted.state_key.is_empty() && (named || described)
    };
    for wanted in create
        .initial_state
        .iter()
        .filter(|wanted| !is_overwritten(wanted))
    {
        let same = |event: &InitialState| {
            event.event_type == wanted.event_type && event.state_key == wanted.state_key
        };
        // What the client asks for takes the place of what the preset would have set.
        events.retain(|event| !same(event) || event.event_type == "m.room.member");
        events.push(wanted.clone());
    }
    if let Some(name) = create.name {
        events.push(state("m.room.name", "", one("name", name)));
    }
    if let Some(topic) = create.topic {
        events.push(state("m.room.topic", "", topic_content(topic)));
    }
    let mut invited = BTreeSet::new();
    for user in create.invite.iter().filter(|user| invited.insert(*user)) {
        events.push(state("m.room.member", user.as_str(), invitation(create)));
    }
    events
}

/// The content of an invitation to the room.
pub(super) fn invitation(create: &CreateRoom<'_>) -> CanonicalJsonObject {
    let mut content = one("membership", "invite");
    if create.is_direct {
        content.insert("is_direct".to_owned(), CanonicalJsonValue::Bool(true));
    }
    content
}

/// The topic twice: for clients of every age, and as text of a kind (spec: "Extensible events").
fn topic_content(topic: &str) -> CanonicalJsonObject {
    let mut text = one("body", topic);
    text.insert("mimetype".to_owned(), "text/plain".to_owned().into());
    let block = CanonicalJsonObject::from([(
        "m.text".to_owned(),
        CanonicalJsonValue::Array(vec![text.into()]),
    )]);
    let mut content = one("topic", topic);
    content.insert("m.topic".to_owned(), block.into());
    content
}

fn power_levels(create: &CreateRoom<'_>) -> CanonicalJsonObject {
    let mut levels = match create.settings.power {
        PowerLevels::Modern { invite } => modern_levels(create, invite),
        PowerLevels::Guide => guide_levels(),
    };
    let mut users = CanonicalJsonObject::new();
    if !creators_rule(&create.room_version) {
        let creator = if matches!(create.settings.power, PowerLevels::Guide) {
            10
        } else {
            100
        };
        users.insert(create.creator.to_string(), level(creator));
        let trusted = create.invite.iter().filter(|_| create.settings.trusted);
        users.extend(trusted.map(|user| (user.to_string(), level(creator))));
    }
    levels.insert("users".to_owned(), users.into());
    levels.extend(create.power_levels_override.clone());
    levels
}

fn modern_levels(create: &CreateRoom<'_>, invite: i32) -> CanonicalJsonObject {
    // Who upgrades a room of version 12 leaves creators behind, so more than an admin is needed.
    let tombstone = if creators_rule(&create.room_version) {
        150
    } else {
        100
    };
    let events = numbers(&[
        ("m.room.avatar", 50),
        ("m.room.canonical_alias", 50),
        ("m.room.encryption", 100),
        ("m.room.history_visibility", 100),
        ("m.room.name", 50),
        ("m.room.power_levels", 100),
        ("m.room.server_acl", 100),
        ("m.room.tombstone", tombstone),
        ("m.room.topic", 50),
    ]);
    let mut levels = numbers(&[
        ("ban", 50),
        ("events_default", 0),
        ("invite", invite),
        ("kick", 50),
        ("redact", 50),
        ("state_default", 50),
        ("users_default", 0),
    ]);
    levels.insert("events".to_owned(), events.into());
    levels
}

fn guide_levels() -> CanonicalJsonObject {
    let events = numbers(&[
        ("m.room.avatar", 5),
        ("m.room.canonical_alias", 5),
        ("m.room.name", 5),
        ("m.room.topic", 5),
    ]);
    let mut levels = numbers(&[
        ("ban", 5),
        ("events_default", 0),
        ("invite", 0),
        ("kick", 5),
        ("redact", 5),
        ("state_default", 10),
        ("users_default", 0),
    ]);
    levels.insert("events".to_owned(), events.into());
    levels
}

/// Whether creators stand above all power levels.
pub(crate) fn creators_rule(version: &RoomVersionId) -> bool {
    version
        .rules()
        .is_some_and(|rules| rules.authorization.explicitly_privilege_room_creators)
}

fn numbers(pairs: &[(&str, i32)]) -> CanonicalJsonObject {
    pairs
        .iter()
        .map(|(key, number)| ((*key).to_owned(), level(*number)))
        .collect()
}

fn level(number: i32) -> CanonicalJsonValue {
    CanonicalJsonValue::Integer(Int::from(number))
}

fn one(key: &str, value: &str) -> CanonicalJsonObject {
    CanonicalJsonObject::from([(key.to_owned(), CanonicalJsonValue::String(value.to_owned()))])
}

fn state(event_type: &str, state_key: &str, content: CanonicalJsonObject) -> InitialState {
    InitialState {
        event_type: event_type.to_owned(),
        state_key: state_key.to_owned(),
        content,
    }
}
