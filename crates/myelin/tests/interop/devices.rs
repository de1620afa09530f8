//! Devices of people, run by clients that people use, with encryption: `matrix-js-sdk` and
//! `matrix-sdk`. Each is a process of its own that remembers nothing when it ends.

use std::{
    cell::RefCell,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
};

use myelin_blackbox::{is_ci, until};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::{person::holds, servers::Server};

const PASSWORD: &str = "wordpass";

/// The last lines of what a client has said that are shown when a scenario fails.
const LINES_SHOWN: usize = 60;

/// A client, and where it is installed.
#[derive(Clone, Debug)]
pub(crate) enum Software {
    /// The script beside the packages that it needs.
    JsSdk(PathBuf),
    /// The built program.
    RustSdk(PathBuf),
}

impl Software {
    /// None if it is not installed; a build service must have it.
    pub(crate) fn find_js_sdk() -> Option<Self> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
        let folder = target.join("clients");
        let installed = folder.join("js-sdk").exists();
        assert!(installed || !is_ci(), "matrix-js-sdk is not installed");
        if !installed {
            println!("skipped: matrix-js-sdk is not installed (cargo xtask ci clients)");
            return None;
        }
        // Node looks for packages beside the script. It is put there whole, for other tests may be
        // about to read it.
        let mut script = NamedTempFile::new_in(&folder).unwrap();
        script
            .write_all(include_bytes!("devices/js_sdk.mjs"))
            .unwrap();
        let place = folder.join("device.mjs");
        script.persist(&place).unwrap();
        Some(Self::JsSdk(place))
    }

    /// None if it is not built.
    pub(crate) fn find_rust_sdk() -> Option<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/matrix-sdk");
        let program = workspace.join("target/debug/matrix-sdk-device");
        if !program.exists() {
            println!("skipped: the client on matrix-sdk is not built (cargo xtask clients)");
            return None;
        }
        Some(Self::RustSdk(program))
    }

    fn command(&self) -> Command {
        match self {
            Self::JsSdk(script) => {
                let mut command = Command::new("node");
                command.arg(script);
                command
            }
            Self::RustSdk(program) => Command::new(program),
        }
    }
}

/// A logged in device. It ends when this is dropped.
pub(crate) struct Device {
    /// Its user's id.
    pub(crate) user: String,
    /// Its own id.
    pub(crate) id: String,
    client: RefCell<Client>,
}

struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What it says beside its answers.
    log: NamedTempFile,
}

impl Device {
    /// The first device of a new user.
    pub(crate) fn register(software: &Software, server: &Server, name: &str) -> Self {
        Self::start(software, server, name, true)
    }

    /// Another device of that user.
    pub(crate) fn log_in(software: &Software, server: &Server, name: &str) -> Self {
        Self::start(software, server, name, false)
    }

    fn start(software: &Software, server: &Server, name: &str, registers: bool) -> Self {
        let log = NamedTempFile::new().unwrap();
        let mut child = software
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        let client = Client {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            log,
        };
        let mut device = Self {
            user: name.to_owned(),
            id: format!("{software:?}"),
            client: RefCell::new(client),
        };
        let session = device.call(json!({
            "do": "log_in",
            "url": server.client_url(),
            "name": name,
            "password": PASSWORD,
            "register": registers,
        }));
        device.user = text(&session["user"]);
        device.id = text(&session["device"]);
        device
    }

    fn name(&self) -> String {
        format!("{} on {}", self.user, self.id)
    }

    // Rooms.

    /// Makes an encrypted room.
    pub(crate) fn create_room(&self, invited: &[&str]) -> String {
        let command = json!({"do": "create_room", "invite": invited, "direct": false});
        text(&self.call(command))
    }

    /// Makes an encrypted room for two, and sees the other one in it.
    #[track_caller]
    pub(crate) fn meet_in_private(&self, other: &Device) -> String {
        let command = json!({"do": "create_room", "invite": [other.user], "direct": true});
        let room = text(&self.call(command));
        other.join(&room);
        let mut both = [self.user.as_str(), other.user.as_str()];
        both.sort_unstable();
        for device in [self, other] {
            device.comes_to_see_members(&room, &both);
        }
        room
    }

    /// Joins a room when the invitation has come.
    pub(crate) fn join(&self, room: &str) {
        self.call(json!({"do": "join", "room": room}));
    }

    /// Says something, whether the server is there or not; [`Device::end_saying`] waits until it has
    /// acknowledged it.
    pub(crate) fn begin_to_say(&self, room: &str, words: &str) {
        self.ask(&json!({"do": "send", "room": room, "text": words}));
    }

    pub(crate) fn end_saying(&self) {
        self.answer();
    }

    /// Has everything that was said on its screen, and can decrypt all of it.
    #[track_caller]
    pub(crate) fn comes_to_read(&self, room: &str, said: &[String]) {
        until(&format!("{} reads all", self.name()), || {
            let texts = self.call(json!({"do": "texts", "room": room}));
            let texts = texts.as_array().unwrap();
            // What is said side by side stands in no certain order.
            let mut read: Vec<&str> = texts.iter().filter_map(Value::as_str).collect();
            let mut wanted: Vec<&str> = said.iter().map(String::as_str).collect();
            read.sort_unstable();
            wanted.sort_unstable();
            let reads_all = texts.len() == read.len() && read == wanted;
            holds(reads_all, || format!("{texts:?}"))
        });
    }

    #[track_caller]
    pub(crate) fn comes_to_see_members(&self, room: &str, wanted: &[&str]) {
        until(&format!("{} sees {wanted:?}", self.name()), || {
            let members = self.call(json!({"do": "members", "room": room}));
            let members = members.as_array().unwrap();
            let mut seen: Vec<&str> = members.iter().filter_map(Value::as_str).collect();
            seen.sort_unstable();
            holds(seen == wanted, || format!("{seen:?}"))
        });
    }

    // Keys.

    /// Sets up cross-signing, the secret storage and a key backup; returns the recovery key.
    pub(crate) fn bootstrap(&self) -> String {
        text(&self.call(json!({"do": "bootstrap"})))
    }

    /// Fetches everything from the secret storage and the backup, as a new device does.
    pub(crate) fn restore(&self, recovery_key: &str) {
        self.call(json!({"do": "restore", "key": recovery_key}));
    }

    /// Without asking the server anew: what its own `/sync` has made it ask for.
    #[track_caller]
    pub(crate) fn comes_to_know(&self, other: &Device) {
        self.comes_to_say(true, "knows_device", other);
    }

    #[track_caller]
    pub(crate) fn comes_to_forget(&self, other: &Device) {
        self.comes_to_say(false, "knows_device", other);
    }

    /// The device is signed by its user, whom this user has verified or is.
    #[track_caller]
    pub(crate) fn comes_to_trust(&self, other: &Device) {
        self.comes_to_say(true, "trusts_device", other);
    }

    #[track_caller]
    pub(crate) fn comes_to_trust_user(&self, other: &Device) {
        self.comes_to_say(true, "trusts_user", other);
    }

    #[track_caller]
    pub(crate) fn distrusts(&self, other: &Device) {
        let trusts = self.call(about("trusts_device", other));
        assert_eq!(trusts, false, "{} trusts {}", self.name(), other.name());
    }

    /// Has the private keys of its user, and uses the backup.
    #[track_caller]
    pub(crate) fn comes_to_have_secrets(&self) {
        self.comes_to_say(true, "has_secrets", self);
    }

    /// All keys that it has are in the backup.
    #[track_caller]
    pub(crate) fn comes_to_be_backed_up(&self) {
        self.comes_to_say(true, "is_backed_up", self);
    }

    /// Both people look at their screens and compare: to-device messages between two devices, or
    /// events in a room for two.
    #[track_caller]
    pub(crate) fn verify(&self, other: &Device, room: Option<&str>) {
        let mut request = about("request_verification", other);
        request["room"] = json!(room);
        self.call(request);
        other.call(about("accept_verification", self));
        self.call(json!({"do": "start_sas"}));
        other.call(json!({"do": "accept_sas"}));
        let [ours, theirs] = [self, other].map(|device| device.call(json!({"do": "emoji"})));
        assert_eq!(ours.as_array().map(Vec::len), Some(7));
        assert_eq!(ours, theirs);
        for step in ["confirm_sas", "end_sas"] {
            for device in [self, other] {
                device.call(json!({"do": step}));
            }
        }
    }

    pub(crate) fn log_out(&self) {
        self.call(json!({"do": "log_out"}));
    }

    // How it is asked.

    #[track_caller]
    fn comes_to_say(&self, wanted: bool, command: &str, other: &Device) {
        let what = format!(
            "{} says {wanted} to {command} {}",
            self.name(),
            other.name()
        );
        until(&what, || {
            let answer = self.call(about(command, other));
            holds(answer == wanted, || answer.to_string())
        });
    }

    #[track_caller]
    fn call(&self, command: Value) -> Value {
        self.ask(&command);
        self.answer()
    }

    fn ask(&self, command: &Value) {
        let mut client = self.client.borrow_mut();
        writeln!(client.input, "{command}").unwrap();
    }

    #[track_caller]
    fn answer(&self) -> Value {
        let mut line = String::new();
        let mut client = self.client.borrow_mut();
        client.output.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the client of {} has died", self.name());
        let mut answer: Value = serde_json::from_str(&line).unwrap();
        if let Some(error) = answer["error"].as_str() {
            panic!("{}: {error}", self.name());
        }
        answer["ok"].take()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = fs::read_to_string(self.client.borrow().log.path());
            let log = log.unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            println!("--- the last that {} has said", self.name());
            for line in &lines[lines.len().saturating_sub(LINES_SHOWN)..] {
                println!("{line}");
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn about(command: &str, device: &Device) -> Value {
    json!({"do": command, "user": device.user, "device": device.id})
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
