//! Every key of the configuration: its type, its default and one sentence, in one table.
//!
//! The parser, `config example`, the warnings and the typed [`super::Settings`] all follow this
//! table, so a key is added here and in `Settings`, and a test fails where only one has it.

use super::rules;

/// What a value may be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// Text that a rule accepts; the rule's error says what would be right.
    Checked(fn(&str) -> Result<(), String>),
    Flag,
    Port,
    Texts,
    /// Texts, each of which a rule accepts.
    CheckedTexts(fn(&str) -> Result<(), String>),
    Choice(&'static [&'static str]),
    Choices(&'static [&'static str]),
}

/// What holds when a key is not set.
#[derive(Clone, Copy)]
pub(super) enum Standard {
    /// Always this TOML value.
    Is(&'static str),
    /// Computed from other keys; this is the outcome when nothing at all is set.
    Follows(&'static str),
}

impl Standard {
    pub(super) fn literal(self) -> &'static str {
        match self {
            Self::Is(literal) | Self::Follows(literal) => literal,
        }
    }
}

/// One key.
pub(super) struct Key {
    /// Dotted path; `listeners.port` stands for the key of each listener.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    pub(super) standard: Standard,
    pub(super) sentence: &'static str,
    /// False for a key that is accepted but whose feature this version does not have.
    pub(super) in_effect: bool,
}

impl Key {
    /// The table the key stands in, empty for the top level, and its name there.
    pub(super) fn section_and_name(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }

    const fn not_yet(mut self) -> Self {
        self.in_effect = false;
        self
    }
}

/// The key at `path`, in which a number that picks a listener is ignored.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    let path = without_index(path);
    KEYS.iter().find(|key| key.path == path)
}

/// Whether `path` is a table that holds keys or further tables.
pub(super) fn is_section(path: &str) -> bool {
    let path = without_index(path);
    KEYS.iter().any(|key| {
        key.path
            .strip_prefix(&*path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// The known key or section that `path` is most likely a misspelling of.
pub(super) fn nearest(path: &str) -> Option<&'static str> {
    let path = without_index(path);
    let name = path.rsplit('.').next().unwrap_or(&path);
    let distance = |known: &str| {
        let (_, known_name) = known.rsplit_once('.').unwrap_or(("", known));
        // The right name in the wrong section is a frequent mistake, hence the second measure.
        strsim::damerau_levenshtein(&path, known)
            .min(strsim::damerau_levenshtein(name, known_name) + 1)
    };
    let sections = KEYS.iter().map(|key| key.section_and_name().0);
    KEYS.iter()
        .map(|key| key.path)
        .chain(sections)
        .map(|known| (distance(known), known))
        .filter(|(distance, known)| *distance <= known.len().min(name.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// `listeners.3.port` is the key `listeners.port`.
fn without_index(path: &str) -> String {
    let rest = path
        .strip_prefix("listeners.")
        .and_then(|rest| rest.split_once('.'));
    match rest {
        Some((index, name)) if index.parse::<usize>().is_ok() => format!("listeners.{name}"),
        _ => path.to_owned(),
    }
}

/// Secrets, each with the key that names a file to read it from.
pub(super) const SECRET_FILES: &[(&str, &str)] = &[
    ("database.url", "database.url_file"),
    (
        "registration.shared_secret",
        "registration.shared_secret_file",
    ),
    (
        "registration.recaptcha.private_key",
        "registration.recaptcha.private_key_file",
    ),
];

/// Keys that `SIGHUP` applies to a running server.
pub(super) const RELOADABLE: &[&str] = &["log.level", "registration.open"];

const RESOURCES: &[&str] = &["client", "federation", "media", "admin", "metrics"];

/// All keys, in the order `config example` prints them; keys of one section are adjacent.
// A table: what a key may be on one line, what it does on the next.
#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    checked("server_name", rules::server_name, "\"localhost\"",
        "The name in user ids and room aliases, bare or with a port; it never changes afterwards."),
    follows("public_base_url", Kind::Checked(rules::web_address), "\"http://localhost:8008\"",
        "Where clients reach this server; follows from server_name when not set."),
    checked("data_dir", rules::folder, "\"myelin-data\"",
        "Folder of the embedded database, the process id and local media; relative paths start in the working directory."),
    text("signing_key_file", "\"\"",
        "A signing key to import at the first start; Synapse's format is read, too."),

    checked("listeners.bind", rules::ip_address, "\"127.0.0.1\"",
        "The address to listen on; 0.0.0.0 or :: for all of this machine."),
    key("listeners.port", Kind::Port, "8008",
        "The port to listen on; 0 lets the system choose one."),
    text("listeners.tls_cert", "\"\"",
        "PEM file of the certificate chain; without one this listener speaks plain HTTP."),
    text("listeners.tls_key", "\"\"",
        "PEM file of the certificate's private key, RSA or EC."),
    key("listeners.resources", Kind::Choices(RESOURCES), "[\"client\", \"federation\", \"media\", \"admin\"]",
        "What this listener serves; metrics, which it does not by itself, to whoever reaches it."),
    key("listeners.trusted_proxies", Kind::CheckedTexts(rules::network), "[\"127.0.0.0/8\", \"::1\"]",
        "Addresses and networks of proxies whose X-Forwarded-For says where a request comes from; of others it is ignored."),

    follows("database.url", Kind::Checked(rules::database_url), "\"sqlite://myelin-data/myelin.db\"",
        "sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE; follows from data_dir when not set."),
    text("database.url_file", "\"\"",
        "A file that holds the address of the database instead."),

    follows("media.path", Kind::Checked(rules::folder), "\"myelin-data/media\"",
        "Folder of uploaded files; follows from data_dir when not set.").not_yet(),
    flag("media.url_previews", "false",
        "Fetch pages that users mention, to show a preview.").not_yet(),

    checked("rooms.default_version", rules::room_version, "\"12\"",
        "The version of rooms whose creator does not ask for one."),

    flag("presence.enabled", "true",
        "Tell users who is there: online, idle or offline, and since when."),

    follows("registration.open", Kind::Flag, "true",
        "Anybody may make an account; true when not set if server_name is localhost and all listeners are on loopback, else false."),
    flag("registration.guests", "false",
        "Guests may look around without an account."),
    text("registration.shared_secret", "\"\"",
        "Lets tools make accounts at /_synapse/admin/v1/register; off when empty."),
    text("registration.shared_secret_file", "\"\"",
        "A file that holds shared_secret instead."),
    key("registration.terms_url", Kind::Checked(rules::web_address_or_empty), "\"\"",
        "The terms that who registers must accept; none when empty."),
    text("registration.terms_name", "\"Terms of service\"",
        "What those terms are called."),
    text("registration.terms_version", "\"1.0\"",
        "Which version of them stands there; what each user accepted is kept."),
    key("registration.password_cost", Kind::Choice(&["default", "low"]), "\"default\"",
        "Work to check a password; \"low\" is for tests only."),
    checked("registration.recaptcha.siteverify_url", rules::web_address,
        "\"https://www.google.com/recaptcha/api/siteverify\"",
        "Where answers to the captcha are verified.").not_yet(),
    text("registration.recaptcha.public_key", "\"\"",
        "The site key; the captcha is off when empty.").not_yet(),
    text("registration.recaptcha.private_key", "\"\"",
        "The secret that goes with public_key.").not_yet(),
    text("registration.recaptcha.private_key_file", "\"\"",
        "A file that holds private_key instead.").not_yet(),

    key("login.cas.url", Kind::Checked(rules::web_address_or_empty), "\"\"",
        "Base address of a CAS server that users log in with; off when empty.").not_yet(),

    text("email.smtp_host", "\"\"",
        "The mail server to send through; no mail is sent when empty.").not_yet(),
    key("email.smtp_port", Kind::Port, "25",
        "The mail server's port.").not_yet(),
    text("email.from", "\"\"",
        "The sender's address of all mail.").not_yet(),

    flag("rate_limits.enabled", "true",
        "Slow down who asks too often; one switch for all limits, federation included."),
    checked("rate_limits.login", rules::rate, "\"0.5/30\"",
        "Attempts to log in, per address and per account: so many in a second / so many at once."),
    checked("rate_limits.failed_login", rules::rate, "\"0.16/10\"",
        "Failed attempts to log in, per address and per account."),
    checked("rate_limits.registration", rules::rate, "\"0.16/20\"",
        "Requests to register, per address; an account takes two."),
    checked("rate_limits.messages", rules::rate, "\"10/100\"",
        "Events sent, per user."),
    checked("rate_limits.joins", rules::rate, "\"1/30\"",
        "Rooms joined or knocked at, per user."),
    checked("rate_limits.invites", rules::rate, "\"1/50\"",
        "Invitations, per user."),
    checked("rate_limits.room_creation", rules::rate, "\"0.2/30\"",
        "Rooms created or upgraded, per user."),
    checked("rate_limits.reports", rules::rate, "\"0.2/10\"",
        "Reports, per user."),
    checked("rate_limits.federation", rules::rate, "\"50/500\"",
        "Requests of another server, per server; and requests that are not shown to be a server's, per address."),
    checked("rate_limits.other", rules::rate, "\"20/200\"",
        "Everything else that changes something, per user, or per address where nobody is logged in."),

    flag("federation.allow_private_addresses", "false",
        "Talk to servers on private networks and on this machine, too."),
    text("federation.ca_file", "\"\"",
        "PEM file of authorities trusted in addition to the system's."),
    key("federation.trusted_key_servers", Kind::CheckedTexts(rules::server_name), "[]",
        "Servers asked for the keys of servers that do not answer, or of many servers at once."),
    key("federation.allow", Kind::Texts, "[]",
        "If not empty, only servers that match one of these patterns (* and ?) are talked to, with or without a port."),
    key("federation.deny", Kind::Texts, "[]",
        "Servers that match one of these patterns (* and ?) are not talked to, with or without a port."),
    follows("federation.delegate", Kind::Checked(rules::server_name_or_empty), "\"\"",
        "The host, perhaps with a port, that /.well-known/matrix/server sends other servers to; not told when empty; follows from public_base_url when that has another host than server_name."),
    flag("federation.share_device_names", "false",
        "Show the names of users' devices to other servers.").not_yet(),

    flag("outbound.allow_private_addresses", "false",
        "Let requests to application services, push gateways, identity servers, previews, captcha and CAS reach private networks."),
    flag("outbound.verify_tls", "true",
        "Check the certificates of those."),

    flag("directory.public_without_login", "false",
        "Show the list of public rooms to anybody."),
    flag("directory.public_over_federation", "false",
        "Show the list of public rooms to other servers."),

    text("appservices.registration_dir", "\"\"",
        "Every *.yaml in this folder registers an application service; none when empty.").not_yet(),

    key("support.page", Kind::Checked(rules::web_address_or_empty), "\"\"",
        "A page that helps users, told at /.well-known/matrix/support; not told when empty."),
    text("support.admin_matrix_id", "\"\"",
        "The user id of an administrator, told there as well."),
    text("support.admin_email", "\"\"",
        "The e-mail address of an administrator, told there as well."),
    text("support.security_email", "\"\"",
        "The e-mail address for reports about security, told there as well."),

    key("policy_server.public_key", Kind::Checked(rules::public_key_or_empty), "\"\"",
        "The public key of a policy server that answers under this server's name, told at /.well-known/matrix/policy_server; none when empty."),

    text("server_notices.localpart", "\"\"",
        "The user that server notices come from; off when empty."),
    text("server_notices.display_name", "\"Server notices\"",
        "The display name of that user."),

    checked("log.level", rules::log_level, "\"info\"",
        "error, warn, info, debug or trace; also per part, such as \"info,myelin_store=debug\"."),
    key("log.format", Kind::Choice(&["text", "json"]), "\"text\"",
        "The form of log lines on standard error."),
];

const fn key(path: &'static str, kind: Kind, literal: &'static str, sentence: &'static str) -> Key {
    Key {
        path,
        kind,
        standard: Standard::Is(literal),
        sentence,
        in_effect: true,
    }
}

const fn follows(
    path: &'static str,
    kind: Kind,
    literal: &'static str,
    sentence: &'static str,
) -> Key {
    Key {
        path,
        kind,
        standard: Standard::Follows(literal),
        sentence,
        in_effect: true,
    }
}

const fn text(path: &'static str, literal: &'static str, sentence: &'static str) -> Key {
    key(path, Kind::Text, literal, sentence)
}

const fn flag(path: &'static str, literal: &'static str, sentence: &'static str) -> Key {
    key(path, Kind::Flag, literal, sentence)
}

const fn checked(
    path: &'static str,
    rule: fn(&str) -> Result<(), String>,
    literal: &'static str,
    sentence: &'static str,
) -> Key {
    key(path, Kind::Checked(rule), literal, sentence)
}
