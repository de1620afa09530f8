//! Asks the rules of a room's members about an event.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
};

use myelin_core::{
    membership::Membership,
    push::{Actions, CompiledRules, Reader},
    trie::TYPE_MEMBER,
};
use myelin_rooms::{AskedEvent, Rooms};
use myelin_store::{Read, StoreResult, events::StoredEvent, push_rules, users};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{room_state::RoomState, rule_sets::RuleSets};

/// Users whom an event names are looked up one by one if they are no more than this.
const NAMED_FEW: usize = 16;
/// Names that are read at once.
const CHUNK: usize = 1_000;

/// What the rules say of an event.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// What most are notified of: the predefined rules, for whom the event does not name.
    pub(super) most: Option<Arc<Actions>>,
    /// Who is notified of something else.
    pub(super) exceptions: Vec<ExceptionalUser>,
}

/// Somebody who is notified in another way than the event's row says.
#[derive(Debug)]
pub(super) struct ExceptionalUser {
    pub(super) user: i64,
    pub(super) actions: Option<Arc<Actions>>,
    /// Whether the row counts for the user otherwise.
    pub(super) follows: bool,
}

/// Whoever asks.
pub(super) struct Asker<'a> {
    pub(super) rooms: &'a Rooms,
    pub(super) sets: &'a mut RuleSets,
    /// The position of the event in the log.
    pub(super) pos: i64,
}

impl Asker<'_> {
    /// Asks about an event for all members of its room but the sender, and for whom it invites.
    pub(super) async fn ask(
        &mut self,
        read: &mut Read,
        state: &RoomState,
        stored: &StoredEvent,
    ) -> StoreResult<Answers> {
        let mut asked = self
            .rooms
            .ask_rules_about(read, stored, &state.room_id)
            .await?;
        let predefined = Arc::clone(&self.sets.predefined);
        let most = self
            .rooms
            .verdict(read, &mut asked, (&*predefined, None))
            .await?;
        // What users add to the rules names nobody, so whom these do not name, no set does.
        let named = self.named(state, predefined.named(&asked.event)).await?;
        let mut answers = Answers {
            most: most.clone(),
            exceptions: Vec::new(),
        };
        for user in &named {
            if *user != stored.sender && state.plain.contains(user) {
                let asks = (*user, &*predefined);
                let actions = self.ask_user(read, (&mut asked, stored), asks).await?;
                answers.note(*user, actions, true);
            }
        }
        let mut of_sets: HashMap<usize, Option<Arc<Actions>>> = HashMap::new();
        for (user, member) in &state.other {
            if *user == stored.sender {
                continue;
            }
            let rules = &*member.rules;
            if named.contains(user) || rules.reads_display_name() {
                let asks = (*user, rules);
                let actions = self.ask_user(read, (&mut asked, stored), asks).await?;
                answers.note(*user, actions, member.follows);
                continue;
            }
            let actions = match of_sets.entry(Arc::as_ptr(&member.rules).addr()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let asks = (rules, None);
                    place.insert(self.rooms.verdict(read, &mut asked, asks).await?)
                }
            };
            answers.note(*user, actions.clone(), member.follows);
        }
        self.ask_invited(read, (&mut asked, stored), (state, &mut answers))
            .await?;
        Ok(answers)
    }

    /// The members among those whom an event names. Cost: what it names, and if that is much, the
    /// members.
    async fn named(&self, state: &RoomState, ids: BTreeSet<&str>) -> StoreResult<BTreeSet<i64>> {
        let store = self.rooms.store();
        let mut named = BTreeSet::new();
        if ids.len() <= NAMED_FEW {
            for id in ids {
                named.extend(store.find_interned(id.as_bytes()).await?);
            }
            return Ok(named);
        }
        let members: Vec<i64> = state.members().collect();
        for members in members.chunks(CHUNK) {
            let names = store.interned(members).await?;
            let found = members.iter().zip(names).filter(|(_, name)| {
                let name = std::str::from_utf8(name);
                name.is_ok_and(|name| ids.contains(name))
            });
            named.extend(found.map(|(user, _)| *user));
        }
        Ok(named)
    }

    async fn ask_user(
        &self,
        read: &mut Read,
        (asked, stored): (&mut AskedEvent<'_>, &StoredEvent),
        (user, rules): (i64, &CompiledRules),
    ) -> StoreResult<Option<Arc<Actions>>> {
        let name = self.rooms.store().interned(&[user]).await?;
        let name = name.first().map(|name| String::from_utf8_lossy(name));
        let display_name = if rules.reads_display_name() {
            self.rooms.display_name(read, stored.room, user).await?
        } else {
            None
        };
        let reader = Reader {
            user_id: name.as_deref().unwrap_or_default(),
            display_name: display_name.as_deref(),
        };
        self.rooms.verdict(read, asked, (rules, Some(reader))).await
    }

    /// Who is invited is not a member yet, but is notified of the invitation.
    async fn ask_invited(
        &mut self,
        read: &mut Read,
        (asked, stored): (&mut AskedEvent<'_>, &StoredEvent),
        (state, answers): (&RoomState, &mut Answers),
    ) -> StoreResult<()> {
        let is_invite = stored.event_type == TYPE_MEMBER
            && membership_of(&stored.json) == Some(Membership::Invite);
        let Some(user) = stored.state_key.filter(|_| is_invite) else {
            return Ok(());
        };
        if state.has(user) || users::find(read, user).await?.is_none() {
            return Ok(());
        }
        let changed = push_rules::list_at(read, &[user], self.pos).await?;
        let rules = match changed.first() {
            Some((_, changed)) => self.sets.compile(changed)?,
            None => None,
        };
        let rules = rules.unwrap_or_else(|| Arc::clone(&self.sets.predefined));
        let actions = self.ask_user(read, (asked, stored), (user, &rules)).await?;
        answers.note(user, actions, false);
        Ok(())
    }
}

impl Answers {
    /// Notes a user, if the event's row does not say the same.
    fn note(&mut self, user: i64, actions: Option<Arc<Actions>>, follows: bool) {
        let said = self.most.as_ref().filter(|_| follows);
        if counts(said) != counts(actions.as_ref()) {
            self.exceptions.push(ExceptionalUser {
                user,
                actions,
                follows,
            });
        }
    }
}

/// Whether actions notify, and whether the event stands out.
pub(super) fn counts(actions: Option<&Arc<Actions>>) -> (bool, bool) {
    actions.map_or((false, false), |actions| {
        (actions.notify, actions.highlight)
    })
}

/// The membership that a member event gives.
pub(super) fn membership_of(json: &str) -> Option<Membership> {
    #[derive(Deserialize)]
    struct Member<'a> {
        #[serde(borrow)]
        content: &'a RawValue,
    }
    let member: Member<'_> = serde_json::from_str(json).ok()?;
    Membership::of_content(member.content)
}
