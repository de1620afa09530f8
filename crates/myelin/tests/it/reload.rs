//! Reloading: `SIGHUP`, by itself or by `myelin config reload`.

use std::fs;

use rustix::process::Signal;

use crate::process::{Process, lines, myelin};

const REGISTER: &str = "/_matrix/client/v3/register";
const BODY: &str =
    "{\"username\":\"alice\",\"password\":\"secret\",\"auth\":{\"type\":\"m.login.dummy\"}}";

#[test]
fn what_can_change_changes_and_the_rest_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("myelin.toml");
    fs::write(&file, "registration.open = false\n").unwrap();
    let path = file.display().to_string();
    let folder = dir.path().display().to_string();
    let mut server = Process::start(dir.path(), &[("MYELIN_CONFIG", &path)]);
    let answer = server.request("POST", REGISTER, BODY);
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");

    fs::write(&file, "registration.open = true\nlog.format = \"json\"\n").unwrap();
    let variables = [
        ("MYELIN_CONFIG", path.as_str()),
        ("MYELIN_DATA_DIR", &folder),
    ];
    let reload = myelin(&["config", "reload"], &variables);
    assert!(reload.status.success(), "{:?}", lines(&reload.stderr));
    let restart = server.wait_for_log("started again");
    assert!(restart.contains("log.format was changed"), "{restart}");
    server.wait_for_log("applied");
    let answer = server.request("POST", REGISTER, BODY);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    fs::write(&file, "registration.opne = false\n").unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("did you mean registration.open?");
    server.wait_for_log("nothing of it was applied");
}

#[test]
fn the_log_level_changes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("myelin.toml");
    fs::write(&file, "log.level = \"error\"\n").unwrap();
    let path = file.display().to_string();
    let mut server = Process::start(dir.path(), &[("MYELIN_CONFIG", &path)]);
    server.signal(Signal::HUP);
    fs::write(&file, "log.level = \"info\"\n").unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("applied");
}
