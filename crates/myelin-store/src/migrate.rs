//! The numbered migrations, and what both engines' runners share.

use std::borrow::Cow;

use crate::OpenError;

/// All migrations in order; the last number is this program's version of the database.
const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("../migrations/0001_store.sql")),
    (2, include_str!("../migrations/0002_accounts.sql")),
    (3, include_str!("../migrations/0003_rooms.sql")),
    (4, include_str!("../migrations/0004_sessions.sql")),
    (5, include_str!("../migrations/0005_user_data.sql")),
    (6, include_str!("../migrations/0006_acts.sql")),
    (7, include_str!("../migrations/0007_reads.sql")),
    (8, include_str!("../migrations/0008_ephemeral.sql")),
    (9, include_str!("../migrations/0009_heroes.sql")),
    (10, include_str!("../migrations/0010_keys.sql")),
    (11, include_str!("../migrations/0011_auth_graph.sql")),
    (12, include_str!("../migrations/0012_receiving.sql")),
    (13, include_str!("../migrations/0013_membership.sql")),
    (14, include_str!("../migrations/0014_delivery.sql")),
    (15, include_str!("../migrations/0015_early_receipts.sql")),
    (16, include_str!("../migrations/0016_inbox.sql")),
    (17, include_str!("../migrations/0017_gaps.sql")),
    (18, include_str!("../migrations/0018_joining_rooms.sql")),
    (20, include_str!("../migrations/0020_to_device.sql")),
    (21, include_str!("../migrations/0021_device_keys.sql")),
    (22, include_str!("../migrations/0022_key_backups.sql")),
    (
        23,
        include_str!("../migrations/0023_dehydrated_devices.sql"),
    ),
    (24, include_str!("../migrations/0024_push_rules.sql")),
    (25, include_str!("../migrations/0025_notifications.sql")),
    (27, include_str!("../migrations/0027_relations.sql")),
    (
        28,
        include_str!("../migrations/0028_thread_subscriptions.sql"),
    ),
    (
        29,
        include_str!("../migrations/0029_relation_redactions.sql"),
    ),
    (
        31,
        include_str!("../migrations/0031_remote_device_lists.sql"),
    ),
    (32, include_str!("../migrations/0032_delayed_events.sql")),
    (33, include_str!("../migrations/0033_sticky_events.sql")),
    (35, include_str!("../migrations/0035_sticky_bounds.sql")),
    (
        34,
        include_str!("../migrations/0034_notifications_purge.sql"),
    ),
    (
        37,
        include_str!("../migrations/0037_remote_device_list_updates.sql"),
    ),
];

/// Creates the table that says which migrations were run.
pub(crate) const CREATE_META: &str = "CREATE TABLE IF NOT EXISTS meta (
    name {bytes} NOT NULL PRIMARY KEY,
    value {bytes} NOT NULL
){table_options}";

/// The row of `meta` that holds the number of the last migration.
pub(crate) const VERSION: &[u8] = b"version";
/// The row of `meta` that holds the server's name.
pub(crate) const SERVER_NAME: &[u8] = b"server_name";

/// How one engine spells what differs between the engines' schemas.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spelling {
    pub(crate) bytes: &'static str,
    pub(crate) int: &'static str,
    pub(crate) table_options: &'static str,
    pub(crate) id: &'static str,
}

impl Spelling {
    pub(crate) fn write(&self, sql: &str) -> String {
        sql.replace("{bytes}", self.bytes)
            .replace("{int}", self.int)
            .replace("{table_options}", self.table_options)
            .replace("{id}", self.id)
    }
}

/// The migrations that a database needs, from what its `meta` holds.
pub(crate) fn missing(
    version: Option<&[u8]>,
    server_name: Option<&[u8]>,
    wanted_name: &str,
) -> Result<&'static [(i64, &'static str)], OpenError> {
    let found = version
        .and_then(|version| std::str::from_utf8(version).ok()?.parse::<i64>().ok())
        .unwrap_or(0);
    let known = MIGRATIONS.last().map_or(0, |(number, _)| *number);
    if found > known {
        return Err(OpenError::NewerVersion { found, known });
    }
    if let Some(name) = server_name.filter(|name| *name != wanted_name.as_bytes()) {
        return Err(OpenError::OtherServer {
            found: String::from_utf8_lossy(name).into_owned(),
            wanted: wanted_name.to_owned(),
        });
    }
    let done = MIGRATIONS.iter().filter(|(number, _)| *number <= found);
    Ok(&MIGRATIONS[done.count()..])
}

/// The value of the version row after migration `number`. All are of one length, so that a test can
/// put the number of another migration in its place.
pub(crate) fn version_value(number: i64) -> Cow<'static, [u8]> {
    Cow::Owned(format!("{number:04}").into_bytes())
}
