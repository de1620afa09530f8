//! Starting, and every reason not to.

use std::{fs, net::TcpListener, path::Path, process::Output};

use rustix::process::Signal;

use crate::process::{Process, lines, myelin};

/// Starts a server that cannot start, and returns what it says about it.
#[track_caller]
fn failure(data_dir: &Path, variables: &[(&str, &str)]) -> String {
    let data_dir = data_dir
        .to_str()
        .expect("temporary folders have plain names");
    let mut all = vec![
        ("MYELIN_DATA_DIR", data_dir),
        ("MYELIN_LISTENERS__0__PORT", "0"),
    ];
    all.extend(variables);
    let Output {
        status,
        stdout,
        stderr,
    } = myelin(&["serve"], &all);
    assert_eq!(status.code(), Some(1));
    assert_eq!(lines(&stdout), [""; 0], "it must not say that it listens");
    let lines: Vec<_> = lines(&stderr)
        .into_iter()
        .filter(|line| !line.contains(" INFO "))
        .collect();
    let [line] = &lines[..] else {
        panic!("one line is wanted, not {lines:#?}")
    };
    line.strip_prefix("myelin: ")
        .expect("the line says who speaks")
        .to_owned()
}

#[test]
fn a_server_answers_once_it_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(dir.path(), &[]);
    let answer = server.request("GET", "/health", "");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let answer = server.request("GET", "/_matrix/client/versions", "");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn a_listener_serves_its_resources_only() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(
        dir.path(),
        &[("MYELIN_LISTENERS__0__RESOURCES", "federation")],
    );
    let answer = server.request("GET", "/_matrix/client/versions", "");
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    let answer = server.request("GET", "/health", "");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn a_listener_of_its_own_tells_what_a_node_counts() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(
        dir.path(),
        &[("MYELIN_LISTENERS__0__RESOURCES", "client, metrics")],
    );
    server.request("GET", "/_matrix/client/versions", "");
    server.request("GET", "/somewhere?access_token=secret", "");
    let answer = server.request("GET", "/metrics", "");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for line in [
        r#"myelin_http_requests_total{method="GET",path="/_matrix/client/versions",status="200"} 1"#,
        r#"myelin_http_requests_total{method="GET",path="unknown",status="404"} 1"#,
        "myelin_state_changes_undone_total 0",
        "myelin_destinations_behind 0",
        "# EOF",
    ] {
        assert!(
            answer.lines().any(|found| found == line),
            "{line}\n{answer}"
        );
    }
    assert!(!answer.contains("secret"), "{answer}");
}

#[test]
fn nobody_is_told_what_a_node_counts_unless_a_listener_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(dir.path(), &[]);
    let answer = server.request("GET", "/metrics", "");
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[test]
fn a_wrong_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let said = failure(dir.path(), &[("MYELIN_LOG__LEVEL", "loud")]);
    assert!(
        said.starts_with("environment: MYELIN_LOG__LEVEL: \"loud\" is not a log level"),
        "{said}"
    );
}

#[test]
fn a_port_that_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port().to_string();
    let said = failure(dir.path(), &[("MYELIN_LISTENERS__0__PORT", &port)]);
    assert_eq!(
        said,
        format!("cannot listen on {address}: another process does already")
    );
    assert!(
        !dir.path().join("myelin.db").exists(),
        "the database was not touched"
    );
}

#[test]
fn a_data_folder_that_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let said = failure(&file, &[]);
    assert!(
        said.starts_with(&format!("cannot use the data folder {}: ", file.display())),
        "{said}"
    );
}

#[test]
fn a_database_file_that_is_none() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("myelin.db")).unwrap();
    let said = failure(dir.path(), &[]);
    assert!(said.contains("myelin.db"), "{said}");
}

#[test]
fn a_data_folder_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let _server = Process::start(dir.path(), &[]);
    let said = failure(dir.path(), &[]);
    assert!(
        said.ends_with(&format!(
            "uses the data folder {} already",
            dir.path().display()
        )),
        "{said}"
    );
}

#[test]
fn a_database_file_in_use() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let _server = Process::start(dir.path(), &[]);
    let url = format!("sqlite://{}", dir.path().join("myelin.db").display());
    let said = failure(other.path(), &[("MYELIN_DATABASE__URL", &url)]);
    assert!(
        said.contains("myelin.db is in use by another process"),
        "{said}"
    );
}

#[test]
fn a_database_of_another_server() {
    let dir = tempfile::tempdir().unwrap();
    start_and_stop(dir.path());
    let said = failure(dir.path(), &[("MYELIN_SERVER_NAME", "other.example")]);
    assert_eq!(
        said,
        "the database belongs to the server \"localhost\", not to \"other.example\""
    );
}

#[test]
fn a_database_of_a_newer_version() {
    let dir = tempfile::tempdir().unwrap();
    start_and_stop(dir.path());
    // The row of the version, in the file's bytes: its key, then its value.
    let file = dir.path().join("myelin.db");
    let mut bytes = fs::read(&file).unwrap();
    let row = b"version";
    let at = bytes
        .windows(row.len() + 1)
        .position(|window| window.starts_with(row) && window[row.len()].is_ascii_digit())
        .expect("the version is stored as text");
    bytes[at + row.len()] = b'9';
    fs::write(&file, bytes).unwrap();
    let said = failure(dir.path(), &[]);
    assert!(said.starts_with("the database has version 9"), "{said}");
}

#[test]
fn a_database_server_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("postgres://nobody:secret@{closed}/nothing");
    let said = failure(dir.path(), &[("MYELIN_DATABASE__URL", &url)]);
    assert!(said.starts_with("cannot connect to the database"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn a_signing_key_that_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("signing.key");
    fs::write(&file, "rsa x y\n").unwrap();
    let file = file.display().to_string();
    let said = failure(dir.path(), &[("MYELIN_SIGNING_KEY_FILE", &file)]);
    assert!(
        said.starts_with(&format!("cannot import the signing key {file}: ")),
        "{said}"
    );
}

#[test]
fn a_certificate_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let variables = [
        ("MYELIN_LISTENERS__0__TLS_CERT", "/nowhere.crt"),
        ("MYELIN_LISTENERS__0__TLS_KEY", "/nowhere.key"),
    ];
    let said = failure(dir.path(), &variables);
    assert!(
        said.starts_with("cannot read the TLS file /nowhere.crt: "),
        "{said}"
    );
}

#[test]
fn the_signing_key_is_imported_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("signing.key");
    fs::write(&file, format!("ed25519 a_test {}\n", "A".repeat(43))).unwrap();
    let path = file.display().to_string();
    let import = [("MYELIN_SIGNING_KEY_FILE", path.as_str())];
    let server = Process::start(dir.path(), &import);
    server.signal(Signal::TERM);
    assert!(server.wait().1.success());
    fs::remove_file(file).unwrap();
    drop(Process::start(dir.path(), &import));
}

fn start_and_stop(data_dir: &Path) {
    let server = Process::start(data_dir, &[]);
    server.signal(Signal::TERM);
    let (log, status) = server.wait();
    assert!(status.success(), "{log}");
}

#[test]
fn the_public_directory_needs_a_login_unless_told_otherwise() {
    for (setting, status) in [("false", 401), ("true", 200)] {
        let dir = tempfile::tempdir().unwrap();
        let variable = ("MYELIN_DIRECTORY__PUBLIC_WITHOUT_LOGIN", setting);
        let server = Process::start(dir.path(), &[variable]);
        let answer = server.request("GET", "/_matrix/client/v3/publicRooms", "");
        let wanted = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&wanted), "{setting}: {answer}");
    }
}
