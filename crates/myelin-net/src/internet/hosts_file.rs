//! The hosts file, read again when it has changed.

use std::{collections::HashMap, fs, net::IpAddr, path::PathBuf, time::SystemTime};

use parking_lot::Mutex;

/// Names of a file in the form of `/etc/hosts`.
pub(super) struct HostsFile {
    path: PathBuf,
    read: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    /// The file's time stamp and length when it was read; None: there was no file.
    state: Option<(SystemTime, u64)>,
    names: HashMap<String, Vec<IpAddr>>,
}

impl HostsFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: Mutex::default(),
        }
    }

    /// The addresses that the file has for a name, whatever its case.
    pub(super) fn find(&self, host: &str) -> Vec<IpAddr> {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let state = fs::metadata(&self.path)
            .ok()
            .and_then(|data| Some((data.modified().ok()?, data.len())));
        let mut read = self.read.lock();
        if read.state != state {
            let text = fs::read_to_string(&self.path).unwrap_or_default();
            *read = Read {
                state,
                names: parse(&text),
            };
        }
        read.names.get(&name).cloned().unwrap_or_default()
    }
}

fn parse(text: &str) -> HashMap<String, Vec<IpAddr>> {
    let mut names: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else {
            continue;
        };
        for name in words {
            let addresses = names.entry(name.to_ascii_lowercase()).or_default();
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(addresses: &[IpAddr]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_are_found_with_all_their_addresses() {
        let names = parse(
            "# comment\n127.0.0.1 localhost\n::1\tlocalhost ip6-localhost # more\n\
             10.0.0.7  HS1 hs1.example\nnonsense here\n10.0.0.7 hs1\n\n10.0.0.8 hs1",
        );
        assert_eq!(texts(&names["localhost"]), ["127.0.0.1", "::1"]);
        assert_eq!(texts(&names["hs1"]), ["10.0.0.7", "10.0.0.8"]);
        assert_eq!(texts(&names["hs1.example"]), ["10.0.0.7"]);
        assert!(!names.contains_key("more") && !names.contains_key("here"));
    }

    #[test]
    fn a_change_of_the_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        let hosts = HostsFile::new(path.clone());
        assert!(hosts.find("hs1").is_empty());
        fs::write(&path, "10.0.0.7 hs1").unwrap();
        assert_eq!(texts(&hosts.find("HS1.")), ["10.0.0.7"]);
        fs::write(&path, "10.0.0.17 hs1 hs2").unwrap();
        assert_eq!(texts(&hosts.find("hs1")), ["10.0.0.17"]);
        fs::remove_file(&path).unwrap();
        assert!(hosts.find("hs1").is_empty());
    }
}
