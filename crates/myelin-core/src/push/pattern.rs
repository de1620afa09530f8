//! The patterns of push rules: case does not count, `*` stands for any text and `?` for one
//! character, and in a message's body a part between the boundaries of words is enough (spec:
//! "Conditions", `event_match`).
//!
//! All ways to match are followed at once, as bits, so no pattern makes a text expensive: a
//! character costs one step for every 64 characters of the pattern.

use std::collections::BTreeMap;

/// Most characters of a pattern; a longer one matches nothing.
const CHARACTERS_MAX: usize = 1_024;
const WORD: usize = 64;

/// What a pattern is allowed to cost.
#[derive(Clone, Debug)]
pub struct Steps(usize);

impl Steps {
    /// This many steps.
    pub const fn new(steps: usize) -> Self {
        Self(steps)
    }

    /// Takes steps; false: there are not so many left, and from now on there are none.
    fn take(&mut self, steps: usize) -> bool {
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or_default();
        left.is_some()
    }
}

/// A pattern, ready to be matched.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// How many characters it has besides stars.
    length: usize,
    /// Bit `n`: after `n` characters anything may follow.
    stars: Vec<u64>,
    /// Bit `n`: any character may be the next after `n` characters.
    anything: Vec<u64>,
    /// For a character, bit `n`: it may be the next after `n` characters.
    characters: BTreeMap<char, Vec<u64>>,
    is_too_long: bool,
}

impl Pattern {
    /// A pattern in which stars and question marks have their meaning.
    pub fn glob(pattern: &str) -> Self {
        Self::new(pattern, true)
    }

    /// A text that means itself.
    pub fn literal(text: &str) -> Self {
        Self::new(text, false)
    }

    fn new(pattern: &str, is_glob: bool) -> Self {
        let pattern = pattern.to_lowercase();
        let is_too_long = pattern.chars().nth(CHARACTERS_MAX).is_some();
        let words = CHARACTERS_MAX.min(pattern.len()) / WORD + 1;
        let mut made = Self {
            length: 0,
            stars: vec![0; words],
            anything: vec![0; words],
            characters: BTreeMap::new(),
            is_too_long,
        };
        for character in pattern.chars().take(CHARACTERS_MAX) {
            let at = made.length;
            match character {
                '*' if is_glob => {
                    set(&mut made.stars, at);
                    continue;
                }
                '?' if is_glob => set(&mut made.anything, at),
                _ => {
                    let places = made.characters.entry(character);
                    set(places.or_insert_with(|| vec![0; words]), at);
                }
            }
            made.length += 1;
        }
        made
    }

    /// Whether the whole text is as the pattern says. The text is in lower case.
    pub fn matches(&self, text: &str, steps: &mut Steps) -> bool {
        self.run(text, false, steps)
    }

    /// Whether a part of the text is, that begins and ends where words do. The text is in lower
    /// case.
    pub fn matches_words(&self, text: &str, steps: &mut Steps) -> bool {
        self.run(text, true, steps)
    }

    fn run(&self, text: &str, in_words: bool, steps: &mut Steps) -> bool {
        let words = self.stars.len();
        if self.is_too_long || !steps.take((text.len() + 1).saturating_mul(words)) {
            return false;
        }
        let mut states = vec![0; words];
        let mut before: Option<char> = None;
        for character in text.chars() {
            let is_boundary = !before.is_some_and(is_of_word) || !is_of_word(character);
            let begins = before.is_none() || (in_words && is_boundary);
            if begins {
                set(&mut states, 0);
            }
            if begins && in_words && is_set(&states, self.length) {
                return true;
            }
            self.step(&mut states, character);
            before = Some(character);
        }
        if before.is_none() || in_words {
            set(&mut states, 0);
        }
        is_set(&states, self.length)
    }

    /// What is reached from these states by one character.
    fn step(&self, states: &mut [u64], character: char) {
        let places = self.characters.get(&character);
        let mut carry = 0;
        for (at, state) in states.iter_mut().enumerate() {
            let places = places.map_or(0, |places| places[at]);
            let moved = *state & (places | self.anything[at]);
            let next = (moved << 1) | carry | (*state & self.stars[at]);
            carry = moved >> (WORD - 1);
            *state = next;
        }
    }
}

/// Whether words are made of this (spec: `[A-Z]`, `[a-z]`, `[0-9]` or `_`).
fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn set(bits: &mut [u64], at: usize) {
    bits[at / WORD] |= 1 << (at % WORD);
}

fn is_set(bits: &[u64], at: usize) -> bool {
    bits[at / WORD] & (1 << (at % WORD)) != 0
}
