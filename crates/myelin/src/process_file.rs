//! `myelin.pid` in the data folder: who runs there, and a lock, so that only one process does.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal, kill_process};

/// The claim of this process on a data folder, given up when dropped (or killed).
#[derive(Debug)]
pub(crate) struct ProcessFile {
    path: PathBuf,
    _lock: File,
}

/// Why a data folder cannot be claimed, or its server not be signalled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessFileError {
    #[error("cannot use the data folder {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    #[error("process {process} uses the data folder {} already", .folder.display())]
    Taken { folder: PathBuf, process: String },
    #[error("no server runs in the data folder {}", .0.display())]
    NotRunning(PathBuf),
    #[error("cannot signal process {0}")]
    Signal(i32, #[source] io::Error),
}

impl ProcessFile {
    /// Makes the folder if need be, and claims it.
    pub(crate) fn claim(folder: &Path) -> Result<Self, ProcessFileError> {
        let unusable = |error| ProcessFileError::Folder(folder.to_owned(), error);
        // The signing key and everybody's messages will be in it.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(unusable)?;
        let path = path_in(folder);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                file.read_to_string(&mut process).map_err(unusable)?;
                let process = process.trim().to_owned();
                return Err(ProcessFileError::Taken {
                    folder: folder.to_owned(),
                    process,
                });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .map_err(unusable)?;
        writeln!(file, "{}", std::process::id()).map_err(unusable)?;
        Ok(Self { path, _lock: file })
    }
}

impl Drop for ProcessFile {
    fn drop(&mut self) {
        // A stale file does no harm: without the lock it says that nobody runs here.
        drop(fs::remove_file(&self.path));
    }
}

/// Sends `SIGHUP` to the server that runs in a data folder, and returns its process id.
pub(crate) fn signal_reload(folder: &Path) -> Result<i32, ProcessFileError> {
    let not_running = || ProcessFileError::NotRunning(folder.to_owned());
    let mut file = File::open(path_in(folder)).map_err(|_| not_running())?;
    if file.try_lock_shared().is_ok() {
        // The file outlived its process, whose id may be another's by now.
        return Err(not_running());
    }
    let mut text = String::new();
    file.read_to_string(&mut text)
        .map_err(|error| ProcessFileError::Folder(folder.to_owned(), error))?;
    let number = text.trim().parse::<i32>().map_err(|_| not_running())?;
    let process = Pid::from_raw(number).ok_or_else(not_running)?;
    kill_process(process, Signal::HUP)
        .map_err(|error| ProcessFileError::Signal(number, error.into()))?;
    Ok(number)
}

fn path_in(folder: &Path) -> PathBuf {
    folder.join("myelin.pid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_claims_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let claim = ProcessFile::claim(folder.path()).unwrap();
        let second = ProcessFile::claim(folder.path()).unwrap_err().to_string();
        assert!(
            second.contains(&format!("process {} uses", std::process::id())),
            "{second}"
        );
        drop(claim);
        assert!(!path_in(folder.path()).exists());
        drop(ProcessFile::claim(folder.path()).unwrap());
    }

    #[test]
    fn a_stale_file_is_nobody() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(path_in(folder.path()), "1\n").unwrap();
        let error = signal_reload(folder.path()).unwrap_err();
        assert!(matches!(error, ProcessFileError::NotRunning(_)), "{error}");
        drop(ProcessFile::claim(folder.path()).unwrap());
    }
}
