//! What happens at Acme from day to day?
//!
//! Three years pass, a day at a time. Each day begins with the scenes of the story; then come the events of chance.
//! All of them go over one [`Desk`], so the order of the messages is the order of the days.

use tenure_core::{Instant, RecordedAt};
use tenure_wire::catalogs::{self, CatalogFileError};
use tenure_wire::v1;

use crate::calendar::{Day, Second, day};
use crate::cast::{INGRID, cast};
use crate::desk::{Desk, Intended, Message};
use crate::dice::Dice;
use crate::estate::App;
use crate::model::Key;
use crate::names::Names;
use crate::staff::{Person, Post};
use crate::{inventory, legacy, mishap, reform, routine, staff, story, upgrade};

/// The first day, on which the inventory is taken
pub(crate) const FIRST_DAY: Day = day(2023, 7, 3);
/// The last day with an event at Acme
pub(crate) const LAST_DAY: Day = day(2026, 6, 30);
/// The day on which the ledger is set up
const SET_UP: Day = day(2023, 7, 1);
/// The seed of chance, an arbitrary number
const SEED: u64 = 0xac3e;

/// An event with its day
pub(crate) type Scene = (Day, fn(&mut Company));

/// A correction that will be made later
#[derive(Debug)]
pub(crate) struct Correction {
    /// The id of the wrong entry
    pub(crate) wrong: String,
    /// Its ticket
    pub(crate) ticket: u32,
    /// The time since which the right entry holds
    pub(crate) since: Second,
}

/// Acme on one day
#[derive(Debug)]
pub(crate) struct Company {
    pub(crate) desk: Desk,
    pub(crate) dice: Dice,
    pub(crate) names: Names,
    pub(crate) staff: Vec<Person>,
    /// Grants that were requested and not yet taken back
    pub(crate) requested: Vec<Key>,
    /// People whose leaving is reported late: the day of the report, the last day, and the person
    pub(crate) late_leavers: Vec<(Day, Day, Person)>,
    pub(crate) correction: Option<Correction>,
    /// The level of the ledger itself
    pub(crate) ledger: String,
    ticket: u32,
}

impl Company {
    fn new(ledger: &str) -> Self {
        let staff = cast();
        Self {
            desk: Desk::new(ledger, FIRST_DAY),
            dice: Dice::new(SEED),
            names: Names::new(staff.iter().map(|person| person.name.clone())),
            staff,
            requested: Vec::new(),
            late_leavers: Vec::new(),
            correction: None,
            ledger: format!("ledger:{ledger}"),
            ticket: 20_100,
        }
    }

    /// The number of the next ticket
    pub(crate) fn next_ticket(&mut self) -> u32 {
        self.ticket += 1;
        self.ticket
    }

    /// A reason with the number of a ticket of that kind
    pub(crate) fn ticketed(&mut self, kind: &str, text: &str) -> String {
        format!("{kind}-{} {text}", self.next_ticket())
    }

    /// The user that leads the team of an application
    pub(crate) fn lead_of(&self, app: &App) -> String {
        let lead = self.staff.iter().find(|person| person.post_is_lead_of(app));
        lead.map_or(INGRID, |lead| lead.user.as_str()).to_owned()
    }
}

impl Person {
    fn post_is_lead_of(&self, app: &App) -> bool {
        matches!(self.post, Post::Lead(own) if own.id == app.id)
    }
}

/// All messages that are sent to the ledger, oldest first
///
/// # Errors
/// A built-in catalogue is wrong.
pub(crate) fn history(ledger: &str) -> Result<Vec<Message>, CatalogFileError> {
    let mut messages = publications(ledger)?;
    messages.extend(three_years(ledger));
    // The sort is stable: messages of the same time stay in their order.
    messages.sort_by_key(|message| message.recorded_at);
    Ok(messages)
}

fn three_years(ledger: &str) -> Vec<Message> {
    let mut company = Company::new(ledger);
    let days = std::iter::successors(Some(FIRST_DAY), |today| Some(today.plus(1)));
    for today in days.take_while(|today| *today <= LAST_DAY) {
        company.desk.begin(today);
        if today == FIRST_DAY {
            inventory::take(&mut company);
            continue;
        }
        routine::night(&mut company);
        if today == crate::estate::UPGRADE {
            upgrade::run(&mut company);
        }
        reform::day(&mut company);
        legacy::day(&mut company);
        story::day(&mut company);
        if today.is_workday() {
            company.desk.wait_for(8, 0);
            mishap::day(&mut company);
            routine::day(&mut company);
            staff::day(&mut company);
        }
    }
    company.desk.into_messages()
}

/// The built-in catalogues, each in a message of its own: at the start of its day, but not before the ledger is set up
fn publications(ledger: &str) -> Result<Vec<Message>, CatalogFileError> {
    let set_up = SET_UP.at(0, 0).recorded();
    let publication = |encoded: tenure_wire::codec::Encoded| {
        let entry = encoded.entry();
        let effective_at = entry.effective_at().map_or(set_up, recorded);
        Message {
            recorded_at: effective_at.max(set_up),
            entries: vec![(v1::Entry::from_core(entry), Intended::Applied)],
        }
    };
    Ok(catalogs::genesis(ledger)?.into_iter().map(publication).collect())
}

fn recorded(instant: Instant) -> RecordedAt {
    RecordedAt::saturating_from_micros(instant.micros())
}
