//! What `myelin serve` prints when it is ready.

use std::{fmt::Write, net::SocketAddr};

use crate::config::Settings;

/// Where the server listens; for a set-up without configuration also what that means, and a first
/// command to try.
pub(crate) fn text(settings: &Settings, addresses: &[SocketAddr]) -> String {
    let name = &settings.server_name;
    let mut out = format!("Myelin {} serves {name}\n", env!("CARGO_PKG_VERSION"));
    for (listener, address) in settings.listeners.iter().zip(addresses) {
        let scheme = if listener.has_tls() { "https" } else { "http" };
        writeln!(out, "  on {scheme}://{address}").expect("writing to a string does not fail");
    }
    if settings.is_development() {
        out.push_str(&development(settings, addresses));
    }
    out
}

fn development(settings: &Settings, addresses: &[SocketAddr]) -> String {
    let url = settings.database.url.expose();
    let data = url.strip_prefix("sqlite://").unwrap_or("PostgreSQL");
    let mut out = format!(
        "\nThis is a development set-up: it is called {}, only this machine reaches it, and its data\n\
         is in {data}. `myelin config example` shows all settings.\n",
        settings.server_name
    );
    let plain = settings
        .listeners
        .iter()
        .zip(addresses)
        .find(|(listener, _)| !listener.has_tls());
    if let Some((_, address)) = plain.filter(|_| settings.registration.open) {
        // An address of IPv6 loopback has no name that works everywhere.
        let host = if address.is_ipv4() {
            "localhost"
        } else {
            "[::1]"
        };
        let port = address.port();
        write!(
            out,
            "\nAnybody on this machine may make an account. Try this next:\n\n  \
             curl -XPOST -d '{{\"user_id\":\"example\", \"password\":\"wordpass\"}}' \
             \"http://{host}:{port}/_matrix/client/api/v1/register\"\n\n"
        )
        .expect("writing to a string does not fail");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    fn text_of(variables: &[(&str, &str)]) -> String {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables = variables.iter().map(owned).collect();
        let sources = Sources {
            file: None,
            variables,
        };
        let settings = load(&sources).unwrap().settings;
        let address = |listener: &crate::config::ListenerSettings| {
            SocketAddr::new(listener.bind, listener.port)
        };
        let addresses: Vec<_> = settings.listeners.iter().map(address).collect();
        text(&settings, &addresses)
    }

    #[test]
    fn a_development_server_says_so_and_what_to_try() {
        let text = text_of(&[]);
        assert!(
            text.contains("serves localhost\n  on http://127.0.0.1:8008\n"),
            "{text}"
        );
        assert!(text.contains("development set-up"), "{text}");
        let command = "curl -XPOST -d '{\"user_id\":\"example\", \"password\":\"wordpass\"}' \
                       \"http://localhost:8008/_matrix/client/api/v1/register\"";
        assert!(text.contains(command), "{text}");
    }

    #[test]
    fn any_other_server_only_says_where_it_listens() {
        let text = text_of(&[("MYELIN_SERVER_NAME", "a.example")]);
        assert_eq!(text.lines().count(), 2, "{text}");
    }

    #[test]
    fn closed_registration_is_not_offered() {
        let text = text_of(&[("MYELIN_REGISTRATION__OPEN", "false")]);
        assert!(
            text.contains("development set-up") && !text.contains("curl"),
            "{text}"
        );
    }
}
