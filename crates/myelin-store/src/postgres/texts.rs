//! The statements of the committer: each works on many rows given as typed arrays.

use crate::{
    Column, Kind, Table,
    statements::{self, RowWrite, all_columns},
};

/// What a statement does with the rows of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Verb {
    /// Locks rows by key; answers with their place in the arrays and their version.
    Lock,
    /// Locks rows by key and fails unless all of them have these versions.
    Confirm,
    /// Inserts rows and fails if one of them is there.
    Insert,
    /// Inserts rows that are absent. Fails if somebody else inserts one of them meanwhile.
    Claim,
    /// Inserts rows that are absent, come what may. Each row is an attempt first that others can
    /// see, which costs half as much again as inserting it.
    ClaimAgainstOthers,
    /// Answers with the places in the arrays of the rows that this transaction has claimed.
    Claimed,
    /// Deletes rows by key.
    Delete,
    /// Writes rows.
    Write(RowWrite),
    /// Deletes the rows of one range below a prefix of so many columns.
    DeleteRange(usize),
    /// Deletes the first rows below each of many prefixes of so many columns and answers with them
    /// in key order, each behind the place of its prefix in the arrays.
    Take(usize),
}

/// Moves the counter, writes the log rows and this batch's row of the books; answers with the
/// counter. The last statement of a commit: the counter's row is locked from here to the end of
/// the flush, by one node at a time.
pub(super) fn log(has_latest: bool) -> String {
    // The clause costs each row an attempt to insert that others can see.
    let moves = if has_latest {
        "ON CONFLICT (subject, reference, kind) WHERE latest = 1
        DO UPDATE SET pos = excluded.pos, data = excluded.data"
    } else {
        ""
    };
    format!(
        "WITH counter AS (
            UPDATE log_counter SET pos = pos + $1 RETURNING pos
        ), books AS (
            UPDATE batches SET batch = $2, pos = counter.pos FROM counter WHERE node = $3
        ), entries AS (
            INSERT INTO log (pos, kind, subject, reference, data, latest)
            SELECT counter.pos - $1 + e.n, e.kind, e.subject, e.reference, e.data, e.latest
            FROM counter, UNNEST($4::BIGINT[], $5::BIGINT[], $6::BIGINT[], $7::BIGINT[],
                $8::BYTEA[], $9::BIGINT[]) AS e (n, kind, subject, reference, data, latest)
            {moves}
        )
        SELECT pos FROM counter"
    )
}

/// The row of the books of a batch that logs nothing.
pub(super) const BOOKS: &str = "UPDATE batches SET batch = $1 WHERE node = $2";

/// Locks this node's row of the books. It is the first lock of a commit, so that whoever looks for
/// the outcome of a lost COMMIT waits for its end.
pub(super) const LOCK_BOOKS: &str = "SELECT batch, pos FROM batches WHERE node = $1 FOR UPDATE";

/// The text for one table.
pub(super) fn text(table: &Table, verb: Verb) -> String {
    let name = table.name;
    let columns = statements::columns(table);
    match verb {
        Verb::Lock => {
            // Expectations are only of tables with a version.
            let version = table.version.map(|index| table.values[index].name);
            let version = version.map_or("e.n".to_owned(), |name| format!("t.{name}"));
            format!(
                "SELECT e.n, {version} FROM UNNEST({}) WITH ORDINALITY AS e ({}, n)
                JOIN {name} t ON {} ORDER BY e.n FOR NO KEY UPDATE OF t",
                arrays(table.key),
                statements::key_columns(table),
                joined(table),
            )
        }
        Verb::Confirm => {
            let version = table.version.map_or("", |index| table.values[index].name);
            // What fails is that this sentence is no number; it must not be known to be none
            // before the rows are counted.
            format!(
                "SELECT CASE WHEN COUNT(*) = CARDINALITY(${count}) THEN 0
                    ELSE CAST('only ' || COUNT(*) || ' rows are as this node knows them' AS BIGINT) END
                FROM (SELECT 1 FROM UNNEST({}, ${count}::BIGINT[]) WITH ORDINALITY
                    AS e ({}, expected, n)
                JOIN {name} t ON {} AND t.{version} = e.expected
                ORDER BY e.n FOR NO KEY UPDATE OF t) AS held",
                arrays(table.key),
                statements::key_columns(table),
                joined(table),
                count = table.key.len() + 1,
            )
        }
        Verb::Insert => format!(
            "INSERT INTO {name} ({columns}) SELECT * FROM UNNEST({})",
            arrays(all_columns(table)),
        ),
        Verb::Claim => format!(
            "INSERT INTO {name} ({columns}) SELECT * FROM UNNEST({}) AS e ({columns})
            WHERE NOT EXISTS (SELECT 1 FROM {name} t WHERE {})",
            arrays(all_columns(table)),
            joined(table),
        ),
        Verb::ClaimAgainstOthers => format!(
            "INSERT INTO {name} ({columns}) SELECT * FROM UNNEST({})
            ON CONFLICT DO NOTHING",
            arrays(all_columns(table)),
        ),
        Verb::Claimed => format!(
            "SELECT e.n FROM UNNEST({}) WITH ORDINALITY AS e ({}, n)
            JOIN {name} t ON {} WHERE t.xmin = pg_current_xact_id()::xid",
            arrays(table.key),
            statements::key_columns(table),
            joined(table),
        ),
        Verb::Delete => format!(
            "DELETE FROM {name} t USING UNNEST({}) AS e ({}) WHERE {}",
            arrays(table.key),
            statements::key_columns(table),
            joined(table),
        ),
        Verb::Write(write) => format!(
            "INSERT INTO {name} ({columns}) SELECT * FROM UNNEST({}){}",
            arrays(all_columns(table)),
            statements::on_conflict(table, write, "GREATEST"),
        ),
        Verb::DeleteRange(prefix) => statements::delete_range(table, prefix, '$'),
        Verb::Take(prefix) => take(table, prefix),
    }
}

/// The prefixes are sorted, and one is looked at after the other: so all nodes lock in one order.
fn take(table: &Table, prefix: usize) -> String {
    let name = table.name;
    let below: Vec<_> = table.key[..prefix]
        .iter()
        .map(|column| format!("t.{0} = e.{0}", column.name))
        .collect();
    let below = if below.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", below.join(" AND "))
    };
    let wanted = [Column {
        name: "wanted",
        kind: Kind::Int,
    }];
    let columns = table.key[..prefix].iter().chain(&wanted);
    let names: Vec<_> = columns.clone().map(|column| column.name).collect();
    let key = statements::key_columns(table);
    format!(
        "WITH found AS MATERIALIZED (
            SELECT e.n AS place, first.* FROM UNNEST({}) WITH ORDINALITY AS e ({}, n)
            CROSS JOIN LATERAL (
                SELECT {key} FROM {name} t{below} ORDER BY {key} LIMIT e.wanted FOR UPDATE
            ) AS first ORDER BY e.n
        ), taken AS (
            DELETE FROM {name} t USING found e WHERE {} RETURNING e.place, t.*
        )
        SELECT place, {} FROM taken ORDER BY place, {key}",
        arrays(columns),
        names.join(", "),
        joined(table),
        statements::columns(table),
    )
}

/// `$1::BIGINT[], $2::BYTEA[]` for these columns.
fn arrays<'a>(columns: impl IntoIterator<Item = &'a Column>) -> String {
    let arrays = columns.into_iter().enumerate().map(|(index, column)| {
        let kind = match column.kind {
            Kind::Int => "BIGINT",
            Kind::Bytes => "BYTEA",
        };
        format!("${}::{kind}[]", index + 1)
    });
    arrays.collect::<Vec<_>>().join(", ")
}

/// `t.a = e.a AND t.b = e.b` for the key.
fn joined(table: &Table) -> String {
    let tests = table
        .key
        .iter()
        .map(|column| format!("t.{0} = e.{0}", column.name));
    tests.collect::<Vec<_>>().join(" AND ")
}
