//! Which values does a pattern match?
//!
//! The language is small and our own, because that of a library moves with its version, and a rule must mean the
//! same for ever. A pattern has code points, `.`, `[…]` of code points and ranges, `( )`, `|`, `*`, `+`, `?`,
//! `{m,n}` up to 255 and not nested, and `\` before ASCII punctuation. It matches a value whole.
//!
//! It is run as an automaton. Each place of the pattern keeps the set of counts with which it may be reached: how often
//! the repetition around it has been completed. So a repetition is not unrolled. If a repetition may be left after any
//! count up to `n`, the lowest count alone is kept: it can do all that a higher one can.
//!
//! Rules: `docs/semantics.md#pattern`.

use std::sync::Arc;

use crate::words::name::plain_text;

/// Longest pattern, in bytes
pub const PATTERN_BYTES_MAX: usize = 256;

/// A pattern that can be read
// INVARIANT (pattern): `steps` is what `text` says. Every step that one names is there.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Arc<str>,
    steps: Arc<[Step]>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// A text that is no pattern
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{text}` is not a pattern: {problem}")]
pub struct PatternError {
    text: String,
    problem: &'static str,
}

#[derive(Clone, Debug)]
enum Step {
    /// A code point of these ranges is read
    Read(Vec<(char, char)>),
    /// Goes on at both
    Fork(usize, usize),
    Go(usize),
    /// A repetition that is counted begins; the next step is its `Again`
    Begin,
    /// Goes through the body, which is next, or on at `then`
    Again {
        least: u8,
        most: u8,
        then: usize,
    },
    /// The body is through once more
    Count {
        again: usize,
    },
    Matched,
}

/// How often the repetition around a place may have been through, as bits 0 to 255
type Counts = [u64; 4];

const NONE: Counts = [0; 4];
const ZERO: Counts = [1, 0, 0, 0];

impl Pattern {
    /// Reads a pattern
    ///
    /// # Errors
    /// What cannot be read, and what is longer than [`PATTERN_BYTES_MAX`] bytes.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let error = |problem| PatternError { text: text.chars().take(160).collect(), problem };
        if text.len() > PATTERN_BYTES_MAX {
            return Err(error("it has more than 256 bytes"));
        }
        plain_text("pattern", text).map_err(|_| error("it is not in Unicode's form NFC"))?;
        let mut reading = Reading { rest: text.chars().collect(), at: 0, steps: Vec::new() };
        reading.alternatives().map_err(error)?;
        if reading.peek().is_some() {
            return Err(error("a `)` has no `(`"));
        }
        reading.steps.push(Step::Matched);
        Ok(Self { text: text.into(), steps: reading.steps.into() })
    }

    /// Its text
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches the value from its first to its last code point
    ///
    /// # Cost
    /// O(code points of the value × bytes of the pattern), without memory that grows with the value.
    pub fn matches(&self, value: &str) -> bool {
        let mut now = States::of(&self.steps);
        now.enter(0, ZERO);
        for read in value.chars() {
            let mut next = States::of(&self.steps);
            for (place, step) in self.steps.iter().enumerate() {
                if let Step::Read(ranges) = step
                    && let Some(counts) = now.counts.get(place).filter(|counts| **counts != NONE)
                    && ranges.iter().any(|(from, to)| (*from..=*to).contains(&read))
                {
                    next.enter(place + 1, *counts);
                }
            }
            now = next;
        }
        now.counts.last().is_some_and(|counts| *counts != NONE)
    }
}

/// Where the automaton may be
struct States<'p> {
    steps: &'p [Step],
    counts: Vec<Counts>,
}

impl<'p> States<'p> {
    fn of(steps: &'p [Step]) -> Self {
        Self { steps, counts: vec![NONE; steps.len()] }
    }

    /// Adds a place, and every place that is reached from it without reading
    fn enter(&mut self, place: usize, counts: Counts) {
        let mut entered = vec![(place, counts)];
        while let Some((place, counts)) = entered.pop() {
            let Some((step, known)) = self.steps.get(place).zip(self.counts.get_mut(place)) else {
                continue;
            };
            let mut new = NONE;
            if let Step::Again { least: 0, .. } = step {
                if least_of(counts) >= least_of(*known) {
                    continue;
                }
                new = only_least(counts);
                *known = new;
            } else {
                for ((known, came), new) in known.iter_mut().zip(counts).zip(&mut new) {
                    *new = came & !*known;
                    *known |= came;
                }
                if new == NONE {
                    continue;
                }
            }
            match step {
                Step::Read(_) | Step::Matched => {}
                Step::Fork(one, other) => entered.extend([(*one, new), (*other, new)]),
                Step::Go(to) => entered.push((*to, new)),
                Step::Begin => entered.push((place + 1, ZERO)),
                Step::Again { least, most, then } => {
                    entered.push((place + 1, below(new, *most)));
                    if reaches(new, *least) {
                        entered.push((*then, ZERO));
                    }
                }
                Step::Count { again } => entered.push((*again, one_more(new))),
            }
        }
    }
}

/// The counts below a number
fn below(counts: Counts, end: u8) -> Counts {
    let mut kept = counts;
    for (word, first) in kept.iter_mut().zip([0_u8, 64, 128, 192]) {
        let bits = end.saturating_sub(first);
        *word &= if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
    }
    kept
}

/// The least of the counts; more than any if there is none
fn least_of(counts: Counts) -> u32 {
    let word = counts.iter().zip([0, 64, 128, 192]).find(|(word, _)| **word != 0);
    word.map_or(u32::MAX, |(word, first)| first + word.trailing_zeros())
}

fn only_least(counts: Counts) -> Counts {
    let mut found = false;
    counts.map(|word| {
        let kept = if found { 0 } else { word & word.wrapping_neg() };
        found |= word != 0;
        kept
    })
}

/// Whether one of the counts is at least that number
fn reaches(counts: Counts, least: u8) -> bool {
    below(counts, least) != counts
}

/// Each count, one higher
fn one_more(counts: Counts) -> Counts {
    let mut carried = 0;
    counts.map(|word| {
        let moved = (word << 1) | carried;
        carried = word >> 63;
        moved
    })
}

/// What is known of a part that was read
#[derive(Clone, Copy)]
struct Part {
    /// Whether a repetition `{m,n}` is in it
    counted: bool,
    may_be_empty: bool,
}

/// A pattern that is being read
struct Reading {
    rest: Vec<char>,
    at: usize,
    steps: Vec<Step>,
}

impl Reading {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    /// Reads alternatives up to `)` or the end
    fn alternatives(&mut self) -> Result<Part, &'static str> {
        let first = self.steps.len();
        let mut all = self.sequence()?;
        let mut ends = Vec::new();
        while self.peek() == Some('|') {
            self.at += 1;
            // What has been read so far is one side of a fork, and goes on behind the other.
            self.insert(first, Step::Fork(first + 1, 0));
            for end in &mut ends {
                *end += 1;
            }
            ends.push(self.steps.len());
            self.steps.push(Step::Go(0));
            let other = self.steps.len();
            if let Some(Step::Fork(_, second)) = self.steps.get_mut(first) {
                *second = other;
            }
            let one = self.sequence()?;
            all.counted |= one.counted;
            all.may_be_empty |= one.may_be_empty;
        }
        let then = self.steps.len();
        for end in ends {
            if let Some(step) = self.steps.get_mut(end) {
                *step = Step::Go(then);
            }
        }
        Ok(all)
    }

    fn sequence(&mut self) -> Result<Part, &'static str> {
        let mut all = Part { counted: false, may_be_empty: true };
        let mut empty = true;
        while let Some(next) = self.peek().filter(|next| !matches!(next, '|' | ')')) {
            self.at += 1;
            let first = self.steps.len();
            let inner = self.one(next)?;
            let one = self.repeated(first, inner)?;
            all.counted |= one.counted;
            all.may_be_empty &= one.may_be_empty;
            empty = false;
        }
        if empty { Err("an alternative is empty") } else { Ok(all) }
    }

    fn one(&mut self, next: char) -> Result<Part, &'static str> {
        let ranges = match next {
            '(' => {
                let inner = self.alternatives()?;
                return if self.next() == Some(')') { Ok(inner) } else { Err("a `(` has no `)`") };
            }
            '[' => self.class()?,
            '.' => vec![('\0', char::MAX)],
            '\\' => {
                let one = self.escaped()?;
                vec![(one, one)]
            }
            '*' | '+' | '?' | '{' => return Err("there is nothing to repeat"),
            '^' | '$' | ']' | '}' => {
                return Err("`^`, `$`, `]` and `}` are written with a `\\` before them");
            }
            one => vec![(one, one)],
        };
        self.steps.push(Step::Read(ranges));
        Ok(Part { counted: false, may_be_empty: false })
    }

    /// Reads what may stand after the steps from `first` on, which are of a part
    fn repeated(&mut self, first: usize, part: Part) -> Result<Part, &'static str> {
        let Some(repeat) = self.peek().filter(|next| matches!(next, '*' | '+' | '?' | '{')) else {
            return Ok(part);
        };
        self.at += 1;
        let part = match repeat {
            '+' => {
                let then = self.steps.len() + 1;
                self.steps.push(Step::Fork(first, then));
                part
            }
            '{' => {
                let (least, most) = self.counts()?;
                if part.counted {
                    return Err("a repetition `{m,n}` is within another one");
                }
                // A body that matches the empty text can be completed any number of times, so no least count is left to reach.
                let least = if part.may_be_empty { 0 } else { least };
                self.insert(first, Step::Begin);
                self.insert(first + 1, Step::Again { least, most, then: 0 });
                self.steps.push(Step::Count { again: first + 1 });
                let end = self.steps.len();
                if let Some(Step::Again { then, .. }) = self.steps.get_mut(first + 1) {
                    *then = end;
                }
                Part { counted: true, may_be_empty: least == 0 }
            }
            _ => {
                self.insert(first, Step::Fork(first + 1, 0));
                if repeat == '*' {
                    self.steps.push(Step::Go(first));
                }
                let end = self.steps.len();
                if let Some(Step::Fork(_, then)) = self.steps.get_mut(first) {
                    *then = end;
                }
                Part { may_be_empty: true, ..part }
            }
        };
        match self.peek() {
            Some('*' | '+' | '?' | '{') => Err("something is repeated twice"),
            _ => Ok(part),
        }
    }

    fn counts(&mut self) -> Result<(u8, u8), &'static str> {
        const FORM: &str = "a repetition is written `{m,n}`, with m at most n and n at most 255";
        let least = self.number().ok_or(FORM)?;
        let comma = self.next();
        let most = self.number().ok_or(FORM)?;
        let closed = self.next();
        if comma != Some(',') || closed != Some('}') || least > most {
            return Err(FORM);
        }
        Ok((least, most))
    }

    /// A number of one to three digits, at most 255
    fn number(&mut self) -> Option<u8> {
        let mut number: Option<u16> = None;
        for _ in 0..3 {
            let Some(digit) = self.peek().filter(char::is_ascii_digit) else { break };
            self.at += 1;
            let digit = u16::try_from(u32::from(digit) - u32::from('0')).ok()?;
            number = Some(number.unwrap_or(0) * 10 + digit);
        }
        number.and_then(|number| u8::try_from(number).ok())
    }

    fn escaped(&mut self) -> Result<char, &'static str> {
        self.next()
            .filter(char::is_ascii_punctuation)
            .ok_or("a `\\` stands before ASCII punctuation alone")
    }

    fn class(&mut self) -> Result<Vec<(char, char)>, &'static str> {
        const OPEN: &str = "a `[` has no `]`";
        if self.peek() == Some('^') {
            return Err("a class `[^…]` is not taken");
        }
        let mut ranges = Vec::new();
        loop {
            let from = match self.next().ok_or(OPEN)? {
                ']' if ranges.is_empty() => return Err("a class `[]` is empty"),
                ']' => return Ok(ranges),
                '\\' => self.escaped()?,
                one => one,
            };
            let is_range = self.peek() == Some('-')
                && self.rest.get(self.at + 1).is_some_and(|after| *after != ']');
            let to = if is_range {
                self.at += 1;
                match self.next().ok_or(OPEN)? {
                    '\\' => self.escaped()?,
                    one => one,
                }
            } else {
                from
            };
            if from > to {
                return Err("a range ends before it begins");
            }
            ranges.push((from, to));
        }
    }

    /// Puts a step before those from a place on, and moves what they name
    fn insert(&mut self, place: usize, step: Step) {
        for step in self.steps.iter_mut().skip(place) {
            let moved = |to: &mut usize| {
                if *to >= place {
                    *to += 1;
                }
            };
            match step {
                Step::Fork(one, other) => {
                    moved(one);
                    moved(other);
                }
                Step::Go(to) | Step::Again { then: to, .. } | Step::Count { again: to } => {
                    moved(to)
                }
                Step::Read(_) | Step::Begin | Step::Matched => {}
            }
        }
        self.steps.insert(place, step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, value: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(value)
    }

    #[test]
    fn a_pattern_matches_a_value_whole() {
        for (pattern, yes, no) in [
            ("abc", vec!["abc"], vec!["ab", "abcd", ""]),
            ("a|bc|d", vec!["a", "bc", "d"], vec!["ab", "c", "bcd"]),
            ("(a|b)*c", vec!["c", "abac"], vec!["ab", "abab"]),
            ("(a+|b)+", vec!["a", "aab", "baa"], vec!["", "c"]),
            ("x?y", vec!["y", "xy"], vec!["xxy"]),
            (".*@acme\\.example", vec!["a@acme.example"], vec!["a@acmexexample"]),
            ("[a-cx_-]+", vec!["abcx_-"], vec!["d"]),
            ("[-a]", vec!["-", "a"], vec!["b"]),
            ("a{2,3}", vec!["aa", "aaa"], vec!["a", "aaaa"]),
            ("(ab?){0,2}c", vec!["c", "aabc", "abac"], vec!["aaac"]),
            ("(a{1,2}b)*", vec!["", "ab", "aabab"], vec!["aaab"]),
            ("(a?){0,255}b", vec!["b", "aaab"], vec!["ac"]),
            ("ü.", vec!["üä"], vec!["ü"]),
            ("(a|b{2,2}|c)d", vec!["ad", "bbd", "cd"], vec!["bd"]),
            ("(a?b?){2,3}c", vec!["c", "ababc", "abbc", "bbbc"], vec!["bbbbc", "ababab"]),
            ("(a|bb){0,2}", vec!["", "a", "bba", "bbbb"], vec!["aaa", "b", "bbabb"]),
        ] {
            for value in yes {
                assert!(matches(pattern, value), "{pattern} {value}");
            }
            for value in no {
                assert!(!matches(pattern, value), "{pattern} {value}");
            }
        }
        assert!(matches(".{255,255}", &"é".repeat(255)));
        assert!(!matches(".{255,255}", &"é".repeat(254)));
        assert!(!matches(".{0,255}", &"é".repeat(256)));
    }

    #[test]
    fn a_repetition_of_what_may_be_empty_costs_no_more_than_another() {
        let pattern = format!("{}b", "(a?){0,255}".repeat(22));
        let pattern = Pattern::parse(&pattern).unwrap();
        // Unrolled, it would be run through some million states for each code point.
        assert!(!pattern.matches(&"a".repeat(500)));
        assert!(pattern.matches(&format!("{}b", "a".repeat(500))));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "a|",
            "|a",
            "()",
            "(a",
            "a)",
            "*",
            "a**",
            "a+?",
            "a{2}",
            "a{2,}",
            "a{2,1}",
            "a{1,256}",
            "(a{1,2}){1,2}",
            "[^a]",
            "[]",
            "[a",
            "[b-a]",
            "\\d",
            "a\\",
            "^a",
            "a$",
            "a]",
            "a}",
            "a{1,2}{1,2}",
            "a{0001,2}",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
        assert!(Pattern::parse(&"a".repeat(256)).is_ok());
        assert!(Pattern::parse(&"a".repeat(257)).is_err());
    }
}
