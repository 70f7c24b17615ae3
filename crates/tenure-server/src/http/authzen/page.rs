//! Where does the next page of a search begin?
//!
//! A token pins the coordinates of the first page, so all pages are of one answer. It carries a digest of the search: the
//! token of another search is refused. The first page size that is said holds for the pages after it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tenure_core::{AsOf, EffectiveAt, Instant, KnownAt};
use tenure_wire::api;
use tenure_wire::api::Problem;
use tenure_wire::authzen::{Put, Search, Sought, limit};

use crate::hall::broken_rule;
use crate::problem::{Code, problem};

/// What a page token says
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct PageToken {
    search: [u8; 8],
    at: String,
    known_at: u64,
    /// How many results the pages before have
    read: u64,
    /// How many results a page has, if the first one said it
    limit: Option<u64>,
}

fn digest(sought: Sought, request: &Search) -> [u8; 8] {
    let whole: [u8; 32] = Sha256::digest(request.key(sought)).into();
    let [a, b, c, d, e, f, g, h, ..] = whole;
    [a, b, c, d, e, f, g, h]
}

fn bad(detail: &str) -> Problem {
    problem(Code::BadPageToken, detail)
}

fn no_token() -> Problem {
    bad("`page.token` is no page token: pass `next_token` of the page before")
}

impl PageToken {
    /// The token that came with a search, if one did
    ///
    /// # Errors
    /// A text that is no token, or one of another search or of another page size.
    pub(super) fn of(sought: Sought, request: &Search) -> Result<Option<Self>, Problem> {
        let Some(text) = request.token() else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| no_token())?;
        let token: Self = rmp_serde::from_slice(&bytes).map_err(|_| no_token())?;
        if token.search != digest(sought, request) {
            return Err(bad("`page.token` is of another search: ask as for its first page"));
        }
        let other = |(asked, first)| asked != first;
        if request.limit().zip(token.limit).is_some_and(other) {
            let detail = "`page.limit` is another one than that of the first page: leave it out";
            return Err(bad(detail));
        }
        Ok(Some(token))
    }

    /// What to pass for the page that begins after so many results; the token is that of this page
    pub(super) fn after(
        sought: Sought,
        request: &Search,
        token: Option<Self>,
        as_of: &api::AsOf,
        read: usize,
    ) -> Self {
        let first = token.and_then(|token| token.limit);
        // A page without results says how many there are. The next page may then be of any size.
        let limit = first.or(request.limit()).filter(|limit| *limit > 0);
        Self {
            search: digest(sought, request),
            at: as_of.at.clone().unwrap_or_default(),
            known_at: as_of.known_at,
            read: read as u64,
            limit,
        }
    }

    /// Its text
    ///
    /// # Errors
    /// None that is known: an empty text would say that there is no further page.
    pub(super) fn text(&self) -> Result<String, Problem> {
        let bytes = rmp_serde::to_vec(self).map_err(|_| broken_rule())?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Puts a question at the coordinates of the first page, and at the place of this page
    ///
    /// # Errors
    /// A token that was made by hand, or one of a moment after the latest that may be asked about.
    pub(super) fn pin(&self, put: &mut Put, latest: Option<EffectiveAt>) -> Result<(), Problem> {
        let at = Instant::parse(&self.at).map_err(|_| no_token())?;
        let at = EffectiveAt::try_from(at).map_err(|_| no_token())?;
        if latest.is_some_and(|latest| at > latest) {
            let detail =
                "`page.token` is of a moment that has not come here: ask for the first page";
            return Err(bad(detail));
        }
        put.as_of = AsOf { at: Some(at), known_at: KnownAt(self.known_at).into() };
        if let Ok(asked) = &mut put.asked {
            asked.question = asked.question.clone().map_as_of(|_| put.as_of);
            asked.skip = usize::try_from(self.read).unwrap_or(usize::MAX);
            if self.limit.is_some() {
                asked.limit = limit(self.limit);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> EffectiveAt {
        EffectiveAt::try_from(Instant::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn a_page_is_of_the_moment_of_the_first_and_of_none_that_has_not_come() {
        let at = "2098-01-01T00:00:00Z".to_owned();
        let token = PageToken { search: [0; 8], at, known_at: 7, read: 3, limit: None };
        let put = |said: &str| Put {
            asked: Err(tenure_wire::authzen::NoSuch::Type("none".to_owned())),
            as_of: AsOf { at: Some(moment(said)), ..AsOf::default() },
        };
        let mut other = put("2026-01-01T00:00:00Z");
        let latest = Some(moment("2027-01-01T00:00:00Z"));
        assert_eq!(token.pin(&mut other, latest).unwrap_err().code, "bad_page_token");
        assert_eq!(other.as_of.at, Some(moment("2026-01-01T00:00:00Z")));
        // It has come meanwhile, or such moments are heeded.
        for latest in [None, Some(moment("2099-01-01T00:00:00Z"))] {
            token.pin(&mut other, latest).unwrap();
            assert_eq!(other.as_of.at, Some(moment("2098-01-01T00:00:00Z")));
        }
    }
}
