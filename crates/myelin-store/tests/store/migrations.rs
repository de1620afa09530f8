//! Migrations that fill new tables from old ones.

use bytes::Bytes;
use myelin_core::membership::Membership;
use myelin_store::{
    WriteSet,
    memberships::{self, UserMembership},
    room_servers,
    rooms::{self, Room},
};

use crate::support::{Place, on_both};

/// The database as it was before migration 14.
const BEFORE_14: &str = "
    DROP TABLE room_servers;
    DROP TABLE destinations;
    ALTER TABLE rooms DROP COLUMN joined_remote;
    DELETE FROM followers;
";
const MIGRATION_14: &str = include_str!("../../migrations/0014_delivery.sql");

fn execute(place: &Place, sql: &str) {
    match place {
        Place::Sqlite(directory) => {
            let connection = rusqlite::Connection::open(directory.path().join("test.db"));
            let sql = sql
                .replace("{int}", "INTEGER")
                .replace("{bytes}", "BLOB")
                .replace("{table_options}", " WITHOUT ROWID, STRICT");
            connection.unwrap().execute_batch(&sql).unwrap();
        }
        Place::Postgres(database) => database.execute(
            &sql.replace("{int}", "BIGINT")
                .replace("{bytes}", "BYTEA")
                .replace("{table_options}", ""),
        ),
    }
}

#[test]
fn the_servers_of_rooms_are_found_in_their_memberships() {
    on_both(|place| {
        Box::pin(async move {
            let store = place.open().await;
            let names = ["!room", "@a:test", "@b:test", "@c:there", "@d:there:8448"];
            let strings: Vec<_> = names.iter().map(|name| name.as_bytes()).collect();
            let numbers = store.intern(&strings).await.unwrap();
            // One of the names is known already, the others are not.
            let known = store.intern(&[b"there"]).await.unwrap()[0];
            let room = numbers[0];
            let mut writes = WriteSet::new();
            for user in &numbers[1..] {
                let membership = UserMembership {
                    room,
                    user: *user,
                    membership: Membership::Join,
                    event: 1,
                };
                memberships::upsert(&mut writes, &membership, 1);
            }
            let row = Room {
                room,
                version: 1,
                room_version: "12".to_owned(),
                extremities: Vec::new(),
                depth: 1,
                room_order: 1,
                root: Bytes::new(),
                joined: 4,
                invited: 0,
                joined_remote: 0,
            };
            rooms::put(&mut writes, &row, None);
            store.commit(writes).await.unwrap();
            store.close().await;
            drop(store);
            execute(place, BEFORE_14);
            execute(place, MIGRATION_14);

            let store = place.open().await;
            let read = &mut store.read();
            let found = rooms::find(read, room).await.unwrap().unwrap();
            assert_eq!(found.joined_remote, 2);
            let servers = room_servers::list(read, room).await.unwrap();
            let joined = |name: &'static str| {
                let (store, servers) = (&store, &servers);
                async move {
                    let number = store.find_interned(name.as_bytes()).await.unwrap();
                    let found = servers.iter().find(|found| Some(found.server) == number);
                    found.map(|found| found.joined)
                }
            };
            assert_eq!(joined("test").await, Some(2));
            assert_eq!(joined("there").await, Some(1));
            assert_eq!(joined("there:8448").await, Some(1));
            assert_eq!(servers.len(), 3);
            assert!(servers.iter().any(|found| found.server == known));
            // What is interned next does not meet the numbers that the migration gave.
            let next = store.intern(&[b"next"]).await.unwrap()[0];
            assert!(servers.iter().all(|found| found.server != next));
            store.close().await;
        })
    });
}
