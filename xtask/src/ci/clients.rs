//! The Matrix clients that tests talk through, installed beside the build.

use std::{fs, path::Path, process::Command};

use anyhow::Context;

use super::{
    packages::{Package, install_python, succeeds},
    step::{Outcome, Run, target_directory},
};

const SOURCES: &str = "crates/myelin/tests/clients";

/// A workspace of its own, with a build folder of its own: its packages are none of the server's.
const MATRIX_SDK: &str = "clients/matrix-sdk/Cargo.toml";

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
    let installed = nio
        .install(|| Ok(install_python(&sources.join("requirements.txt"), &folder)))?
        && js_sdk.install(|| install_js_sdk(&sources, &folder))?;
    if installed {
        return Ok(Outcome::Passed(Vec::new()));
    }
    Ok(run.missing(
        "python3 with venv, node with npm, or their registries",
        "see above",
    ))
}

/// Builds the client on `matrix-sdk`, which takes minutes the first time.
pub(super) fn build_matrix_sdk(run: &Run<'_>) -> anyhow::Result<Outcome> {
    // Where the tests look for it, wherever the server is built.
    let mut command = run.command(&["build", "--locked", "--manifest-path", MATRIX_SDK]);
    command.env_remove("CARGO_TARGET_DIR");
    let status = command.status().context("cargo cannot be run")?;
    Ok(Outcome::from_passed(status.success()))
}

fn install_js_sdk(sources: &Path, folder: &Path) -> anyhow::Result<bool> {
    for file in ["package.json", "package-lock.json"] {
        fs::copy(sources.join(file), folder.join(file))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    Ok(succeeds(npm.current_dir(folder)))
}
