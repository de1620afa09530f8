//! Synapse as a process, on ports that the system chose.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use serde_json::{Value, json};

use crate::{authority::Certificate, servers::Identity};

/// Any will do, because no name of a server is used twice.
const SIGNING_KEY: &str = "ed25519 a_key U3luYXBzZSB0YWtlcyBhbnkgMzIgYnl0ZXMgYXMga2U";

/// The Python that has Synapse among its packages; None where it is not installed.
pub(crate) fn find_python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let folder = target.join("synapse");
    let wanted = include_str!("requirements.txt");
    let installed = fs::read_to_string(folder.join("installed"));
    let is_installed = installed.is_ok_and(|installed| installed == wanted);
    is_installed.then(|| folder.join("venv/bin/python"))
}

/// A running Synapse; killed when dropped.
pub(crate) struct Synapse {
    child: Child,
    /// Where clients reach it, without TLS.
    pub(crate) client_address: SocketAddr,
    /// Where other servers reach it, with TLS.
    pub(crate) federation_address: SocketAddr,
}

impl Synapse {
    /// Starts it on the data in the folder, and returns when it listens.
    pub(crate) fn start(python: &Path, identity: &Identity, folder: &Path) -> Self {
        let file = folder.join("homeserver.yaml");
        // JSON is YAML.
        fs::write(&file, configuration(identity, folder).to_string()).unwrap();
        let mut child = Command::new(python)
            .args(["-m", "synapse.app.homeserver", "--no-redirect-stdio"])
            .arg("--config-path")
            .arg(&file)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, ports) = mpsc::channel();
        let output = BufReader::new(child.stderr.take().unwrap());
        let mut options = File::options();
        let log = options.append(true).create(true).open(log_path(folder));
        let log = log.unwrap();
        thread::spawn(move || copy_log(output, log, &sender));
        let (client_address, federation_address) = addresses(&ports, folder);
        Self {
            child,
            client_address,
            federation_address,
        }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Synapse {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where all that it says goes.
pub(crate) fn log_path(folder: &Path) -> PathBuf {
    folder.join("synapse.log")
}

/// What it says of a listener.
struct Port {
    number: u16,
    has_tls: bool,
}

/// Keeps what it says, and passes on which ports it was given.
fn copy_log(output: impl BufRead, mut log: File, ports: &Sender<Port>) {
    for line in output.split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if writeln!(log, "{line}").is_err() {
            return;
        }
        let Some((_, listening)) = line.split_once("now listening on TCP port ") else {
            continue;
        };
        let number = listening.split(' ').next().and_then(|it| it.parse().ok());
        let has_tls = listening.contains("TLS");
        if let Some(number) = number {
            // Nobody waits for more than the first two.
            let _ = ports.send(Port { number, has_tls });
        }
    }
}

fn addresses(ports: &Receiver<Port>, folder: &Path) -> (SocketAddr, SocketAddr) {
    let (mut client, mut federation) = (None, None);
    loop {
        if let (Some(client), Some(federation)) = (client, federation) {
            return (client, federation);
        }
        let Ok(port) = ports.recv() else {
            let log = fs::read_to_string(log_path(folder)).unwrap_or_default();
            panic!("Synapse did not start:\n{log}");
        };
        let address = Some(SocketAddr::from(([127, 0, 0, 1], port.number)));
        if port.has_tls {
            federation = address;
        } else {
            client = address;
        }
    }
}

fn configuration(identity: &Identity, folder: &Path) -> Value {
    let Certificate { chain, key } = &identity.certificate;
    // It could be told the notary's own key, and else relies on the certificate.
    let notary = |name: &String| json!({"server_name": name, "accept_keys_insecurely": true});
    let notaries: Vec<Value> = identity.notary.iter().map(notary).collect();
    let mut configuration = json!({
        "server_name": identity.name,
        "public_baseurl": "http://127.0.0.1/",
        "pid_file": folder.join("synapse.pid"),
        "media_store_path": folder.join("media"),
        "signing_key": SIGNING_KEY,
        "tls_certificate_path": chain,
        "tls_private_key_path": key,
        "federation_custom_ca_list": [identity.authority.certificate],
        "ip_range_blacklist": [],
        "federation_ip_range_blacklist": [],
        "trusted_key_servers": notaries,
        "suppress_key_server_warning": true,
        "report_stats": false,
        "database": {"name": "sqlite3", "args": {"database": folder.join("synapse.db")}},
        "listeners": [listener(false, &["client"]), listener(true, &["federation"])],
        "enable_registration": true,
        "enable_registration_without_verification": true,
        "registration_shared_secret": "secret",
        "macaroon_secret_key": "secret",
        "form_secret": "secret",
        "bcrypt_rounds": 4,
        "allow_public_rooms_over_federation": true,
        "room_list_publication_rules": [{"action": "allow"}],
        // Whoever polls without a token wants to see what is new.
        "caches": {"sync_response_cache_duration": "0s"},
        // A peer that was away is asked again within seconds.
        "federation": {
            "client_timeout": "10s",
            "max_short_retries": 1,
            "max_long_retries": 1,
            "destination_min_retry_interval": "1s",
            "destination_retry_multiplier": 1,
            "destination_max_retry_interval": "2s",
        },
    });
    allow_haste(&mut configuration);
    configuration
}

fn listener(has_tls: bool, resources: &[&str]) -> Value {
    json!({
        "type": "http",
        "port": 0,
        "tls": has_tls,
        "bind_addresses": ["127.0.0.1"],
        "resources": [{"names": resources}],
    })
}

/// Lifts its limits on how often one may do something.
fn allow_haste(configuration: &mut Value) {
    let limit = json!({"per_second": 10_000, "burst_count": 10_000});
    for name in [
        "rc_message",
        "rc_registration",
        "rc_admin_redaction",
        "rc_joins_per_room",
        "rc_key_requests",
        "rc_third_party_invite",
        "rc_room_creation",
        "rc_reports",
        "rc_user_directory",
    ] {
        configuration[name] = limit.clone();
    }
    for (name, parts) in [
        (
            "rc_login",
            ["address", "account", "failed_attempts"].as_slice(),
        ),
        ("rc_joins", &["local", "remote"]),
        ("rc_invites", &["per_room", "per_user", "per_issuer"]),
        ("rc_presence", &["per_user"]),
    ] {
        for part in parts {
            configuration[name][*part] = limit.clone();
        }
    }
    configuration["rc_federation"] = json!({
        "window_size": 1000,
        "sleep_limit": 10_000,
        "sleep_delay": 1,
        "reject_limit": 10_000,
        "concurrent": 100,
    });
}
