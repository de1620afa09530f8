//! Clients that people use, against the built binary: `matrix-nio` and `matrix-js-sdk`, without
//! encryption. In the middle of each run the server is killed and started again, or, of two nodes
//! over one database, the one that the client talks to is killed; neither may lose anything.
//!
//! `cargo xtask ci clients` installs them. Each script does what a person would, fails by a message,
//! and says `next` when the blow may fall.
#![expect(
    clippy::print_stdout,
    reason = "a test that is skipped says so, and a failed one shows what the client said"
)]
#![expect(clippy::unwrap_used, reason = "all of this is one test")]

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use myelin_blackbox::{Relay, ServerOptions, ServerProcess, is_ci};
use myelin_testdb::Cluster;

#[test]
fn matrix_nio_survives_a_restart() {
    survives_a_restart("nio");
}

#[test]
fn matrix_nio_survives_a_change_of_node() {
    survives_a_change_of_node("nio");
}

#[test]
fn matrix_js_sdk_survives_a_restart() {
    survives_a_restart("js-sdk");
}

#[test]
fn matrix_js_sdk_survives_a_change_of_node() {
    survives_a_change_of_node("js-sdk");
}

fn survives_a_restart(name: &str) {
    let Some(client) = Client::find(name) else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let options = ServerOptions::new(env!("CARGO_BIN_EXE_myelin"), data.path());
    let mut server = ServerProcess::start(&options).unwrap();
    let relay = Relay::start(server.address).unwrap();
    client.run(&relay, || {
        server.kill().unwrap();
        server = ServerProcess::start(&options).unwrap();
        server.address
    });
    check_log(&server);
    assert!(server.stop().unwrap().success());
}

fn survives_a_change_of_node(name: &str) {
    let Some(client) = Client::find(name) else {
        return;
    };
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let database = cluster.database();
    let data = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [mut first, second] = data.each_ref().map(|data| {
        let mut options = ServerOptions::new(env!("CARGO_BIN_EXE_myelin"), data.path());
        options.database_url = Some(database.url());
        ServerProcess::start(&options).unwrap()
    });
    let relay = Relay::start(first.address).unwrap();
    client.run(&relay, || {
        first.kill().unwrap();
        second.address
    });
    for server in [&first, &second] {
        check_log(server);
    }
    assert!(second.stop().unwrap().success());
}

/// A client's script, and what runs it.
struct Client {
    program: PathBuf,
    script: PathBuf,
    folder: PathBuf,
}

impl Client {
    /// None if the client is not installed; a build service must have it.
    fn find(name: &str) -> Option<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()?
            .join("clients");
        let (program, script) = match name {
            "nio" => (folder.join("venv/bin/python"), here.join("with_nio.py")),
            _ => (PathBuf::from("node"), folder.join("with_js_sdk.mjs")),
        };
        let installed = folder.join(name).exists();
        assert!(installed || !is_ci(), "{name} is not installed");
        if !installed {
            println!("skipped: {name} is not installed (cargo xtask ci clients)");
            return None;
        }
        if name != "nio" {
            // Node looks for packages beside the script.
            std::fs::copy(here.join("with_js_sdk.mjs"), &script).unwrap();
        }
        Some(Self {
            program,
            script,
            folder,
        })
    }

    /// Runs the script to its end. When it says so, `strike` hits the server and tells where the
    /// client finds one from then on.
    fn run(&self, relay: &Relay, mut strike: impl FnMut() -> std::net::SocketAddr) {
        let mut child = Command::new(&self.program)
            .arg(&self.script)
            .arg(format!("http://{}", relay.address))
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            println!("{line}");
            if line == "next" {
                relay.point_to(strike());
                input.write_all(b"ready\n").unwrap();
            }
        }
        assert!(child.wait().unwrap().success(), "the client has failed");
    }
}

fn check_log(server: &ServerProcess) {
    let log = server.log().unwrap();
    assert!(!log.contains(" ERROR "), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}
