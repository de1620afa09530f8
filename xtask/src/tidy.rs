//! The rules of STYLE that no other tool checks.

mod cycles;
mod exceptions;
mod files;
mod holes;
mod layers;
mod source;
mod text;

use std::path::Path;

use exceptions::Exceptions;
use files::SourceFile;

/// Prints each finding; true if there is none.
pub(crate) fn run(root: &Path) -> anyhow::Result<bool> {
    let files = files::list(root)?;
    let mut sources = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        sources.push(SourceFile::parse(file)?);
    }
    let mut findings = layers::check(root, &files)?;
    findings.extend(text::check(root, &files)?);
    findings.extend(holes::check(&files));
    findings.extend(source::check(root, &sources)?);
    findings.extend(cycles::check(root, &sources)?);
    for finding in &findings {
        println!("{finding}");
    }
    let number = findings.len();
    println!("tidy: {} files, {number} findings", files.len());
    Ok(findings.is_empty())
}

/// The findings that no exception covers, and the exceptions that cover nothing.
fn except(
    root: &Path,
    list: &'static str,
    found: Vec<(String, String)>,
) -> anyhow::Result<Vec<String>> {
    let mut exceptions = Exceptions::read(root, list)?;
    let mut findings: Vec<String> = found
        .into_iter()
        .filter(|(key, _)| !exceptions.covers(key))
        .map(|(_, finding)| finding)
        .collect();
    findings.extend(exceptions.stale());
    Ok(findings)
}
