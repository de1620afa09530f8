//! Sixteen clients send, the server is killed at a random moment and started again, over and over;
//! nothing that was acknowledged may be lost, doubled or moved.
//!
//! Start reading at [`experiment`]; joins of rooms of other servers are cut off in [`joining`]. `MYELIN_KILL_ROUNDS` sets the number of rounds, 20 if not set;
//! `MYELIN_KILL_SEED` repeats the moments of an earlier run, which has printed its seed.
#![expect(
    clippy::print_stdout,
    reason = "a failed run shows the seed and the rounds that led to the failure"
)]
#![expect(clippy::unwrap_used, reason = "all of this is one test")]

#[path = "../interop/authority.rs"]
mod authority;
mod experiment;
mod joining;
mod load;
mod observer;
mod reading;
mod verdict;

use std::hash::{BuildHasher, RandomState};

use myelin_blackbox::ServerOptions;
use myelin_testdb::Cluster;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use experiment::{Blow, Experiment};

const ROUNDS: u32 = 20;

#[test]
fn nothing_acknowledged_is_lost_on_sqlite() {
    let data = tempfile::tempdir().unwrap();
    let mut chance = chance();
    let options = ServerOptions::new(env!("CARGO_BIN_EXE_myelin"), data.path());
    let mut experiment = Experiment::start(options);
    for round in 0..rounds() {
        experiment.round(round, Blow::Server, &mut chance);
    }
    experiment.finish();
}

#[test]
fn nothing_acknowledged_is_lost_on_postgres() {
    let Some(cluster) = Cluster::private() else {
        println!("skipped: PostgreSQL is not installed");
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let mut chance = chance();
    let database = cluster.database();
    let mut options = ServerOptions::new(env!("CARGO_BIN_EXE_myelin"), data.path());
    options.database_url = Some(database.url());
    let mut experiment = Experiment::start(options);
    for round in 0..rounds() {
        let server_first = chance.random();
        let blow = match round % 4 {
            0 => Blow::Database(&cluster),
            1 | 3 => Blow::Server,
            _ if server_first => Blow::ServerThenDatabase(&cluster),
            _ => Blow::DatabaseThenServer(&cluster),
        };
        experiment.round(round, blow, &mut chance);
    }
    experiment.finish();
}

#[test]
fn a_join_is_whole_or_can_be_repeated_on_sqlite() {
    joining::kill_joining_servers(rounds() / 4, None, &mut chance());
}

#[test]
fn a_join_is_whole_or_can_be_repeated_on_postgres() {
    let Some(cluster) = Cluster::private() else {
        println!("skipped: PostgreSQL is not installed");
        return;
    };
    let database = cluster.database();
    joining::kill_joining_servers(rounds() / 4, Some(database.url()), &mut chance());
}

fn rounds() -> u32 {
    number("MYELIN_KILL_ROUNDS").map_or(ROUNDS, |rounds| u32::try_from(rounds).unwrap())
}

/// A new seed each time, for each run of the tests shall try other moments.
fn chance() -> StdRng {
    let seed = number("MYELIN_KILL_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("MYELIN_KILL_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var_os(variable)?;
    let number = value.to_str().and_then(|value| value.parse().ok());
    Some(number.unwrap_or_else(|| panic!("{variable} must be a number")))
}
