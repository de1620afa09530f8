//! The command line of the configuration.

use std::fs;

use crate::process::{lines, myelin};

#[test]
fn the_example_passes_the_check() {
    let example = myelin(&["config", "example"], &[]);
    assert!(example.status.success());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("myelin.toml");
    fs::write(&file, example.stdout).unwrap();
    let check = myelin(
        &["config", "check", "--config", file.to_str().unwrap()],
        &[],
    );
    assert!(check.status.success());
    assert_eq!(lines(&check.stderr), [""; 0]);
    assert_eq!(
        lines(&check.stdout),
        [format!("{} is valid", file.display())]
    );
}

#[test]
fn each_fault_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("myelin.toml");
    fs::write(&file, "server_nam = \"a\"\nlog.level = 3\n").unwrap();
    let check = myelin(
        &["--config", file.to_str().unwrap(), "config", "check"],
        &[],
    );
    assert_eq!(check.status.code(), Some(1));
    let file = file.display();
    assert_eq!(
        lines(&check.stderr),
        [
            format!(
                "myelin: {file}:2: log.level: this is the number 3, text in quotes would be right"
            ),
            format!("myelin: {file}:1: server_nam: unknown key; did you mean server_name?"),
        ]
    );
}

#[test]
fn nobody_to_reload_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display().to_string();
    let reload = myelin(&["config", "reload"], &[("MYELIN_DATA_DIR", &folder)]);
    assert_eq!(reload.status.code(), Some(1));
    let wanted = format!("myelin: no server runs in the data folder {folder}");
    assert_eq!(lines(&reload.stderr), [wanted]);
}

#[test]
fn without_a_command_it_says_what_it_can_do() {
    let help = myelin(&[], &[]);
    assert!(
        lines(&help.stderr)
            .iter()
            .any(|line| line.contains("config"))
    );
    assert!(lines(&myelin(&["--version"], &[]).stdout)[0].starts_with("myelin "));
}
