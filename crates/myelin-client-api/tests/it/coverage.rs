//! Which test shows what of which endpoint. Every module of tests says it in `covers!`; the tests
//! here hold that against the routes of the server and the endpoints of the specification, whose
//! list stands in `coverage/specification.txt`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Says which test shows what of an endpoint. The roles:
///
/// - `works`: the happy path;
/// - a status such as `403`: an answer that the specification names, or that users would expect;
/// - `outsider`: somebody who is not in the room, for paths with a room;
/// - `other_user`: somebody else's data, for paths with a user.
///
/// That one must be logged in, and rate limits, are tested once for all endpoints.
#[macro_export]
macro_rules! covers {
    ($($endpoint:literal: $($role:tt = $test:ident),+ $(,)?);+ $(;)?) => {
        // What is named must be a test.
        const _: &[fn()] = &[$($($test::sqlite),+),+];
    };
}

/// What must be shown of one endpoint.
struct Endpoint {
    statuses: BTreeSet<String>,
    takes_token: bool,
}

/// `MYELIN_BLESS=1` writes both lists anew; exceptions are only ever taken off.
const BLESS: &str = "MYELIN_BLESS";

#[test]
fn every_endpoint_is_tested() {
    let specified = specification();
    let covered = covered();
    let excepted: BTreeSet<String> = lines("exceptions.txt").into_iter().collect();
    let mut missing = BTreeSet::new();
    for (method, path) in myelin_client_api::endpoints() {
        let name = anonymous(&format!("{method} {path}"));
        let shown = covered.get(&name).cloned().unwrap_or_default();
        for role in roles(&path, specified.get(&name)) {
            if !shown.contains(&role) {
                missing.insert(format!("{name} {role}"));
            }
        }
    }
    let untested: Vec<_> = missing.difference(&excepted).collect();
    assert!(
        untested.is_empty(),
        "no test says in `covers!` that it shows: {untested:#?}"
    );
    pin("exceptions.txt", &missing.into_iter().collect::<Vec<_>>());
}

#[test]
fn what_is_missing_is_written_down() {
    let routed: BTreeSet<String> = myelin_client_api::endpoints()
        .iter()
        .map(|(method, path)| anonymous(&format!("{method} {path}")))
        .collect();
    let missing = specification()
        .into_keys()
        .filter(|name| !routed.contains(name));
    pin("missing.txt", &missing.collect::<Vec<_>>());
}

/// Holds a list against its file, or writes the file.
fn pin(file: &str, found: &[String]) {
    if std::env::var_os(BLESS).is_none() {
        assert_eq!(
            found,
            lines(file),
            "{file} is not what is found: see {BLESS}"
        );
        return;
    }
    let path = folder().join("coverage").join(file);
    let text = fs::read_to_string(&path).unwrap();
    let comments = text.lines().filter(|line| line.starts_with('#'));
    let all = comments.chain(found.iter().map(String::as_str));
    fs::write(path, all.collect::<Vec<_>>().join("\n") + "\n").unwrap();
}

/// What tests must show of an endpoint.
fn roles(path: &str, endpoint: Option<&Endpoint>) -> BTreeSet<String> {
    let mut roles = BTreeSet::from(["works".to_owned()]);
    let takes_token = endpoint.is_none_or(|endpoint| endpoint.takes_token);
    if let Some(endpoint) = endpoint {
        roles.extend(endpoint.statuses.iter().cloned());
    }
    let normal = path.to_ascii_lowercase().replace('_', "");
    if takes_token && normal.contains("{roomid}") {
        roles.insert("outsider".to_owned());
    }
    if takes_token && normal.contains("/user/{userid}") {
        roles.insert("other_user".to_owned());
    }
    roles
}

/// The specification's endpoints by name.
fn specification() -> BTreeMap<String, Endpoint> {
    // Tested for all endpoints together, or not an answer of ours.
    const ELSEWHERE: [&str; 4] = ["200", "302", "401", "429"];
    let parse = |line: String| {
        let mut words = line.split(' ');
        let name = format!("{} {}", words.next()?, words.next()?);
        let takes_token = words.next()? != "open";
        let statuses = words.filter(|status| !ELSEWHERE.contains(status));
        let endpoint = Endpoint {
            statuses: statuses.map(str::to_owned).collect(),
            takes_token,
        };
        Some((anonymous(&name), endpoint))
    };
    lines("specification.txt")
        .into_iter()
        .filter_map(parse)
        .collect()
}

/// What the test modules say that they show: endpoint to roles.
fn covered() -> BTreeMap<String, BTreeSet<String>> {
    let mut covered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in sources(&folder()) {
        let text = fs::read_to_string(&file).unwrap();
        let mut endpoint = None;
        let mut inside = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("covers!") {
                inside = true;
            } else if line == "}" || line == ");" {
                inside = false;
            } else if inside && let Some(name) = line.strip_prefix('"') {
                endpoint = name.split('"').next().map(anonymous);
            } else if inside
                && let Some((role, _)) = line.split_once(" = ")
                && let Some(endpoint) = &endpoint
            {
                covered
                    .entry(endpoint.clone())
                    .or_default()
                    .insert(role.to_owned());
            }
        }
    }
    covered
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it")
}

/// The lines of a data file, without comments.
fn lines(file: &str) -> Vec<String> {
    let text = fs::read_to_string(folder().join("coverage").join(file)).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// A path whose parameters have no names: here `{room_id}` is what is `{roomId}` there.
fn anonymous(name: &str) -> String {
    let parts = name
        .split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}
