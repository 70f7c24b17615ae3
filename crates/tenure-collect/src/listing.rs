//! How is a listing read until it is whole?

use tenure_core::Instant;

use crate::client::{Client, shown};
use crate::error::CollectError;
use crate::listings::Listing;
use crate::pager::{Odd, Pager};

/// A page as it came
///
/// It is kept as text and read again when it is handed over: as values it would take several times the memory.
pub(crate) struct Page {
    pub(crate) at: Instant,
    pub(crate) body: Vec<u8>,
}

/// A listing, whole
pub(crate) struct Whole {
    /// At least one
    pub(crate) pages: Vec<Page>,
    /// How many resources or records they have together
    pub(crate) records: u64,
}

/// Why one reading did not give a whole listing
enum Ended {
    /// It changed while it was read
    Unsteady(&'static str),
    Failed(CollectError),
}

impl From<CollectError> for Ended {
    fn from(error: CollectError) -> Self {
        Self::Failed(error)
    }
}

/// Reads a listing from its beginning, again if it changes meanwhile
pub(crate) fn read(client: &mut Client<'_>, listing: &Listing) -> Result<Whole, CollectError> {
    let mut readings = 0;
    loop {
        readings += 1;
        match once(client, listing) {
            Ok(whole) => return Ok(whole),
            Err(Ended::Failed(error)) => return Err(error),
            Err(Ended::Unsteady(problem)) => {
                if readings > client.source.limits.readings_again_max {
                    let problem = problem.to_owned();
                    return Err(CollectError::Unsteady { what: listing.what, readings, problem });
                }
            }
        }
    }
}

fn once(client: &mut Client<'_>, listing: &Listing) -> Result<Whole, Ended> {
    let limits = client.source.limits;
    let too_large = |bound| Err(CollectError::TooLarge { what: listing.what, bound }.into());
    let mut pager = Pager::new(listing, client.source.base.origin());
    let mut pages = Vec::new();
    let mut bytes = 0;
    let mut next = Some(listing.first.clone());
    while let Some(url) = next {
        if pages.len() >= limits.pages_max {
            return too_large(format!("{} pages", limits.pages_max));
        }
        let answer = match client.page(listing.what, &url) {
            Err(CollectError::Refused { status: 404, .. }) if !pages.is_empty() => {
                return Err(Ended::Unsteady("a page of it is missing"));
            }
            answer => answer?,
        };
        let problem = |problem: &str| {
            let problem = problem.to_owned();
            CollectError::Shape { asked: shown(&url), problem }
        };
        next = pager.next(&answer).map_err(|odd| match odd {
            Odd::Unsteady(problem) => Ended::Unsteady(problem),
            Odd::Shape(said) => problem(said).into(),
            Odd::Elsewhere(elsewhere) => {
                CollectError::Elsewhere { what: listing.what, elsewhere }.into()
            }
        })?;
        bytes += answer.body.len() as u64;
        if bytes > limits.listing_bytes_max {
            return too_large(format!("{} bytes", limits.listing_bytes_max));
        }
        match answer.status {
            // An audit log that has nothing more; its first answer is kept, so that it is known to have been asked.
            204 if pages.is_empty() => pages.push(Page { at: answer.at, body: b"[]".to_vec() }),
            204 => {}
            _ => pages.push(Page { at: answer.at, body: answer.body }),
        }
    }
    Ok(Whole { pages, records: pager.count })
}
