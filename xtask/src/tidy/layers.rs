//! Dependencies point down: each crate's manifest against `xtask/tidy/layers.toml`.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use serde::Deserialize;

use super::files::File;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Layers {
    may_use: BTreeMap<String, Vec<String>>,
    only: BTreeMap<String, Vec<String>>,
    never: BTreeMap<String, Vec<String>>,
    development: Development,
}

#[derive(Deserialize)]
struct Development {
    crates: Vec<String>,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
    #[serde(default)]
    dependencies: toml::Table,
    #[serde(default, rename = "build-dependencies")]
    build_dependencies: toml::Table,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

pub(super) fn check(root: &Path, files: &[File]) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(root.join("xtask/tidy/layers.toml"))?;
    let layers: Layers = toml::from_str(&text).context("xtask/tidy/layers.toml")?;
    let mut findings = Vec::new();
    for file in files {
        let parts: Vec<&str> = file.path.split('/').collect();
        if let ["crates", _, "Cargo.toml"] | ["xtask", "Cargo.toml"] = parts[..] {
            let manifest = toml::from_str(&file.text).with_context(|| file.path.clone())?;
            findings.extend(check_manifest(&layers, &manifest, &file.path));
        }
    }
    Ok(findings)
}

fn check_manifest(layers: &Layers, manifest: &Manifest, path: &str) -> Vec<String> {
    let name = &manifest.package.name;
    let Some(may_use) = layers.may_use.get(name) else {
        return vec![format!(
            "{path}: {name} has no place in xtask/tidy/layers.toml"
        )];
    };
    let uses = manifest
        .dependencies
        .keys()
        .chain(manifest.build_dependencies.keys());
    uses.filter_map(|used| refusal(layers, name, may_use, used))
        .map(|refusal| format!("{path}: {refusal}"))
        .collect()
}

fn refusal(layers: &Layers, name: &str, may_use: &[String], used: &String) -> Option<String> {
    let development = &layers.development.crates;
    if development.iter().any(|crate_| crate_ == name) {
        return None;
    }
    if development.contains(used) {
        return Some(format!("{used} is for tests: make it a dev-dependency"));
    }
    let is_ours = layers.may_use.contains_key(used);
    if is_ours
        && !may_use
            .iter()
            .any(|allowed| allowed == used || allowed == "*")
    {
        return Some(format!(
            "{name} must not depend on {used}: dependencies point down"
        ));
    }
    if let Some(owners) = layers.only.get(used)
        && !owners.iter().any(|owner| owner == name)
    {
        return Some(format!("only {} may depend on {used}", owners.join(", ")));
    }
    let never = layers.never.get(name)?;
    never
        .contains(used)
        .then(|| format!("{name} must not depend on {used}"))
}

#[cfg(test)]
mod tests {
    use super::{Layers, Manifest, check_manifest};

    fn findings(name: &str, dependencies: &str) -> Vec<String> {
        let layers: Layers = toml::from_str(include_str!("../../tidy/layers.toml")).unwrap();
        let text = format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependencies}");
        let manifest: Manifest = toml::from_str(&text).unwrap();
        check_manifest(&layers, &manifest, "Cargo.toml")
    }

    #[test]
    fn downwards_is_fine() {
        assert!(findings("myelin-rooms", "myelin-store = \"1\"\nserde = \"1\"").is_empty());
        assert!(findings("myelin", "myelin-sync = \"1\"\naxum = \"1\"").is_empty());
        assert!(findings("myelin-testkit", "rusqlite = \"1\"").is_empty());
    }

    #[test]
    fn upwards_and_past_a_boundary_is_not() {
        assert_eq!(findings("myelin-store", "myelin-rooms = \"1\"").len(), 1);
        assert_eq!(findings("myelin-sync", "myelin-http = \"1\"").len(), 1);
        assert_eq!(findings("myelin-rooms", "rusqlite = \"1\"").len(), 1);
        assert_eq!(findings("myelin-core", "tokio = \"1\"").len(), 1);
        assert_eq!(findings("myelin", "myelin-testkit = \"1\"").len(), 1);
        assert_eq!(findings("myelin-unknown", "").len(), 1);
    }
}
