//! Group commit on PostgreSQL and nothing else: one multi-row statement a table, all of a batch in
//! one flush.

use tokio::sync::{mpsc::UnboundedReceiver, oneshot};
use tokio_postgres::{Client, NoTls, Statement};

use crate::event::{COUNTED, Event};

type Job = (Event, oneshot::Sender<()>);

const STATEMENTS: [&str; 8] = [
    "INSERT INTO b_rooms (room, version, extremities, depth)
    SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BYTEA[], $2::BIGINT[])
    ON CONFLICT (room) DO UPDATE SET version = excluded.version,
    extremities = excluded.extremities, depth = excluded.depth",
    "INSERT INTO b_events (event, room, sender, json)
    SELECT n, r, 1, j FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BYTEA[]) AS e (n, r, j)",
    "INSERT INTO b_event_ids (id, event) SELECT * FROM UNNEST($1::BYTEA[], $2::BIGINT[])",
    "INSERT INTO b_timeline (room, room_order, event)
    SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[])",
    "INSERT INTO b_edges (event, previous)
    SELECT n, n - 1 FROM UNNEST($1::BIGINT[]) AS e (n) ON CONFLICT (event, previous) DO NOTHING",
    "INSERT INTO b_transactions (device, txn_id, event)
    SELECT * FROM UNNEST($1::BIGINT[], $2::BYTEA[], $3::BIGINT[])",
    "INSERT INTO b_counts (member, room, unread)
    SELECT m, r, 1 FROM UNNEST($1::BIGINT[], $2::BIGINT[]) AS e (m, r)
    ON CONFLICT (member, room) DO UPDATE SET unread = b_counts.unread + excluded.unread",
    "INSERT INTO b_log (pos, kind, subject, reference, data, latest)
    SELECT p, 1, r, n, d, 0
    FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BYTEA[]) AS e (p, r, n, d)",
];

pub(crate) async fn start(url: &str, mut jobs: UnboundedReceiver<Job>) -> oneshot::Receiver<()> {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("a connection");
    let runtime = tokio::runtime::Handle::current();
    runtime.spawn(async move {
        let _ = connection.await;
    });
    let mut statements = Vec::new();
    for sql in STATEMENTS {
        statements.push(client.prepare(sql).await.expect("a statement"));
    }
    let (ended, told) = oneshot::channel();
    runtime.spawn(async move {
        let mut batch = Vec::new();
        let mut position = 0;
        while jobs.recv_many(&mut batch, 512).await > 0 {
            let events: Vec<_> = batch.iter().map(|(event, _)| event).collect();
            write(&client, &statements, &events, position)
                .await
                .expect("a commit");
            position += i64::try_from(events.len()).unwrap_or(0);
            for (_, answer) in batch.drain(..) {
                let _ = answer.send(());
            }
        }
        let _ = ended.send(());
    });
    told
}

async fn write(
    client: &Client,
    statements: &[Statement],
    events: &[&Event],
    position: i64,
) -> Result<(), tokio_postgres::Error> {
    let ints = |value: fn(&Event) -> i64| -> Vec<i64> {
        events.iter().map(|event| value(event)).collect()
    };
    let (rooms, versions) = (ints(|event| event.room), ints(|event| event.version));
    let numbers = ints(|event| event.number);
    let ids: Vec<&[u8]> = events.iter().map(|event| &event.id[..]).collect();
    let data: Vec<&[u8]> = events.iter().map(|event| &event.id[..16]).collect();
    let txn_ids: Vec<&[u8]> = events.iter().map(|event| &event.txn_id[..]).collect();
    let json: Vec<&[u8]> = events.iter().map(|event| &event.json[..]).collect();
    let positions: Vec<i64> = (position + 1..).take(events.len()).collect();
    let (mut members, mut counted) = (Vec::new(), Vec::<i64>::new());
    for member in 0..COUNTED {
        members.extend(events.iter().map(|_| member));
        counted.extend(&rooms);
    }
    let (s, c) = (statements, client);
    let answers = tokio::join!(
        biased;
        c.batch_execute("BEGIN"),
        async { c.execute(&s[0], &[&rooms, &versions, &ids]).await },
        async { c.execute(&s[1], &[&numbers, &rooms, &json]).await },
        async { c.execute(&s[2], &[&ids, &numbers]).await },
        async { c.execute(&s[3], &[&rooms, &versions, &numbers]).await },
        async { c.execute(&s[4], &[&numbers]).await },
        async { c.execute(&s[5], &[&rooms, &txn_ids, &numbers]).await },
        async { c.execute(&s[6], &[&members, &counted]).await },
        async { c.execute(&s[7], &[&positions, &rooms, &numbers, &data]).await },
        c.batch_execute("COMMIT"),
    );
    answers.0?;
    for answer in [
        answers.1, answers.2, answers.3, answers.4, answers.5, answers.6, answers.7, answers.8,
    ] {
        answer?;
    }
    answers.9
}
