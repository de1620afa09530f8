//! What goes from an old room into the new one.

use myelin_core::{
    event::Event,
    json,
    membership::Membership,
    power::creators,
    trie::{
        StateKey, TYPE_AVATAR, TYPE_CANONICAL_ALIAS, TYPE_ENCRYPTION, TYPE_GUEST_ACCESS,
        TYPE_HISTORY_VISIBILITY, TYPE_JOIN_RULES, TYPE_NAME, TYPE_SERVER_ACL, TYPE_TOPIC,
    },
};
use myelin_store::{EMPTY_STRING, StoreError, memberships};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedUserId};

use super::state;
use crate::{InitialState, Rooms, open_room::OpenRoom};

/// State that says what the room is, in the order in which a new room gets it. Members stay
/// behind: nobody can join for others.
const KEPT: [i64; 9] = [
    TYPE_JOIN_RULES,
    TYPE_HISTORY_VISIBILITY,
    TYPE_GUEST_ACCESS,
    TYPE_CANONICAL_ALIAS,
    TYPE_NAME,
    TYPE_TOPIC,
    TYPE_AVATAR,
    TYPE_ENCRYPTION,
    TYPE_SERVER_ACL,
];
/// Bans read at once.
const BANS: i64 = 500;

/// What the old room is.
pub(super) struct Kept {
    pub(super) create: CanonicalJsonObject,
    pub(super) creators: Vec<OwnedUserId>,
    pub(super) creators_stand_above: bool,
    pub(super) power_levels: Option<CanonicalJsonObject>,
    pub(super) state: Vec<InitialState>,
    pub(super) has_canonical_alias: bool,
}

impl Rooms {
    pub(super) async fn kept(&self, old: &mut OpenRoom<'_>) -> Result<Kept, StoreError> {
        let head = old.head().ok_or(StoreError::Missing { table: "rooms" })?;
        let create = head.create.clone();
        let create = create.ok_or(StoreError::Missing { table: "events" })?;
        let creators = creators(&head.version, &create).unwrap_or_default();
        let creators_stand_above = crate::create::creators_rule(&head.version);
        let power_levels = head.power_levels.clone();
        let mut kept = Kept {
            create: content(&create),
            creators,
            creators_stand_above,
            power_levels: power_levels.map(|event| content(&event)),
            state: Vec::new(),
            has_canonical_alias: false,
        };
        for event_type in KEPT {
            let key = StateKey {
                event_type,
                state_key: EMPTY_STRING,
            };
            let found = old.state(key).await?;
            let content = found.as_deref().map(content).unwrap_or_default();
            if let Some(event) = found.filter(|_| !content.is_empty()) {
                kept.has_canonical_alias |= event_type == TYPE_CANONICAL_ALIAS;
                kept.state.push(state(event.type_str(), "", content));
            }
        }
        Ok(kept)
    }

    /// The children of a space, and who is banned.
    pub(super) async fn carried(
        &self,
        old: &mut OpenRoom<'_>,
        kept: &Kept,
    ) -> Result<Vec<InitialState>, StoreError> {
        let mut carried = Vec::new();
        let room_type = kept.create.get("type");
        if room_type.and_then(CanonicalJsonValue::as_str) == Some("m.space") {
            let children = old.states("m.space.child").await?;
            carried.extend(children.iter().filter_map(|child| child_of_space(child)));
        }
        let room = old.number();
        let mut after = 0;
        loop {
            let slice = (after, BANS);
            let banned =
                memberships::list_users_after(&mut old.read, room, Membership::Ban, slice).await?;
            let Some(last) = banned.last() else {
                return Ok(carried);
            };
            after = *last;
            for user in banned {
                let member = old.member(user).await?;
                carried.extend(member.and_then(|member| ban(&member)));
            }
        }
    }
}

/// A child; one without servers to join through is none any more.
fn child_of_space(child: &Event) -> Option<InitialState> {
    let content = content(child);
    let key = child.state_key.as_deref()?;
    let is_child = content.contains_key("via");
    is_child.then(|| state("m.space.child", key, content))
}

fn ban(member: &Event) -> Option<InitialState> {
    let is_ban = Membership::of_content(&member.content) == Some(Membership::Ban);
    let key = member.state_key.as_deref().filter(|_| is_ban)?;
    Some(state("m.room.member", key, content(member)))
}

fn content(event: &Event) -> CanonicalJsonObject {
    json::parse_object(event.content.get().as_bytes()).unwrap_or_default()
}
