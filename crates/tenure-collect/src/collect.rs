//! How is a source collected?

use crate::client::Client;
use crate::clock::now;
use crate::error::{CollectError, SinkError};
use crate::fetched::Fetched;
use crate::listing::{Whole, read};
use crate::listings::{Listing, listings};
use crate::source::Source;
use crate::window::Window;

/// What was collected
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Collected {
    /// The window of the events, in whole seconds: the next one begins at its end, minus the overlap
    pub window: Window,
    /// How many listings were handed over
    pub listings: u64,
    /// How many pages they had together
    pub pages: u64,
    /// How many resources and records were in them
    pub records: u64,
}

/// Asks a source for all its listings and hands over each page, in the order of its listing
///
/// Listings that show how something is are asked as they are now. Listings of events are asked for the window, which
/// ends now at the latest. `given_up` is looked at ten times a second.
///
/// # Guarantees
/// The first page of a listing is handed over only when all its pages are read and fit together. The last page says
/// that the listing is complete. A listing without anything in it is handed over as well.
///
/// # Errors
/// [`CollectError`]. What was handed over until then stays true. After [`CollectError::Sink`] and
/// [`CollectError::GivenUp`] the last listing may be there without its last page, so it is not whole.
/// [`CollectError::GivenUp`] comes within a second, beside what the sink takes. A request that was on its way then ends
/// by itself, after two minutes at the latest.
///
/// # Cost
/// Blocks. Most of its time it waits for the servers: at most 120 seconds an answer, and at most five more tries in a
/// row, with pauses of up to 30 seconds or as long as the server asks for, up to an hour. Holds one listing in memory,
/// at most 1 GiB of text in 10,000 pages of 64 MiB, and the values of one page.
pub fn collect(
    source: &Source,
    window: Window,
    given_up: &dyn Fn() -> bool,
    sink: &mut dyn FnMut(Fetched) -> Result<(), SinkError>,
) -> Result<Collected, CollectError> {
    let now = now();
    if window.until() > now {
        return Err(CollectError::Future { until: window.until(), now });
    }
    let mut client = Client::new(source, given_up);
    let mut collected = Collected { window, listings: 0, pages: 0, records: 0 };
    for listing in listings(source, window) {
        let whole = read(&mut client, &listing)?;
        collected.listings += 1;
        collected.pages += whole.pages.len() as u64;
        collected.records += whole.records;
        hand_over(&client, &listing, whole, sink)?;
    }
    Ok(collected)
}

fn hand_over(
    client: &Client<'_>,
    listing: &Listing,
    whole: Whole,
    sink: &mut dyn FnMut(Fetched) -> Result<(), SinkError>,
) -> Result<(), CollectError> {
    let mut pages = whole.pages.into_iter().peekable();
    while let Some(page) = pages.next() {
        client.go_on()?;
        let body = serde_json::from_slice(&page.body).map_err(|_| CollectError::Shape {
            asked: listing.path.clone(),
            problem: "it is no JSON".to_owned(),
        })?;
        let complete = pages.peek().is_none();
        let (what, window) = (listing.what, listing.window);
        sink(Fetched { at: page.at, what, body, window, complete }).map_err(CollectError::Sink)?;
    }
    Ok(())
}
