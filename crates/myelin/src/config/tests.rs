//! Tests of the configuration.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::*;

fn load_text(text: &str) -> Result<Loaded, Vec<String>> {
    load_with(text, &[])
}

fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Vec<String>> {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("myelin.toml");
    fs::write(&file, text).unwrap();
    let variables = variables
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    let prefix = format!("{}/", dir.path().display());
    load(&Sources {
        file: Some(file),
        variables,
    })
    .map_err(|problems| {
        problems
            .iter()
            .map(|problem| problem.to_string().replace(&prefix, ""))
            .collect()
    })
}

#[track_caller]
fn assert_problem(text: &str, wanted: &str) {
    let problems = load_text(text).expect_err("this configuration is wrong");
    assert_eq!(problems, [wanted], "for {text}");
}

#[test]
fn without_a_file_it_is_a_development_server() {
    let loaded = load(&Sources::default()).unwrap();
    let settings = &loaded.settings;
    assert_eq!(settings.server_name, "localhost");
    assert_eq!(
        settings.database.url.expose(),
        "sqlite://myelin-data/myelin.db"
    );
    assert_eq!(settings.rooms.default_version.as_str(), "12");
    assert!(settings.registration.open);
    assert!(settings.is_development());
    let [listener] = &settings.listeners[..] else {
        panic!("one listener")
    };
    assert_eq!(
        (listener.bind.to_string().as_str(), listener.port),
        ("127.0.0.1", 8008)
    );
    assert_eq!(listener.resources.len(), 4);
    assert_eq!(loaded.warnings, [""; 0]);
}

#[test]
fn the_example_is_valid_and_changes_nothing() {
    let loaded = load_text(&example()).unwrap();
    assert_eq!(loaded.warnings, [""; 0]);
    assert_eq!(loaded.flat, load(&Sources::default()).unwrap().flat);
    for key in KEYS {
        let name = key.section_and_name().1;
        assert!(
            example().contains(&format!("{name} = {}", key.standard.literal())),
            "{name}"
        );
        assert!(key.sentence.ends_with('.'), "{name}");
    }
}

#[test]
fn defaults_that_follow_are_what_the_example_shows() {
    let flat = load(&Sources::default()).unwrap().flat;
    for key in KEYS
        .iter()
        .filter(|key| matches!(key.standard, Standard::Follows(_)))
    {
        assert_eq!(
            flat[key.path],
            literal_value(key.standard.literal()),
            "{}",
            key.path
        );
    }
}

#[test]
fn secret_files_are_keys() {
    for (secret, file) in keys::SECRET_FILES {
        assert!(keys::find(secret).is_some() && keys::find(file).is_some());
    }
    for path in keys::RELOADABLE {
        assert!(keys::find(path).is_some_and(|key| key.in_effect), "{path}");
    }
}

#[test]
fn every_fixed_key_is_accepted() {
    let text = include_str!("tests/all_keys.toml");
    let loaded = load_text(text).unwrap();
    let warned = |key: &str| {
        loaded
            .warnings
            .iter()
            .any(|line| line.contains(&format!(": {key} ")))
    };
    assert!(!warned("outbound.allow_private_addresses"));
    assert!(warned("login.cas.url"));
    assert!(!warned("rate_limits.enabled"));
    assert!(!warned("registration.open"));
    // Set to its default.
    assert!(!warned("media.url_previews"));
    assert!(
        loaded.warnings[0].contains("myelin.toml:"),
        "{:?}",
        loaded.warnings
    );
    assert!(loaded.warnings.iter().all(|line| !line.contains('\n')));
}

#[test]
fn unknown_keys_are_refused_with_a_suggestion() {
    assert_problem(
        "data_dir = \"x\"\nserver_nam = \"a\"",
        "myelin.toml:2: server_nam: unknown key; did you mean server_name?",
    );
    assert_problem(
        "[registration]\nopne = true",
        "myelin.toml:2: registration.opne: unknown key; did you mean registration.open?",
    );
    assert_problem(
        "[regstration]\nopen = true",
        "myelin.toml:1: regstration: unknown key; did you mean registration?",
    );
    assert_problem(
        "url_previews = true",
        "myelin.toml:1: url_previews: unknown key; did you mean media.url_previews?",
    );
    assert_problem(
        "[[listeners]]\nprot = 1",
        "myelin.toml:2: listeners.0.prot: unknown key; did you mean listeners.port?",
    );
    assert_problem(
        "colour = \"blue\"",
        "myelin.toml:1: colour: unknown key; `myelin config example` lists all keys",
    );
}

#[test]
fn wrong_types_are_refused() {
    for (text, wanted) in [
        (
            "server_name = 5",
            "server_name: this is the number 5, text in quotes would be right",
        ),
        (
            "registration.open = \"yes\"",
            "registration.open: this is the text \"yes\", true or false would be right",
        ),
        (
            "email.smtp_port = 70000",
            "email.smtp_port: this is the number 70000, a port from 0 to 65535 would be right",
        ),
        (
            "federation.deny = \"a\"",
            "federation.deny: this is the text \"a\", a list of texts such as [\"a\", \"b\"] would be right",
        ),
        (
            "federation.deny = [1]",
            "federation.deny: the number 1 is in it, a list of texts such as [\"a\", \"b\"] would be right",
        ),
        (
            "log.format = \"xml\"",
            "log.format: this is \"xml\", one of \"text\", \"json\" would be right",
        ),
        (
            "registration = true",
            "registration: this is true, a section [registration] would be right",
        ),
    ] {
        assert_problem(text, &format!("myelin.toml:1: {wanted}"));
    }
}

#[test]
fn text_that_breaks_a_rule_is_refused() {
    for (text, wanted) in [
        (
            "server_name = \"a b\"",
            "server_name: \"a b\" is not a server name; example.org or example.org:8448 would be right",
        ),
        (
            "database.url = \"mysql://x\"",
            "database.url: sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE would be right",
        ),
        (
            "rooms.default_version = \"13\"",
            "rooms.default_version: \"13\" is not a room version; \"1\" to \"12\" would be right",
        ),
        (
            "data_dir = \"\"",
            "data_dir: this is empty, the path of a folder would be right",
        ),
        (
            "log.level = \"\"",
            "log.level: \"\" is not a log level; error, warn, info, debug or trace would be right",
        ),
        (
            "log.level = \"inof\"",
            "log.level: \"inof\" is not a log level; error, warn, info, debug or trace would be right",
        ),
        (
            "public_base_url = \"example.org\"",
            "public_base_url: \"example.org\" is not a web address; https://example.org would be right",
        ),
        (
            "[listeners]\nport = 1",
            "listeners: one section [[listeners]] (two brackets) for each listener would be right",
        ),
        (
            "listeners = []",
            "listeners: one section [[listeners]] (two brackets) for each listener would be right",
        ),
    ] {
        assert_problem(text, &format!("myelin.toml:1: {wanted}"));
    }
    assert_problem(
        "[[listeners]]\nbind = \"localhost\"",
        "myelin.toml:2: listeners.0.bind: \"localhost\" is not an IP address; 127.0.0.1, 0.0.0.0 or :: would be right",
    );
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_line() {
    let problems = load_text("data_dir = \"x\"\nserver_name = localhost\n").unwrap_err();
    assert!(
        problems[0].starts_with("myelin.toml:2: not TOML: "),
        "{problems:?}"
    );
    let problems = load_text("data_dir = \"x\"\ndata_dir = \"y\"\n").unwrap_err();
    assert!(
        problems[0].starts_with("myelin.toml:2: not TOML: duplicate key"),
        "{problems:?}"
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    let problems = load_text("server_name = 1\nlog.level = 2\nx = 3").unwrap_err();
    assert_eq!(problems.len(), 3);
}

#[test]
fn impossible_combinations_are_refused() {
    assert_problem(
        "[[listeners]]\ntls_cert = \"/x\"",
        "myelin.toml:2: listeners.0.tls_cert: listeners.0.tls_key must be set, too",
    );
    assert_problem(
        "[[listeners]]\nport = 1\n[[listeners]]\nport = 1",
        "myelin.toml:4: listeners.1.port: listener 0 has 127.0.0.1 port 1 already",
    );
    assert_problem(
        "[database]\nurl = \"sqlite://x\"\nurl_file = \"/y\"",
        "myelin.toml:3: database.url_file: database.url is set, too; only one of the two may be",
    );
}

#[test]
fn secrets_come_from_files() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("url");
    fs::write(&file, "postgres://a:b@c/d\n").unwrap();
    let text = format!("database.url_file = {:?}", file.display().to_string());
    let settings = load_text(&text).unwrap().settings;
    assert_eq!(settings.database.url.expose(), "postgres://a:b@c/d");
    assert!(!format!("{settings:?}").contains("postgres"));

    let problems = load_text("database.url_file = \"/nowhere\"").unwrap_err();
    assert!(problems[0].starts_with("myelin.toml:1: database.url_file: cannot read /nowhere"));
}

#[test]
fn the_environment_overrides() {
    let loaded = load_with(
        "server_name = \"a.example\"\n[[listeners]]\nport = 1",
        &[
            ("MYELIN_SERVER_NAME", "b.example:8448"),
            ("MYELIN_REGISTRATION__OPEN", "true"),
            ("MYELIN_LISTENERS__0__PORT", "2"),
            ("MYELIN_LISTENERS__1__PORT", "3"),
            ("MYELIN_LISTENERS__1__RESOURCES", "client, admin"),
            ("MYELIN_CONFIG", "/elsewhere"),
            ("HOME", "/root"),
        ],
    )
    .unwrap();
    let settings = loaded.settings;
    assert_eq!(settings.server_name, "b.example:8448");
    assert!(settings.registration.open);
    let ports: Vec<_> = settings
        .listeners
        .iter()
        .map(|listener| listener.port)
        .collect();
    assert_eq!(ports, [2, 3]);
    assert_eq!(
        settings.listeners[1].resources,
        [Resource::Client, Resource::Admin]
    );
    assert_eq!(loaded.warnings, [""; 0]);
}

#[test]
fn faults_in_the_environment_name_the_variable() {
    for (variable, value, wanted) in [
        (
            "MYELIN_LOG__LEVL",
            "info",
            "unknown key; did you mean log.level?",
        ),
        (
            "MYELIN_SERVER_NAM",
            "x",
            "unknown key; did you mean server_name?",
        ),
        (
            "MYELIN_REGISTRATION__OPEN",
            "yes",
            "this is \"yes\", true or false would be right",
        ),
        (
            "MYELIN_LISTENERS__PORT",
            "1",
            "the number of the listener is missing: MYELIN_LISTENERS__0__PORT",
        ),
        (
            "MYELIN_LISTENERS__4__PORT",
            "1",
            "there are only 0 listeners",
        ),
    ] {
        let problems = load_with("", &[(variable, value)]).unwrap_err();
        assert_eq!(problems, [format!("environment: {variable}: {wanted}")]);
    }
}

#[test]
fn variables_of_container_platforms_do_not_stop_the_server() {
    let loaded = load_with("", &[("MYELIN_PORT", "tcp://10.0.0.1:80")]).unwrap();
    assert_eq!(
        loaded.warnings,
        ["MYELIN_PORT in the environment is not a key; ignored"]
    );
}

#[test]
fn registration_is_closed_unless_local() {
    for (text, open) in [
        ("", true),
        ("server_name = \"localhost:8448\"", true),
        ("server_name = \"a.example\"", false),
        ("[[listeners]]\nbind = \"0.0.0.0\"", false),
        (
            "[[listeners]]\nport = 1\n[[listeners]]\nbind = \"::\"",
            false,
        ),
        ("[[listeners]]\nbind = \"::1\"", true),
        (
            "registration.open = true\n[[listeners]]\nbind = \"0.0.0.0\"",
            true,
        ),
        ("registration.open = false", false),
    ] {
        assert_eq!(
            load_text(text).unwrap().settings.registration.open,
            open,
            "{text}"
        );
    }
}

#[test]
fn the_database_follows_the_data_folder() {
    let settings = load_text("data_dir = \"/srv/x/\"").unwrap().settings;
    assert_eq!(settings.database.url.expose(), "sqlite:///srv/x/myelin.db");
}

#[test]
fn the_delegate_follows_from_where_clients_are_sent() {
    for (text, wanted) in [
        ("", ""),
        ("server_name = \"a.example\"", ""),
        (
            "server_name = \"a.example\"\npublic_base_url = \"https://a.example/\"",
            "",
        ),
        (
            "server_name = \"a.example\"\npublic_base_url = \"http://m.a.example\"",
            "",
        ),
        (
            "server_name = \"a.example\"\npublic_base_url = \"https://m.a.example/x\"",
            "m.a.example:443",
        ),
        (
            "server_name = \"a.example\"\npublic_base_url = \"https://m.a.example:8443\"",
            "m.a.example:8443",
        ),
        (
            "server_name = \"a.example\"\npublic_base_url = \"https://m.a.example\"\nfederation.delegate = \"\"",
            "",
        ),
        ("federation.delegate = \"b.example:1\"", "b.example:1"),
    ] {
        let settings = load_text(text).unwrap().settings;
        assert_eq!(settings.federation.delegate, wanted, "{text}");
    }
}

#[test]
fn a_changed_configuration_says_what_needs_a_restart() {
    let old = load_text("").unwrap();
    let new =
        load_text("log.level = \"debug\"\ndata_dir = \"y\"\n[[listeners]]\nport = 5").unwrap();
    let restart = old.needs_restart(&new);
    assert!(restart.contains(&"data_dir".to_owned()), "{restart:?}");
    assert!(
        restart.contains(&"listeners.0.port".to_owned()),
        "{restart:?}"
    );
    assert!(!restart.contains(&"log.level".to_owned()), "{restart:?}");
}

#[test]
fn a_missing_file_is_named() {
    let sources = Sources {
        file: Some(PathBuf::from("/nowhere.toml")),
        variables: Vec::new(),
    };
    let problems = load(&sources).unwrap_err();
    assert!(
        problems[0]
            .to_string()
            .starts_with("cannot read the configuration /nowhere.toml: ")
    );
}
