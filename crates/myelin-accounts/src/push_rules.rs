//! Push rules: what users want to be notified of.

use myelin_core::push::{PushRuleError, PushRules, RuleKind, UNSUBSCRIBED_THREAD};
use myelin_store::{
    Read, Store, StoreError, StoreResult, WriteSet,
    push_rules::{self, StoredRules},
};
use ruma::UserId;
use serde_json::{Map, Value};

/// Why push rules were not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePushRulesError {
    /// The change makes no sense.
    #[error("{0}")]
    Rule(PushRuleError),
    /// The store failed.
    #[error("the push rules could not be stored")]
    Store(#[from] StoreError),
}

/// What a user has changed of the predefined rules.
pub async fn get_push_rules(read: &mut Read, user: i64) -> StoreResult<PushRules> {
    match push_rules::find(read, user).await? {
        Some(stored) => stored_push_rules(&stored.rules),
        None => Ok(PushRules::default()),
    }
}

/// Reads what the store keeps of a user's rules.
pub fn stored_push_rules(rules: &[u8]) -> StoreResult<PushRules> {
    PushRules::parse(rules).map_err(|error| StoreError::Corrupt {
        table: "push_rules",
        column: 2,
        wanted: "push rules",
        found: error.to_string(),
    })
}

/// The rules as clients are shown them, under `global`; also the content of the account data
/// `m.push_rules`.
pub async fn shown_push_rules(
    read: &mut Read,
    (user, user_id): (i64, &UserId),
) -> StoreResult<Map<String, Value>> {
    let rules = get_push_rules(read, user).await?.shown(user_id.as_str());
    Ok(Map::from_iter([("global".to_owned(), rules)]))
}

/// Reads, changes and writes a user's rules, again if they were changed meanwhile. What changes
/// nothing is not written.
pub async fn change_push_rules(
    store: &Store,
    user: i64,
    change: impl Fn(&mut PushRules) -> Result<(), PushRuleError>,
) -> Result<(), ChangePushRulesError> {
    let mut attempts = store.attempts();
    loop {
        let stored = push_rules::find(&mut store.read(), user).await?;
        let before = rules_of(stored.as_ref())?;
        let mut after = before.clone();
        change(&mut after).map_err(ChangePushRulesError::Rule)?;
        if after == before {
            return Ok(());
        }
        let mut writes = WriteSet::new();
        let rules = after.to_json().into();
        push_rules::put(&mut writes, user, stored.as_ref(), rules);
        if attempts.commit(writes).await?.is_some() {
            return Ok(());
        }
    }
}

/// Adds to a set that a user's rules for one room hold for another, too. What is too much for the
/// user's rules is left out.
pub async fn carry_push_rules(
    read: &mut Read,
    writes: &mut WriteSet,
    user: i64,
    (old, new): (&str, &str),
) -> StoreResult<()> {
    let stored = push_rules::find(read, user).await?;
    let mut rules = rules_of(stored.as_ref())?;
    if rules.copy_room(old, new) {
        push_rules::put(writes, user, stored.as_ref(), rules.to_json().into());
    }
    Ok(())
}

/// Adds to a set that a user is not notified of threads any more to which the user has not subscribed.
pub async fn silence_other_threads(
    read: &mut Read,
    writes: &mut WriteSet,
    user: i64,
) -> StoreResult<()> {
    let stored = push_rules::find(read, user).await?;
    let before = rules_of(stored.as_ref())?;
    let mut rules = before.clone();
    let rule = (RuleKind::PostContent, UNSUBSCRIBED_THREAD);
    // A predefined rule is always there to be enabled.
    if rules.set_enabled(rule, true).is_ok() && rules != before {
        push_rules::put(writes, user, stored.as_ref(), rules.to_json().into());
    }
    Ok(())
}

fn rules_of(stored: Option<&StoredRules>) -> StoreResult<PushRules> {
    let rules = stored.map(|stored| stored_push_rules(&stored.rules));
    Ok(rules.transpose()?.unwrap_or_default())
}
