//! What tells a node that another has written to the log. All of it is a hint: what counts is read
//! from the log, and without any hint it is read once a second.

use std::{
    future::poll_fn,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_postgres::{AsyncMessage, Client, Error};

use super::Live;
use crate::postgres::{Connector, RawConnection};

/// How often a node looks by itself.
const POLL: Duration = Duration::from_secs(1);
/// The pause after an announcement: what is committed meanwhile shares the next one.
const COALESCE: Duration = Duration::from_millis(5);
/// The wait before a lost connection is made again.
const RECONNECT: Duration = Duration::from_secs(1);

/// Starts what follows a log that others write. The tasks end with their set.
pub(crate) fn start(tasks: &mut JoinSet<()>, live: &Arc<Live>, connector: &Connector) {
    tasks.spawn(follow(live.clone()));
    tasks.spawn(listen(live.clone(), connector.clone()));
    tasks.spawn(announce(live.clone(), connector.clone()));
}

impl Live {
    /// Waits for a hint that others have written.
    async fn behind(&self) {
        match &self.shared {
            Some(shared) => shared.behind.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Remembers whose announcements are this node's own.
    fn note_backend(&self, process: i32) {
        if let Some(shared) = &self.shared {
            shared.backend.store(process, Relaxed);
        }
    }

    fn is_backend(&self, process: i32) -> bool {
        let shared = self.shared.as_ref();
        shared.is_some_and(|shared| shared.backend.load(Relaxed) == process)
    }

    /// Waits for commits of this node that others were not told of, and takes them all: the first
    /// and the last position, between which there may be positions of others.
    pub(super) async fn next_announcement(&self) -> (i64, i64) {
        let Some(shared) = &self.shared else {
            return std::future::pending().await;
        };
        loop {
            if let Some(range) = shared.unannounced.lock().take() {
                return range;
            }
            shared.announce.notified().await;
        }
    }
}

/// Applies the log whenever there may be more of it.
async fn follow(live: Arc<Live>) {
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = live.behind() => {}
        }
        let result = live.catch_up().await;
        if let Err(error) = &result
            && !is_failing
        {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "cannot read the log"
            );
        }
        is_failing = result.is_err();
    }
}

/// Hears what other nodes announce, on a connection of its own.
async fn listen(live: Arc<Live>, connector: Connector) {
    loop {
        if let Ok((client, mut connection)) = connector.connect().await {
            let listens = async {
                client
                    .batch_execute("LISTEN myelin_log; LISTEN myelin_live")
                    .await?;
                // What was announced before this connection listened is not told again.
                live.note_behind();
                live.begin_to_hear();
                std::future::pending().await
            };
            report(tokio::select! {
                result = listens => result,
                result = hear(&live, &mut connection) => result,
            });
        }
        sleep(RECONNECT).await;
    }
}

/// Tells other nodes what this one has committed. What is committed while one message is on its
/// way goes with the next; and the message has a connection of its own, because a NOTIFY inside a
/// commit would make all nodes' commits wait for each other's flushes.
async fn announce(live: Arc<Live>, connector: Connector) {
    loop {
        if let Ok((client, mut connection)) = connector.connect().await {
            report(tokio::select! {
                result = tell_all(&live, &client) => result,
                result = hear(&live, &mut connection) => result,
            });
        }
        sleep(RECONNECT).await;
    }
}

async fn tell_all(live: &Live, client: &Client) -> Result<(), Error> {
    // Nothing that these statements write must survive a crash of the database.
    client
        .batch_execute("SET synchronous_commit TO off")
        .await?;
    let row = client.query_one("SELECT pg_backend_pid()", &[]).await?;
    live.note_backend(row.get(0));
    tokio::try_join!(tell(live, client), tell_notices(live, client))?;
    Ok(())
}

/// Gives notices their place in the one order of all nodes: the row is locked until the commit,
/// and notifications are delivered in the order of commits.
async fn tell_notices(live: &Live, client: &Client) -> Result<(), Error> {
    let sql = "WITH live AS (UPDATE sequences SET next = next + 1 WHERE name = CAST('live' AS BYTEA) RETURNING next)
               SELECT pg_notify('myelin_live', live.next || ' ' || $1) FROM live";
    let statement = client.prepare(sql).await?;
    loop {
        let message = live.next_notices().await;
        client.query(&statement, &[&message]).await?;
        sleep(COALESCE).await;
    }
}

async fn tell(live: &Live, client: &Client) -> Result<(), Error> {
    let statement = client.prepare("SELECT pg_notify('myelin_log', $1)").await?;
    loop {
        let (first, last) = live.next_announcement().await;
        let range = format!("{first}-{last}");
        client.query(&statement, &[&range]).await?;
        sleep(COALESCE).await;
    }
}

/// Drives a connection until it ends.
async fn hear(live: &Live, connection: &mut RawConnection) -> Result<(), Error> {
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        let AsyncMessage::Notification(notification) = message? else {
            continue;
        };
        if notification.channel() == "myelin_live" {
            if let Some((sequence, notices)) = notification.payload().split_once(' ')
                && let Ok(sequence) = sequence.parse()
            {
                let own = live.is_backend(notification.process_id());
                live.hear_notices(sequence, notices, own);
            }
            continue;
        }
        let last = notification.payload().split('-').next_back();
        let last = last.and_then(|last| last.parse::<i64>().ok());
        // Our own announcements come back to us and tell us nothing.
        if last.is_none_or(|last| last > live.position()) {
            live.note_behind();
        }
    }
    Ok(())
}

fn report(result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "a connection for wake-ups has ended; polling goes on"
        );
    }
}
