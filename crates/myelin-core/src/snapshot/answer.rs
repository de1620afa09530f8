//! Reading an answer with the state of a room piece by piece.
//!
//! Such an answer has the size of the room. Only one of its events is held at a time; what does not
//! belong to the answer is passed over.

/// An event with its `unsigned` is not larger than this; what is larger is left out.
const PDU_BYTES_MAX: usize = 256 * 1024;
/// Keys that matter are shorter.
const KEY_BYTES_MAX: usize = 32;

/// Where in the answer an event stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    State,
    AuthChain,
}

/// A piece of the answer, as JSON that nobody has read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Pdu(Place, Vec<u8>),
    /// The event that the answer is about, as the other server has signed it.
    Event(Vec<u8>),
    /// The answer does not contain the whole state.
    MembersOmitted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("the answer is not a JSON object")]
    NotAnObject,
    #[error("the answer is not JSON at byte {0}")]
    NotJson(usize),
    #[error("the answer breaks off")]
    BreaksOff,
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{0}` occurs twice")]
    Twice(&'static str),
    #[error("`{0}` is not an array")]
    NotAnArray(&'static str),
}

/// Takes the answer apart; to be fed with its bytes in their order, cut wherever they were cut.
#[derive(Debug)]
pub struct AnswerReader {
    at: At,
    key: Vec<u8>,
    field: Field,
    seen: Vec<Field>,
    value: Scanner,
    /// The value that is being read; None: it is passed over.
    kept: Option<Vec<u8>>,
    position: usize,
    /// Events that were too large to be any.
    pub left_out: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    FirstKey,
    Key,
    InKey { escaped: bool },
    Colon,
    Value,
    FirstElement,
    Element,
    AfterElement,
    AfterValue,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    List(Place, &'static str),
    Event,
    MembersOmitted,
    Other,
}

impl Field {
    fn named(key: &[u8]) -> Field {
        match key {
            b"state" => Field::List(Place::State, "state"),
            b"pdus" => Field::List(Place::State, "pdus"),
            b"auth_chain" => Field::List(Place::AuthChain, "auth_chain"),
            b"event" => Field::Event,
            b"members_omitted" => Field::MembersOmitted,
            _ => Field::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Field::List(_, name) => name,
            Field::Event => "event",
            Field::MembersOmitted => "members_omitted",
            Field::Other => "",
        }
    }
}

impl Default for AnswerReader {
    fn default() -> Self {
        AnswerReader {
            at: At::Start,
            key: Vec::new(),
            field: Field::Other,
            seen: Vec::new(),
            value: Scanner::default(),
            kept: None,
            position: 0,
            left_out: 0,
        }
    }
}

impl AnswerReader {
    /// Reads on; what is complete is appended to `parts`.
    pub fn feed(&mut self, bytes: &[u8], parts: &mut Vec<Part>) -> Result<(), AnswerError> {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            let is_taken = self.take(*byte, parts)?;
            if is_taken {
                rest = after;
                self.position += 1;
            }
        }
        Ok(())
    }

    /// Whether the answer was whole.
    pub fn finish(&self) -> Result<(), AnswerError> {
        if self.at != At::End {
            return Err(AnswerError::BreaksOff);
        }
        let has = |place| {
            let is = |field: &Field| matches!(field, Field::List(found, _) if *found == place);
            self.seen.iter().any(is)
        };
        if !has(Place::State) {
            return Err(AnswerError::Missing("state"));
        }
        if !has(Place::AuthChain) {
            return Err(AnswerError::Missing("auth_chain"));
        }
        Ok(())
    }

    /// Takes one byte; false: it is to be offered again, for it belongs to what comes next.
    fn take(&mut self, byte: u8, parts: &mut Vec<Part>) -> Result<bool, AnswerError> {
        match self.at {
            At::Value => return self.take_of_value(byte, parts),
            At::Element => return self.take_of_element(byte, parts),
            At::InKey { escaped } => {
                self.take_of_key(byte, escaped);
                return Ok(true);
            }
            _ if byte.is_ascii_whitespace() => return Ok(true),
            _ => {}
        }
        let wrong = AnswerError::NotJson(self.position);
        self.at = match (self.at, byte) {
            (At::Start, b'{') => At::FirstKey,
            (At::Start, _) => return Err(AnswerError::NotAnObject),
            (At::FirstKey | At::AfterValue, b'}') => At::End,
            (At::FirstKey | At::Key, b'"') => {
                self.key.clear();
                At::InKey { escaped: false }
            }
            (At::Colon, b':') => {
                self.begin_value()?;
                At::Value
            }
            (At::AfterValue, b',') => At::Key,
            (At::FirstElement | At::AfterElement, b']') => At::AfterValue,
            (At::FirstElement, _) => {
                self.begin_element();
                return Ok(false);
            }
            (At::AfterElement, b',') => {
                self.begin_element();
                At::Element
            }
            _ => return Err(wrong),
        };
        Ok(true)
    }

    fn take_of_key(&mut self, byte: u8, escaped: bool) {
        self.at = match byte {
            b'"' if !escaped => At::Colon,
            _ => At::InKey {
                escaped: byte == b'\\' && !escaped,
            },
        };
        // A key that is longer than those that matter stays longer.
        if self.at != At::Colon && self.key.len() <= KEY_BYTES_MAX {
            self.key.push(byte);
        }
    }

    fn begin_value(&mut self) -> Result<(), AnswerError> {
        self.field = Field::named(&self.key);
        if self.field != Field::Other {
            let place = |field: &Field| match field {
                Field::List(Place::State, _) => Field::List(Place::State, "state"),
                other => *other,
            };
            if self
                .seen
                .iter()
                .any(|seen| place(seen) == place(&self.field))
            {
                return Err(AnswerError::Twice(self.field.name()));
            }
            self.seen.push(self.field);
        }
        self.value = Scanner::default();
        self.kept = (self.field != Field::Other).then(Vec::new);
        Ok(())
    }

    fn begin_element(&mut self) {
        self.value = Scanner::default();
        self.kept = Some(Vec::new());
        self.at = At::Element;
    }

    fn take_of_value(&mut self, byte: u8, parts: &mut Vec<Part>) -> Result<bool, AnswerError> {
        if let Field::List(_, name) = self.field {
            return match byte {
                b'[' => {
                    self.at = At::FirstElement;
                    Ok(true)
                }
                _ if byte.is_ascii_whitespace() => Ok(true),
                _ => Err(AnswerError::NotAnArray(name)),
            };
        }
        let (is_taken, ended) = self.scan(byte)?;
        if ended {
            self.at = At::AfterValue;
            let kept = self.kept.take();
            match (self.field, kept) {
                (Field::Event, Some(json)) => parts.push(Part::Event(json)),
                (Field::MembersOmitted, Some(json)) if json == b"true" => {
                    parts.push(Part::MembersOmitted);
                }
                _ => {}
            }
        }
        Ok(is_taken)
    }

    fn take_of_element(&mut self, byte: u8, parts: &mut Vec<Part>) -> Result<bool, AnswerError> {
        let (is_taken, ended) = self.scan(byte)?;
        if ended {
            self.at = At::AfterElement;
            match (self.field, self.kept.take()) {
                (Field::List(place, _), Some(json)) => parts.push(Part::Pdu(place, json)),
                _ => self.left_out += 1,
            }
        }
        Ok(is_taken)
    }

    /// Reads on in a value: whether the byte belongs to it, and whether it has ended.
    fn scan(&mut self, byte: u8) -> Result<(bool, bool), AnswerError> {
        let step = self.value.step(byte);
        let (is_taken, ended) = match step {
            Step::Before => return Ok((true, false)),
            Step::Within => (true, false),
            Step::Last => (true, true),
            Step::Behind => (false, true),
            Step::Wrong => return Err(AnswerError::NotJson(self.position)),
        };
        if is_taken && let Some(kept) = &mut self.kept {
            if kept.len() < PDU_BYTES_MAX {
                kept.push(byte);
            } else {
                self.kept = None;
            }
        }
        Ok((is_taken, ended))
    }
}

/// Finds the end of one JSON value. Whether it is JSON is for those to say who read it.
#[derive(Debug, Default)]
struct Scanner {
    within: Within,
    depth: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Within {
    #[default]
    Nothing,
    Brackets,
    Scalar,
    String {
        escaped: bool,
    },
}

enum Step {
    /// White space before the value.
    Before,
    Within,
    /// The last byte of the value.
    Last,
    /// The value ended before this byte.
    Behind,
    Wrong,
}

impl Scanner {
    fn step(&mut self, byte: u8) -> Step {
        match self.within {
            Within::String { escaped: true } => self.within = Within::String { escaped: false },
            Within::String { escaped: false } => match byte {
                b'\\' => self.within = Within::String { escaped: true },
                b'"' => return self.closed(),
                _ => {}
            },
            Within::Scalar if matches!(byte, b',' | b']' | b'}') => return Step::Behind,
            Within::Scalar if byte.is_ascii_whitespace() => return Step::Behind,
            Within::Scalar => {}
            Within::Nothing if byte.is_ascii_whitespace() => return Step::Before,
            Within::Nothing | Within::Brackets => return self.step_between(byte),
        }
        Step::Within
    }

    fn step_between(&mut self, byte: u8) -> Step {
        let is_first = self.within == Within::Nothing;
        match byte {
            b'"' => self.within = Within::String { escaped: false },
            b'{' | b'[' => {
                self.depth += 1;
                self.within = Within::Brackets;
            }
            b'}' | b']' | b',' | b':' if is_first => return Step::Wrong,
            b'}' | b']' => {
                self.depth -= 1;
                return self.closed();
            }
            _ if is_first => self.within = Within::Scalar,
            _ => {}
        }
        Step::Within
    }

    fn closed(&mut self) -> Step {
        self.within = Within::Brackets;
        if self.depth == 0 {
            Step::Last
        } else {
            Step::Within
        }
    }
}
