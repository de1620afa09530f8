//! A page from elsewhere that makes the calls which the guide's five examples made in 2014, in the
//! way of the jQuery of that time: with preflights, the token in the address, JSON read from errors.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use serde_json::Value;

use crate::{chromium::Chromium, start_server};

const PAGE: &str = include_str!("fiddles.html");

#[test]
fn pages_of_2014_work() {
    let Some(mut browser) = Chromium::start() else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let (_server, url) = start_server(&data);
    let origin = serve_page();
    browser.open(&format!("{origin}/?{url}"));
    for example in [
        "registerAndLogIn",
        "createRoomAndSend",
        "memberships",
        "eventStream",
        "application",
    ] {
        let failures = browser.evaluate(&format!("run({example})"));
        assert_eq!(failures, Value::Array(Vec::new()), "{example}");
    }
}

/// The page under an origin of its own, so that the browser asks whether it may call the server.
fn serve_page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Ends with the process: nobody waits for a page that is not asked for again.
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap());
        }
    });
    format!("http://localhost:{port}")
}

fn answer(mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    // The request's head ends with an empty line; a browser may also connect and say nothing.
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        PAGE.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(PAGE.as_bytes());
}
