//! `MYELIN_<SECTION>__<KEY>` in the environment overrides a key.

use super::{
    keys,
    values::{Origin, Problem, Values, from_variable, unknown},
};

const PREFIX: &str = "MYELIN_";

/// Adds what variables set. Returns warnings about variables that look like ours and are not.
pub(super) fn read(values: &mut Values, variables: &[(String, String)]) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut ours = variables.to_vec();
    // Listeners must come in order, because only the next one may be added.
    ours.sort();
    for (variable, text) in ours {
        let Some(name) = variable.strip_prefix(PREFIX) else {
            continue;
        };
        // Read by the command line.
        if name == "CONFIG" {
            continue;
        }
        let path = name.to_lowercase().replace("__", ".");
        let origin = Origin::Environment {
            variable: variable.clone(),
        };
        let Some(key) = keys::find(&path) else {
            // Container platforms set variables such as MYELIN_PORT and MYELIN_SERVICE_HOST for a
            // service called "myelin"; they must not stop the server.
            if path.contains('.') || keys::nearest(&path).is_some_and(|known| !known.contains('.'))
            {
                values
                    .problems
                    .push(Problem::new(&origin, &path, unknown("key", &path)));
            } else {
                warnings.push(format!(
                    "{variable} in the environment is not a key; ignored"
                ));
            }
            continue;
        };
        if let Err(message) = count_listener(values, &path) {
            values.problems.push(Problem::new(&origin, &path, message));
            continue;
        }
        match from_variable(key.kind, &text) {
            Ok(value) => drop(values.set.insert(path, (value, origin))),
            Err(message) => values.problems.push(Problem::new(&origin, &path, message)),
        }
    }
    warnings
}

/// Checks that a key of a listener says of which, and adds the listener if it is the next one.
fn count_listener(values: &mut Values, path: &str) -> Result<(), String> {
    let Some(rest) = path.strip_prefix("listeners.") else {
        return Ok(());
    };
    let index = rest
        .split('.')
        .next()
        .and_then(|part| part.parse::<usize>().ok());
    match index {
        Some(index) if index < values.listeners => Ok(()),
        Some(index) if index == values.listeners => {
            values.listeners += 1;
            Ok(())
        }
        Some(_) => Err(format!("there are only {} listeners", values.listeners)),
        None => Err("the number of the listener is missing: MYELIN_LISTENERS__0__PORT".to_owned()),
    }
}
