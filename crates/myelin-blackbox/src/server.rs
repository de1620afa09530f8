//! A server process: started, killed, stopped.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// How to start a server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The built binary.
    pub binary: PathBuf,
    /// Its data; what it logs goes to `server.log` in it.
    pub data_dir: PathBuf,
    /// A configuration file; what these options say comes before what it says.
    pub config: Option<PathBuf>,
    /// None for the embedded database in the data folder.
    pub database_url: Option<String>,
    /// A program and its arguments that start the binary in their own way, such as a tracer.
    pub wrapper: Vec<OsString>,
}

impl ServerOptions {
    /// The embedded database, no configuration file, no wrapper.
    pub fn new(binary: impl Into<PathBuf>, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            data_dir: data_dir.into(),
            config: None,
            database_url: None,
            wrapper: Vec::new(),
        }
    }

    fn command(&self) -> io::Result<Command> {
        let mut words = self.wrapper.iter().cloned();
        let mut command = match words.next() {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(words).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        let log = File::options()
            .append(true)
            .create(true)
            .open(log_path(&self.data_dir))?;
        command
            .arg("serve")
            .env_clear()
            .env("MYELIN_DATA_DIR", &self.data_dir)
            .env("MYELIN_LISTENERS__0__PORT", "0")
            .env("MYELIN_REGISTRATION__PASSWORD_COST", "low")
            .env("MYELIN_RATE_LIMITS__ENABLED", "false")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        if let Some(config) = &self.config {
            command.env("MYELIN_CONFIG", config);
        }
        if let Some(url) = &self.database_url {
            command.env("MYELIN_DATABASE__URL", url);
        }
        Ok(command)
    }
}

fn log_path(data_dir: &Path) -> PathBuf {
    data_dir.join("server.log")
}

/// A server on ports that the system chose; killed when dropped.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    data_dir: PathBuf,
    /// Held open: a server that prints must not meet a closed pipe.
    _output: BufReader<ChildStdout>,
    /// Where it listens without TLS.
    pub address: SocketAddr,
    /// Where it listens with TLS, if a listener before the one without does.
    pub tls_address: Option<SocketAddr>,
}

impl ServerProcess {
    /// Starts a server and returns when it says that it listens.
    #[expect(
        clippy::missing_panics_doc,
        reason = "the standard library gives the pipe that was asked for"
    )]
    pub fn start(options: &ServerOptions) -> io::Result<Self> {
        let mut child = options.command()?.spawn()?;
        let output = child.stdout.take().expect("it is piped");
        let mut output = BufReader::new(output);
        let mut line = String::new();
        let mut tls_address = None;
        let address = loop {
            line.clear();
            if output.read_line(&mut line)? == 0 {
                child.wait()?;
                let log = std::fs::read_to_string(log_path(&options.data_dir))?;
                return Err(io::Error::other(format!("it did not start:\n{log}")));
            }
            if let Some(address) = line.trim().strip_prefix("on http://") {
                break address.parse().map_err(io::Error::other)?;
            }
            if let Some(address) = line.trim().strip_prefix("on https://") {
                tls_address = Some(address.parse().map_err(io::Error::other)?);
            }
        };
        Ok(Self {
            child,
            data_dir: options.data_dir.clone(),
            _output: output,
            address,
            tls_address,
        })
    }

    /// The id of the process; with a wrapper, the wrapper's.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once by `SIGKILL`, and returns when it is gone.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Asks it to end by `SIGTERM`, and returns when it has.
    pub fn stop(self) -> io::Result<ExitStatus> {
        self.terminate()?;
        self.wait()
    }

    /// Asks it to end by `SIGTERM`.
    pub fn terminate(&self) -> io::Result<()> {
        // A wrapper would take the signal for itself.
        Ok(kill_process(self.own_id()?, Signal::TERM)?)
    }

    /// Returns when it has ended, and its wrapper with it.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// What it has logged since the data folder was made.
    pub fn log(&self) -> io::Result<String> {
        std::fs::read_to_string(log_path(&self.data_dir))
    }

    /// As the server itself wrote it down.
    fn own_id(&self) -> io::Result<Pid> {
        let text = std::fs::read_to_string(self.data_dir.join("myelin.pid"))?;
        let id = text.trim().parse().ok().and_then(Pid::from_raw);
        id.ok_or_else(|| io::Error::other(format!("not a process id: {text:?}")))
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It has ended already, mostly. One behind a wrapper goes first: a tracer that is killed
        // lets it run on.
        if let Ok(None) = self.child.try_wait() {
            if let Ok(id) = self.own_id() {
                let _ = kill_process(id, Signal::KILL);
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
