//! That the tests exist which the list of known holes names.

use std::collections::HashSet;

use super::files::File;

const LIST: &str = "docs/dev/known-holes.md";

/// Each name of the list that no function has.
pub(super) fn check(files: &[File]) -> Vec<String> {
    let Some(list) = files.iter().find(|file| file.path == LIST) else {
        return vec![format!("{LIST}: is missing")];
    };
    let sources = files.iter().filter(|file| file.is_rust());
    let functions: HashSet<&str> = sources.flat_map(|file| functions_of(&file.text)).collect();
    let mut findings = Vec::new();
    for (index, line) in list.text.lines().enumerate() {
        for name in quoted(line) {
            if is_name(name) && !functions.contains(name) {
                findings.push(format!("{LIST}:{}: there is no test {name}", index + 1));
            }
        }
    }
    findings
}

/// What stands between backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn is_name(text: &str) -> bool {
    text.contains('_')
        && text
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
}

fn functions_of(text: &str) -> impl Iterator<Item = &str> {
    text.split("fn ").skip(1).filter_map(|rest| {
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
        Some(&rest[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_test_that_is_gone_is_found() {
        let source = file("a.rs", "async fn it_holds(server: &TestServer) {}");
        let list = "| a hole | `it_holds`, `it_held`; see `cargo xtask` and `a/b_c` |";
        let found = check(&[source, file(LIST, list)]);
        assert_eq!(found, [format!("{LIST}:1: there is no test it_held")]);
    }
}
