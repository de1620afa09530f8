//! Which test shows what of which endpoint. Every module of an API crate's tests says it in
//! [`covers!`](crate::covers); a [`Coverage`] holds that against the routes of the server and the
//! endpoints of the specification, whose list stands in `coverage/specification.txt`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use http::Method;

/// Says which test shows what of an endpoint. The roles:
///
/// - `works`: the happy path;
/// - a status such as `403`: an answer that the specification names, or that users would expect;
/// - `outsider`: somebody who is not in the room, for paths with a room;
/// - `other_user`: somebody else's data, for paths with a user.
///
/// Who is asking, and rate limits, are tested once for all endpoints.
#[macro_export]
macro_rules! covers {
    ($($endpoint:literal: $($role:tt = $test:ident),+ $(,)?);+ $(;)?) => {
        // What is named must be a test.
        const _: &[fn()] = &[$($($test::sqlite),+),+];
    };
}

/// What the tests of one API crate have to show.
pub struct Coverage<'a> {
    /// The crate's folder: `env!("CARGO_MANIFEST_DIR")`. Tests stand in `tests/it`, the lists in
    /// `tests/it/coverage`.
    pub crate_folder: &'a str,
    /// Method and path of each endpoint that the server has.
    pub endpoints: Vec<(Method, String)>,
    /// The statuses that are tested for all endpoints together, or are not an answer of ours.
    pub statuses_elsewhere: &'a [&'a str],
    /// For parts of a path that is not open, in lower case and without underscores: the role that
    /// its tests have to show.
    pub roles: &'a [(&'a str, &'a str)],
}

/// What must be shown of one endpoint.
struct Endpoint {
    statuses: BTreeSet<String>,
    is_open: bool,
}

/// `MYELIN_BLESS=1` writes both lists anew; exceptions are only ever taken off.
const BLESS: &str = "MYELIN_BLESS";

impl Coverage<'_> {
    /// Fails for an endpoint of which something is not shown, unless `exceptions.txt` says so.
    pub fn assert_every_endpoint_is_tested(&self) {
        let specified = self.specification();
        let covered = covered(&self.tests());
        let excepted: BTreeSet<String> = self.lines("exceptions.txt").into_iter().collect();
        let mut missing = BTreeSet::new();
        for (method, path) in &self.endpoints {
            let name = anonymous(&format!("{method} {path}"));
            let shown = covered.get(&name).cloned().unwrap_or_default();
            let roles = self.roles_of(path, specified.get(&name));
            let not_shown = roles.difference(&shown);
            missing.extend(not_shown.map(|role| format!("{name} {role}")));
        }
        let untested: Vec<_> = missing.difference(&excepted).collect();
        assert!(
            untested.is_empty(),
            "no test says in `covers!` that it shows: {untested:#?}"
        );
        self.pin("exceptions.txt", &missing.into_iter().collect::<Vec<_>>());
    }

    /// Fails if `missing.txt` is not exactly what the specification has and the server has not.
    pub fn assert_what_is_missing_is_written_down(&self) {
        let routed: BTreeSet<String> = self
            .endpoints
            .iter()
            .map(|(method, path)| anonymous(&format!("{method} {path}")))
            .collect();
        let missing = self
            .specification()
            .into_keys()
            .filter(|name| !routed.contains(name));
        self.pin("missing.txt", &missing.collect::<Vec<_>>());
    }

    /// The endpoints of the server for which one has to say who one is.
    pub fn authenticated(&self) -> Vec<(Method, String)> {
        let specified = self.specification();
        let is_open = |(method, path): &&(Method, String)| {
            let name = anonymous(&format!("{method} {path}"));
            specified
                .get(&name)
                .is_some_and(|endpoint| endpoint.is_open)
        };
        let closed = self.endpoints.iter().filter(|endpoint| !is_open(endpoint));
        closed.cloned().collect()
    }

    /// Holds a list against its file, or writes the file.
    fn pin(&self, file: &str, found: &[String]) {
        if std::env::var_os(BLESS).is_none() {
            assert_eq!(
                found,
                self.lines(file),
                "{file} is not what is found: see {BLESS}"
            );
            return;
        }
        let path = self.tests().join("coverage").join(file);
        let text = fs::read_to_string(&path).expect("the list is there");
        let comments = text.lines().filter(|line| line.starts_with('#'));
        let all = comments.chain(found.iter().map(String::as_str));
        fs::write(path, all.collect::<Vec<_>>().join("\n") + "\n").expect("a list can be written");
    }

    /// What tests must show of an endpoint.
    fn roles_of(&self, path: &str, endpoint: Option<&Endpoint>) -> BTreeSet<String> {
        let mut roles = BTreeSet::from(["works".to_owned()]);
        if let Some(endpoint) = endpoint {
            roles.extend(endpoint.statuses.iter().cloned());
        }
        if endpoint.is_some_and(|endpoint| endpoint.is_open) {
            return roles;
        }
        let normal = path.to_ascii_lowercase().replace('_', "");
        let named = self.roles.iter().filter(|(part, _)| normal.contains(part));
        roles.extend(named.map(|(_, role)| (*role).to_owned()));
        roles
    }

    /// The specification's endpoints by name.
    fn specification(&self) -> BTreeMap<String, Endpoint> {
        let parse = |line: String| {
            let mut words = line.split(' ');
            let name = format!("{} {}", words.next()?, words.next()?);
            let is_open = words.next()? == "open";
            let statuses = words
                .filter(|status| *status != "200" && !self.statuses_elsewhere.contains(status));
            let endpoint = Endpoint {
                statuses: statuses.map(str::to_owned).collect(),
                is_open,
            };
            Some((anonymous(&name), endpoint))
        };
        self.lines("specification.txt")
            .into_iter()
            .filter_map(parse)
            .collect()
    }

    /// The lines of a data file, without comments.
    fn lines(&self, file: &str) -> Vec<String> {
        let path = self.tests().join("coverage").join(file);
        let text = fs::read_to_string(path).expect("the list is there");
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    }

    fn tests(&self) -> PathBuf {
        Path::new(self.crate_folder).join("tests/it")
    }
}

/// What the test modules say that they show: endpoint to roles.
fn covered(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut covered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in sources(folder) {
        let text = fs::read_to_string(&file).expect("a source file can be read");
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
    for entry in fs::read_dir(folder).expect("the tests are there") {
        let path = entry.expect("a folder can be listed").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// A path whose parameters have no names: here `{room_id}` is what is `{roomId}` there.
fn anonymous(name: &str) -> String {
    let parts = name
        .split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}
