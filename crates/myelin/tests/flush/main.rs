//! Between the arrival of a message and its answer, the database's log reaches the disk: what a
//! killed process cannot show, for the system keeps what it has written.
//!
//! The server, and PostgreSQL with it, runs under `strace`; [`trace`] reads what that writes.
#![expect(
    clippy::print_stdout,
    reason = "a test that is skipped says so in one line"
)]
#![expect(clippy::unwrap_used, reason = "all of this is one test")]

mod trace;

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use myelin_blackbox::{ServerOptions, ServerProcess, User, is_ci};
use myelin_testdb::Cluster;

use trace::Trace;

/// Messages that one client sends alone, and each of a few at a time.
const MESSAGES: usize = 10;
const CLIENTS: usize = 4;

const CALLS: &str = "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,\
                     pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range";

#[test]
fn sqlite_is_flushed_before_the_answer() {
    if !can_trace() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("trace");
    let mut options = ServerOptions::new(env!("CARGO_BIN_EXE_myelin"), data.path());
    options.wrapper = strace(&path, &[]);
    let server = ServerProcess::start(&options).unwrap();
    let sent = send(server.address);
    assert!(server.stop().unwrap().success());
    Trace::read(&path).check(&sent, "-wal>");
}

#[test]
fn postgres_is_flushed_before_the_answer() {
    let Some(cluster) = Cluster::private() else {
        println!("skipped: PostgreSQL is not installed");
        return;
    };
    if !can_trace() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("trace");
    let database = cluster.database();
    let mut options = ServerOptions::new(env!("CARGO_BIN_EXE_myelin"), data.path());
    options.database_url = Some(database.url());
    let attach = ["-p".to_owned(), cluster.process_id().to_string()];
    options.wrapper = strace(&path, &attach);
    let server = match ServerProcess::start(&options) {
        Ok(server) => server,
        // Some systems let only the parent trace.
        Err(error) if error.to_string().contains("ptrace") && !is_ci() => {
            println!("skipped: strace may not trace PostgreSQL");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let sent = send(server.address);
    server.terminate().unwrap();
    // The tracer ends with the last process that it traces.
    cluster.stop_immediately();
    server.wait().unwrap();
    Trace::read(&path).check(&sent, "/pg_wal/");
}

/// Whether `strace` is there and may do it; a build service must have it.
fn can_trace() -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]);
    let status = command.arg("true").stderr(Stdio::null()).status();
    let can = status.is_ok_and(|status| status.success());
    assert!(can || !is_ci(), "strace is missing or may not trace");
    if !can {
        println!("skipped: strace is missing or may not trace");
    }
    can
}

fn strace(output: &Path, arguments: &[String]) -> Vec<OsString> {
    let fixed = ["strace", "-f", "-qq", "-y", "-s", "400", "-e", CALLS, "-o"];
    let words = fixed.into_iter().map(OsString::from);
    words
        .chain([output.into()])
        .chain(arguments.iter().map(OsString::from))
        .collect()
}

/// Sends messages, and returns their transaction ids.
fn send(address: SocketAddr) -> Vec<String> {
    let register = |index| User::register(address, &format!("user{index}")).unwrap();
    let mut users: Vec<User> = (0..CLIENTS).map(register).collect();
    let room = users[0].create_room().unwrap();
    for user in &mut users[1..] {
        user.join(&room).unwrap();
    }
    let mut sent = send_all(&mut users[0], &room, "alone");
    thread::scope(|scope| {
        let room = &room;
        let client = |(index, user)| {
            let name = format!("together{index}");
            scope.spawn(move || send_all(user, room, &name))
        };
        let clients: Vec<_> = users.iter_mut().enumerate().map(client).collect();
        for client in clients {
            sent.extend(client.join().unwrap());
        }
    });
    sent
}

fn send_all(user: &mut User, room: &str, name: &str) -> Vec<String> {
    let mut send = |number| {
        let txn_id = format!("{name}-{number}.");
        user.send(room, &txn_id, "hello")
            .unwrap()
            .expect_ok(&txn_id);
        txn_id
    };
    (0..MESSAGES).map(&mut send).collect()
}
