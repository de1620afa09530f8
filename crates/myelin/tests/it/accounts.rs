//! `myelin user`, `myelin registration-token`, `myelin signing-key` and `myelin destination`.

use std::{fs, path::Path};

use crate::process::{Process, lines, myelin};

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file with this password.
    fn password(&self, password: &str) -> String {
        let file = self.path().join("password");
        fs::write(&file, format!("{password}\n")).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// What the command says on standard output, or on standard error if it fails.
    fn run(&self, arguments: &[&str]) -> Result<Vec<String>, String> {
        let variables = [
            ("MYELIN_DATA_DIR", self.path().to_str().unwrap()),
            ("MYELIN_REGISTRATION__PASSWORD_COST", "low"),
        ];
        let output = myelin(arguments, &variables);
        if output.status.success() {
            return Ok(lines(&output.stdout));
        }
        let said = lines(&output.stderr);
        let [line] = &said[..] else {
            panic!("one line is wanted, not {said:#?}")
        };
        Err(line.strip_prefix("myelin: ").unwrap().to_owned())
    }

    fn says(&self, arguments: &[&str]) -> String {
        self.run(arguments).unwrap().join("\n")
    }

    fn create(&self, name: &str) -> Result<Vec<String>, String> {
        let file = self.password("wonderland");
        self.run(&["user", "create", name, "--password-file", &file])
    }
}

fn log_in(server: &Process, password: &str) -> String {
    let body =
        format!("{{\"type\":\"m.login.password\",\"user\":\"alice\",\"password\":\"{password}\"}}");
    server.request("POST", "/_matrix/client/v3/login", &body)
}

#[test]
fn accounts_are_made_changed_and_listed() {
    let dir = Dir::new();
    assert_eq!(
        dir.create("alice").unwrap(),
        ["@alice:localhost was created"]
    );
    assert_eq!(dir.create("alice").unwrap_err(), "the user name is taken");
    assert!(dir.create("not a name").is_err());
    let error = dir.create("@bob:example.org").unwrap_err();
    assert!(error.contains("another server"), "{error}");
    dir.create("@bob:localhost").unwrap();
    assert_eq!(
        dir.says(&["user", "promote", "alice"]),
        "@alice:localhost is an administrator"
    );
    let error = dir.run(&["user", "lock", "alice"]).unwrap_err();
    assert!(error.contains("demote"), "{error}");
    assert_eq!(
        dir.says(&["user", "lock", "bob"]),
        "@bob:localhost is locked"
    );
    dir.says(&["user", "suspend", "bob"]);
    assert_eq!(
        dir.run(&["user", "list"]).unwrap(),
        ["@alice:localhost admin", "@bob:localhost locked suspended"]
    );
    for command in ["unlock", "unsuspend"] {
        dir.says(&["user", command, "@bob:localhost"]);
    }
    assert_eq!(
        dir.says(&["user", "exempt", "bob"]),
        "@bob:localhost is exempt from rate limits"
    );
    assert_eq!(
        dir.says(&["user", "unexempt", "bob"]),
        "@bob:localhost is not exempt from rate limits"
    );
    dir.says(&["user", "demote", "alice"]);
    dir.says(&["user", "deactivate", "bob", "--erase"]);
    assert_eq!(
        dir.run(&["user", "list"]).unwrap(),
        ["@alice:localhost", "@bob:localhost deactivated"]
    );
    for command in ["lock", "promote"] {
        let error = dir.run(&["user", command, "bob"]).unwrap_err();
        assert_eq!(error, "@bob:localhost was deactivated");
    }
    let error = dir.run(&["user", "lock", "nobody"]).unwrap_err();
    assert_eq!(error, "there is no user \"nobody\" on localhost");
}

#[test]
fn a_password_that_was_set_logs_in() {
    let dir = Dir::new();
    dir.create("alice").unwrap();
    {
        let server = Process::start(dir.path(), &[]);
        let answer = log_in(&server, "wonderland");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let file = dir.password("looking glass");
    let arguments = ["user", "reset-password", "alice", "--password-file", &file];
    assert!(dir.says(&arguments).contains("logged out"));
    let server = Process::start(dir.path(), &[]);
    let answer = log_in(&server, "wonderland");
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let answer = log_in(&server, "looking glass");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn a_running_server_has_its_file_to_itself() {
    let dir = Dir::new();
    let _server = Process::start(dir.path(), &[]);
    let error = dir.run(&["user", "list"]).unwrap_err();
    assert!(error.contains("the server is running"), "{error}");
    assert!(error.contains("stop it"), "{error}");
}

#[test]
fn a_password_is_never_empty() {
    let dir = Dir::new();
    let file = dir.password("");
    let arguments = ["user", "create", "alice", "--password-file", &file];
    assert_eq!(dir.run(&arguments).unwrap_err(), "the password is empty");
    // Nothing comes from the pipe either.
    let error = dir.run(&["user", "create", "alice"]).unwrap_err();
    assert_eq!(error, "the password is empty");
}

#[test]
fn registration_tokens_are_made_listed_and_deleted() {
    let dir = Dir::new();
    let chosen = dir.says(&["registration-token", "create"]);
    assert_eq!(chosen.len(), 16);
    let own = [
        "registration-token",
        "create",
        "--token",
        "friends",
        "--uses",
        "3",
        "--days",
        "2",
    ];
    assert_eq!(dir.says(&own), "friends");
    assert!(dir.run(&own).unwrap_err().contains("there is"));
    let mut listed = dir.run(&["registration-token", "list"]).unwrap();
    listed.sort_by_key(String::len);
    assert_eq!(
        listed,
        [
            format!("{chosen} used 0 times"),
            "friends used 0 of 3 times, ends within 2 days".to_owned(),
        ]
    );
    let delete = ["registration-token", "delete", "friends"];
    assert_eq!(dir.says(&delete), "friends was deleted");
    let error = dir.run(&delete).unwrap_err();
    assert_eq!(error, "there is no registration token \"friends\"");
}

#[test]
fn the_signing_key_is_listed_and_changed() {
    let dir = Dir::new();
    let first = dir.says(&["signing-key", "list"]);
    let [id, public, "signs"] = first.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{first}")
    };
    assert!(id.starts_with("ed25519:a_"), "{id}");
    assert_eq!(public.len(), 43);
    let said = dir.says(&["signing-key", "rotate", "--transition", "30"]);
    assert!(
        said.ends_with("start all nodes again within 30 minutes"),
        "{said}"
    );
    let new = said.split(' ').next().unwrap();
    let keys = dir.run(&["signing-key", "list"]).unwrap();
    assert!(keys[0].starts_with(new) && keys[0].ends_with(" signs"));
    assert_eq!(
        keys[1],
        format!("{id} {public} counts for another 30 minutes")
    );
    dir.says(&["signing-key", "rotate", "--transition", "0"]);
    let keys = dir.run(&["signing-key", "list"]).unwrap();
    assert!(keys[1].starts_with(new) && keys[1].ends_with(" ended today"));
    assert_eq!(keys.len(), 3);
}

/// CVE-2019-5885 of Synapse: a secret could be guessed.
#[test]
fn the_signing_key_is_another_one_on_each_server() {
    let keys = [(), ()].map(|()| Dir::new().says(&["signing-key", "list"]));
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn destinations_are_listed_and_only_those_behind_are_tried_again() {
    let dir = Dir::new();
    assert_eq!(dir.says(&["destination", "list"]), "");
    let refused = dir.run(&["destination", "retry", "there.example"]);
    let expected = "\"there.example\" is not behind: it has been sent everything";
    assert_eq!(refused.unwrap_err(), expected);
}
