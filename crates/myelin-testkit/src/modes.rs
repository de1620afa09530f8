//! One test body, three tests.

use std::sync::Arc;

use crate::{Mode, Network, TestServer};

/// Makes three tests of each function named, `NAME::sqlite`, `NAME::postgres` and
/// `NAME::two_nodes`. The functions stand beside it: `async fn NAME(server: &TestServer)`.
#[macro_export]
macro_rules! three_modes {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            pub(super) fn sqlite() {
                $crate::run($crate::Mode::Sqlite, &super::$name);
            }

            #[test]
            pub(super) fn postgres() {
                $crate::run($crate::Mode::Postgres, &super::$name);
            }

            #[test]
            pub(super) fn two_nodes() {
                $crate::run($crate::Mode::TwoNodes, &super::$name);
            }
        }
    )+};
}

/// Makes three tests of random histories, `random_histories::sqlite` and so on, each with seeds of
/// its own. The function stands beside it: `async fn NAME(server: &TestServer, seeds: Range<u64>)`.
#[macro_export]
macro_rules! random_histories {
    ($name:ident: $sqlite:expr, $postgres:expr, $two_nodes:expr) => {
        mod random_histories {
            use $crate::{Mode, TestServer, run};

            #[test]
            fn sqlite() {
                run(Mode::Sqlite, &async |server: &TestServer| {
                    super::$name(server, $sqlite).await;
                });
            }

            #[test]
            fn postgres() {
                run(Mode::Postgres, &async |server: &TestServer| {
                    super::$name(server, $postgres).await;
                });
            }

            #[test]
            fn two_nodes() {
                run(Mode::TwoNodes, &async |server: &TestServer| {
                    super::$name(server, $two_nodes).await;
                });
            }
        }
    };
}

/// Starts a server, runs the test, stops the server, and fails if something was logged as an
/// error that the test did not expect.
pub fn run(mode: Mode, test: &impl AsyncFn(&TestServer)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads can be started");
    runtime.block_on(async {
        let Some(server) = TestServer::start(mode).await else {
            return;
        };
        test(&server).await;
        server.stop().await;
    });
}

/// As [`three_modes!`](crate::three_modes), for functions of two servers that speak with each
/// other: `async fn NAME(here: &TestServer, there: &TestServer)`. The first is in the mode of the
/// test; the second, `there.example`, is one node on a file.
#[macro_export]
macro_rules! three_modes_federated {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            pub(super) fn sqlite() {
                $crate::run_federated($crate::Mode::Sqlite, &super::$name);
            }

            #[test]
            pub(super) fn postgres() {
                $crate::run_federated($crate::Mode::Postgres, &super::$name);
            }

            #[test]
            pub(super) fn two_nodes() {
                $crate::run_federated($crate::Mode::TwoNodes, &super::$name);
            }
        }
    )+};
}

/// As [`run`], with two servers in one network.
pub fn run_federated(mode: Mode, test: &impl AsyncFn(&TestServer, &TestServer)) {
    run(mode, &async |here: &TestServer| {
        let network: &Arc<Network> = here.network();
        let there = TestServer::start_in(network, "there.example", Mode::Sqlite).await;
        let there = there.expect("a file needs no PostgreSQL");
        test(here, &there).await;
        there.stop().await;
    });
}
