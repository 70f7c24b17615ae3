//! Where does the next page begin?
//!
//! A page token pins the coordinates of the first page, so all pages are of one answer. It carries a
//! digest of the question: the token of another question is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tenure_core::answer::ComputedAt;
use tenure_core::{AsOf, EffectiveAt, KnownAt};
use tenure_wire::api::Problem;
use tenure_wire::question::{Asked, Texts};

use crate::problem::{Code, problem};

/// Parameters that may differ from page to page
const FREE: [&str; 3] = ["page_token", "limit", "min_position"];

/// What a page token says
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct PageToken {
    question: [u8; 8],
    at: Option<i64>,
    known_at: u64,
    offset: u64,
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
        if token.known_at > newest.0 {
            return Err(bad("`page_token` is of a position that this replica does not have"));
        }
        Ok(Some(token))
    }

    /// How many rows the pages before have
    pub(super) fn offset(&self) -> usize {
        usize::try_from(self.offset).unwrap_or(usize::MAX)
    }

    /// The coordinates of the first page
    pub(super) fn as_of(&self) -> AsOf {
        let at = self.at.map(EffectiveAt::saturating_from_micros);
        AsOf { at, known_at: KnownAt(self.known_at).into() }
    }
}

impl<'a, T> Page<'a, T> {
    pub(super) fn cut(all: &'a [T], token: Option<&PageToken>, limit: usize) -> Self {
        let offset = token.map_or(0, PageToken::offset);
        let rest = all.get(offset..).unwrap_or_default();
        let items = rest.get(..limit).unwrap_or(rest);
        let next = (items.len() < rest.len()).then(|| offset + items.len());
        Self { items, next }
    }

    /// What to pass for the page after it, if there is one
    pub(super) fn next_token(&self, asked: &Asked, computed: &ComputedAt) -> Option<String> {
        let token = PageToken {
            offset: self.next? as u64,
            question: digest(asked),
            at: computed.at.map(EffectiveAt::micros),
            known_at: computed.known_at.0,
        };
        rmp_serde::to_vec(&token).ok().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
    }
}
