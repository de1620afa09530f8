//! Myelin and Synapse side by side, each known to the other by an address that outlives restarts
//! and that can be cut off.

use std::{
    cell::RefCell,
    env, fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    thread,
};

use myelin_blackbox::{Relay, ServerOptions, ServerProcess};
use tempfile::TempDir;

use crate::{
    authority::{Authority, Certificate},
    person::Person,
    synapse::{self, Synapse},
};

/// The last lines of a log that are shown when a scenario fails.
const LINES_SHOWN: usize = 600;

/// The servers of a scenario.
pub(crate) struct Servers {
    pub(crate) myelin: Server,
    pub(crate) synapse: Server,
    /// Another of either.
    pub(crate) third: Option<Server>,
    _folders: Vec<TempDir>,
}

/// What a third server is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Third {
    Myelin,
    Synapse,
}

impl Servers {
    /// Starts both. None where Synapse is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_all(None)
    }

    /// Starts both and a third.
    pub(crate) fn start_with(third: Third) -> Option<Self> {
        Self::start_all(Some(third))
    }

    fn start_all(third: Option<Third>) -> Option<Self> {
        let Some(python) = synapse::find_python() else {
            println!("skipped: Synapse is not installed (cargo xtask interop)");
            return None;
        };
        // Whether a scenario holds between Synapses alone tells whose fault it is that it does not.
        let is_control = env::var_os("MYELIN_INTEROP_CONTROL").is_some();
        let kind = |wanted: Third| {
            if is_control || wanted == Third::Synapse {
                Kind::Synapse(python.clone())
            } else {
                Kind::Myelin
            }
        };
        let mut folders = vec![tempfile::tempdir().unwrap()];
        let authority = Authority::new(folders[0].path());
        let mut server = |wanted, last| {
            let folder = tempfile::tempdir().unwrap();
            let address = Ipv4Addr::new(127, 0, 0, last);
            let server = Server::new(kind(wanted), address, &authority, folder.path());
            folders.push(folder);
            server
        };
        let (myelin, synapse) = (server(Third::Myelin, 2), server(Third::Synapse, 3));
        let third = third.map(|wanted| {
            let mut third = server(wanted, 4);
            let other = if wanted == Third::Myelin {
                &synapse
            } else {
                &myelin
            };
            third.identity.notary = Some(other.name.clone());
            third
        });
        let servers = Self {
            myelin,
            synapse,
            third,
            _folders: folders,
        };
        for server in servers.all() {
            server.start();
        }
        Some(servers)
    }

    fn all(&self) -> impl Iterator<Item = &Server> {
        [&self.myelin, &self.synapse].into_iter().chain(&self.third)
    }

    /// What no scenario may bring about.
    pub(crate) fn check_logs(&self) {
        for server in self.all().filter(|server| !server.is_synapse()) {
            let log = server.log();
            assert!(!log.contains(" ERROR "), "Myelin has logged an error");
            assert!(!log.contains("panicked"), "Myelin has panicked");
        }
    }
}

/// One of them, while it runs and while it does not.
pub(crate) struct Server {
    /// Its server name.
    pub(crate) name: String,
    kind: Kind,
    identity: Identity,
    folder: PathBuf,
    clients: Relay,
    peers: Relay,
    process: RefCell<Option<Process>>,
}

enum Kind {
    Myelin,
    /// With the Python that runs it.
    Synapse(PathBuf),
}

enum Process {
    Myelin(ServerProcess),
    Synapse(Synapse),
}

/// What a server is called, what shows that it is, and whom it believes that.
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) certificate: Certificate,
    pub(crate) authority: PathBuf,
    /// Whom it asks for the keys of servers that are away.
    pub(crate) notary: Option<String>,
}

impl Server {
    fn new(kind: Kind, address: Ipv4Addr, authority: &Authority, folder: &Path) -> Self {
        let peers = Relay::without_target(IpAddr::V4(address)).unwrap();
        let clients = Relay::without_target(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        let name = peers.address.to_string();
        Self {
            identity: Identity {
                name: name.clone(),
                certificate: authority.sign(IpAddr::V4(address), folder),
                authority: authority.certificate.clone(),
                notary: None,
            },
            name,
            kind,
            folder: folder.to_owned(),
            clients,
            peers,
            process: RefCell::new(None),
        }
    }

    pub(crate) fn is_synapse(&self) -> bool {
        matches!(self.kind, Kind::Synapse(_))
    }

    /// Starts it, anew if it was killed, and lets everybody reach it.
    pub(crate) fn start(&self) {
        let process = match &self.kind {
            Kind::Myelin => Process::Myelin(start_myelin(&self.identity, &self.folder)),
            Kind::Synapse(python) => {
                Process::Synapse(Synapse::start(python, &self.identity, &self.folder))
            }
        };
        self.clients.point_to(process.client_address());
        self.peers.point_to(process.federation_address());
        self.process.replace(Some(process));
    }

    /// Ends it at once.
    pub(crate) fn kill(&self) {
        match self.process.take().unwrap() {
            Process::Myelin(mut server) => server.kill().unwrap(),
            Process::Synapse(mut server) => server.kill(),
        }
    }

    /// From now on the other server does not reach it.
    pub(crate) fn cut_off(&self) {
        self.peers.cut();
    }

    /// From now on the other server reaches it again.
    pub(crate) fn reconnect(&self) {
        let process = self.process.borrow();
        let process = process.as_ref().unwrap();
        self.peers.point_to(process.federation_address());
    }

    /// Somebody who has an account here.
    pub(crate) fn person(&self, name: &str) -> Person {
        Person::register(self.clients.address, name)
    }

    /// An alias on this server.
    pub(crate) fn alias(&self, localpart: &str) -> String {
        format!("#{localpart}:{}", self.name)
    }

    fn log(&self) -> String {
        let path = match self.kind {
            Kind::Myelin => self.folder.join("server.log"),
            Kind::Synapse(_) => synapse::log_path(&self.folder),
        };
        fs::read_to_string(path).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            // Whoever waits asks many times, and says nothing new.
            let is_telling = |line: &&str| !line.contains("/sync") && !line.contains("/messages");
            let lines: Vec<&str> = log.lines().filter(is_telling).collect();
            println!("--- the end of the log of {}", self.name);
            for line in &lines[lines.len().saturating_sub(LINES_SHOWN)..] {
                println!("{line}");
            }
        }
    }
}

impl Process {
    fn client_address(&self) -> SocketAddr {
        match self {
            Self::Myelin(server) => server.address,
            Self::Synapse(server) => server.client_address,
        }
    }

    fn federation_address(&self) -> SocketAddr {
        match self {
            Self::Myelin(server) => server.tls_address.unwrap(),
            Self::Synapse(server) => server.federation_address,
        }
    }
}

fn start_myelin(identity: &Identity, folder: &Path) -> ServerProcess {
    let Identity {
        name,
        certificate: Certificate { chain, key },
        authority,
        notary,
    } = identity;
    let notaries: Vec<&String> = notary.iter().collect();
    // The listener with TLS comes first, for the options set the port of that one, too.
    let text = format!(
        "server_name = '{name}'\n\
         [[listeners]]\n\
         port = 0\n\
         tls_cert = '{}'\n\
         tls_key = '{}'\n\
         [[listeners]]\n\
         port = 0\n\
         [registration]\n\
         open = true\n\
         [federation]\n\
         allow_private_addresses = true\n\
         ca_file = '{}'\n\
         trusted_key_servers = {notaries:?}\n\
         [directory]\n\
         public_over_federation = true\n",
        chain.display(),
        key.display(),
        authority.display(),
    );
    let file = folder.join("myelin.toml");
    fs::write(&file, text).unwrap();
    let mut options = ServerOptions::new(env!("CARGO_BIN_EXE_myelin"), folder);
    options.config = Some(file);
    ServerProcess::start(&options).unwrap()
}
