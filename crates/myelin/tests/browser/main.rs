//! The server's pages, and a page of somebody else's that calls the API of 2014, in a real browser.
//!
//! Start reading at [`guide`]. Without Chromium these tests are skipped; with `CI=true` they fail.
//! `MYELIN_SCREENSHOTS` names a folder for pictures of the pages.
#![expect(
    clippy::print_stderr,
    reason = "a test that is skipped says so in one line"
)]
#![expect(clippy::unwrap_used, reason = "all of this is one test")]

mod chromium;
mod fiddles;
mod guide;

use myelin_blackbox::{ServerOptions, ServerProcess};

/// A fresh server and where it is, as a browser says it.
fn start_server(data: &tempfile::TempDir) -> (ServerProcess, String) {
    let options = ServerOptions::new(env!("CARGO_BIN_EXE_myelin"), data.path());
    let server = ServerProcess::start(&options).unwrap();
    let url = format!("http://localhost:{}", server.address.port());
    (server, url)
}
