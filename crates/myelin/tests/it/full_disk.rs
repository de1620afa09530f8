//! A disk that is full: nothing half-written, a clear answer, and all is well when there is room.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use myelin_blackbox::{Answer, ServerOptions, ServerProcess, User, encode, is_ci};

/// A file system of its own for the database, which the server's log is not on.
const MOUNT: &str = "mount -t tmpfs -o size=8m tmpfs \"$0\" && exec \"$@\"";
/// Far more messages than that holds.
const MESSAGES_MAX: usize = 2_000;

#[test]
fn recovers_from_a_full_disk() {
    if !can_mount() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("small");
    fs::create_dir(&folder).unwrap();
    let server = ServerProcess::start(&options(data.path(), &folder)).unwrap();
    let mut alice = User::register(server.address, "alice").unwrap();
    let room = alice.create_room().unwrap();

    let filler = Filler::fill(&server, &folder);
    let mut acknowledged = Vec::new();
    let refused = loop {
        let txn_id = format!("message{}", acknowledged.len());
        let answer = send(&mut alice, &room, &txn_id);
        if answer.status != 200 {
            break answer;
        }
        acknowledged.push(txn_id);
        assert!(acknowledged.len() < MESSAGES_MAX, "the disk is not full");
    };
    assert!(matches!(refused.status, 503 | 507), "{refused:?}");
    assert!(refused.retry_after.is_some(), "{refused:?}");
    let errcode = refused.json()["errcode"].clone();
    assert_eq!(errcode, "M_UNKNOWN", "{refused:?}");
    assert_eq!(texts(&mut alice, &room), acknowledged, "full, but readable");

    filler.remove();
    let txn_id = format!("message{}", acknowledged.len());
    send(&mut alice, &room, &txn_id).expect_ok("there is room again");
    acknowledged.push(txn_id);
    assert_eq!(texts(&mut alice, &room), acknowledged);
    assert!(server.stop().unwrap().success());
}

fn options(data: &Path, folder: &Path) -> ServerOptions {
    let mut options = ServerOptions::new(env!("CARGO_BIN_EXE_myelin"), data);
    options.database_url = Some(format!("sqlite://{}/myelin.db", folder.display()));
    let words = ["unshare", "--map-root-user", "--mount", "sh", "-c", MOUNT];
    options.wrapper = words.map(Into::into).to_vec();
    options.wrapper.push(folder.into());
    options
}

/// Whether this user may have a file system of its own; a build service must let it.
fn can_mount() -> bool {
    let mut command = Command::new("unshare");
    command.args([
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        MOUNT,
        "/mnt",
        "true",
    ]);
    let status = command.stderr(Stdio::null()).status();
    let can = status.is_ok_and(|status| status.success());
    assert!(can || !is_ci(), "unshare is missing or may not mount");
    if !can {
        println!("skipped: unshare is missing or may not mount");
    }
    can
}

/// What takes all the room there is.
struct Filler(PathBuf);

impl Filler {
    fn fill(server: &ServerProcess, folder: &Path) -> Self {
        // The server alone sees that file system, and who looks through its eyes.
        let root = format!("/proc/{}/root{}", server.id(), folder.display());
        let path = Path::new(&root).join("filler");
        let mut file = File::create(&path).unwrap();
        loop {
            match file.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Self(path),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn remove(self) {
        fs::remove_file(self.0).unwrap();
    }
}

fn send(user: &mut User, room: &str, txn_id: &str) -> Answer {
    user.send(room, txn_id, txn_id).unwrap()
}

/// The texts of the room's messages, the oldest first.
fn texts(user: &mut User, room: &str) -> Vec<String> {
    let path = format!(
        "/_matrix/client/v3/rooms/{}/messages?dir=f&limit=1000",
        encode(room)
    );
    let page = user.get(&path).unwrap().expect_ok("messages");
    let events = page["chunk"].as_array().unwrap().iter();
    let texts = events.filter_map(|event| event["content"]["body"].as_str());
    texts.map(str::to_owned).collect()
}
