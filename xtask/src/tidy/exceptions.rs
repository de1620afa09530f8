//! Lists of what may break a rule, for now. An entry that is no longer needed is an error, so
//! that the lists only shrink.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;

pub(super) struct Exceptions {
    list: &'static str,
    /// Entry, and whether something needed it.
    entries: BTreeMap<String, bool>,
}

impl Exceptions {
    pub(super) fn read(root: &Path, list: &'static str) -> anyhow::Result<Self> {
        let path = root.join("xtask/tidy").join(list);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Self::parse(list, &text))
    }

    fn parse(list: &'static str, text: &str) -> Self {
        let entries = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| (line.to_owned(), false))
            .collect();
        Self { list, entries }
    }

    pub(super) fn covers(&mut self, entry: &str) -> bool {
        match self.entries.get_mut(entry) {
            Some(used) => {
                *used = true;
                true
            }
            None => false,
        }
    }

    /// One finding for each entry that nothing needed.
    pub(super) fn stale(&self) -> Vec<String> {
        self.entries
            .iter()
            .filter(|(_, used)| !**used)
            .map(|(entry, _)| {
                format!(
                    "xtask/tidy/{}: no longer needed, delete it: {entry}",
                    self.list
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Exceptions;

    #[test]
    fn an_unused_entry_is_a_finding() {
        let mut exceptions = Exceptions::parse("list.txt", "# why\na.rs\nb.rs 500\n");
        assert!(exceptions.covers("b.rs 500"));
        assert!(!exceptions.covers("b.rs 501"));
        assert_eq!(
            exceptions.stale(),
            ["xtask/tidy/list.txt: no longer needed, delete it: a.rs"]
        );
    }
}
