//! The Matrix clients that tests talk through, installed beside the build.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use super::step::{Outcome, Run, target_directory};

const SOURCES: &str = "crates/myelin/tests/clients";

/// Installs `matrix-nio` and `matrix-js-sdk` in the versions that the tests are written for. What
/// is there in these versions already is left as it is.
pub(super) fn install(run: &Run<'_>) -> anyhow::Result<Outcome> {
    let sources = run.root().join(SOURCES);
    let folder = target_directory()?.join("clients");
    fs::create_dir_all(&folder)?;
    let nio = Package {
        wanted: fs::read_to_string(sources.join("requirements.txt"))?,
        mark: folder.join("nio"),
    };
    let js_sdk = Package {
        wanted: fs::read_to_string(sources.join("package-lock.json"))?,
        mark: folder.join("js-sdk"),
    };
    let installed = nio.install(|| Ok(install_nio(&sources, &folder)))?
        && js_sdk.install(|| install_js_sdk(&sources, &folder))?;
    if installed {
        return Ok(Outcome::Passed(Vec::new()));
    }
    Ok(run.missing(
        "python3 with venv, node with npm, or their registries",
        "see above",
    ))
}

/// What shall be installed, and the file that says that it is.
struct Package {
    wanted: String,
    mark: PathBuf,
}

impl Package {
    fn install(&self, install: impl FnOnce() -> anyhow::Result<bool>) -> anyhow::Result<bool> {
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

fn install_nio(sources: &Path, folder: &Path) -> bool {
    let venv = folder.join("venv");
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&venv);
    let mut fill = Command::new(venv.join("bin/pip"));
    fill.args(["install", "--quiet", "--no-deps", "--requirement"]);
    fill.arg(sources.join("requirements.txt"));
    succeeds(&mut make) && succeeds(&mut fill)
}

fn install_js_sdk(sources: &Path, folder: &Path) -> anyhow::Result<bool> {
    for file in ["package.json", "package-lock.json"] {
        fs::copy(sources.join(file), folder.join(file))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    Ok(succeeds(npm.current_dir(folder)))
}

/// Whether the program is there and does it; if not, it has said why.
fn succeeds(command: &mut Command) -> bool {
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            println!("{}: {error}", command.get_program().display());
            false
        }
    }
}
