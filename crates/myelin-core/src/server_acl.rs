//! Which servers a room lets take part (spec: "Server Access Control Lists (ACLs) for rooms").

use ruma::ServerName;
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::glob::glob_matches;

/// Patterns beyond this are not looked at: no room needs them, and each costs at every check. A list
/// that has more lets nobody else in.
pub const PATTERNS_MAX: usize = 10_000;

/// The list of an `m.room.server_acl` event, read once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ServerAcl {
    /// In lower case.
    allow: Vec<String>,
    deny: Vec<String>,
    allow_ip_literals: bool,
    is_too_long: bool,
}

impl ServerAcl {
    /// What the content of the event says. What is not as it should be counts as not said.
    pub fn of_content(content: &RawValue) -> Self {
        #[derive(Deserialize)]
        struct Content {
            #[serde(default, deserialize_with = "patterns")]
            allow: Vec<String>,
            #[serde(default, deserialize_with = "patterns")]
            deny: Vec<String>,
            #[serde(default)]
            allow_ip_literals: serde_json::Value,
        }
        let Ok(mut content) = serde_json::from_str::<Content>(content.get()) else {
            return Self::default();
        };
        let is_too_long = content.allow.len() + content.deny.len() > PATTERNS_MAX;
        content.deny.truncate(PATTERNS_MAX);
        content.allow.truncate(PATTERNS_MAX);
        Self {
            allow: content.allow,
            deny: content.deny,
            allow_ip_literals: content.allow_ip_literals.as_bool().unwrap_or(true),
            is_too_long,
        }
    }

    /// Whether a server may take part. Its port does not matter, nor do capitals.
    pub fn allows(&self, server: &ServerName) -> bool {
        if !self.allow_ip_literals && server.is_ip_literal() {
            return false;
        }
        let name = server.host().to_ascii_lowercase();
        let matches =
            |patterns: &[String]| patterns.iter().any(|pattern| glob_matches(pattern, &name));
        !self.is_too_long && !matches(&self.deny) && matches(&self.allow)
    }
}

/// The strings of a list; what else is in it is left out.
fn patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Entry {
        Pattern(String),
        Other(IgnoredAny),
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum List {
        Entries(Vec<Entry>),
        Other(IgnoredAny),
    }
    let entries = match List::deserialize(deserializer)? {
        List::Entries(entries) => entries,
        List::Other(_) => Vec::new(),
    };
    let pattern = |entry| match entry {
        Entry::Pattern(pattern) => Some(pattern.to_ascii_lowercase()),
        Entry::Other(_) => None,
    };
    Ok(entries.into_iter().filter_map(pattern).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, value::to_raw_value};

    use super::*;

    fn allows(content: &Value, server: &str) -> bool {
        let acl = ServerAcl::of_content(&to_raw_value(content).unwrap());
        acl.allows(server.try_into().unwrap())
    }

    #[test]
    fn the_rules_are_those_of_the_specification() {
        let all = json!(["*"]);
        for (content, server, allowed) in [
            (json!({}), "a.org", false),
            (json!({"allow": []}), "a.org", false),
            (json!({"allow": all}), "a.org", true),
            (json!({"allow": all, "deny": ["a.org"]}), "a.org", false),
            (
                json!({"allow": all, "deny": ["a.org"]}),
                "a.org:8448",
                false,
            ),
            (json!({"allow": all, "deny": ["a.org"]}), "b.a.org", true),
            (json!({"allow": all, "deny": ["*.a.org"]}), "b.a.org", false),
            (json!({"allow": all, "deny": ["?.org"]}), "ab.org", true),
            (json!({"allow": ["a.org"]}), "b.org", false),
            (json!({"allow": all, "deny": "a.org"}), "a.org", true),
            (json!({"allow": "a.org"}), "a.org", false),
            (json!({"allow": [1, null, "a.org"]}), "a.org", true),
            (json!({"allow": all}), "1.2.3.4", true),
            (
                json!({"allow": all, "allow_ip_literals": false}),
                "1.2.3.4",
                false,
            ),
            (
                json!({"allow": all, "allow_ip_literals": false}),
                "[::1]:80",
                false,
            ),
            (
                json!({"allow": all, "allow_ip_literals": "no"}),
                "1.2.3.4",
                true,
            ),
            (
                json!({"allow": all, "allow_ip_literals": false}),
                "a.org",
                true,
            ),
        ] {
            assert_eq!(allows(&content, server), allowed, "{content} {server}");
        }
    }

    /// Synapse #3796: a list of `evil.com` must not be evaded by `EVIL.com`.
    #[test]
    fn capitals_do_not_matter() {
        let content = json!({"allow": ["*"], "deny": ["Evil.COM"]});
        assert!(!allows(&content, "eVIL.com"));
        assert!(!allows(&content, "evil.com"));
    }

    /// CVE-2023-45129: a list as large as an event can be costs no more than a look at each pattern.
    #[test]
    fn a_gigantic_list_lets_nobody_else_in() {
        let deny = vec!["*a*"; PATTERNS_MAX + 1];
        let content = json!({"allow": ["*"], "deny": deny});
        assert!(!allows(&content, "b.org"));
        assert!(!allows(&content, "a.org"));
    }
}
