//! The command line of the configuration, with the built binary.

use std::{
    fs,
    process::{Command, Output},
};

fn myelin(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_myelin"))
        .args(arguments)
        .output()
        .expect("the binary is built with the test")
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8(bytes.to_vec())
        .expect("the binary prints UTF-8")
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_example_passes_the_check() {
    let example = myelin(&["config", "example"]);
    assert!(example.status.success());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("myelin.toml");
    fs::write(&file, example.stdout).unwrap();
    let check = myelin(&["config", "check", "--config", file.to_str().unwrap()]);
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
    let check = myelin(&["--config", file.to_str().unwrap(), "config", "check"]);
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
fn without_a_command_it_says_what_it_can_do() {
    let help = myelin(&[]);
    assert!(
        lines(&help.stderr)
            .iter()
            .any(|line| line.contains("config"))
    );
    assert!(lines(&myelin(&["--version"]).stdout)[0].starts_with("myelin "));
}
