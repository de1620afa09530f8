//! What `strace -f -y` has written: system calls in the order in which they began and ended.

use std::{collections::HashMap, fs, path::Path};

/// One system call.
#[derive(Debug, Default, PartialEq, Eq)]
struct Call {
    name: String,
    /// The first argument, a descriptor and what it is open on.
    descriptor: String,
    /// All of it, from the name to the result.
    text: String,
    /// The lines at which it began and ended. Calls whose lines are whole began and ended with
    /// nothing of the other threads in between.
    began: usize,
    ended: usize,
}

impl Call {
    fn new(text: String, began: usize, ended: usize) -> Self {
        let (name, rest) = text.split_once('(').unwrap_or((&text, ""));
        let descriptor = rest.split([',', ')']).next().unwrap_or_default();
        Self {
            name: name.to_owned(),
            descriptor: descriptor.to_owned(),
            began,
            ended,
            text,
        }
    }

    fn is_flush_of(&self, file: &str) -> bool {
        ["fsync", "fdatasync"].contains(&&*self.name)
            && self.descriptor.contains(file)
            && self.text.ends_with("= 0")
    }

    fn is_write_to(&self, file: &str) -> bool {
        self.name.contains("write") && self.descriptor.contains(file)
    }

    fn is_request(&self, txn_id: &str) -> bool {
        (self.name.starts_with("re"))
            && self.text.contains("\"PUT /_matrix/client/v3/rooms/")
            && self.text.contains(&format!("/{txn_id} HTTP/1.1"))
    }

    fn is_answer(&self) -> bool {
        !self.name.starts_with("re") && self.text.contains("\"HTTP/1.1 200 OK")
    }
}

#[derive(Debug)]
pub(crate) struct Trace {
    calls: Vec<Call>,
}

impl Trace {
    pub(crate) fn read(path: &Path) -> Self {
        Self::parse(&String::from_utf8_lossy(&fs::read(path).unwrap()))
    }

    fn parse(text: &str) -> Self {
        let mut calls = Vec::new();
        let mut begun: HashMap<&str, (String, usize)> = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let Some((process, call)) = line.split_once(' ') else {
                continue;
            };
            let call = call.trim();
            if let Some(start) = call.strip_suffix("<unfinished ...>") {
                begun.insert(process, (start.trim_end().to_owned(), number));
            } else if let Some((_, end)) = call.split_once(" resumed>") {
                let begun = begun.remove(process).into_iter();
                calls.extend(begun.map(|(start, began)| Call::new(start + end, began, number)));
            } else {
                calls.push(Call::new(call.to_owned(), number, number));
            }
        }
        Self { calls }
    }

    /// Each of these requests was answered after what is in `file` was written and flushed.
    pub(crate) fn check(&self, txn_ids: &[String], file: &str) {
        for txn_id in txn_ids {
            let (arrived, answered) = self.find_exchange(txn_id);
            let within = |call: &&Call| call.began > arrived && call.ended < answered;
            let flush = self
                .calls
                .iter()
                .filter(within)
                .filter(|call| call.is_flush_of(file))
                .max_by_key(|call| call.began);
            let written = flush.is_some_and(|flush| {
                let mut writes = self.calls.iter().filter(within);
                writes.any(|call| call.is_write_to(file) && call.ended < flush.began)
            });
            let all: Vec<&Call> = self.calls.iter().filter(within).collect();
            assert!(written, "{txn_id} was answered without a flush: {all:#?}");
        }
    }

    /// When a request had come, and when its answer began to go.
    fn find_exchange(&self, txn_id: &str) -> (usize, usize) {
        let mut calls = self.calls.iter();
        let request = calls.find(|call| call.is_request(txn_id));
        let request = request.unwrap_or_else(|| panic!("no request {txn_id}"));
        let answers = self.calls.iter().filter(|call| {
            call.is_answer() && call.descriptor == request.descriptor && call.began > request.ended
        });
        let answer = answers.min_by_key(|call| call.began);
        let answer = answer.unwrap_or_else(|| panic!("no answer to {txn_id}"));
        (request.ended, answer.began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"
7 recvfrom(9<socket:[1]>, "PUT /_matrix/client/v3/rooms/!a/send/m.room.message/one. HTTP/1.1\r\n"..., 8192, 0, NULL, NULL) = 30
8 pwrite64(5</data/myelin.db-wal>, "x"..., 4096, 32) = 4096
"#;

    fn check(rest: &str) {
        Trace::parse(&format!("{}{rest}", BEFORE.trim_start()))
            .check(&["one.".to_owned()], "-wal>");
    }

    #[test]
    fn a_flush_may_be_interrupted_by_other_threads() {
        check(
            r#"8 fdatasync(5</data/myelin.db-wal> <unfinished ...>
7 write(3<anon_inode:[eventfd]>, "\1", 8) = 8
8 <... fdatasync resumed>) = 0
7 sendto(9<socket:[1]>, "HTTP/1.1 200 OK\r\n"..., 200, 0, NULL, 0) = 200
"#,
        );
    }

    #[test]
    #[should_panic(expected = "without a flush")]
    fn a_flush_of_another_file_does_not_count() {
        check(
            r#"8 fdatasync(4</data/myelin.db>) = 0
7 sendto(9<socket:[1]>, "HTTP/1.1 200 OK\r\n"..., 200, 0, NULL, 0) = 200
"#,
        );
    }

    #[test]
    #[should_panic(expected = "without a flush")]
    fn an_answer_that_begins_before_the_flush_ends_is_too_early() {
        check(
            r#"8 fdatasync(5</data/myelin.db-wal> <unfinished ...>
7 sendto(9<socket:[1]>, "HTTP/1.1 200 OK\r\n"..., 200, 0, NULL, 0 <unfinished ...>
8 <... fdatasync resumed>) = 0
7 <... sendto resumed>) = 200
"#,
        );
    }

    #[test]
    #[should_panic(expected = "without a flush")]
    fn a_failed_flush_does_not_count() {
        check(
            r#"8 fdatasync(5</data/myelin.db-wal>) = -1 EIO (Input/output error)
7 sendto(9<socket:[1]>, "HTTP/1.1 200 OK\r\n"..., 200, 0, NULL, 0) = 200
"#,
        );
    }
}
