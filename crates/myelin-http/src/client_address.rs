//! Where a request comes from, behind the proxies that the operator trusts.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use http::{HeaderMap, request::Parts};

/// The header in which proxies say whom they speak for.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of the other end of the connection, in each request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub SocketAddr);

/// The address of the client, in each request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// A network, or a single address: `10.0.0.0/8`, `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Text that is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an address nor a network; 127.0.0.1 or 10.0.0.0/8 would be right")]
pub struct NetworkError(String);

impl Network {
    /// Whether an address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let prefix = u32::from(self.prefix);
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= prefix
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= prefix
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let parse = || {
            let (address, prefix) = match text.split_once('/') {
                Some((address, prefix)) => (address, Some(prefix.parse().ok()?)),
                None => (text, None),
            };
            let address: IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.unwrap_or(most);
            (prefix <= most).then_some(Self { address, prefix })
        };
        parse().ok_or_else(|| NetworkError(text.to_owned()))
    }
}

/// The client's address: that of the peer, or, where the peer is trusted, the last one in
/// `X-Forwarded-For` that is not. What stands before it may be invented by the client.
pub(crate) fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &[Network],
) -> ClientAddress {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    let lines: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let mut named = lines.iter().rev().flat_map(|line| line.rsplit(','));
    while is_trusted(client) {
        let Some(address) = named.next().and_then(|text| parse(text.trim())) else {
            break;
        };
        client = address.to_canonical();
    }
    ClientAddress(client)
}

/// The address that a request comes from; None where it did not come through a socket.
pub(crate) fn address_of(parts: &Parts) -> Option<IpAddr> {
    let client = parts.extensions.get::<ClientAddress>();
    let peer = parts.extensions.get::<PeerAddress>();
    client
        .map(|client| client.0)
        .or_else(|| peer.map(|peer| peer.0.ip()))
}

/// An address, perhaps with a port.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse::<SocketAddr>().ok();
    bare.parse()
        .ok()
        .or_else(|| with_port().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), &headers, &trusted)
            .0
            .to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let local: &[&str] = &["127.0.0.0/8", "::1"];
        for (peer, forwarded, trusted, wanted) in [
            ("192.0.2.1", &["198.51.100.7"][..], local, "192.0.2.1"),
            ("127.0.0.1", &["198.51.100.7"], local, "198.51.100.7"),
            ("::1", &["198.51.100.7"], local, "198.51.100.7"),
            ("::ffff:127.0.0.1", &["198.51.100.7"], local, "198.51.100.7"),
            ("127.0.0.1", &[], local, "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7"], &[], "127.0.0.1"),
            (
                "127.0.0.1",
                &["203.0.113.9, 198.51.100.7"],
                local,
                "198.51.100.7",
            ),
            (
                "127.0.0.1",
                &["203.0.113.9", "198.51.100.7, 10.1.2.3"],
                &["127.0.0.1", "10.0.0.0/8"],
                "198.51.100.7",
            ),
            ("127.0.0.1", &["nonsense"], local, "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7:4711"], local, "198.51.100.7"),
            ("127.0.0.1", &["[2001:db8::1]:4711"], local, "2001:db8::1"),
            ("127.0.0.1", &["2001:db8::1"], local, "2001:db8::1"),
        ] {
            assert_eq!(
                found(peer, forwarded, trusted),
                wanted,
                "{peer} {forwarded:?} {trusted:?}"
            );
        }
    }

    #[test]
    fn networks_are_read_from_text() {
        let contains = |network: &str, address: &str| {
            let network: Network = network.parse().unwrap();
            network.contains(address.parse().unwrap())
        };
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("0.0.0.0/0", "11.0.0.1"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::1"));
        for text in [
            "",
            "localhost",
            "10.0.0.0/33",
            "::1/129",
            "10.0.0.0/x",
            "10.0.0/8",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
