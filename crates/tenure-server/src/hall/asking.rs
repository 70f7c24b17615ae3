//! What does a question wait for before it is answered?

use std::time::Duration;

use tenure_core::{KnownAt, Question};
use tenure_wire::api::Problem;
use tenure_wire::question::Asked;
use tokio::sync::{Semaphore, watch};

use crate::ask;
use crate::engine::Engine;
use crate::problem::{Code, problem};

/// How long a reader waits for the position that it asks for
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Longest pause between two looks for an entry that is waited for
const PAUSE_MAX: Duration = Duration::from_millis(32);

/// Waits until the position that a question needs is known here
///
/// # Errors
/// `behind` if it does not come in time.
pub(super) async fn reach(
    engine: &Engine,
    asked: &Asked,
    patience: Duration,
) -> Result<(), Problem> {
    let position = ask::min_position(engine, asked)?;
    if position <= engine.shown().0 || engine.reach(position, patience).await {
        return Ok(());
    }
    let newest = engine.shown().0;
    Err(problem(
        Code::Behind,
        format!(
            "position {position} is not known here: the newest is {newest}, {} behind",
            position - newest.min(position)
        ),
    ))
}

/// Waits until the entry that is asked for may be seen, if the question says so, and no longer than it says
///
/// # Errors
/// `overloaded` if none of the `places` is free.
pub(super) async fn arrive(
    engine: &Engine,
    asked: &Asked,
    places: &Semaphore,
    mut closing: watch::Receiver<bool>,
) -> Result<(), Problem> {
    let Question::Entry { entry } = asked.question else { return Ok(()) };
    let Some(wait) = asked.wait else { return Ok(()) };
    let mut shown = engine.watch();
    if ask::has_arrived(engine, entry, KnownAt(*shown.borrow_and_update())) {
        return Ok(());
    }
    let _place = places.try_acquire().map_err(|_| {
        problem(Code::Overloaded, "as many wait for entries as are served: ask again later")
    })?;
    let arrived = async {
        let mut pause = Duration::from_millis(1);
        while shown.changed().await.is_ok()
            && !ask::has_arrived(engine, entry, KnownAt(*shown.borrow_and_update()))
        {
            // Many that wait do not look at every batch.
            tokio::time::sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    };
    tokio::select! {
        // If the entry has not come, the answer says so.
        _ = tokio::time::timeout(wait, arrived) => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
    Ok(())
}
