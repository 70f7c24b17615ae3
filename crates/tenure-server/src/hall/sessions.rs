//! Who has logged on in a browser?
//!
//! A session is known by a random text in a cookie; here is its digest alone. Sessions are in memory: whoever logged on
//! logs on again after a restart, or at another replica.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tenure_core::Principal;

use super::secret::secret;

/// How long somebody is logged on
pub(crate) const SESSION: Duration = Duration::from_secs(8 * 3_600);
/// Most sessions of one person: one more ends the oldest
const OWN_SESSIONS_MAX: usize = 16;
/// Most sessions at once
const SESSIONS_MAX: usize = 10_000;

/// The sessions that have begun and not ended
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<[u8; 32], Session>>,
}

#[derive(Debug)]
struct Session {
    principal: Principal,
    ends: Instant,
}

impl Sessions {
    /// Begins one and gives its text; `None` where there are too many
    pub(super) fn begin(&self, principal: Principal) -> Option<String> {
        let now = Instant::now();
        let mut open = self.open.lock();
        let own = open.iter().filter(|(_, session)| session.principal == principal);
        let own: Vec<_> = own.map(|(digest, session)| (session.ends, *digest)).collect();
        if own.len() >= OWN_SESSIONS_MAX
            && let Some((_, oldest)) = own.iter().min()
        {
            open.remove(oldest);
        }
        if open.len() >= SESSIONS_MAX {
            open.retain(|_, session| session.ends > now);
        }
        if open.len() >= SESSIONS_MAX {
            return None;
        }
        let text = secret();
        open.insert(Sha256::digest(&text).into(), Session { principal, ends: now + SESSION });
        Some(text)
    }

    /// Who began it, and its digest, if it has not ended
    pub(super) fn owner(&self, text: &str) -> Option<(Principal, [u8; 32])> {
        let digest: [u8; 32] = Sha256::digest(text).into();
        Some((self.of_digest(digest)?, digest))
    }

    /// Who began the session of this digest, if it has not ended
    pub(super) fn of_digest(&self, digest: [u8; 32]) -> Option<Principal> {
        let open = self.open.lock();
        let session = open.get(&digest).filter(|session| session.ends > Instant::now())?;
        Some(session.principal.clone())
    }

    /// Ends it
    pub(super) fn end(&self, text: &str) {
        let digest: [u8; 32] = Sha256::digest(text).into();
        self.open.lock().remove(&digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_whose_began_it_until_it_ends() {
        let sessions = Sessions::default();
        let ann = Principal::parse("user:corp/ann@x").unwrap();
        let text = sessions.begin(ann.clone()).unwrap();
        assert_eq!(sessions.owner(&text).unwrap().0, ann);
        assert_eq!(sessions.owner(""), None);
        sessions.end(&text);
        assert_eq!(sessions.owner(&text), None);
        // Nobody fills it alone.
        let first = sessions.begin(ann.clone()).unwrap();
        for _ in 0..OWN_SESSIONS_MAX {
            sessions.begin(ann.clone()).unwrap();
        }
        assert_eq!(sessions.owner(&first), None);
        assert_eq!(sessions.open.lock().len(), OWN_SESSIONS_MAX);
        for n in OWN_SESSIONS_MAX..SESSIONS_MAX {
            let one = Principal::parse(&format!("user:corp/p{n}@x")).unwrap();
            sessions.begin(one).unwrap();
        }
        let late = Principal::parse("user:corp/late@x").unwrap();
        assert_eq!(sessions.begin(late.clone()), None);
        for session in sessions.open.lock().values_mut().take(1) {
            session.ends = Instant::now();
        }
        assert!(sessions.begin(late).is_some());
    }
}
