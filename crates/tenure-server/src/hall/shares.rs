//! How much of the server may one caller take?
//!
//! A caller that says who it is has a share of the requests that are served at once, so that one that loops does not keep the
//! others out. What it may not append stays in the log all the same (an outcome, not an error), so there is a limit to how
//! fast it may add such entries. Callers of whom nothing is known have no share of their own: their connections are bounded.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tenure_core::Principal;
use tenure_wire::api::Problem;

use super::caller::{Authentication, Caller};
use crate::problem::{Code, problem};

/// Of so many requests that are served at once, a caller may have one
const SHARE: usize = 8;
/// Entries that are forbidden to a caller and that it may add to the log at once
const FORBIDDEN_MAX: f64 = 1_000.0;
/// How many of them each second gives back
const FORGIVEN_PER_SECOND: f64 = 1.0;

/// What each caller takes
#[derive(Debug)]
pub(super) struct Shares {
    requests_max: usize,
    taken: Mutex<HashMap<Principal, Taken>>,
}

#[derive(Debug)]
struct Taken {
    requests: usize,
    /// Forbidden entries that are not forgiven yet, at that moment
    forbidden: (f64, Instant),
}

impl Taken {
    fn nothing(now: Instant) -> Self {
        Self { requests: 0, forbidden: (0.0, now) }
    }

    fn forbidden(&self, now: Instant) -> f64 {
        let (count, at) = self.forbidden;
        let forgiven = now.saturating_duration_since(at).as_secs_f64() * FORGIVEN_PER_SECOND;
        (count - forgiven).max(0.0)
    }
}

/// A part of its share that a caller takes until this is dropped
#[derive(Debug)]
pub(crate) struct Share {
    shares: Arc<Shares>,
    caller: Principal,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.lock();
        if let Entry::Occupied(mut of_caller) = taken.entry(self.caller.clone()) {
            let taken = of_caller.get_mut();
            taken.requests = taken.requests.saturating_sub(1);
            if taken.requests == 0 && taken.forbidden(Instant::now()) == 0.0 {
                of_caller.remove();
            }
        }
    }
}

/// The principal of a caller that says who it is, but for whoever has opened the data folder
fn known(caller: &Caller) -> Option<&Principal> {
    match caller.authentication() {
        Authentication::Nothing | Authentication::OwnFolder => None,
        _ => Some(caller.principal()),
    }
}

impl Shares {
    /// Shares of so many requests that are served at once
    pub(super) fn of(requests_max: usize) -> Self {
        Self { requests_max: requests_max.div_ceil(SHARE), taken: Mutex::default() }
    }

    /// Takes one request of a caller's share; `None` where nothing is known of the caller
    ///
    /// # Errors
    /// `too_many_requests`: all of the share is taken.
    pub(super) fn request(self: &Arc<Self>, caller: &Caller) -> Result<Option<Share>, Problem> {
        let Some(principal) = known(caller) else { return Ok(None) };
        let mut taken = self.taken.lock();
        let of_caller =
            taken.entry(principal.clone()).or_insert_with(|| Taken::nothing(Instant::now()));
        if of_caller.requests >= self.requests_max {
            let detail = format!(
                "`{caller}` has {} requests here that are not answered yet, which is its share: nothing was done, \
                 wait for one of them",
                of_caller.requests
            );
            return Err(problem(Code::TooManyRequests, detail));
        }
        of_caller.requests += 1;
        Ok(Some(Share { shares: Arc::clone(self), caller: principal.clone() }))
    }

    /// Lets a caller add entries to the log, of which so many are sure to be refused
    ///
    /// # Errors
    /// `too_many_requests`: too many of its entries were refused before.
    pub(super) fn append(&self, caller: &Caller, refused: usize) -> Result<(), Problem> {
        let now = Instant::now();
        let mut taken = self.taken.lock();
        let before = taken.get(caller.principal()).map_or(0.0, |taken| taken.forbidden(now));
        if before >= FORBIDDEN_MAX {
            drop(taken);
            let detail = format!(
                "too many entries of `{caller}` were forbidden: nothing was appended. Ask an administrator of the \
                 ledger for the role, and send less meanwhile"
            );
            return Err(problem(Code::TooManyRequests, detail));
        }
        note(&mut taken, caller, refused, now);
        Ok(())
    }

    /// Notes that so many entries of a caller were forbidden
    pub(super) fn note_forbidden(&self, caller: &Caller, count: usize) {
        note(&mut self.taken.lock(), caller, count, Instant::now());
    }
}

fn note(taken: &mut HashMap<Principal, Taken>, caller: &Caller, count: usize, now: Instant) {
    if count == 0 {
        return;
    }
    // Those who have nothing to be forgiven any more are forgotten.
    taken.retain(|_, taken| taken.requests > 0 || taken.forbidden(now) > 0.0);
    let of_caller = taken.entry(caller.principal().clone());
    let of_caller = of_caller.or_insert_with(|| Taken::nothing(now));
    of_caller.forbidden = (of_caller.forbidden(now) + count as f64, now);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn caller(name: &str) -> Caller {
        Caller::of_token(Principal::parse(&format!("client:corp/{name}")).unwrap())
    }

    #[test]
    fn a_caller_has_its_share_and_gives_it_back() {
        let shares = Arc::new(Shares::of(16));
        let (one, other) = (caller("one"), caller("other"));
        let first = shares.request(&one).unwrap();
        let second = shares.request(&one).unwrap();
        let refused = shares.request(&one).unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (429, "too_many_requests"));
        assert!(shares.request(&other).unwrap().is_some());
        drop(first);
        drop(shares.request(&one).unwrap());
        drop(second);
        assert!(shares.taken.lock().is_empty());
        for free in [Caller::anonymous(), Caller::local()] {
            let many: Vec<_> = (0..20).map(|_| shares.request(&free).unwrap()).collect();
            assert!(many.iter().all(Option::is_none));
        }
    }

    #[test]
    fn what_is_forbidden_to_a_caller_is_forgiven_slowly() {
        let shares = Arc::new(Shares::of(16));
        let (one, other) = (caller("one"), caller("other"));
        shares.note_forbidden(&one, 999);
        shares.append(&one, 0).unwrap();
        // What is sure to be refused counts before it is sent.
        shares.append(&one, 500).unwrap();
        assert_eq!(shares.append(&one, 0).unwrap_err().status, 429);
        shares.append(&other, 0).unwrap();
        // A share that is given back forgives nothing.
        drop(shares.request(&one).unwrap());
        assert_eq!(shares.append(&one, 0).unwrap_err().status, 429);
        let past = Instant::now().checked_sub(Duration::from_secs(600)).unwrap();
        shares.taken.lock().get_mut(one.principal()).unwrap().forbidden.1 = past;
        shares.append(&one, 0).unwrap();
        shares.taken.lock().get_mut(one.principal()).unwrap().forbidden = (5.0, past);
        shares.note_forbidden(&other, 1);
        assert_eq!(shares.taken.lock().len(), 1);
        shares.note_forbidden(&Caller::anonymous(), 5_000);
        assert_eq!(shares.append(&Caller::anonymous(), 0).unwrap_err().status, 429);
    }
}
