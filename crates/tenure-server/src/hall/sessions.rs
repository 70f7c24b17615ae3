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

    /// Who began it, if it has not ended
    pub(super) fn owner(&self, text: &str) -> Option<Principal> {
        let digest: [u8; 32] = Sha256::digest(text).into();
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
        assert_eq!(sessions.owner(&text), Some(ann.clone()));
        assert_eq!(sessions.owner(""), None);
        sessions.end(&text);
        assert_eq!(sessions.owner(&text), None);
        for _ in 0..SESSIONS_MAX {
            sessions.begin(ann.clone()).unwrap();
        }
        assert_eq!(sessions.begin(ann.clone()), None);
        let late = sessions.begin(ann.clone());
        assert_eq!(late, None);
        for session in sessions.open.lock().values_mut().take(1) {
            session.ends = Instant::now();
        }
        assert!(sessions.begin(ann).is_some());
    }
}
