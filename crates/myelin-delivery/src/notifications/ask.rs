//! Asks the rules of a room's members about an event.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use myelin_accounts::{ignored_users, invite_wishes};
use myelin_core::{
    invite_permission::InvitePermission,
    membership::Membership,
    push::{Actions, CompiledRules, Reader},
    trie::TYPE_MEMBER,
};
use myelin_rooms::{AskedEvent, Asks, Rooms};
use myelin_store::{
    Read, StoreResult, events::StoredEvent, push_rules, thread_subscriptions, users,
};
use ruma::UserId;

use super::{room_state::RoomState, rule_sets::RuleSets};
use crate::member_events::membership_of;

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
        let most = self.ask_set(read, &mut asked, (&predefined, false)).await?;
        // What users add to the rules names nobody, so whom these do not name, no set does.
        let named = self.named(state, predefined.named(&asked.event)).await?;
        let subscribers = self.subscribers(read, &asked, stored.room).await?;
        let mut answers = Answers {
            most,
            exceptions: Vec::new(),
        };
        // State is shown to those who ignore its sender, too.
        let ignoring = match stored.state_key {
            None => state.ignoring(asked.event.sender()),
            Some(_) => BTreeSet::new(),
        };
        let special = &(&named | &subscribers) | &ignoring;
        let plain = special.iter().filter(|user| state.plain.contains(user));
        let plain = plain.map(|user| (*user, &predefined, true));
        let other = state.other.iter();
        let other = other.map(|(user, member)| (*user, &member.rules, member.follows));
        let mut of_sets: HashMap<(usize, bool), Option<Arc<Actions>>> = HashMap::new();
        for (user, rules, follows) in plain.chain(other) {
            if user == stored.sender {
                continue;
            }
            let subscribed = subscribers.contains(&user);
            let set = (Arc::as_ptr(rules).addr(), subscribed);
            let actions = if ignoring.contains(&user) {
                None
            } else if named.contains(&user) || rules.reads_display_name() {
                let asks = (user, &**rules, subscribed);
                self.ask_user(read, (&mut asked, stored), asks).await?
            } else if let Some(known) = of_sets.get(&set) {
                known.clone()
            } else {
                let asks = (&**rules, subscribed);
                let actions = self.ask_set(read, &mut asked, asks).await?;
                of_sets.insert(set, actions.clone());
                actions
            };
            answers.note(user, actions, follows);
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

    /// Who has subscribed to the thread that an event is in. Cost: who ever has.
    async fn subscribers(
        &self,
        read: &mut Read,
        asked: &AskedEvent<'_>,
        room: i64,
    ) -> StoreResult<BTreeSet<i64>> {
        let Some(thread) = &asked.thread else {
            return Ok(BTreeSet::new());
        };
        let thread = (room, thread.as_str());
        let found = thread_subscriptions::list_subscribers_at(read, thread, self.pos).await?;
        Ok(found.into_iter().collect())
    }

    /// Asks for all with the same rules whom the event does not name.
    async fn ask_set(
        &self,
        read: &mut Read,
        asked: &mut AskedEvent<'_>,
        (rules, subscribed): (&CompiledRules, bool),
    ) -> StoreResult<Option<Arc<Actions>>> {
        let asks = Asks {
            rules,
            reader: None,
            subscribed,
        };
        self.rooms.verdict(read, asked, asks).await
    }

    async fn ask_user(
        &self,
        read: &mut Read,
        (asked, stored): (&mut AskedEvent<'_>, &StoredEvent),
        (user, rules, subscribed): (i64, &CompiledRules, bool),
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
        let asks = Asks {
            rules,
            reader: Some(reader),
            subscribed,
        };
        self.rooms.verdict(read, asked, asks).await
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
        if !self
            .is_shown_invite(read, user, asked.event.sender())
            .await?
        {
            return Ok(());
        }
        let changed = push_rules::list_at(read, &[user], self.pos).await?;
        let rules = match changed.first() {
            Some((_, changed)) => self.sets.compile(changed)?,
            None => None,
        };
        let rules = rules.unwrap_or_else(|| Arc::clone(&self.sets.predefined));
        let asks = (user, &*rules, false);
        let actions = self.ask_user(read, (asked, stored), asks).await?;
        answers.note(user, actions, false);
        Ok(())
    }

    /// Whether a user is shown the invitations of another.
    async fn is_shown_invite(&self, read: &mut Read, user: i64, sender: &str) -> StoreResult<bool> {
        let Ok(sender) = <&UserId>::try_from(sender) else {
            return Ok(false);
        };
        let store = self.rooms.store();
        let wishes = invite_wishes(store, read, user).await?;
        let ignored = ignored_users(store, read, user).await?;
        Ok(wishes.of(sender) == InvitePermission::Allow && !ignored.contains(sender))
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
