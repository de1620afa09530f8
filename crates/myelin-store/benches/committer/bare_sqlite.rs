//! Group commit on SQLite and nothing else: prepared statements row by row, one flush a batch,
//! checkpoints on another connection.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use rusqlite::{Connection, params};
use tokio::sync::{mpsc::UnboundedReceiver, oneshot};

use crate::event::{COUNTED, Event};

type Job = (Event, oneshot::Sender<()>);

pub(crate) fn start(path: PathBuf, mut jobs: UnboundedReceiver<Job>) -> oneshot::Receiver<()> {
    let (ended, told) = oneshot::channel();
    thread::spawn(move || {
        let mut connection = connect(&path);
        let pages = Arc::new(AtomicU64::new(0));
        let seen = pages.clone();
        let hook = move |_: &mut rusqlite::hooks::Wal, count| {
            seen.store(u64::try_from(count).unwrap_or(0), Relaxed);
            Ok(())
        };
        connection.wal_hook(Some(hook)).expect("a hook");
        let (checkpoint, due) = std::sync::mpsc::sync_channel(1);
        let checkpointer = connect(&path);
        let checkpoints = thread::spawn(move || {
            while due.recv().is_ok() {
                let sql = "PRAGMA wal_checkpoint(PASSIVE)";
                checkpointer
                    .query_row(sql, [], |_| Ok(()))
                    .expect("a checkpoint");
            }
        });
        let mut batch = Vec::new();
        let mut position = 0;
        while jobs.blocking_recv_many(&mut batch, 512) > 0 {
            connection
                .execute_batch("BEGIN IMMEDIATE")
                .expect("a transaction");
            for (event, _) in &batch {
                position += 1;
                write(&connection, event, position).expect("a row");
            }
            connection.execute_batch("COMMIT").expect("a commit");
            for (_, answer) in batch.drain(..) {
                let _ = answer.send(());
            }
            if pages.load(Relaxed) >= 4_096 {
                let _ = checkpoint.try_send(());
            }
        }
        drop(checkpoint);
        checkpoints.join().expect("checkpoints");
        let _ = ended.send(());
    });
    told
}

fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a connection");
    connection
        .busy_timeout(Duration::from_secs(5))
        .expect("a timeout");
    let settings = "PRAGMA journal_mode = wal; PRAGMA synchronous = full;
        PRAGMA wal_autocheckpoint = 0";
    connection.execute_batch(settings).expect("settings");
    connection.set_prepared_statement_cache_capacity(64);
    connection
}

fn write(connection: &Connection, event: &Event, position: i64) -> rusqlite::Result<()> {
    let Event {
        room,
        version,
        number,
        ..
    } = event;
    let (id, txn_id, json) = (&event.id[..], &event.txn_id[..], &event.json[..]);
    let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        connection.prepare_cached(sql)?.execute(params)
    };
    run(
        "INSERT INTO b_rooms (room, version, extremities, depth) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (room) DO UPDATE SET version = excluded.version,
        extremities = excluded.extremities, depth = excluded.depth",
        params![room, version, id, version],
    )?;
    run(
        "INSERT INTO b_events (event, room, sender, json) VALUES (?1, ?2, ?3, ?4)",
        params![number, room, 1, json],
    )?;
    run(
        "INSERT INTO b_event_ids (id, event) VALUES (?1, ?2)",
        params![id, number],
    )?;
    run(
        "INSERT INTO b_timeline (room, room_order, event) VALUES (?1, ?2, ?3)",
        params![room, version, number],
    )?;
    run(
        "INSERT INTO b_edges (event, previous) VALUES (?1, ?2)
        ON CONFLICT (event, previous) DO NOTHING",
        params![number, number - 1],
    )?;
    run(
        "INSERT INTO b_transactions (device, txn_id, event) VALUES (?1, ?2, ?3)",
        params![room, txn_id, number],
    )?;
    for member in 0..COUNTED {
        run(
            "INSERT INTO b_counts (member, room, unread) VALUES (?1, ?2, ?3)
            ON CONFLICT (member, room) DO UPDATE SET unread = b_counts.unread + excluded.unread",
            params![member, room, 1],
        )?;
    }
    run(
        "INSERT INTO b_log (pos, kind, subject, reference, data, latest)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![position, 1, room, number, &id[..16], 0],
    )?;
    Ok(())
}
