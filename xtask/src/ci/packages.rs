//! Packages of other languages that tests need, installed beside the build.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

/// What shall be installed, and the file that says that it is.
pub(super) struct Package {
    pub(super) wanted: String,
    pub(super) mark: PathBuf,
}

impl Package {
    /// Installs it unless it is there in this version already; false if it cannot be.
    pub(super) fn install(
        &self,
        install: impl FnOnce() -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        if fs::read_to_string(&self.mark).is_ok_and(|found| found == self.wanted) {
            return Ok(true);
        }
        let installed = install()?;
        if installed {
            fs::write(&self.mark, &self.wanted).context("cannot note what was installed")?;
        }
        Ok(installed)
    }
}

/// Makes a Python environment `venv` in the folder, with exactly these packages.
pub(super) fn install_python(requirements: &Path, folder: &Path) -> bool {
    let venv = folder.join("venv");
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&venv);
    let mut fill = Command::new(venv.join("bin/pip"));
    fill.args(["install", "--quiet", "--no-deps", "--requirement"]);
    fill.arg(requirements);
    succeeds(&mut make) && succeeds(&mut fill)
}

/// Whether the program is there and does it; if not, it has said why.
pub(super) fn succeeds(command: &mut Command) -> bool {
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            println!("{}: {error}", command.get_program().display());
            false
        }
    }
}
