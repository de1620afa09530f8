//! The statements of a batch, by flush.

use std::collections::HashMap;

use tokio_postgres::Statement;

use super::{Failure, Session, refused};
use crate::{
    Table, Value,
    postgres::{
        call::{Call, arrays, by_table},
        plan::{Claim, Delta, Folded, Questions, RowKey, Stage},
        texts::{Verb, text},
        values::Argument,
    },
    statements::all_columns,
};

impl Session {
    /// The statements of the first flush.
    pub(super) async fn questions<'c, 'a: 'c>(
        &mut self,
        questions: &Questions<'a>,
        locks: &[Vec<(RowKey<'a>, &'static Table)>],
        claims: &[Vec<(RowKey<'a>, &'c Claim<'a>)>],
        node: i64,
    ) -> Result<Vec<Call<'c>>, Failure> {
        let own = Argument::One(node.into());
        let mut calls = vec![
            Call::Text("BEGIN"),
            Call::Rows(self.books.lock.clone(), vec![own]),
        ];
        for rows in locks {
            let table = rows[0].1;
            let statement = self.prepare(table, Verb::Lock).await?;
            let keys = rows.iter().map(|(key, _)| (key.1, &[][..]));
            calls.push(Call::Rows(statement, arrays(table.key, keys, rows.len())));
        }
        // Those of one table have prefixes of one length.
        for rows in by_table(questions.takes.iter().map(|(key, take)| (*key, *take))) {
            let ((_, prefix), (table, _)) = rows[0];
            let statement = self.prepare(table, Verb::Take(prefix.len())).await?;
            let prefixes = rows.iter().map(|(key, _)| (key.1, &[][..]));
            let mut arguments = arrays(&table.key[..prefix.len()], prefixes, rows.len());
            let wanted = rows
                .iter()
                .map(|(_, (_, count))| i64::try_from(*count).ok());
            arguments.push(Argument::Ints(wanted.collect()));
            calls.push(Call::Rows(statement, arguments));
        }
        for rows in claims {
            calls.push(self.claim(rows, self.claim).await?);
        }
        Ok(calls)
    }

    /// The statements that lead a transaction that is believed to pass: each fails if it was wrong.
    pub(super) async fn checks<'c, 'a: 'c>(
        &mut self,
        questions: &'c Questions<'a>,
        believed: &HashMap<RowKey<'a>, i64>,
        node: i64,
    ) -> Result<Vec<Call<'c>>, Failure> {
        let own = Argument::One(node.into());
        let mut calls = vec![
            Call::Text("BEGIN"),
            Call::Rows(self.books.lock.clone(), vec![own]),
        ];
        let expected = questions.expected.iter();
        let versions =
            expected.filter_map(|(key, table)| Some((*key, (*table, *believed.get(key)?))));
        for rows in by_table(versions) {
            let table = rows[0].1.0;
            let statement = self.prepare(table, Verb::Confirm).await?;
            let keys = rows.iter().map(|(key, _)| (key.1, &[][..]));
            let mut arguments = arrays(table.key, keys, rows.len());
            let versions = rows.iter().map(|(_, (_, version))| Some(*version));
            arguments.push(Argument::Ints(versions.collect()));
            calls.push(Call::Rows(statement, arguments));
        }
        for rows in by_table(questions.claims.iter().map(|(key, claim)| (*key, claim))) {
            calls.push(self.claim(&rows, Verb::Insert).await?);
        }
        Ok(calls)
    }

    /// The statements of the second flush but the last.
    pub(super) async fn writes<'s>(
        &mut self,
        stages: &'s [Stage<'_>],
    ) -> Result<Vec<Call<'s>>, Failure> {
        let mut calls = Vec::new();
        for stage in stages {
            for deletion in stage.deletions {
                let verb = Verb::DeleteRange(deletion.prefix.len());
                let statement = self.prepare(deletion.table, verb).await?;
                let range = [Value::Int(deletion.from), Value::Int(deletion.to)];
                let arguments = deletion.prefix.iter().cloned().chain(range);
                calls.push(Call::Count(
                    statement,
                    arguments.map(Argument::One).collect(),
                ));
            }
            let mut rows: Vec<_> = stage.rows().map(|row| (verb(row.delta), row)).collect();
            // Stable: rows stay sorted by key.
            rows.sort_by_key(|(verb, row)| (row.wave, row.table.name, *verb));
            let same = |(verb, row): &(Verb, Folded<'_>), (other, next): &(Verb, Folded<'_>)| {
                verb == other && row.wave == next.wave && row.table.name == next.table.name
            };
            for rows in rows.chunk_by(same) {
                let (verb, Folded { table, .. }) = rows[0];
                let statement = self.prepare(table, verb).await?;
                let written = rows.iter().map(|(_, row)| (row.key, values(row.delta)));
                let width = table.key.len() + values(rows[0].1.delta).len();
                let columns: Vec<_> = all_columns(table).take(width).copied().collect();
                calls.push(Call::Count(
                    statement,
                    arrays(&columns, written, rows.len()),
                ));
            }
        }
        Ok(calls)
    }

    pub(super) async fn prepare(
        &mut self,
        table: &Table,
        verb: Verb,
    ) -> Result<Statement, Failure> {
        if let Some(statement) = self.statements.get(&(table.name, verb)) {
            return Ok(statement.clone());
        }
        let statement = self
            .client
            .prepare(&text(table, verb))
            .await
            .map_err(refused)?;
        self.statements
            .insert((table.name, verb), statement.clone());
        Ok(statement)
    }

    /// The statement that inserts the rows of one table which shall be absent.
    async fn claim<'c, 'a: 'c>(
        &mut self,
        rows: &[(RowKey<'a>, &'c Claim<'a>)],
        verb: Verb,
    ) -> Result<Call<'c>, Failure> {
        let table = rows[0].1.table;
        let statement = self.prepare(table, verb).await?;
        let values = rows.iter().map(|(key, claim)| (key.1, &claim.values[..]));
        let columns: Vec<_> = all_columns(table).copied().collect();
        let arguments = arrays(&columns, values, rows.len());
        Ok(Call::Count(statement, arguments))
    }
}

fn verb(delta: &Delta<'_>) -> Verb {
    match delta {
        Delta::Delete => Verb::Delete,
        Delta::Write(write, _) => Verb::Write(*write),
    }
}

fn values<'s>(delta: &'s Delta<'_>) -> &'s [Value] {
    match delta {
        Delta::Delete => &[],
        Delta::Write(_, values) => values,
    }
}
