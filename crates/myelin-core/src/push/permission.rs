//! Who may notify others of what: `notifications` among the power levels.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What is needed where the power levels do not say.
const DEFAULT: i64 = 50;

/// What the sender of an event may notify others of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    sender_level: i64,
    needed: BTreeMap<String, i64>,
}

impl Permission {
    /// For a sender of this level, by the content of the room's `m.room.power_levels`, if it has
    /// one. Before room version 10 a level may be a string that holds a number.
    pub fn new(sender_level: i64, power_levels: Option<&str>) -> Self {
        #[derive(Deserialize)]
        struct Content {
            #[serde(default)]
            notifications: BTreeMap<String, Value>,
        }
        let content = power_levels.and_then(|content| serde_json::from_str(content).ok());
        let levels = content.map(|content: Content| content.notifications);
        let levels = levels.unwrap_or_default().into_iter();
        let levels = levels.filter_map(|(key, level)| Some((key, level_of(&level)?)));
        Self {
            sender_level,
            needed: levels.collect(),
        }
    }

    pub(super) fn allows(&self, key: &str) -> bool {
        self.sender_level >= self.needed.get(key).copied().unwrap_or(DEFAULT)
    }
}

fn level_of(level: &Value) -> Option<i64> {
    level
        .as_i64()
        .or_else(|| level.as_str()?.trim().parse().ok())
}
