//! What an operator may change about the traffic with other servers.

use myelin_core::glob::glob_matches;
use ruma::{OwnedServerName, ServerName};

/// The configuration, as far as it concerns other servers.
#[derive(Clone, Debug, Default)]
pub struct FederationSettings {
    /// If not empty, only these servers are spoken with: globs of server names, or of their hosts
    /// alone.
    pub allow: Vec<String>,
    /// Servers that are not spoken with, likewise.
    pub deny: Vec<String>,
    /// Notaries, which are asked for the keys of servers that do not answer.
    pub trusted_key_servers: Vec<OwnedServerName>,
}

impl FederationSettings {
    /// Whether that server is spoken with, in either direction.
    pub(crate) fn allows(&self, server: &ServerName) -> bool {
        if self.allow.is_empty() && self.deny.is_empty() {
            return true;
        }
        // DNS, which leads to the server, does not know upper and lower case, nor ports.
        let name = server.as_str().to_ascii_lowercase();
        let host = server.host().to_ascii_lowercase();
        let matches = |globs: &[String]| {
            globs.iter().any(|glob| {
                let glob = glob.to_ascii_lowercase();
                glob_matches(&glob, &name) || glob_matches(&glob, &host)
            })
        };
        (self.allow.is_empty() || matches(&self.allow)) && !matches(&self.deny)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(allow: &[&str], deny: &[&str], server: &str) -> bool {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let settings = FederationSettings {
            allow: texts(allow),
            deny: texts(deny),
            ..FederationSettings::default()
        };
        settings.allows(ServerName::parse(server).unwrap().as_ref())
    }

    #[test]
    fn servers_are_allowed_and_denied_by_pattern() {
        for (allow, deny, server, wanted) in [
            (&[][..], &[][..], "a.example", true),
            (&["a.example"], &[], "a.example", true),
            (&["a.example"], &[], "A.Example:8448", true),
            (&["a.example"], &[], "b.a.example", false),
            (&["*.example"], &[], "b.a.example", true),
            (&["a.example:1"], &[], "a.example:1", true),
            (&["a.example:1"], &[], "a.example:2", false),
            (&[], &["evil.*"], "EVIL.example:1", false),
            (&[], &["evil.*"], "good.example", true),
            (&["*"], &["evil.example"], "evil.example", false),
            (&[], &["10.*"], "10.0.0.1:8448", false),
        ] {
            assert_eq!(
                allows(allow, deny, server),
                wanted,
                "{allow:?} {deny:?} {server}"
            );
        }
    }
}
