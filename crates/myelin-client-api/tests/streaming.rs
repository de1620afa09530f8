//! Large answers are written room by room: what they take in memory does not grow with them. One
//! test in a process of its own, for it looks at the memory of the whole process.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::{fs, sync::Arc};

use myelin_rooms::{CreateRoom, InitialState, Preset, RoomSettings};
use myelin_testkit::{Mode, TestServer, User, run};
use ruma::{CanonicalJsonObject, RoomVersionId, UserId};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

const SYNC: &str = "/_matrix/client/v3/sync";
const ROOMS: usize = 1_000;
/// State events in each room, and their size: three times the limit in all.
const EVENTS: usize = 2;
const EVENT_BYTES: usize = 50_000;
/// What an answer may take (issue "accounts, rooms and /sync in full").
const EXTRA_BYTES_MAX: usize = 32 * 1024 * 1024;

#[test]
fn an_initial_sync_of_a_thousand_rooms_takes_little_memory() {
    run(Mode::Sqlite, &async |server: &TestServer| {
        let alice = server.user("alice").await;
        create_rooms(server, &alice).await;
        let address = server.listen().await.to_string();
        // What any answer needs is there before.
        read_answer(
            &address,
            &alice,
            &format!("{SYNC}?filter=%7B%22room%22:%7B%22rooms%22:[]%7D%7D"),
        )
        .await;
        let before = reset_peak();
        let answer = read_answer(&address, &alice, SYNC).await;
        let extra = peak().saturating_sub(before);
        assert!(answer.bytes > 2 * EXTRA_BYTES_MAX, "{}", answer.bytes);
        assert!(
            extra < EXTRA_BYTES_MAX,
            "{extra} bytes for {} bytes",
            answer.bytes
        );
        assert_eq!((answer.rooms, answer.is_whole), (ROOMS, true));
    });
}

/// What a client has seen go by.
#[derive(Debug, Default)]
struct Seen {
    bytes: usize,
    rooms: usize,
    /// Whether an answer in pieces came to its end.
    is_whole: bool,
}

/// Reads an answer as a client that keeps nothing of it.
async fn read_answer(address: &str, user: &User, path: &str) -> Seen {
    const ROOM: &[u8] = b"\"m.joined_member_count\"";
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        user.token
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Seen::default();
    let mut window = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        if read == 0 {
            break;
        }
        seen.bytes += read;
        window.extend_from_slice(&buffer[..read]);
        let found = window.windows(ROOM.len()).filter(|part| *part == ROOM);
        seen.rooms += found.count();
        // What could be the beginning of the next one.
        let kept = window.len().min(ROOM.len() - 1);
        window.drain(..window.len() - kept);
    }
    seen.is_whole = window.ends_with(b"\r\n0\r\n\r\n");
    seen
}

async fn create_rooms(server: &TestServer, creator: &User) {
    let creator = Arc::new(UserId::parse(&creator.id).unwrap());
    let rooms = server.rooms();
    let mut running = JoinSet::new();
    for _ in 0..ROOMS {
        if running.len() == 16 {
            running.join_next().await.unwrap().unwrap();
        }
        let (rooms, creator) = (rooms.clone(), creator.clone());
        running.spawn(async move {
            let room = CreateRoom {
                creator: &creator,
                room_version: RoomVersionId::V12,
                settings: RoomSettings::preset(Preset::PublicChat),
                alias_localpart: None,
                name: None,
                topic: None,
                invite: Vec::new(),
                is_direct: false,
                initial_state: (0..EVENTS).map(large_state).collect(),
                creation_content: CanonicalJsonObject::new(),
                power_levels_override: CanonicalJsonObject::new(),
                publish: false,
                transaction: None,
            };
            rooms.create_room(room).await.unwrap();
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

fn large_state(number: usize) -> InitialState {
    let text = "x".repeat(EVENT_BYTES);
    InitialState {
        event_type: "org.example.large".to_owned(),
        state_key: number.to_string(),
        content: CanonicalJsonObject::from([("text".to_owned(), text.into())]),
    }
}

/// Forgets how much memory this process had at most, and returns what it has.
fn reset_peak() -> usize {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    status("VmRSS:")
}

/// What this process had at most since then.
fn peak() -> usize {
    status("VmHWM:")
}

fn status(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kilobytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kilobytes.trim().parse::<usize>().unwrap() * 1024
}
