//! Where does the next page begin?
//!
//! A page token pins the coordinates of the first page, so all pages are of one answer. It carries a
//! digest of the question: the token of another question is refused.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tenure_core::answer::ComputedAt;
use tenure_core::{AsOf, EffectiveAt, KnownAt, Question};
use tenure_wire::api::Problem;
use tenure_wire::question::{Asked, Texts};

use crate::problem::{Code, problem};

/// Parameters that may differ from page to page
const FREE: [&str; 3] = ["page_token", "limit", "min_position"];

/// What a page token says
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct PageToken {
    question: [u8; 8],
    first: Pinned,
    /// Of a difference
    second: Option<Pinned>,
    offset: u64,
}

/// Coordinates of the first page
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Pinned {
    at: Option<i64>,
    known_at: u64,
}

impl From<&ComputedAt> for Pinned {
    fn from(computed: &ComputedAt) -> Self {
        Self { at: computed.at.map(EffectiveAt::micros), known_at: computed.known_at.0 }
    }
}

impl From<Pinned> for AsOf {
    fn from(Pinned { at, known_at }: Pinned) -> Self {
        let at = at.map(EffectiveAt::saturating_from_micros);
        Self { at, known_at: KnownAt(known_at).into() }
    }
}

/// A page of a whole answer
pub(super) struct Page<'a, T> {
    pub(super) items: &'a [T],
    /// Where the next one begins, if there is one
    next: Option<usize>,
}

fn digest(asked: &Asked) -> [u8; 8] {
    let Texts { name, parameters } = Texts::of(asked);
    let mut hasher = Sha256::new();
    hasher.update(name);
    for (name, value) in parameters.iter().filter(|(name, _)| !FREE.contains(name)) {
        // Lengths keep texts apart that would run into one another.
        for text in [name, value] {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
    }
    let whole: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = whole;
    [a, b, c, d, e, f, g, h]
}

fn bad(detail: &str) -> Problem {
    problem(Code::BadPageToken, detail)
}

impl PageToken {
    /// The token that came with a question, if one did
    ///
    /// # Errors
    /// A text that is no token, one of another question, or one of a position that is not here.
    pub(super) fn of(asked: &Asked, newest: KnownAt) -> Result<Option<Self>, Problem> {
        let Some(text) = &asked.page_token else { return Ok(None) };
        let token: Self = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| rmp_serde::from_slice(&bytes).ok())
            .ok_or_else(|| {
                bad("`page_token` is no page token: pass `next_page_token` of the page before")
            })?;
        if token.question != digest(asked) {
            return Err(bad(
                "`page_token` is of another question: ask with the parameters of its first page",
            ));
        }
        let mut pinned = [Some(token.first), token.second].into_iter().flatten();
        if pinned.any(|pinned| pinned.known_at > newest.0) {
            return Err(bad("`page_token` is of a position that this replica does not have"));
        }
        Ok(Some(token))
    }

    /// How many rows the pages before have
    pub(super) fn offset(&self) -> usize {
        usize::try_from(self.offset).unwrap_or(usize::MAX)
    }

    /// A question at the coordinates of the first page
    pub(super) fn pin(&self, question: Question) -> Question {
        let mut pinned = [Some(self.first), self.second].into_iter().flatten();
        question.map_as_of(|_| pinned.next().unwrap_or(self.first).into())
    }
}

/// What to pass for the page that begins at an offset
fn next_token(
    asked: &Asked,
    offset: usize,
    first: &ComputedAt,
    second: Option<&ComputedAt>,
) -> Option<String> {
    let token = PageToken {
        question: digest(asked),
        first: first.into(),
        second: second.map(Pinned::from),
        offset: offset as u64,
    };
    rmp_serde::to_vec(&token).ok().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

impl<'a, T> Page<'a, T> {
    pub(super) fn cut(all: &'a [T], offset: usize, limit: usize) -> Self {
        let rest = all.get(offset..).unwrap_or_default();
        let items = rest.get(..limit).unwrap_or(rest);
        let next = (items.len() < rest.len()).then(|| offset + items.len());
        Self { items, next }
    }

    /// What to pass for the page after it, if there is one
    pub(super) fn next_token(&self, asked: &Asked, computed: &ComputedAt) -> Option<String> {
        next_token(asked, self.next?, computed, None)
    }
}

/// A page through several lists, one after the other
pub(super) struct Pages {
    /// The rows of the page, counted over all lists
    rows: Range<usize>,
    /// How many rows the lists so far have
    seen: usize,
}

impl Pages {
    pub(super) fn new(token: Option<&PageToken>, limit: usize) -> Self {
        let begin = token.map_or(0, PageToken::offset);
        Self { rows: begin..begin.saturating_add(limit), seen: 0 }
    }

    /// What the page has of the next list
    pub(super) fn cut<'a, T>(&mut self, list: &'a [T]) -> &'a [T] {
        let place = |row: usize| row.saturating_sub(self.seen).min(list.len());
        let here = place(self.rows.start)..place(self.rows.end);
        self.seen += list.len();
        list.get(here).unwrap_or_default()
    }

    /// What to pass for the page after it, if there is one; all lists were cut
    pub(super) fn next_token(
        &self,
        asked: &Asked,
        first: &ComputedAt,
        second: &ComputedAt,
    ) -> Option<String> {
        let more = self.rows.end < self.seen;
        more.then(|| next_token(asked, self.rows.end, first, Some(second))).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_in_the_next_list() {
        let lists = [vec![1, 2, 3], vec![], vec![4], vec![5, 6, 7]];
        for limit in 1..9 {
            let mut found = Vec::new();
            for begin in (0..7).step_by(limit) {
                let mut pages = Pages { rows: begin..begin + limit, seen: 0 };
                let page: Vec<i32> =
                    lists.iter().flat_map(|list| pages.cut(list)).copied().collect();
                assert_eq!(page.len(), limit.min(7 - begin));
                assert_eq!(pages.seen, 7);
                found.extend(page);
            }
            assert_eq!(found, [1, 2, 3, 4, 5, 6, 7]);
        }
    }
}
