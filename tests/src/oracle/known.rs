//! Is a name known, and which known names are nearly the same?
//!
//! Rules: `docs/semantics.md#unknown-is-not-nobody`.

use std::collections::BTreeSet;

use tenure_core::answer::NameKnown;
use tenure_core::{KnownAt, Principal};

use super::Oracle;

/// The fewest insertions, deletions and replacements of letters that lead from one text to the other
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let replaced = row[j] + usize::from(a != b);
            next.push(replaced.min(row[j + 1] + 1).min(next[j] + 1));
        }
        row = next;
    }
    row[other.len()]
}

fn own(principal: &Principal) -> Option<Vec<char>> {
    principal.as_str().split_once('/').map(|(_, name)| name.chars().collect())
}

impl Oracle {
    /// Whether a counted entry names a principal in a change, as known then, and who else could be meant
    pub fn name_known(&self, principal: &Principal, s: KnownAt) -> NameKnown {
        let known = self.known(s);
        let named = known.contains(principal);
        let Some(name) = own(principal) else {
            return NameKnown { named, ..NameKnown::default() };
        };
        let others: Vec<(&Principal, Vec<char>)> = known
            .iter()
            .filter(|other| *other != principal && other.kind() == principal.kind())
            .map(|other| (other, own(other).unwrap()))
            .collect();
        let same = others.iter().filter(|(_, other)| *other == name);
        let elsewhere = same.map(|(other, _)| (*other).clone()).take(20).collect();
        let near: BTreeSet<(usize, &Principal)> = others
            .iter()
            .filter(|(_, other)| name.len() >= 4 && other.len() >= 4)
            .map(|(other, letters)| (distance(&name, letters), *other))
            .filter(|(edits, _)| (1..=2).contains(edits))
            .collect();
        let similar = near.into_iter().filter(|_| !named).take(5);
        NameKnown { named, elsewhere, similar: similar.map(|(_, other)| other.clone()).collect() }
    }
}
