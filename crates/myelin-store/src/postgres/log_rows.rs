//! The log rows of a batch, as arguments of one statement.

use super::values::Argument;
use crate::LogWrite;

/// Whether a later entry of the batch replaces this one.
fn is_replaced(log: &[&LogWrite], index: usize) -> bool {
    let key = |entry: &LogWrite| (entry.kind as i16, entry.subject, entry.reference);
    let entry = log[index];
    entry.kind.is_latest()
        && log[index + 1..]
            .iter()
            .any(|later| key(later) == key(entry))
}

/// Whether any entry moves an earlier one.
pub(super) fn has_latest(log: &[&LogWrite]) -> bool {
    log.iter().any(|entry| entry.kind.is_latest())
}

pub(super) fn log_arguments<'a>(log: &[&'a LogWrite], batch: i64, node: i64) -> Vec<Argument<'a>> {
    let total = i64::try_from(log.len()).unwrap_or(i64::MAX);
    let numbers = [total, batch, node].map(|number| Argument::One(number.into()));
    let mut ints: [Vec<Option<i64>>; 5] = Default::default();
    let mut data = Vec::with_capacity(log.len());
    for (index, entry) in log.iter().enumerate() {
        if is_replaced(log, index) {
            continue;
        }
        let place = i64::try_from(index + 1).unwrap_or(i64::MAX);
        let latest = i64::from(entry.kind.is_latest());
        let row = [
            place,
            entry.kind as i64,
            entry.subject,
            entry.reference,
            latest,
        ];
        for (list, value) in ints.iter_mut().zip(row) {
            list.push(Some(value));
        }
        data.push(Some(&entry.data[..]));
    }
    let [places, kinds, subjects, references, latest] = ints.map(Argument::Ints);
    let rows = [
        places,
        kinds,
        subjects,
        references,
        Argument::BytesList(data),
        latest,
    ];
    numbers.into_iter().chain(rows).collect()
}
