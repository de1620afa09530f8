//! Runs the binary and talks to it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A command with nothing of this process's own configuration.
fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_myelin"));
    command
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied());
    command
}

/// Runs the binary to its end.
pub(crate) fn myelin(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    command(arguments, variables)
        .output()
        .expect("the binary is built with the test")
}

pub(crate) fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).expect("the binary prints UTF-8");
    text.lines().map(str::to_owned).collect()
}

/// A server process on a port that the system chose; killed when dropped.
pub(crate) struct Process {
    child: Child,
    log: BufReader<ChildStderr>,
    _output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts a server and returns when it says that it listens.
    pub(crate) fn start(data_dir: &Path, variables: &[(&str, &str)]) -> Self {
        let data_dir = data_dir
            .to_str()
            .expect("temporary folders have plain names");
        let mut all = vec![
            ("MYELIN_DATA_DIR", data_dir),
            ("MYELIN_LISTENERS__0__PORT", "0"),
            ("MYELIN_REGISTRATION__PASSWORD_COST", "low"),
            ("MYELIN_RATE_LIMITS__ENABLED", "false"),
        ];
        all.extend(variables);
        let mut child = command(&["serve"], &all)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary is built with the test");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            if output
                .read_line(&mut line)
                .expect("the binary prints UTF-8")
                == 0
            {
                let mut errors = String::new();
                drop(log.read_to_string(&mut errors));
                panic!("the server did not start: {errors}");
            }
            if let Some(address) = line.trim().strip_prefix("on http://") {
                break address.parse().expect("it prints an address");
            }
        };
        Self {
            child,
            log,
            _output: output,
            address,
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        kill_process(id, signal).expect("the process is ours and was not waited for");
    }

    /// Reads the log up to a line that contains `text`, and returns that line.
    pub(crate) fn wait_for_log(&mut self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).expect("the log is UTF-8");
            assert!(read > 0, "the log ended without {text:?}:\n{seen}");
            if line.contains(text) {
                return line;
            }
            seen.push_str(&line);
        }
    }

    /// The rest of its log, and how it ended.
    pub(crate) fn wait(mut self) -> (String, ExitStatus) {
        let mut rest = String::new();
        self.log
            .read_to_string(&mut rest)
            .expect("the log is UTF-8");
        (rest, self.child.wait().expect("the process is ours"))
    }

    /// Sends one request on a connection of its own and returns the answer, head and body.
    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = self.connect();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .expect("the server reads");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("the server answers in UTF-8");
        answer
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("the time is not zero");
        stream
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already in most tests.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
