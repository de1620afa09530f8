//! Words that no file may contain, and the size of files.

use std::path::Path;

use super::files::File;

const WORDS: &str = "xtask/tidy/words.txt";

pub(super) fn check(root: &Path, files: &[File]) -> anyhow::Result<Vec<String>> {
    let list = std::fs::read_to_string(root.join(WORDS))?;
    let mut words: Vec<(String, &str)> = list
        .lines()
        .filter(|line| !line.starts_with("# "))
        .filter_map(|line| line.split_once('\t'))
        .map(|(word, reason)| (word.to_owned(), reason))
        .collect();
    // The folder that this clone stands in, whatever it is called here.
    if let Some(parent) = root.parent().filter(|parent| parent.parent().is_some()) {
        words.push((format!("{}/", parent.display()), "a path of this machine"));
    }
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path != WORDS) {
        for (word, reason) in &words {
            findings.extend(find(file, word, reason));
        }
    }
    Ok(findings)
}

fn find(file: &File, word: &str, reason: &str) -> Vec<String> {
    let hits = file
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains(word));
    hits.map(|(index, _)| format!("{}:{}: {word}: {reason}", file.path, index + 1))
        .collect()
}
