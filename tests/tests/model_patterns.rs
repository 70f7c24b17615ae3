//! Does a pattern match what it should?
//!
//! Patterns and values are drawn over a small alphabet, so that many match. The naive matcher of the oracle tries every
//! way through a pattern. Texts of any characters of the language settle what is no pattern.

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::select;

use tenure_core::Pattern;
use tenure_tests::harness::{check, same, samples};
use tenure_tests::oracle::pattern::{is_pattern, matches};

fn character() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "a", "b", "ä", "-", "\\.", "\\\\", "x"])
}

/// A class, with `-` in all its places
fn class() -> impl Strategy<Value = String> {
    let part = select(vec!["a", "a-b", "b-ä", "\\--a", "x", "\\]", "(", "*", "."]);
    (vec(part, 1..3), any::<bool>())
        .prop_map(|(parts, dash)| format!("[{}{}]", parts.concat(), if dash { "-" } else { "" }))
}

fn counts() -> impl Strategy<Value = String> {
    (0..4_u32, 0..4_u32).prop_map(|(least, more)| format!("{{{least},{}}}", least + more))
}

/// A pattern in which `{m,n}` may stand, or one in which it may not
fn patterns(counted: bool, depth: u32) -> BoxedStrategy<String> {
    let repeat = prop_oneof![
        4 => Just(String::new()),
        4 => select(vec!["*", "+", "?"]).prop_map(str::to_owned),
    ]
    .boxed();
    let read = prop_oneof![
        5 => character().prop_map(str::to_owned),
        1 => Just(".".to_owned()),
        1 => class(),
    ]
    .boxed();
    let group = |counted| {
        patterns(counted, depth.saturating_sub(1)).prop_map(|inner| format!("({inner})")).boxed()
    };
    let atom = |counted| match depth {
        0 => read.clone(),
        _ => prop_oneof![3 => read.clone(), 2 => group(counted)].boxed(),
    };
    let plain = (atom(counted), repeat).prop_map(|(atom, repeat)| atom + &repeat);
    let part = match counted {
        false => plain.boxed(),
        true => {
            let counted = (atom(false), counts()).prop_map(|(atom, counts)| atom + &counts);
            prop_oneof![2 => plain, 1 => counted].boxed()
        }
    };
    let sequence = vec(part, 1..4).prop_map(|parts| parts.concat());
    vec(sequence, 1..3).prop_map(|alternatives| alternatives.join("|")).boxed()
}

fn values() -> impl Strategy<Value = String> {
    let character = select(vec!['a', 'a', 'b', 'ä', '-', '.', '\\', 'x', 'a']);
    vec(character, 0..9).prop_map(|characters| characters.into_iter().collect())
}

/// Texts that are mostly no patterns
fn texts() -> impl Strategy<Value = String> {
    let part = select(vec![
        "a", "b", "(", ")", "[", "]", "{", "}", "{1,2}", "{2,1}", "{0,255}", "{0,256}", "{1}",
        "{1,}", "{,2}", "{0001,2}", "|", "*", "+", "?", ".", "\\", "\\.", "\\d", "^", "$", "-",
        "[^a]", "[]", "[a-", "[b-a]", ",", "1", "(a)", "[a]",
    ]);
    vec(part, 0..7).prop_map(|parts| parts.concat())
}

#[test]
fn patterns_match_what_the_naive_matcher_says() {
    let strategy = (patterns(true, 2), vec(values(), 1..30));
    let test = "patterns_match_what_the_naive_matcher_says";
    check(test, 4_000, strategy, |(pattern, values)| {
        let found = Pattern::parse(&pattern);
        same(
            format_args!("whether `{pattern}` is a pattern"),
            &found.is_ok(),
            &is_pattern(&pattern),
        )?;
        let Ok(found) = found else { return Ok(()) };
        values.iter().try_for_each(|value| {
            let context = format_args!("`{pattern}` and `{value}`");
            same(context, &found.matches(value), &matches(&pattern, value))
        })
    });
}

#[test]
fn texts_are_patterns_where_the_naive_reader_says_so() {
    let test = "texts_are_patterns_where_the_naive_reader_says_so";
    check(test, 20_000, texts(), |text| {
        let found = Pattern::parse(&text).is_ok();
        same(format_args!("whether `{text}` is a pattern"), &found, &is_pattern(&text))
    });
}

/// The alphabet is small enough: many values match, and many texts are no pattern.
#[test]
fn many_values_match() {
    let drawn = samples(&(patterns(true, 2), values()), 2_000);
    let matching = drawn.iter().filter(|(pattern, value)| {
        Pattern::parse(pattern).is_ok_and(|pattern| pattern.matches(value))
    });
    let matching = matching.count();
    assert!((100..1_900).contains(&matching), "{matching}");
    let patterns = samples(&texts(), 2_000).iter().filter(|text| is_pattern(text)).count();
    assert!((50..1_500).contains(&patterns), "{patterns}");
}
