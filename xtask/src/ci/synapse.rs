//! Synapse, the server that tests federate with, installed beside the build.

use std::fs;

use super::{
    packages::{Package, install_python},
    step::{Outcome, Run, target_directory},
};

const REQUIREMENTS: &str = "crates/myelin/tests/interop/requirements.txt";

/// Installs Synapse in the version that the tests are written for. If it is there already, it is
/// left as it is.
pub(super) fn install(run: &Run<'_>) -> anyhow::Result<Outcome> {
    let requirements = run.root().join(REQUIREMENTS);
    let folder = target_directory()?.join("synapse");
    fs::create_dir_all(&folder)?;
    let synapse = Package {
        wanted: fs::read_to_string(&requirements)?,
        mark: folder.join("installed"),
    };
    if synapse.install(|| Ok(install_python(&requirements, &folder)))? {
        return Ok(Outcome::Passed(Vec::new()));
    }
    Ok(run.missing("python3 with venv, or its registry", "see above"))
}

/// The tests of Myelin and Synapse in one federation, or those of them whose names contain one of
/// these words; options may stand among them.
pub(super) fn test(run: &Run<'_>, words: &[&str]) -> anyhow::Result<Outcome> {
    let mut arguments = vec!["nextest", "run", "--locked", "--profile", "ci"];
    arguments.extend(["--package", "myelin", "--test", "interop"]);
    if !run.has_cargo("nextest") {
        arguments.clear();
        arguments.extend([
            "test",
            "--locked",
            "--package",
            "myelin",
            "--test",
            "interop",
        ]);
        arguments.push("--");
    }
    arguments.extend(words);
    run.cargo(&arguments)
}
