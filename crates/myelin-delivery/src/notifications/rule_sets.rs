//! Sets of push rules: compiled once, however many users have them.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use myelin_accounts::stored_push_rules;
use myelin_core::push::{CompiledRules, Facts, PushEvent, PushRules, Verdict};
use myelin_store::StoreResult;

/// Most sets remembered; more are forgotten together.
const SETS_MAX: usize = 10_000;

/// The sets that were compiled.
#[derive(Debug)]
pub(super) struct RuleSets {
    /// The predefined rules, unchanged.
    pub(super) predefined: Arc<CompiledRules>,
    compiled: HashMap<Bytes, Arc<CompiledRules>>,
}

impl RuleSets {
    pub(super) fn new() -> Self {
        Self {
            predefined: Arc::new(CompiledRules::new(&PushRules::default())),
            compiled: HashMap::new(),
        }
    }

    /// The rules of a user who has changed this; None: nothing was changed after all.
    pub(super) fn compile(&mut self, changed: &Bytes) -> StoreResult<Option<Arc<CompiledRules>>> {
        if let Some(known) = self.compiled.get(changed) {
            return Ok(Some(Arc::clone(known)));
        }
        let rules = stored_push_rules(changed)?;
        if rules == PushRules::default() {
            return Ok(None);
        }
        let compiled = Arc::new(CompiledRules::new(&rules));
        if self.compiled.len() >= SETS_MAX {
            self.compiled.clear();
        }
        self.compiled.insert(changed.clone(), Arc::clone(&compiled));
        Ok(Some(compiled))
    }
}

/// Whether somebody with these rules is notified of an ordinary message in a room, as most are. It
/// decides how the user is counted, and so what that costs, but not what the count is.
pub(super) fn notifies_usually(rules: &CompiledRules, room_id: &str) -> bool {
    let message = r#"{"type":"m.room.message","content":{"msgtype":"m.text","body":""}}"#;
    let facts = Facts {
        joined: 3,
        permission: None,
        subscribed: None,
    };
    let message = PushEvent::new(message, room_id);
    match rules.verdict(&message, &facts, None) {
        Verdict::Actions(actions) => actions.notify,
        Verdict::Nothing | Verdict::NeedsPermission => false,
    }
}
