//! A throw-away PostgreSQL for tests: one cluster shared by all test processes that run at a time,
//! one database a test. Not a test kit: it knows nothing of Matrix or of our tables.
//!
//! Start reading at [`Cluster::shared`].

mod programs;

use std::{
    env, fs,
    fs::File,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use programs::Programs;

/// Stops a shared cluster once no process has held the lock `users` for three seconds: the tests
/// of one run may start one after the other.
const STOP_WHEN_UNUSED: &str = r#"
cd "$1" || exit 0
while true; do
    flock users true
    sleep 3
    exec 9<lock 8<users
    flock 9
    if flock -n 8; then
        shift
        "$@"
        rm -rf data port
        exit 0
    fi
    exec 9<&- 8<&-
done
"#;

/// A running PostgreSQL server with its files in a temporary directory.
#[derive(Debug)]
pub struct Cluster {
    programs: Programs,
    directory: PathBuf,
    port: u16,
    /// The directory of a cluster that nobody else uses.
    private: Option<tempfile::TempDir>,
    /// The lock that shows a shared cluster to be in use, held as long as this process lives.
    _in_use: Option<File>,
}

/// A database of a cluster, dropped with this value.
#[derive(Debug)]
pub struct Database<'a> {
    cluster: &'a Cluster,
    name: String,
}

impl Cluster {
    /// The cluster that all test processes share. It is started by the first and stopped a few
    /// seconds after the last has ended. None if PostgreSQL is not installed: then the test says
    /// so and ends; with `CI=true` in the environment it fails instead.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(|| find().map(Self::join)).as_ref()
    }

    /// A cluster of this test alone, to be stopped and started as the test likes. It stops when
    /// this value is dropped. None as for [`Self::shared`].
    ///
    /// # Panics
    ///
    /// If the installed programs do not work: a test cannot go on without them.
    pub fn private() -> Option<Self> {
        let programs = find()?;
        let directory = tempfile::tempdir().expect("a temporary directory");
        programs.own(directory.path());
        let cluster = Self {
            port: create(&programs, directory.path()),
            programs,
            directory: directory.path().to_owned(),
            private: Some(directory),
            _in_use: None,
        };
        cluster.start();
        Some(cluster)
    }

    /// Makes an empty database.
    pub fn database(&self) -> Database<'_> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        self.execute(
            "postgres",
            &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        );
        self.execute(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE template0"),
        );
        Database {
            cluster: self,
            name,
        }
    }

    /// Starts a stopped cluster and waits until it takes connections.
    pub fn start(&self) {
        let options = format!(
            "-c port={} -c listen_addresses=127.0.0.1 -c unix_socket_directories='{}' \
             -c max_connections=500 -c shared_buffers=64MB -c fsync={}",
            self.port,
            self.directory.display(),
            if env::var_os("MYELIN_TESTDB_FSYNC").is_some_and(|value| value == "off") {
                "off"
            } else {
                "on"
            },
        );
        let mut command = self.pg_ctl("start");
        run(command.args(["--wait", "--timeout=60", "--options", &options]));
    }

    /// Stops the server as a power failure would: no checkpoint, no farewell to its clients.
    pub fn stop_immediately(&self) {
        run(self.pg_ctl("stop").args(["--mode", "immediate", "--wait"]));
    }

    /// The id of the process that all others of this running cluster descend from.
    ///
    /// # Panics
    ///
    /// If the cluster does not run.
    pub fn process_id(&self) -> u32 {
        let text = fs::read_to_string(self.directory.join("data/postmaster.pid"));
        let text = text.expect("the cluster runs");
        let id = text.lines().next().and_then(|line| line.parse().ok());
        id.expect("the first line is a process id")
    }

    /// The cluster's URL for `database`.
    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn execute(&self, database: &str, sql: &str) {
        let mut command = self.programs.command("psql");
        command.args([
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--command",
        ]);
        run(command.arg(sql).arg(self.url(database)));
    }

    fn pg_ctl(&self, action: &str) -> Command {
        pg_ctl(&self.programs, &self.directory, action)
    }

    /// Joins the users of the shared cluster, and starts it if it is not there.
    fn join(programs: Programs) -> Self {
        let account = if programs.is_root() { "root" } else { "user" };
        let directory = env::temp_dir().join(format!("myelin-testdb-{account}"));
        if fs::create_dir(&directory).is_ok() {
            programs.own(&directory);
        }
        let lock = open(&directory.join("lock"));
        lock.lock().expect("a lock on the shared cluster");
        let users = open(&directory.join("users"));
        users.lock_shared().expect("a shared lock on the users");
        let port = fs::read_to_string(directory.join("port"));
        let port = port.ok().and_then(|port| port.parse().ok());
        let mut status = pg_ctl(&programs, &directory, "status");
        let is_running = port.is_some() && status.output().is_ok_and(|out| out.status.success());
        let mut cluster = Self {
            port: port.unwrap_or_default(),
            programs,
            directory,
            private: None,
            _in_use: Some(users),
        };
        if !is_running {
            cluster.start_shared();
        }
        cluster
    }

    #[expect(
        clippy::zombie_processes,
        reason = "the watcher outlives this process, which is what it waits for"
    )]
    fn start_shared(&mut self) {
        // What a run left behind that was killed together with its cluster.
        let _ = fs::remove_dir_all(self.directory.join("data"));
        self.port = create(&self.programs, &self.directory);
        self.start();
        fs::write(self.directory.join("port"), self.port.to_string()).expect("a port file");
        let stop = self.pg_ctl("stop");
        let mut watcher = Command::new("sh");
        watcher
            .args(["-c", STOP_WHEN_UNUSED, "sh"])
            .arg(&self.directory);
        watcher.arg(stop.get_program()).args(stop.get_args());
        watcher.args(["--mode", "immediate", "--wait"]);
        watcher
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // The end of the test run must not be the end of who cleans up after it.
        watcher.process_group(0).spawn().expect("a shell");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.private.is_some() {
            // The test may have stopped it.
            let _ = self.pg_ctl("stop").args(["--mode", "immediate"]).output();
        }
    }
}

impl Database<'_> {
    /// What to connect to.
    pub fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    /// Runs statements as another client would.
    pub fn execute(&self, sql: &str) {
        self.cluster.execute(&self.name, sql);
    }

    /// Ends all connections to this database, as a restart of the server would.
    pub fn disconnect_all(&self) {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            self.name
        );
        let mut command = self.cluster.programs.command("psql");
        command.args(["--no-psqlrc", "--quiet", "--command", &sql]);
        run(command.arg(self.cluster.url("postgres")));
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let mut command = self.cluster.programs.command("psql");
        command.args(["--no-psqlrc", "--quiet", "--command", &sql]);
        // The test may have stopped the cluster.
        let _ = command.arg(self.cluster.url("postgres")).output();
    }
}

fn find() -> Option<Programs> {
    let programs = Programs::find();
    let required = env::var_os("CI").is_some_and(|value| value == "true");
    assert!(
        programs.is_some() || !required,
        "PostgreSQL is not installed, and CI=true wants everything tested"
    );
    programs
}

/// Makes the files of a new cluster and chooses its port.
fn create(programs: &Programs, directory: &Path) -> u16 {
    let mut command = programs.command("initdb");
    command.args([
        "--no-sync",
        "--auth=trust",
        "--username=postgres",
        "--encoding=UTF8",
    ]);
    run(command.arg("--no-locale").arg(directory.join("data")));
    free_port()
}

/// A port that nobody listens on, and that the system gives to nobody while a stopped cluster is
/// to come back to it: those it chooses itself begin at 32768.
fn free_port() -> u16 {
    let start = u16::try_from(std::process::id() % 20_000).expect("less than 20,000");
    let mut candidates = (0..20_000).map(|n| 12_000 + (start + n) % 20_000);
    let free = candidates.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.expect("a free port")
}

fn pg_ctl(programs: &Programs, directory: &Path, action: &str) -> Command {
    let mut command = programs.command("pg_ctl");
    command
        .arg(action)
        .arg("--silent")
        .arg("--pgdata")
        .arg(directory.join("data"));
    command.arg("--log").arg(directory.join("server.log"));
    command
}

fn open(path: &Path) -> File {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    file.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
