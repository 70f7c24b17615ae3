//! Does a pattern match a value?
//!
//! Every way through the pattern is tried: a part of it leads from a set of places in the value to the set of
//! places where that part may end.
//!
//! Rules: `docs/semantics.md#pattern`.

use std::collections::BTreeSet;

/// What is read: one character of some ranges, or one of several sequences
#[derive(Debug)]
enum Atom {
    Read(Vec<(char, char)>),
    Group(Vec<Sequence>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Repeat {
    Once,
    /// `*`
    Any,
    /// `+`
    Some,
    /// `?`
    Maybe,
    /// `{m,n}`
    Counted(usize, usize),
}

type Sequence = Vec<(Atom, Repeat)>;

/// Places in a value
type Places = BTreeSet<usize>;

/// Whether a pattern matches a value from its first to its last character
///
/// # Panics
/// If the text is no pattern.
pub fn matches(pattern: &str, value: &str) -> bool {
    let alternatives = read(pattern).unwrap_or_else(|| panic!("`{pattern}` is no pattern"));
    let value: Vec<char> = value.chars().collect();
    ends(&alternatives, &value, &[0].into()).contains(&value.len())
}

/// Whether a text is a pattern
pub fn is_pattern(text: &str) -> bool {
    text.len() <= 256 && read(text).is_some()
}

fn ends(alternatives: &[Sequence], value: &[char], from: &Places) -> Places {
    let sequence = |parts: &Sequence| {
        parts.iter().fold(from.clone(), |from, part| part_ends(part, value, from))
    };
    alternatives.iter().flat_map(sequence).collect()
}

fn part_ends((atom, repeat): &(Atom, Repeat), value: &[char], from: Places) -> Places {
    // Repeated more often than the value has characters, a part reaches nothing new.
    let often = value.len() + 1;
    let (least, most) = match repeat {
        Repeat::Once => (1, 1),
        Repeat::Any => (0, often),
        Repeat::Some => (1, often),
        Repeat::Maybe => (0, 1),
        Repeat::Counted(least, most) => (*least, *most),
    };
    let mut found = Places::new();
    let mut now = from;
    for times in 0..=most {
        if times >= least {
            found.extend(now.iter().copied());
        }
        now = match atom {
            Atom::Group(alternatives) => ends(alternatives, value, &now),
            Atom::Read(ranges) => {
                let fits = |place: &usize| {
                    let read = value.get(*place);
                    read.is_some_and(|read| ranges.iter().any(|(a, z)| (a..=z).contains(&read)))
                };
                now.into_iter().filter(fits).map(|place| place + 1).collect()
            }
        };
    }
    found
}

fn read(pattern: &str) -> Option<Vec<Sequence>> {
    let mut reader = Reader(pattern.chars().rev().collect());
    let alternatives = reader.alternatives()?;
    (reader.0.is_empty() && depth(&alternatives) <= 1).then_some(alternatives)
}

/// How many repetitions `{m,n}` stand within one another
fn depth(alternatives: &[Sequence]) -> usize {
    let of_part = |(atom, repeat): &(Atom, Repeat)| {
        let inner = match atom {
            Atom::Read(_) => 0,
            Atom::Group(alternatives) => depth(alternatives),
        };
        inner + usize::from(matches!(repeat, Repeat::Counted(..)))
    };
    alternatives.iter().flatten().map(of_part).max().unwrap_or(0)
}

/// What is left of a pattern, its next character last
struct Reader(Vec<char>);

impl Reader {
    fn peek(&self) -> Option<char> {
        self.0.last().copied()
    }

    fn takes(&mut self, wanted: char) -> bool {
        let next = self.peek() == Some(wanted);
        if next {
            self.0.pop();
        }
        next
    }

    fn alternatives(&mut self) -> Option<Vec<Sequence>> {
        let mut found = vec![self.sequence()?];
        while self.takes('|') {
            found.push(self.sequence()?);
        }
        Some(found)
    }

    fn sequence(&mut self) -> Option<Sequence> {
        let mut found = Sequence::new();
        while self.peek().is_some_and(|next| next != '|' && next != ')') {
            let atom = self.atom()?;
            let repeat = self.repeat()?;
            if self.peek().is_some_and(|next| "*+?{".contains(next)) {
                return None;
            }
            found.push((atom, repeat));
        }
        (!found.is_empty()).then_some(found)
    }

    fn atom(&mut self) -> Option<Atom> {
        let one = |c| Some(Atom::Read(vec![(c, c)]));
        match self.0.pop()? {
            '(' => {
                let alternatives = self.alternatives()?;
                self.takes(')').then_some(Atom::Group(alternatives))
            }
            '[' => self.class(),
            '.' => Some(Atom::Read(vec![('\0', char::MAX)])),
            '\\' => one(self.escaped()?),
            '*' | '+' | '?' | '{' | '}' | ']' | '^' | '$' => None,
            c => one(c),
        }
    }

    fn escaped(&mut self) -> Option<char> {
        self.0.pop().filter(char::is_ascii_punctuation)
    }

    /// A character of a class, and whether it is escaped
    fn of_class(&mut self) -> Option<char> {
        match self.0.pop()? {
            '\\' => self.escaped(),
            c => Some(c),
        }
    }

    fn class(&mut self) -> Option<Atom> {
        if self.peek() == Some('^') {
            return None;
        }
        let mut ranges = Vec::new();
        while !self.takes(']') {
            let from = self.of_class()?;
            let last = self.0.len().checked_sub(2).and_then(|place| self.0.get(place));
            // A `-` at the end is itself.
            let is_range = self.peek() == Some('-') && last != Some(&']');
            let to = if is_range && self.takes('-') { self.of_class()? } else { from };
            if from > to {
                return None;
            }
            ranges.push((from, to));
        }
        (!ranges.is_empty()).then_some(Atom::Read(ranges))
    }

    fn repeat(&mut self) -> Option<Repeat> {
        let found = match self.peek() {
            Some('*') => Repeat::Any,
            Some('+') => Repeat::Some,
            Some('?') => Repeat::Maybe,
            Some('{') => {
                self.0.pop();
                let text: String = std::iter::from_fn(|| self.0.pop_if(|c| *c != '}')).collect();
                let (least, most) = text.split_once(',')?;
                let (least, most) = (number(least)?, number(most)?);
                if self.peek() != Some('}') || least > most {
                    return None;
                }
                Repeat::Counted(least, most)
            }
            _ => return Some(Repeat::Once),
        };
        self.0.pop();
        Some(found)
    }
}

/// One to three digits, at most 255
fn number(text: &str) -> Option<usize> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits)?;
    (number <= 255).then_some(number)
}
