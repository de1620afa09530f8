//! Stopping by signals.

use std::io::{Read, Write};

use rustix::process::Signal;

use crate::process::Process;

/// The head of a request whose body never comes, so that it stays in flight.
const UNFINISHED: &[u8] = b"POST /_matrix/client/v3/login HTTP/1.1\r\nHost: localhost\r\n\
    Expect: 100-continue\r\nContent-Length: 100\r\n\r\n";

#[test]
fn terminate_and_interrupt_end_it_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let dir = tempfile::tempdir().unwrap();
        let server = Process::start(dir.path(), &[]);
        assert!(dir.path().join("myelin.pid").exists());
        server.signal(signal);
        let (log, status) = server.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!dir.path().join("myelin.pid").exists());
    }
}

#[test]
fn what_is_in_flight_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Process::start(dir.path(), &[]);
    let mut stream = in_flight(&server);
    server.signal(Signal::TERM);
    server.wait_for_log("stopping");
    stream.write_all(&[b'x'; 100]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("M_NOT_JSON"), "{answer}");
    assert_eq!(server.wait().1.code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Process::start(dir.path(), &[]);
    let _stream = in_flight(&server);
    server.signal(Signal::TERM);
    server.wait_for_log("stopping");
    server.signal(Signal::TERM);
    let (log, status) = server.wait();
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("myelin: ended by a second signal"), "{log}");
}

/// A connection on which the server works on a request: it has asked for the body.
fn in_flight(server: &Process) -> std::net::TcpStream {
    let mut stream = server.connect();
    stream.write_all(UNFINISHED).expect("the server reads");
    let mut wanted = [0; 25];
    stream
        .read_exact(&mut wanted)
        .expect("the server asks for the body");
    assert_eq!(&wanted, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}
