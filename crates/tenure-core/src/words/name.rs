//! What may a name look like?
//!
//! Two texts that a person cannot tell apart must not be two names, and a name must not change how the line around
//! it is read. So every text is in Unicode's normal form C, and a name has no control character, no separator
//! of lines and no character that turns the direction of writing. All of it is by [`UNICODE`], so that
//! replicas of different builds agree: what that version does not assign is refused.
//!
//! Rules: `docs/semantics.md#text`.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use regex_syntax::hir::{Class, Hir, HirKind};
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Longest name, in bytes of its canonical form
pub const NAME_BYTES_MAX: usize = 512;
/// The version of Unicode that decides
pub(crate) const UNICODE: &str = "16.0";
/// Characters of a refused text that a sentence shows
const SHOWN_MAX: usize = 160;

/// Why a text is no name
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// It is empty
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// It is too long
    #[error("the {0} has {1} bytes: at most {NAME_BYTES_MAX} are taken")]
    Long(&'static str, usize),
    /// A character that no name has
    #[error("the {what} `{text}` has the character {character} ({kind}), which no {what} has")]
    Character {
        /// What the text should name
        what: &'static str,
        /// The text, with that character escaped
        text: String,
        /// The character, as `U+202E`
        character: String,
        /// What kind of character it is
        kind: &'static str,
    },
    /// Another way to write the same text is the normal one
    #[error("the {0} `{1}` is not in Unicode's normal form C: send `{2}`")]
    NotNormal(&'static str, String, String),
    /// White space at an end
    #[error("the {0} `{1}` begins or ends with white space ({2})")]
    WhiteSpace(&'static str, String, String),
    /// A wildcard
    #[error("the {0} `*` names everything and nothing: name one")]
    Wildcard(&'static str),
    /// A role's text that cannot be read
    #[error(
        "`{1}` is not a {0}: write `name` or `application/name`, and `%2F` for `/` and `%25` for `%` within either part"
    )]
    RoleText(&'static str, String),
    /// A path that begins otherwise
    #[error("`{0}` is not a path: a path begins with `/`")]
    Path(String),
}

/// The code points that [`UNICODE`] assigns, in order; private use counts as assigned, noncharacters do not
static ASSIGNED: LazyLock<Vec<(u32, u32)>> = LazyLock::new(|| {
    let pattern = format!(r"[\p{{age={UNICODE}}}--\p{{Noncharacter_Code_Point}}]");
    let class = regex_syntax::parse(&pattern).map(Hir::into_kind);
    let ranges = match &class {
        Ok(HirKind::Class(Class::Unicode(class))) => class.ranges(),
        // The pattern is a class: the tests of this file would find every text refused.
        _ => &[],
    };
    ranges.iter().map(|range| (range.start() as u32, range.end() as u32)).collect()
});

fn is_assigned(c: char) -> bool {
    let c = c as u32;
    let place = |&(start, end): &(u32, u32)| match (c < start, c > end) {
        (true, _) => Ordering::Greater,
        (_, true) => Ordering::Less,
        _ => Ordering::Equal,
    };
    ASSIGNED.binary_search_by(place).is_ok()
}

/// What kind of character no name has, if it is one
fn refused(c: char) -> Option<&'static str> {
    match c {
        '\u{2028}' | '\u{2029}' => Some("a separator of lines"),
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
            Some("it turns the direction of writing")
        }
        c if c.is_control() => Some("a control character"),
        _ => None,
    }
}

/// A text for a sentence: short, and with each character escaped that could deceive
pub fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(SHOWN_MAX) {
        if refused(c).is_some() || (c.is_whitespace() && c != ' ') || !is_assigned(c) {
            write!(shown, "\\u{{{:x}}}", c as u32).unwrap_or_default();
        } else {
            shown.push(c);
        }
    }
    shown
}

fn code_point(c: char) -> String {
    format!("U+{:04X}", c as u32)
}

fn character(what: &'static str, text: &str, c: char, kind: &'static str) -> NameError {
    NameError::Character { what, text: shown(text), character: code_point(c), kind }
}

/// Checks that a text is in normal form C and has assigned characters alone
///
/// # Errors
/// Another normal form, or a character that Unicode 16.0 does not assign.
pub fn plain_text(what: &'static str, text: &str) -> Result<(), NameError> {
    if text.is_ascii() {
        return Ok(());
    }
    if let Some(c) = text.chars().find(|&c| !is_assigned(c)) {
        return Err(character(what, text, c, "Unicode 16 does not assign it"));
    }
    let normal = match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => true,
        IsNormalized::No => false,
        IsNormalized::Maybe => text.nfc().eq(text.chars()),
    };
    if normal {
        return Ok(());
    }
    let escaped: String = text.escape_unicode().take(SHOWN_MAX).collect();
    Err(NameError::NotNormal(what, escaped, shown(&normalised(text))))
}

/// The text in normal form C, as doors make it
pub fn normalised(text: &str) -> String {
    text.nfc().collect()
}

/// Checks a text of sentences: a reason, a note, a description
///
/// # Errors
/// What no name has either, but for line feeds and tabs; it may be empty and long.
pub fn prose(what: &'static str, text: &str) -> Result<(), NameError> {
    plain_text(what, text)?;
    let found = text.chars().filter(|c| !matches!(c, '\n' | '\t'));
    match found.into_iter().find_map(|c| Some((c, refused(c)?))) {
        Some((c, kind)) => Err(character(what, text, c, kind)),
        None => Ok(()),
    }
}

/// Checks a name
///
/// # Errors
/// A name that is empty, longer than [`NAME_BYTES_MAX`], not in normal form C, or with a character that no
/// name has.
pub fn plain_name(what: &'static str, text: &str) -> Result<Arc<str>, NameError> {
    name_of_at_most(what, text, NAME_BYTES_MAX).map(Arc::from)
}

fn name_of_at_most<'a>(
    what: &'static str,
    text: &'a str,
    bytes_max: usize,
) -> Result<&'a str, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty(what));
    }
    if text.len() > bytes_max {
        return Err(NameError::Long(what, text.len()));
    }
    plain_text(what, text)?;
    match text.chars().find_map(|c| Some((c, refused(c)?))) {
        Some((c, kind)) => Err(character(what, text, c, kind)),
        None => Ok(text),
    }
}

/// Checks the name of a principal: it has no white space at its ends either, and is not `*`
///
/// # Errors
/// As [`plain_name`].
pub(crate) fn principal_name(what: &'static str, text: &str) -> Result<(), NameError> {
    principal_name_of_at_most(what, text, NAME_BYTES_MAX)
}

fn principal_name_of_at_most(
    what: &'static str,
    text: &str,
    bytes_max: usize,
) -> Result<(), NameError> {
    name_of_at_most(what, text, bytes_max)?;
    let ends = [text.chars().next(), text.chars().next_back()].into_iter().flatten();
    if let Some(c) = ends.into_iter().find(|c| c.is_whitespace()) {
        return Err(NameError::WhiteSpace(what, shown(text), code_point(c)));
    }
    if text == "*" { Err(NameError::Wildcard(what)) } else { Ok(()) }
}

/// Checks the name of a user, and gives its canonical form, which is in lower case
///
/// # Errors
/// As [`plain_name`]; the length is that of the canonical form.
pub(crate) fn user_name(what: &'static str, text: &str) -> Result<String, NameError> {
    if text.is_ascii() {
        let lower = text.to_ascii_lowercase();
        principal_name(what, &lower)?;
        return Ok(lower);
    }
    principal_name_of_at_most(what, text, 4 * NAME_BYTES_MAX)?;
    let lower = lower_case(text);
    principal_name(what, &lower)?;
    Ok(lower)
}

/// Lower case, code point by code point, in normal form C
///
/// A final sigma is a sigma: what stands around a letter does not decide its lower case. A mapping to what Unicode
/// 16.0 does not assign is younger than it, and is none.
pub fn lower_case(text: &str) -> String {
    text.chars().flat_map(lower).nfc().collect()
}

/// The lower case of one code point, by its own mapping
fn lower(c: char) -> impl Iterator<Item = char> {
    let younger = c.to_lowercase().any(|lower| !is_assigned(lower));
    let kept = younger.then_some(c);
    let mapped = (!younger).then(|| c.to_lowercase()).into_iter().flatten();
    kept.into_iter().chain(mapped).map(|c| if c == 'ς' { 'σ' } else { c })
}

/// A text as it is searched: decomposed, without marks, in lower case, and with one space for each run of white space
///
/// There is no white space at its ends.
pub fn searched(text: &str) -> String {
    // Nearly every name is searched as it is, but for its case.
    if text.is_ascii() && has_single_spaces_within(text) {
        return text.to_ascii_lowercase();
    }
    let words = text.split_whitespace().enumerate();
    let spaced = words.flat_map(|(n, word)| (n > 0).then_some(" ").into_iter().chain([word]));
    if text.is_ascii() {
        return spaced.map(str::to_ascii_lowercase).collect();
    }
    let chars = spaced.flat_map(str::chars).nfd().filter(|c| !is_combining_mark(*c));
    let plain: String = chars.flat_map(lower).collect();
    // A word of marks alone leaves nothing between two spaces.
    plain.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether the only white space of an ASCII text is single spaces, and none is at its ends
fn has_single_spaces_within(text: &str) -> bool {
    let mut spaced = true;
    for byte in text.bytes() {
        let space = byte == b' ';
        // What lies below a space is a control character, which may be white space.
        if byte < b' ' || (space && spaced) {
            return false;
        }
        spaced = space;
    }
    !spaced || text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        plain_name("name", text).unwrap_err().to_string()
    }

    #[test]
    fn a_name_is_plain_text_of_one_line() {
        for text in ["a", " a ", "Zoë", "日本", "👩\u{200d}💻", "\u{e000}", "a/b", "50 %"] {
            assert!(plain_name("name", text).is_ok(), "{text}");
        }
        assert!(plain_name("name", &"x".repeat(512)).is_ok());
        for (text, part) in [
            ("", "is empty"),
            ("a\nb", r"`a\u{a}b` has the character U+000A (a control character)"),
            ("a\u{7f}", "U+007F"),
            ("a\u{85}", "U+0085"),
            ("a\u{2028}b", "U+2028 (a separator of lines)"),
            ("a\u{202e}b", r"`a\u{202e}b` has the character U+202E (it turns the direction"),
            ("a\u{2066}b", "U+2066"),
            ("Zoe\u{308}", "normal form C: send `Zoë`"),
            ("\u{378}", "U+0378 (Unicode 16 does not assign it)"),
            ("\u{ffff}", "U+FFFF"),
            ("\u{fdd0}", "U+FDD0"),
        ] {
            assert!(problem(text).contains(part), "{}", problem(text));
        }
        assert!(problem(&"x".repeat(513)).contains("513 bytes"));
    }

    #[test]
    fn unicode_16_decides_what_is_assigned() {
        // U+A7DC came with 16.0; U+A7CE and U+1ACF came with 17.0.
        assert!(plain_name("name", "\u{a7dc}").is_ok());
        assert!(plain_name("name", "\u{a7ce}").is_err());
        assert!(plain_name("name", "\u{1acf}").is_err());
    }

    #[test]
    fn a_user_name_is_in_lower_case_without_context() {
        for (text, canonical) in [
            ("Alice@Acme.Example", "alice@acme.example"),
            ("ÉMILE@X", "émile@x"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
            ("οδυσσευς", "οδυσσευσ"),
            ("İ", "i\u{307}"),
            ("ẞ", "ß"),
        ] {
            let found = user_name("name of a user", text).unwrap();
            assert_eq!(found, canonical);
            assert_eq!(user_name("name of a user", &found).unwrap(), canonical);
        }
    }

    #[test]
    fn a_text_is_searched_without_case_marks_and_more_than_one_space() {
        for (text, searched) in [
            ("  Zoë \t Groß ", "zoe groß"),
            ("Ångström", "angstrom"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
            ("ὈΔΥΣΣΕΎΣ", "οδυσσευσ"),
            ("İzmir", "izmir"),
            ("a \u{301} b", "a b"),
            ("\u{301}", ""),
            ("e\u{301}\u{3000}E", "e e"),
            (" \n", ""),
            ("", ""),
            ("A b", "a b"),
            ("A ", "a"),
            (" A", "a"),
            ("A  b", "a b"),
            ("A\tb", "a b"),
        ] {
            assert_eq!(super::searched(text), searched, "{text}");
            assert_eq!(super::searched(searched), searched, "{text}");
        }
    }

    #[test]
    fn a_principal_has_no_white_space_at_its_ends() {
        for text in [" a", "a ", "a\u{a0}", "\u{3000}a"] {
            let error = principal_name("name of a user", text).unwrap_err().to_string();
            assert!(error.contains("white space"), "{error}");
        }
        assert!(principal_name("name of a user", "*").is_err());
        assert!(principal_name("name of a user", "a b").is_ok());
        assert!(principal_name("name of a user", "**").is_ok());
    }

    #[test]
    fn the_limit_is_of_the_canonical_form() {
        // `Ⱥ` has two bytes, its lower case three; `ẞ` has three, its lower case two.
        assert!(user_name("name of a user", &"Ⱥ".repeat(171)).is_err());
        assert!(user_name("name of a user", &"Ⱥ".repeat(170)).is_ok());
        assert!(user_name("name of a user", &"ẞ".repeat(256)).is_ok());
        assert!(user_name("name of a user", &"ẞ".repeat(257)).is_err());
    }

    #[test]
    fn prose_may_have_lines_and_tabs() {
        assert!(prose("reason", "a\n\tb").is_ok());
        assert!(prose("reason", "").is_ok());
        assert!(prose("reason", "a\rb").is_err());
        assert!(prose("reason", "a\u{202e}b").is_err());
        assert!(prose("reason", "e\u{301}").is_err());
    }
}
