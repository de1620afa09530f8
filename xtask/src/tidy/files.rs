//! The files of the tree, and Rust files as tokens.

use std::{path::Path, process::Command};

use anyhow::{Context, ensure};
use proc_macro2::{TokenStream, TokenTree};

/// A text file that git knows, or would add.
pub(super) struct File {
    /// Relative to the root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

/// A Rust file, its code split into what is shipped and what is for tests.
pub(super) struct SourceFile {
    pub(super) path: String,
    /// The package's name, or none for a file outside of the workspace's crates.
    pub(super) package: Option<String>,
    pub(super) has_docs: bool,
    /// Lines outside of `#[cfg(test)]`.
    pub(super) lines: usize,
    pub(super) code: Vec<TokenTree>,
    pub(super) tests: Vec<TokenTree>,
}

impl File {
    pub(super) fn is_rust(&self) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|extension| extension == "rs")
    }
}

pub(super) fn list(root: &Path) -> anyhow::Result<Vec<File>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("git is needed to list the files")?;
    ensure!(output.status.success(), "git ls-files failed");
    let mut files = Vec::new();
    for path in String::from_utf8(output.stdout)?.split_terminator('\0') {
        // Deleted but not yet committed, binary, or a link to a directory: nothing to read.
        if let Ok(text) = std::fs::read_to_string(root.join(path)) {
            files.push(File {
                path: path.to_owned(),
                text,
            });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}

impl SourceFile {
    pub(super) fn parse(file: &File) -> anyhow::Result<Self> {
        let tokens: TokenStream = file
            .text
            .parse()
            .map_err(|error| anyhow::anyhow!("{}: {error}", file.path))?;
        let package = match file.path.split('/').collect::<Vec<_>>()[..] {
            ["crates", package, _, ..] => Some(package.to_owned()),
            ["xtask", _, ..] => Some("xtask".to_owned()),
            _ => None,
        };
        let mut source = Self {
            path: file.path.clone(),
            package,
            has_docs: file.text.trim_start().starts_with("//!"),
            lines: file.text.lines().count(),
            code: Vec::new(),
            tests: Vec::new(),
        };
        if source.is_test_file() {
            source.tests = tokens.into_iter().collect();
            source.lines = 0;
        } else {
            source.split(tokens);
        }
        Ok(source)
    }

    /// `tests.rs` beside a module, and everything under `tests/` and `benches/`.
    pub(super) fn is_test_file(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self
                .path
                .split('/')
                .any(|part| part == "tests" || part == "benches")
    }

    /// The path of modules that the file stands for: none for the root of a crate.
    pub(super) fn modules(&self) -> Vec<&str> {
        let Some((_, inside)) = self.path.split_once("/src/") else {
            return Vec::new();
        };
        let mut modules: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
        if matches!(modules[..], ["lib" | "main"] | ["bin", ..]) {
            modules.clear();
        }
        modules
    }

    fn split(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let is_test = is_punct(&token, '#') && tokens.peek().is_some_and(is_cfg_test);
            if !is_test {
                self.code.push(token);
                continue;
            }
            let first = token.span().start().line;
            let last = self.take_test_item(&mut tokens).unwrap_or(first);
            self.lines -= last + 1 - first;
        }
    }

    /// Moves one item to the tests, up to the block or the semicolon that ends it; returns its last
    /// line.
    fn take_test_item(&mut self, tokens: &mut impl Iterator<Item = TokenTree>) -> Option<usize> {
        let mut last = None;
        for token in tokens {
            last = Some(token.span().end().line);
            let ends = is_punct(&token, ';') || is_block(&token);
            self.tests.push(token);
            if ends {
                break;
            }
        }
        last
    }
}

pub(super) fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

fn is_block(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace)
}

fn is_cfg_test(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.stream().to_string().replace(' ', "") == "cfg(test)")
}
