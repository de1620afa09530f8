//! The values that are set, by dotted path, with where each was set: one flat map, filled from the
//! file and the environment.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use toml::{
    Spanned, Value,
    de::{DeTable, DeValue},
};

use super::keys::{self, Kind};

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    File { path: PathBuf, line: usize },
    Environment { variable: String },
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(formatter, "environment: {variable}"),
        }
    }
}

/// One thing that is wrong with a configuration, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(String);

impl Problem {
    pub(super) fn new(origin: &Origin, path: &str, message: impl fmt::Display) -> Self {
        match origin {
            Origin::File { .. } => Self(format!("{origin}: {path}: {message}")),
            // The variable's name is the path.
            Origin::Environment { .. } => Self(format!("{origin}: {message}")),
        }
    }

    /// Of a whole file, or of keys that are not set.
    pub(super) fn general(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What is set, and what was wrong with the rest.
#[derive(Default)]
pub(super) struct Values {
    pub(super) set: BTreeMap<String, (Value, Origin)>,
    pub(super) listeners: usize,
    pub(super) problems: Vec<Problem>,
}

impl Values {
    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        self.set.get(path).map(|(value, _)| value)
    }

    /// The text at `path`, empty if there is none.
    pub(super) fn text(&self, path: &str) -> &str {
        self.get(path).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn problem(&mut self, path: &str, message: impl fmt::Display) {
        let problem = match self.set.get(path) {
            Some((_, origin)) => Problem::new(origin, path, message),
            None => Problem::general(format!("{path}: {message}")),
        };
        self.problems.push(problem);
    }

    /// Adds what the file sets.
    pub(super) fn read_file(&mut self, path: PathBuf, text: &str) {
        let line_of = |span: std::ops::Range<usize>| line_at(text, span.start);
        match DeTable::parse(text) {
            Ok(table) => {
                let file = File { path, text };
                self.read_table(&file, "", table.get_ref());
            }
            Err(error) => {
                let line = error.span().map_or(1, line_of);
                let message = error.message().replace('\n', " ");
                let path = path.display();
                self.problems
                    .push(Problem(format!("{path}:{line}: not TOML: {message}")));
            }
        }
    }

    fn read_table(&mut self, file: &File<'_>, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let path = join(prefix, name.get_ref());
            let origin = file.origin(name);
            if let Some(key) = keys::find(&path) {
                match from_toml(key.kind, value.get_ref()) {
                    Ok(value) => drop(self.set.insert(path, (value, origin))),
                    Err(message) => self.problems.push(Problem::new(&origin, &path, message)),
                }
            } else if path == "listeners" {
                self.read_listeners(file, &origin, value.get_ref());
            } else if keys::is_section(&path) {
                self.read_section(file, &path, &origin, value.get_ref());
            } else {
                self.problems
                    .push(Problem::new(&origin, &path, unknown("key", &path)));
            }
        }
    }

    fn read_section(&mut self, file: &File<'_>, path: &str, origin: &Origin, value: &DeValue<'_>) {
        match value {
            DeValue::Table(table) => self.read_table(file, path, table),
            other => {
                let found = describe(other);
                let message = format!("this is {found}, a section [{path}] would be right");
                self.problems.push(Problem::new(origin, path, message));
            }
        }
    }

    fn read_listeners(&mut self, file: &File<'_>, origin: &Origin, value: &DeValue<'_>) {
        let wrong = "one section [[listeners]] (two brackets) for each listener would be right";
        let listeners = match value {
            DeValue::Array(listeners) if !listeners.is_empty() => listeners,
            _ => return self.problems.push(Problem::new(origin, "listeners", wrong)),
        };
        for (index, listener) in listeners.iter().enumerate() {
            match listener.get_ref() {
                DeValue::Table(table) => {
                    self.read_table(file, &format!("listeners.{index}"), table);
                }
                _ => self.problems.push(Problem::new(origin, "listeners", wrong)),
            }
        }
        self.listeners = listeners.len();
    }
}

/// What a message about a name that is not in the table says.
pub(super) fn unknown(what: &str, path: &str) -> String {
    match keys::nearest(path) {
        Some(known) => format!("unknown {what}; did you mean {known}?"),
        None => format!("unknown {what}; `myelin config example` lists all keys"),
    }
}

struct File<'a> {
    path: PathBuf,
    text: &'a str,
}

impl File<'_> {
    fn origin<T>(&self, place: &Spanned<T>) -> Origin {
        Origin::File {
            path: self.path.clone(),
            line: line_at(self.text, place.span().start),
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

fn from_toml(kind: Kind, value: &DeValue<'_>) -> Result<Value, String> {
    let wrong = || {
        format!(
            "this is {}, {} would be right",
            describe(value),
            wanted(kind)
        )
    };
    match (kind, value) {
        (Kind::Text | Kind::Checked(_) | Kind::Choice(_), DeValue::String(text)) => {
            checked_text(kind, text)
        }
        (Kind::Flag, DeValue::Boolean(flag)) => Ok(Value::Boolean(*flag)),
        (Kind::Port, DeValue::Integer(number)) => {
            u16::from_str_radix(number.as_str(), number.radix())
                .map(|port| Value::Integer(port.into()))
                .map_err(|_| wrong())
        }
        (Kind::Texts | Kind::CheckedTexts(_) | Kind::Choices(_), DeValue::Array(items)) => {
            let texts = items.iter().map(|item| match item.get_ref() {
                DeValue::String(text) => Ok(text.to_string()),
                other => Err(format!(
                    "{} is in it, {} would be right",
                    describe(other),
                    wanted(kind)
                )),
            });
            checked_texts(kind, texts.collect::<Result<_, _>>()?)
        }
        _ => Err(wrong()),
    }
}

/// The value of an environment variable. A list is a TOML array, or items with commas between.
pub(super) fn from_variable(kind: Kind, text: &str) -> Result<Value, String> {
    let wrong = || format!("this is {text:?}, {} would be right", wanted(kind));
    match kind {
        Kind::Text | Kind::Checked(_) | Kind::Choice(_) => checked_text(kind, text),
        Kind::Flag => text.parse().map(Value::Boolean).map_err(|_| wrong()),
        Kind::Port => text
            .parse::<u16>()
            .map(|port| Value::Integer(port.into()))
            .map_err(|_| wrong()),
        Kind::Texts | Kind::CheckedTexts(_) | Kind::Choices(_)
            if text.trim_start().starts_with('[') =>
        {
            let value = DeValue::parse(text).map_err(|_| wrong())?;
            from_toml(kind, value.get_ref())
        }
        Kind::Texts | Kind::CheckedTexts(_) | Kind::Choices(_) => {
            let items = text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            checked_texts(kind, items.map(str::to_owned).collect())
        }
    }
}

/// Text for a key of this kind, if its rule or its choice allows it.
pub(super) fn checked_text(kind: Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Checked(rule) => rule(text)?,
        Kind::Choice(choices) if !choices.contains(&text) => {
            return Err(format!("this is {text:?}, {} would be right", wanted(kind)));
        }
        _ => {}
    }
    Ok(Value::String(text.to_owned()))
}

fn checked_texts(kind: Kind, texts: Vec<String>) -> Result<Value, String> {
    if let Kind::Choices(choices) = kind
        && let Some(odd) = texts.iter().find(|text| !choices.contains(&text.as_str()))
    {
        return Err(format!("{odd:?} is in it, {} would be right", wanted(kind)));
    }
    if let Kind::CheckedTexts(rule) = kind {
        texts.iter().try_for_each(|text| rule(text))?;
    }
    Ok(Value::Array(texts.into_iter().map(Value::String).collect()))
}

fn wanted(kind: Kind) -> String {
    let quoted = |choices: &[&str]| {
        choices
            .iter()
            .map(|choice| format!("{choice:?}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match kind {
        Kind::Text | Kind::Checked(_) => "text in quotes".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Port => "a port from 0 to 65535".to_owned(),
        Kind::Texts | Kind::CheckedTexts(_) => "a list of texts such as [\"a\", \"b\"]".to_owned(),
        Kind::Choice(choices) => format!("one of {}", quoted(choices)),
        Kind::Choices(choices) => format!("a list of some of {}", quoted(choices)),
    }
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {text:?}"),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a section".to_owned(),
    }
}
