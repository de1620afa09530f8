//! Clients that send one message after the other, and what that took.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use myelin_blackbox::User;

use super::process;

/// Users, the rooms that each is in, and a number that keeps transaction ids apart.
pub(super) struct Crowd {
    users: Vec<User>,
    rooms: Vec<String>,
    runs: usize,
}

/// What one run took.
pub(super) struct Taken {
    pub(super) time: Duration,
    /// One for each message.
    pub(super) latencies_ms: Vec<f64>,
    /// Of this process, which sends.
    pub(super) client_cpu: Duration,
}

impl Crowd {
    /// Makes so many users, the first of whom makes the rooms that all join.
    pub(super) fn gather(address: SocketAddr, users: usize, rooms: usize) -> anyhow::Result<Self> {
        let register = |index| User::register(address, &format!("user{index}"));
        let mut users = (0..users).map(register).collect::<Result<Vec<_>, _>>()?;
        let (first, others) = users.split_first_mut().context("a crowd of nobody")?;
        let rooms = (0..rooms).map(|_| first.create_room());
        let rooms = rooms.collect::<Result<Vec<_>, _>>()?;
        for user in others {
            for room in &rooms {
                user.join(room)?;
            }
        }
        Ok(Self {
            users,
            rooms,
            runs: 0,
        })
    }

    /// So many senders send so many messages in all, spread over so many rooms; each sends the
    /// next one when the one before is acknowledged.
    pub(super) fn send(
        &mut self,
        senders: usize,
        rooms: usize,
        messages: usize,
    ) -> anyhow::Result<Taken> {
        self.runs += 1;
        let run = self.runs;
        let cpu_before = process::cpu(std::process::id())?;
        let started = Instant::now();
        let rooms = &self.rooms[..rooms];
        let latencies = thread::scope(|scope| {
            let sender = |(index, user)| {
                let room: &String = &rooms[index % rooms.len()];
                let name = format!("{run}-{index}");
                scope.spawn(move || send_all(user, room, &name, messages / senders))
            };
            let users = self.users.iter_mut().take(senders).enumerate();
            let threads: Vec<_> = users.map(sender).collect();
            let ended = threads.into_iter().map(thread::ScopedJoinHandle::join);
            ended
                .map(|ended| ended.expect("the senders do not panic"))
                .collect::<anyhow::Result<Vec<_>>>()
        })?;
        Ok(Taken {
            time: started.elapsed(),
            latencies_ms: latencies.concat(),
            client_cpu: process::cpu(std::process::id())?.saturating_sub(cpu_before),
        })
    }
}

fn send_all(user: &mut User, room: &str, name: &str, messages: usize) -> anyhow::Result<Vec<f64>> {
    let mut latencies = Vec::with_capacity(messages);
    for number in 0..messages {
        let txn_id = format!("{name}-{number}");
        let started = Instant::now();
        let answer = user.send(
            room,
            &txn_id,
            "A message of the usual length, more or less.",
        )?;
        ensure!(answer.status == 200, "{answer:?}");
        latencies.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(latencies)
}
