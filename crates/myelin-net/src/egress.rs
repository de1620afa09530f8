//! Which addresses may be connected to at all.
//!
//! Other servers, and users through them, choose the names that this server connects to. A name
//! that leads into the operator's own network must not make it speak with what listens there, so
//! each address is judged after the name is resolved and right before it is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Judges addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EgressGuard {
    allow_private: bool,
}

/// An address that is not connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The operator may allow it.
    #[error("{0} is not a public address, and private ones are not allowed")]
    Private(IpAddr),
    /// There is never a server.
    #[error("{0} is not the address of a server")]
    Never(IpAddr),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Public,
    Private,
    /// Unspecified, multicast or link-local. The last because that is where clouds tell machines
    /// their secrets, and no server lives there.
    Never,
}

impl EgressGuard {
    /// A guard that lets through what is public, and, if asked to, private networks and this
    /// machine as well.
    pub fn new(allow_private: bool) -> Self {
        Self { allow_private }
    }

    /// Whether an address may be connected to.
    pub fn check(self, address: IpAddr) -> Result<(), Denied> {
        match kind(address) {
            Kind::Public => Ok(()),
            Kind::Private if self.allow_private => Ok(()),
            Kind::Private => Err(Denied::Private(address)),
            Kind::Never => Err(Denied::Never(address)),
        }
    }
}

fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    let [a, b, c, _] = address.octets();
    if a == 0 || address.is_link_local() || address.is_multicast() || address.is_broadcast() {
        return Kind::Never;
    }
    let is_private = address.is_private()
        || address.is_loopback()
        // Shared by the customers of a carrier; benchmarks; documentation; protocols; 6to4 relays.
        || (a == 100 && b & 0xc0 == 64)
        || (a == 198 && b & 0xfe == 18)
        || address.is_documentation()
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || a >= 240;
    if is_private {
        Kind::Private
    } else {
        Kind::Public
    }
}

/// Public is what lies in the range of global unicast addresses and is not reserved there. Where an
/// IPv4 address is embedded, that one is judged: the packet may end there.
fn kind_v6(address: Ipv6Addr) -> Kind {
    if let Some(embedded) = embedded_v4(address) {
        return kind_v4(embedded);
    }
    if address.is_unspecified() || address.is_multicast() || address.is_unicast_link_local() {
        return Kind::Never;
    }
    let [a, b, ..] = address.segments();
    let is_global = a & 0xe000 == 0x2000;
    // 2001::/23 is for protocols, Teredo among them; the others are for documentation.
    let is_reserved = match a {
        0x2001 => b < 0x200 || b == 0xdb8,
        0x3fff => b < 0x1000,
        _ => false,
    };
    if is_global && !is_reserved {
        Kind::Public
    } else {
        Kind::Private
    }
}

/// The IPv4 address in a mapped, compatible, translated, NAT64 or 6to4 address.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => return None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, allow_private: bool) -> Result<(), Denied> {
        EgressGuard::new(allow_private).check(address.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_let_through() {
        for address in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ] {
            assert_eq!(check(address, false), Ok(()), "{address}");
            assert_eq!(check(address, true), Ok(()), "{address}");
        }
    }

    #[test]
    fn private_addresses_need_the_operators_leave() {
        for address in [
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "240.0.0.1",
            "::1",
            "100::1",
            "fc00::1",
            "fd12::1",
            "fec0::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
            "64:ff9b:1::a00:1",
        ] {
            let denied = Denied::Private(address.parse().unwrap());
            assert_eq!(check(address, false), Err(denied), "{address}");
            assert_eq!(check(address, true), Ok(()), "{address}");
        }
    }

    /// CVE-2021-21392 of Synapse: the deny list was passed by IPv6 addresses that lead to IPv4 ones.
    #[test]
    fn transitional_ipv6_is_judged_by_what_it_leads_to() {
        for address in [
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "::10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::192.168.0.1",
            "2002:7f00:1::1",
            "2002:c0a8:1::",
            "2001:0:ce49:7601:e866:efff:62c3:fffe",
        ] {
            let denied = Denied::Private(address.parse().unwrap());
            assert_eq!(check(address, false), Err(denied), "{address}");
        }
    }

    #[test]
    fn no_setting_opens_what_is_no_server() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:0.0.0.0",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
        ] {
            let denied = Denied::Never(address.parse().unwrap());
            assert_eq!(check(address, true), Err(denied), "{address}");
        }
    }
}
