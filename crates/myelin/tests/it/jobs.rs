//! What a request has left to do in many rooms goes on after a kill.

use std::{
    io,
    time::{Duration, Instant},
};

use myelin_blackbox::{ServerOptions, ServerProcess, User, encode};
use serde_json::json;

const ROOMS: usize = 60;
/// Far more than anything takes on a busy machine.
const WAIT_MAX: Duration = Duration::from_mins(2);

/// Whether all of these rooms show the user by this name.
fn show(alice: &mut User, rooms: &[String], name: &str) -> io::Result<bool> {
    for room in rooms {
        let (room, user) = (encode(room), encode(&alice.user_id));
        let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.member/{user}");
        if alice.get(&path)?.json()["displayname"] != name {
            return Ok(false);
        }
    }
    Ok(true)
}

#[test]
fn a_killed_server_goes_on_with_its_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let options = ServerOptions::new(env!("CARGO_BIN_EXE_myelin"), folder.path());
    let mut server = ServerProcess::start(&options).unwrap();
    let mut alice = User::register(server.address, "alice").unwrap();
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        rooms.push(alice.create_room().unwrap());
    }
    let path = format!(
        "/_matrix/client/v3/profile/{}/displayname",
        encode(&alice.user_id)
    );
    for name in ["Alice", "Alice the Second"] {
        let body = json!({"displayname": name});
        assert_eq!(alice.put(&path, &body).unwrap().status, 200);
        server.kill().unwrap();
        server = ServerProcess::start(&options).unwrap();
        alice = alice.connected_to(server.address);
    }
    let started = Instant::now();
    while !show(&mut alice, &rooms, "Alice the Second").unwrap() {
        assert!(started.elapsed() < WAIT_MAX, "some rooms show an old name");
    }
    assert!(server.stop().unwrap().success());
}
