//! Myelin and Synapse side by side, each known to the other by an address that outlives restarts
//! and that can be cut off.

use std::{
    cell::RefCell,
    env, fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    rc::Rc,
    thread,
};

use myelin_blackbox::{Relay, ServerOptions, ServerProcess};
use myelin_testdb::{Cluster, Database};
use tempfile::TempDir;

use crate::{
    authority::{Authority, Certificate},
    person::Person,
    synapse::{self, Synapse},
};

/// The folders of the nodes, where there are two.
const NODES: [&str; 2] = ["one", "two"];

const MYELIN_LOG: &str = "server.log";

/// The last lines of a log that are shown when a scenario fails.
const LINES_SHOWN: usize = 600;

/// The servers of a scenario.
pub(crate) struct Servers {
    pub(crate) myelin: Server,
    pub(crate) synapse: Server,
    /// Another of either.
    pub(crate) third: Option<Server>,
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

    /// Starts both, Myelin as two nodes. None where Synapse or PostgreSQL is not installed.
    pub(crate) fn start_with_nodes() -> Option<Self> {
        let synapse = Kind::find_synapse()?;
        let nodes = Kind::Nodes(Cluster::shared()?.database());
        Some(Self::start_kinds([nodes, synapse], None))
    }

    fn start_all(third: Option<Third>) -> Option<Self> {
        // Whether a scenario holds between Synapses alone tells whose fault it is that it does not.
        let is_control = env::var_os("MYELIN_INTEROP_CONTROL").is_some();
        let kind = |wanted: Third| {
            let synapse = Kind::find_synapse()?;
            Some(if is_control || wanted == Third::Synapse {
                synapse
            } else {
                Kind::Myelin
            })
        };
        let both = [kind(Third::Myelin)?, kind(Third::Synapse)?];
        let third = match third {
            Some(wanted) => Some((kind(wanted)?, wanted)),
            None => None,
        };
        Some(Self::start_kinds(both, third))
    }

    fn start_kinds([myelin, synapse]: [Kind; 2], third: Option<(Kind, Third)>) -> Self {
        let authority = Rc::new(Authority::new());
        let myelin = Server::new(myelin, 2, &authority);
        let synapse = Server::new(synapse, 3, &authority);
        let third = third.map(|(kind, wanted)| {
            let mut third = Server::new(kind, 4, &authority);
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
        };
        for server in servers.all() {
            server.start();
        }
        servers
    }

    fn all(&self) -> impl Iterator<Item = &Server> {
        [&self.myelin, &self.synapse].into_iter().chain(&self.third)
    }

    /// What no scenario may bring about.
    pub(crate) fn check_logs(&self) {
        for server in self.all().filter(|server| !server.is_synapse()) {
            server.check_log();
        }
    }
}

/// One of them, while it runs and while it does not.
pub(crate) struct Server {
    /// Its server name.
    pub(crate) name: String,
    process: RefCell<Option<Process>>,
    kind: Kind,
    identity: Identity,
    clients: Relay,
    peers: Relay,
    folder: TempDir,
}

enum Kind {
    Myelin,
    /// Two nodes of Myelin over one database.
    Nodes(Database<'static>),
    /// With the Python that runs it.
    Synapse(PathBuf),
}

enum Process {
    /// All nodes of it.
    Myelin(Vec<ServerProcess>),
    Synapse(Synapse),
}

/// What a server is called, what shows that it is, and whom it believes that.
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) certificate: Certificate,
    pub(crate) authority: Rc<Authority>,
    /// Whom it asks for the keys of servers that are away.
    pub(crate) notary: Option<String>,
}

impl Kind {
    fn find_synapse() -> Option<Self> {
        let python = synapse::find_python();
        if python.is_none() {
            println!("skipped: Synapse is not installed (cargo xtask interop)");
        }
        python.map(Self::Synapse)
    }
}

impl Server {
    /// Starts a Myelin that no other server knows.
    pub(crate) fn start_alone() -> Self {
        let server = Self::new(Kind::Myelin, 2, &Rc::new(Authority::new()));
        server.start();
        server
    }

    /// The last part of its address tells it from the others.
    fn new(kind: Kind, last: u8, authority: &Rc<Authority>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        let peers = Relay::without_target(address).unwrap();
        let clients = Relay::without_target(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        let name = peers.address.to_string();
        Self {
            identity: Identity {
                name: name.clone(),
                certificate: authority.sign(address, folder.path()),
                authority: authority.clone(),
                notary: None,
            },
            name,
            process: RefCell::new(None),
            kind,
            clients,
            peers,
            folder,
        }
    }

    pub(crate) fn is_synapse(&self) -> bool {
        matches!(self.kind, Kind::Synapse(_))
    }

    /// Starts it, anew if it was killed, and lets everybody reach it.
    pub(crate) fn start(&self) {
        let folder = self.folder.path();
        let process = match &self.kind {
            Kind::Myelin => Process::Myelin(vec![start_myelin(&self.identity, folder, None)]),
            Kind::Nodes(database) => {
                let start = |node| {
                    let folder = folder.join(node);
                    fs::create_dir_all(&folder).unwrap();
                    start_myelin(&self.identity, &folder, Some(database.url()))
                };
                Process::Myelin(NODES.map(start).into())
            }
            Kind::Synapse(python) => {
                Process::Synapse(Synapse::start(python, &self.identity, folder))
            }
        };
        self.clients.share_among(&process.client_addresses());
        self.peers.share_among(&process.federation_addresses());
        self.process.replace(Some(process));
    }

    /// Ends it at once, with all its nodes.
    pub(crate) fn kill(&self) {
        match self.process.take().unwrap() {
            Process::Myelin(nodes) => {
                for mut node in nodes {
                    node.kill().unwrap();
                }
            }
            Process::Synapse(mut server) => server.kill(),
        }
    }

    /// Ends one of its nodes at once; the other one takes over.
    pub(crate) fn kill_node(&self) {
        let mut process = self.process.borrow_mut();
        let process = process.as_mut().unwrap();
        let Process::Myelin(nodes) = process else {
            panic!("Synapse has no nodes");
        };
        nodes.remove(0).kill().unwrap();
        self.clients.share_among(&process.client_addresses());
        self.peers.share_among(&process.federation_addresses());
    }

    /// From now on the other server does not reach it.
    pub(crate) fn cut_off(&self) {
        self.peers.cut();
    }

    /// From now on the other server reaches it again.
    pub(crate) fn reconnect(&self) {
        let process = self.process.borrow();
        let process = process.as_ref().unwrap();
        self.peers.share_among(&process.federation_addresses());
    }

    /// Where clients reach it, whether it runs or not.
    pub(crate) fn client_url(&self) -> String {
        format!("http://{}", self.clients.address)
    }

    /// Somebody who has an account here.
    pub(crate) fn person(&self, name: &str) -> Person {
        Person::register(self.clients.address, name)
    }

    /// An alias on this server.
    pub(crate) fn alias(&self, localpart: &str) -> String {
        format!("#{localpart}:{}", self.name)
    }

    /// What Myelin may never log.
    pub(crate) fn check_log(&self) {
        let log = self.log();
        assert!(!log.contains(" ERROR "), "Myelin has logged an error");
        assert!(!log.contains("panicked"), "Myelin has panicked");
    }

    fn log(&self) -> String {
        let folder = self.folder.path();
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        match self.kind {
            Kind::Myelin => read(folder.join(MYELIN_LOG)),
            Kind::Nodes(_) => {
                let logs = NODES.map(|node| read(folder.join(node).join(MYELIN_LOG)));
                logs.concat()
            }
            Kind::Synapse(_) => read(synapse::log_path(folder)),
        }
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
    fn client_addresses(&self) -> Vec<SocketAddr> {
        match self {
            Self::Myelin(nodes) => nodes.iter().map(|node| node.address).collect(),
            Self::Synapse(server) => vec![server.client_address],
        }
    }

    fn federation_addresses(&self) -> Vec<SocketAddr> {
        match self {
            Self::Myelin(nodes) => nodes.iter().filter_map(|node| node.tls_address).collect(),
            Self::Synapse(server) => vec![server.federation_address],
        }
    }
}

fn start_myelin(identity: &Identity, folder: &Path, database_url: Option<String>) -> ServerProcess {
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
        authority.certificate.display(),
    );
    let file = folder.join("myelin.toml");
    fs::write(&file, text).unwrap();
    let mut options = ServerOptions::new(env!("CARGO_BIN_EXE_myelin"), folder);
    options.config = Some(file);
    options.database_url = database_url;
    ServerProcess::start(&options).unwrap()
}
