//! Where PostgreSQL's programs are, and as whom they run.

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

/// The account that the server runs as if we are root, which it refuses to be.
const ACCOUNT: &str = "postgres";

/// The directory of the programs.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    directory: PathBuf,
    is_root: bool,
}

impl Programs {
    /// Looks in PATH and where Debian keeps them; the newest version wins.
    pub(crate) fn find() -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
            .collect();
        versions.sort();
        let mut directories = env::split_paths(&path).chain(versions.into_iter().rev());
        let is_whole = |directory: &PathBuf| {
            let mut programs = ["initdb", "pg_ctl", "psql"].iter();
            programs.all(|program| directory.join(program).exists())
        };
        let directory = directories.find(is_whole)?;
        let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        Some(Self { directory, is_root })
    }

    /// Whether the server needs another account than ours.
    pub(crate) fn is_root(&self) -> bool {
        self.is_root
    }

    /// A call of `program`, as an account that the server accepts.
    pub(crate) fn command(&self, program: &str) -> Command {
        let path = self.directory.join(program);
        if !self.is_root {
            return Command::new(path);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups"]);
        command.arg(path);
        // The account may not read the directory of the test.
        command.current_dir("/");
        command
    }

    /// Gives a directory to the account of the server.
    pub(crate) fn own(&self, directory: &Path) {
        if self.is_root {
            let status = Command::new("chown").arg(ACCOUNT).arg(directory).status();
            assert!(
                status.is_ok_and(|status| status.success()),
                "chown {ACCOUNT}"
            );
        }
    }
}
