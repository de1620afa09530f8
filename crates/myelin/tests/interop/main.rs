//! Myelin and Synapse in one federation: the built binary and the package `matrix-synapse`, on addresses of
//! this machine, with certificates of an authority that exists for one test.
//!
//! `cargo xtask interop` installs Synapse and runs all of this. Each scenario is a function of two
//! servers, [`both_ways`] makes two tests of it: the room is made on the one or on the other. What
//! a scenario looks at is what clients of both servers see.
#![expect(
    clippy::print_stdout,
    reason = "a test that is skipped says so, and a failed one shows what the servers said"
)]
#![expect(clippy::unwrap_used, reason = "all of this is one test")]
#![expect(
    clippy::needless_pass_by_value,
    reason = "a body is written where it is sent"
)]

/// Tests of scenarios, which are functions of `(here, there)`: the server where the room is made,
/// and the other one.
macro_rules! both_ways {
    ($($scenario:ident),* $(,)?) => {$(
        mod $scenario {
            #[test]
            fn room_on_myelin() {
                if let Some(servers) = crate::servers::Servers::start() {
                    super::$scenario(&servers.myelin, &servers.synapse);
                    servers.check_logs();
                }
            }

            #[test]
            fn room_on_synapse() {
                if let Some(servers) = crate::servers::Servers::start() {
                    super::$scenario(&servers.synapse, &servers.myelin);
                    servers.check_logs();
                }
            }
        }
    )*};
}

/// The same of three servers, of which the third is as the one where the room is made.
macro_rules! two_and_one {
    ($($scenario:ident),* $(,)?) => {$(
        mod $scenario {
            #[test]
            fn two_myelins() {
                if let Some(servers) = crate::servers::Servers::start_with(crate::servers::Third::Myelin) {
                    let third = servers.third.as_ref().unwrap();
                    super::$scenario(&servers.myelin, &servers.synapse, third);
                    servers.check_logs();
                }
            }

            #[test]
            fn two_synapses() {
                if let Some(servers) = crate::servers::Servers::start_with(crate::servers::Third::Synapse) {
                    let third = servers.third.as_ref().unwrap();
                    super::$scenario(&servers.synapse, &servers.myelin, third);
                    servers.check_logs();
                }
            }
        }
    )*};
}

/// The same for what two of Synapse would not do.
macro_rules! two_myelins {
    ($($scenario:ident),* $(,)?) => {$(
        mod $scenario {
            #[test]
            fn two_myelins() {
                if let Some(servers) = crate::servers::Servers::start_with(crate::servers::Third::Myelin) {
                    let third = servers.third.as_ref().unwrap();
                    super::$scenario(&servers.myelin, &servers.synapse, third);
                    servers.check_logs();
                }
            }
        }
    )*};
}

mod authority;
mod devices;
mod encryption;
mod extras;
mod forks;
mod history;
mod joining;
mod moderation;
mod outages;
mod person;
mod servers;
mod synapse;
mod three;
mod versions;
