//! The configuration: one TOML file, overridden by the environment, checked before anything starts.
//!
//! Start reading at [`load`]. Every key stands in the table of `keys.rs`.

mod combinations;
mod environment;
mod example;
mod keys;
mod rules;
mod settings;
mod values;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

pub use self::{
    example::example,
    settings::{
        DatabaseSettings, FederationSettings, ListenerSettings, LogFormat, LogSettings,
        OutboundSettings, PasswordCost, PresenceSettings, RateLimitSettings, RegistrationSettings,
        Resource, RoomSettings, Secret, ServerNoticeSettings, Settings, SupportSettings,
    },
    values::Problem,
};
use self::{
    keys::{KEYS, Standard},
    values::Values,
};

/// Where a configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Without a file everything has its default.
    pub file: Option<PathBuf>,
    /// The process's environment, or what a test makes of it.
    pub variables: Vec<(String, String)>,
}

impl Sources {
    /// The given file and this process's environment.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        // A variable that is not UTF-8 cannot be one of ours, whose values are text.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file, variables }
    }
}

/// A configuration that is fit to start with.
#[derive(Debug)]
pub struct Loaded {
    /// What the program goes by.
    pub settings: Settings,
    /// One line each, for the log.
    pub warnings: Vec<String>,
    /// Everything set, for comparison when the configuration is read again.
    flat: BTreeMap<String, Value>,
}

impl Loaded {
    /// The keys that have another value in `newer` and that a running server does not pick up.
    pub fn needs_restart(&self, newer: &Self) -> Vec<String> {
        let changed = |path: &&String| self.flat.get(*path) != newer.flat.get(*path);
        let mut paths: Vec<_> = self
            .flat
            .keys()
            .chain(newer.flat.keys())
            .filter(changed)
            .collect();
        paths.sort();
        paths.dedup();
        paths.retain(|path| !keys::RELOADABLE.contains(&path.as_str()));
        paths.into_iter().cloned().collect()
    }
}

/// Reads and checks a configuration. Reports everything that is wrong with it at once.
pub fn load(sources: &Sources) -> Result<Loaded, Vec<Problem>> {
    let mut values = Values::default();
    if let Some(path) = &sources.file {
        let text = fs::read(path).map_err(|error| unreadable(path, &error.to_string()))?;
        let text = String::from_utf8(text).map_err(|_| unreadable(path, "it is not UTF-8"))?;
        values.read_file(path.clone(), &text);
    }
    let mut warnings = environment::read(&mut values, &sources.variables);
    read_secret_files(&mut values);
    combinations::check(&mut values);
    if !values.problems.is_empty() {
        return Err(values.problems);
    }
    let flat = complete(&values);
    warnings.extend(without_effect(&values));
    let settings = settings_of(&flat, values.listeners.max(1))
        .map_err(|error| vec![Problem::general(error.to_string())])?;
    Ok(Loaded {
        settings,
        warnings,
        flat,
    })
}

fn unreadable(path: &Path, reason: &str) -> Vec<Problem> {
    vec![Problem::general(format!(
        "cannot read the configuration {}: {reason}",
        path.display()
    ))]
}

/// Puts the content of each `*_file` in place of the secret it holds.
fn read_secret_files(values: &mut Values) {
    for (secret, file) in keys::SECRET_FILES {
        let path = values.text(file).to_owned();
        if path.is_empty() {
            continue;
        }
        if !values.text(secret).is_empty() {
            values.problem(
                file,
                format!("{secret} is set, too; only one of the two may be"),
            );
            continue;
        }
        let kind = keys::find(secret)
            .map(|key| key.kind)
            .expect("a test checks the table");
        let read = fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {path}: {error}"))
            .and_then(|text| values::checked_text(kind, text.trim_end_matches(['\r', '\n'])));
        match (read, values.set.get(*file)) {
            (Ok(value), Some((_, origin))) => {
                let origin = origin.clone();
                values.set.insert((*secret).to_owned(), (value, origin));
            }
            (Err(message), _) => values.problem(file, message),
            (Ok(_), None) => {}
        }
    }
}

/// All keys, those that are not set with their defaults.
fn complete(values: &Values) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    for key in KEYS {
        for path in paths_of(key.path, values.listeners.max(1)) {
            let value = values
                .get(&path)
                .cloned()
                .unwrap_or_else(|| match key.standard {
                    Standard::Is(literal) => literal_value(literal),
                    Standard::Follows(_) => combinations::follow(values, &path),
                });
            flat.insert(path, value);
        }
    }
    flat
}

/// A key of the listeners once for each of them, any other as it is.
fn paths_of(path: &str, listeners: usize) -> Vec<String> {
    match path.strip_prefix("listeners.") {
        Some(name) => (0..listeners)
            .map(|index| format!("listeners.{index}.{name}"))
            .collect(),
        None => vec![path.to_owned()],
    }
}

fn literal_value(literal: &str) -> Value {
    literal.parse().expect("a test parses all defaults")
}

/// One line for each key that is set to something of note and whose feature does not exist.
fn without_effect(values: &Values) -> Vec<String> {
    let mut warnings = Vec::new();
    for (path, (value, origin)) in &values.set {
        let Some(key) = keys::find(path).filter(|key| !key.in_effect) else {
            continue;
        };
        let default = match key.standard {
            Standard::Is(literal) => literal_value(literal),
            Standard::Follows(_) => combinations::follow(values, path),
        };
        if *value != default {
            warnings.push(format!(
                "{origin}: {path} has no effect: this version does not have it"
            ));
        }
    }
    warnings
}

/// The typed form of the keys that have an effect.
fn settings_of(
    flat: &BTreeMap<String, Value>,
    listeners: usize,
) -> Result<Settings, toml::de::Error> {
    let mut root = Table::new();
    let mut list = vec![Table::new(); listeners];
    for (path, value) in flat {
        let in_effect = keys::find(path).is_some_and(|key| key.in_effect);
        let is_file = keys::SECRET_FILES.iter().any(|(_, file)| path == file);
        if !in_effect || is_file {
            continue;
        }
        let mut parts: Vec<&str> = path.split('.').collect();
        let mut table = &mut root;
        if let ["listeners", index, _] = parts[..]
            && let Some(listener) = index
                .parse()
                .ok()
                .and_then(|index: usize| list.get_mut(index))
        {
            table = listener;
            parts.drain(..2);
        }
        insert(table, &parts, value.clone());
    }
    root.insert("listeners".into(), list.into());
    root.try_into()
}

fn insert(table: &mut Table, parts: &[&str], value: Value) {
    match parts {
        [name] => drop(table.insert((*name).to_owned(), value)),
        [section, rest @ ..] => {
            let entry = table.entry(*section).or_insert_with(|| Table::new().into());
            if let Value::Table(section) = entry {
                insert(section, rest, value);
            }
        }
        [] => {}
    }
}
