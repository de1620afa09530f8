//! Cycles between the top-level modules of a crate, which the compiler allows.
//!
//! An edge is a path that starts with `crate::` (or with enough `super::`), in a `use` or in the
//! code; a name that the crate's root re-exports leads to the module it comes from. Code for tests
//! does not count.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use proc_macro2::{TokenStream, TokenTree};

use super::{
    except,
    files::{SourceFile, is_punct},
};

type Graph = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(root: &Path, sources: &[SourceFile]) -> anyhow::Result<Vec<String>> {
    let mut packages: BTreeMap<&str, Vec<&SourceFile>> = BTreeMap::new();
    for source in sources
        .iter()
        .filter(|source| source.path.contains("/src/"))
    {
        if let Some(package) = &source.package {
            packages.entry(package).or_default().push(source);
        }
    }
    let mut found = Vec::new();
    for (package, files) in packages {
        for cycle in cycles(&graph(&files)) {
            let finding = format!("{package}: modules in a cycle: {}", cycle.join(" -> "));
            let mut modules = cycle;
            modules.pop();
            modules.sort();
            found.push((format!("{package} {}", modules.join(",")), finding));
        }
    }
    except(root, "cycles.txt", found)
}

fn graph(files: &[&SourceFile]) -> Graph {
    let modules: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.modules().first().copied())
        .collect();
    let mut origins: BTreeMap<String, String> = BTreeMap::new();
    for root in files.iter().filter(|file| file.modules().is_empty()) {
        for path in uses(&root.code) {
            let path = path
                .strip_prefix(&["crate".to_owned()][..])
                .unwrap_or(&path);
            if let [module, .., name] = path
                && modules.contains(module.as_str())
            {
                origins.insert(name.clone(), module.clone());
            }
        }
    }
    let mut graph = Graph::new();
    for file in files {
        let depth = file.modules().len();
        let Some(&module) = file.modules().first() else {
            continue;
        };
        for name in names_from_root(&file.code, depth) {
            let target = if modules.contains(name.as_str()) {
                Some(&name)
            } else {
                origins.get(&name)
            };
            if let Some(target) = target.filter(|target| *target != module) {
                graph
                    .entry(module.to_owned())
                    .or_default()
                    .insert(target.clone());
            }
        }
    }
    graph
}

/// The paths of all `use` declarations, one per leaf.
fn uses(tokens: &[TokenTree]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut rest = tokens;
    while let Some(start) = rest.iter().position(|token| is_ident(token, "use")) {
        rest = &rest[start + 1..];
        let end = rest
            .iter()
            .position(|token| is_punct(token, ';'))
            .unwrap_or(rest.len());
        leaves(&rest[..end], &[], &mut paths);
        rest = &rest[end..];
    }
    paths
}

/// The first names of the paths below the crate's root.
fn names_from_root(tokens: &[TokenTree], depth: usize) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut index = 0;
    while index < tokens.len() {
        if let Some(length) = root_prefix(&tokens[index..], depth) {
            let mut paths = Vec::new();
            let end = tokens.len().min(index + length + 1);
            leaves(&tokens[index + length..end], &[], &mut paths);
            names.extend(paths.into_iter().filter_map(|path| path.into_iter().next()));
            index += length;
        } else {
            if let TokenTree::Group(group) = &tokens[index] {
                let inside: Vec<TokenTree> = TokenStream::into_iter(group.stream()).collect();
                names.extend(names_from_root(&inside, depth));
            }
            index += 1;
        }
    }
    names
}

/// The number of tokens of `crate::`, or of `super::` as often as the file is deep.
fn root_prefix(tokens: &[TokenTree], depth: usize) -> Option<usize> {
    let is_step = |at: usize, name: &str| {
        tokens.get(at).is_some_and(|token| is_ident(token, name))
            && tokens.get(at + 1).is_some_and(|token| is_punct(token, ':'))
            && tokens.get(at + 2).is_some_and(|token| is_punct(token, ':'))
    };
    if is_step(0, "crate") {
        return Some(3);
    }
    let all_super = (0..depth).all(|step| is_step(step * 3, "super"));
    (all_super && depth > 0 && !is_step(depth * 3, "super")).then_some(depth * 3)
}

/// Flattens a tree like `a::{b, c::D}`.
fn leaves(tokens: &[TokenTree], prefix: &[String], paths: &mut Vec<Vec<String>>) {
    for tree in tokens.split(|token| is_punct(token, ',')) {
        let mut path = prefix.to_vec();
        let mut renamed = false;
        for token in tree {
            match token {
                TokenTree::Ident(ident) if ident == "as" => renamed = true,
                TokenTree::Ident(ident) if !renamed => path.push(ident.to_string()),
                TokenTree::Group(group) => {
                    let inside: Vec<TokenTree> = TokenStream::into_iter(group.stream()).collect();
                    leaves(&inside, &path, paths);
                    path.clear();
                }
                _ => {}
            }
        }
        if path.len() > prefix.len() {
            paths.push(path);
        }
    }
}

fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

/// One cycle per group of modules that reach each other, as a path back to its first module.
fn cycles(graph: &Graph) -> Vec<Vec<String>> {
    let mut cycles = Vec::new();
    let mut seen = BTreeSet::new();
    for start in graph.keys() {
        if seen.contains(start) {
            continue;
        }
        if let Some(cycle) = shortest_way_back(graph, start) {
            seen.extend(cycle.iter().cloned());
            cycles.push(cycle);
        }
    }
    cycles
}

fn shortest_way_back(graph: &Graph, start: &str) -> Option<Vec<String>> {
    let mut ways = std::collections::VecDeque::from([vec![start.to_owned()]]);
    let mut reached = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let last = way.last().and_then(|module| graph.get(module));
        for next in last.into_iter().flatten() {
            let mut longer = way.clone();
            longer.push(next.clone());
            if next == start {
                return Some(longer);
            }
            if reached.insert(next.clone()) {
                ways.push_back(longer);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::files::{File, SourceFile};
    use super::{cycles, graph};

    fn cycles_of(files: &[(&str, &str)]) -> Vec<String> {
        let parsed: Vec<SourceFile> = files
            .iter()
            .map(|(path, text)| {
                let file = File {
                    path: format!("crates/a/src/{path}"),
                    text: (*text).to_owned(),
                };
                SourceFile::parse(&file).unwrap()
            })
            .collect();
        let files: Vec<&SourceFile> = parsed.iter().collect();
        cycles(&graph(&files))
            .iter()
            .map(|cycle| cycle.join(" "))
            .collect()
    }

    #[test]
    fn a_cycle_by_use_and_by_path_is_found() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::{c::X, b::{self, Y as Z}};"),
            ("b/deep.rs", "fn f() { crate::a::g() }"),
        ];
        assert_eq!(cycles_of(&files), ["a b a"]);
    }

    #[test]
    fn a_cycle_by_super_and_re_export_is_found() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::{Name, Other};"),
            ("a.rs", "use super::b;"),
            ("b/deep.rs", "use super::super::Other;"),
        ];
        assert_eq!(cycles_of(&files), ["a b a"]);
    }

    #[test]
    fn tests_and_one_way_are_fine() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            (
                "a.rs",
                "use crate::b; #[cfg(test)] mod tests { use super::super::b; }",
            ),
            ("b.rs", "fn f() {} #[cfg(test)] mod tests { use crate::a; }"),
        ];
        assert!(cycles_of(&files).is_empty());
    }
}
