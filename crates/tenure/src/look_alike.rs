//! Could a person take this text for another one?
//!
//! Names on the log have no control characters, but they may still look like something that they are not: white
//! space at an end, a character that nobody sees, letters of another alphabet that are drawn alike. Tables
//! show such a name in quotes; tables and CSV files say which predefined name it looks like.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use tenure_core::lower_case;
use tenure_wire::catalogs::{CatalogFile, FILES};
use unicode_security::confusable_detection::skeleton;

/// What a name looks like: letters that are drawn alike are one, case and white space do not count
fn looks(name: &str) -> String {
    // Twice: in lower case other letters look alike than in upper case.
    let drawn: String = skeleton(&lower_case(name)).collect();
    skeleton(&drawn).filter(|c| !c.is_whitespace()).collect()
}

/// The predefined role collections of all built-in catalogues, by what they look like
static PREDEFINED: LazyLock<BTreeMap<String, Vec<String>>> = LazyLock::new(|| {
    let mut looks_of = BTreeMap::<String, Vec<String>>::new();
    // Each file can be read: a test of the wire says so.
    let files = FILES.iter().map(|(_, text)| serde_json::from_str::<CatalogFile>(text));
    for file in files.filter_map(Result::ok) {
        for row in file.role_collections {
            let name = row.fact.role_collection;
            let names = looks_of.entry(looks(&name)).or_default();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    looks_of
});

/// The predefined role collection that a name looks like without being one
fn predefined_like(name: &str) -> Option<&'static str> {
    let names = PREDEFINED.get(&looks(name))?;
    match names.iter().any(|known| known == name) {
        true => None,
        false => names.first().map(String::as_str),
    }
}

/// A role collection's name as a person reads it
pub(crate) fn role_collection(name: &str) -> String {
    match predefined_like(name) {
        Some(predefined) => format!("{} (looks like the predefined `{predefined}`)", visible(name)),
        None => visible(name),
    }
}

/// Whether a character takes no place, or another one than it seems to
fn is_unseen(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
                | '\u{ffa0}' | '\u{2800}' | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// A text as it is if a person sees all of it, else in quotes with what is not seen escaped
pub(crate) fn visible(text: &str) -> String {
    let seen = !text.starts_with(' ')
        && !text.ends_with(' ')
        && !text.contains("  ")
        && !text.chars().any(is_unseen);
    if seen {
        return text.to_owned();
    }
    let mut shown = String::from('"');
    for c in text.chars() {
        match c {
            c if is_unseen(c) => write!(shown, "\\u{{{:x}}}", c as u32).unwrap_or_default(),
            c => shown.push(c),
        }
    }
    shown.push('"');
    shown
}

/// A text as a cell of a CSV file that no spreadsheet takes for a formula
///
/// A `'` before it says that it is a text (OWASP, "CSV Injection").
pub(crate) fn csv_cell(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown_in_quotes() {
        for (text, shown) in [
            ("Subaccount Viewer", "Subaccount Viewer"),
            ("Zoë 日本", "Zoë 日本"),
            ("Admin ", "\"Admin \""),
            (" Admin", "\" Admin\""),
            ("Team  A", "\"Team  A\""),
            ("Ad\u{200b}min", "\"Ad\\u{200b}min\""),
            ("Ad\u{a0}min", "\"Ad\\u{a0}min\""),
            ("Ad\u{ad}min", "\"Ad\\u{ad}min\""),
            ("Ad\u{2800}min", "\"Ad\\u{2800}min\""),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn what_looks_like_a_predefined_name_is_pointed_out() {
        for like in [
            "subaccount viewer",
            "Subaccount Viewer ",
            "Subaccount  Viewer",
            "SubaccountViewer",
            "Subaccount Vi\u{435}wer",
            "Subacc\u{3bf}unt Viewer",
            "Subaccount\u{a0}Viewer",
            "ＳUBACCOUNT VIEWER",
        ] {
            assert!(role_collection(like).contains("predefined `Subaccount Viewer`"), "{like}");
        }
        for other in ["Subaccount Viewer", "Subaccount Viewers", "Orders Team"] {
            assert_eq!(role_collection(other), other);
        }
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@a", "'@a"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
    }
}
