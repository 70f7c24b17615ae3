//! Do the replicas of this ledger agree?
//!
//! Each tells the others, once a second, how far it is and with which digest. A digest is compared at a
//! position that both know. Who differs from at least as many as agree with it, itself counted, is not
//! ready, until it agrees with all it hears of; both digests are kept in a file for study.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::digest::{MARK_EVERY, StateDigest, Trail, hex, parse};

/// Who was not heard for so long counts for nothing
const SILENT_AFTER: Duration = Duration::from_secs(30);
/// Replicas that are remembered
const PEERS_MAX: usize = 64;

/// What a replica tells the others
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Announcement {
    /// Its name: one for each data folder
    pub(super) replica: String,
    /// How far it is
    position: u64,
    /// The digest there
    digest: String,
    /// An earlier position, a multiple of 1,024; 0 if there is none
    mark: u64,
    /// The digest there
    mark_digest: String,
}

impl Announcement {
    /// What is to be told of a trail; `None` while there is nothing
    pub(super) fn of(replica: &str, trail: &Trail) -> Option<Self> {
        let (position, digest) = trail.head();
        let mark = position - position % MARK_EVERY;
        let mark_digest = trail.at(mark).map(|digest| hex(&digest));
        (position > 0).then(|| Self {
            replica: replica.to_owned(),
            position,
            digest: hex(&digest),
            mark: if mark_digest.is_some() { mark } else { 0 },
            mark_digest: mark_digest.unwrap_or_default(),
        })
    }
}

/// What was found of another replica
#[derive(Debug)]
struct Peer {
    heard: Instant,
    position: u64,
    /// The last comparison: where, and whether it agreed
    compared: Option<(u64, bool)>,
    /// Its last digest, at a position that is not reached here yet
    ahead: Option<(u64, StateDigest)>,
}

/// Another replica, as it is shown
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct PeerReport {
    replica: String,
    position: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    agrees: Option<bool>,
}

/// The other replicas
#[derive(Debug)]
pub(super) struct Peers {
    own: String,
    folder: PathBuf,
    peers: HashMap<String, Peer>,
    differs: Option<String>,
}

impl Peers {
    pub(super) fn new(own: String, folder: &Path) -> Self {
        Self { own, folder: folder.to_owned(), peers: HashMap::new(), differs: None }
    }

    /// Why this replica is not ready, if so
    pub(super) fn differs(&self) -> Option<&str> {
        self.differs.as_deref()
    }

    /// How many that were heard lately differ, and how many agree
    pub(super) fn counts(&self) -> (usize, usize) {
        let lately = self.peers.values().filter(|peer| peer.heard.elapsed() < SILENT_AFTER);
        lately.filter_map(|peer| peer.compared).fold((0, 0), |(differ, agree), (_, agrees)| {
            if agrees { (differ, agree + 1) } else { (differ + 1, agree) }
        })
    }

    /// The others, as they are shown
    pub(super) fn report(&self) -> Vec<PeerReport> {
        let mut report: Vec<PeerReport> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.heard.elapsed() < SILENT_AFTER)
            .map(|(replica, peer)| PeerReport {
                replica: replica.clone(),
                position: peer.position,
                agrees: peer.compared.map(|(_, agrees)| agrees),
            })
            .collect();
        report.sort_by(|one, other| one.replica.cmp(&other.replica));
        report
    }

    /// Hears what another replica tells
    pub(super) fn hear(&mut self, told: &Announcement, trail: &Trail) {
        let named = !told.replica.is_empty() && told.replica.len() <= 64;
        if told.replica == self.own || !named {
            return;
        }
        if !self.peers.contains_key(&told.replica) && self.peers.len() >= PEERS_MAX {
            self.peers.retain(|_, peer| peer.heard.elapsed() < SILENT_AFTER);
            if self.peers.len() >= PEERS_MAX {
                return;
            }
        }
        let (Some(digest), mark) = (parse(&told.digest), parse(&told.mark_digest)) else { return };
        let peer = self.peers.entry(told.replica.clone()).or_insert(Peer {
            heard: Instant::now(),
            position: 0,
            compared: None,
            ahead: None,
        });
        peer.heard = Instant::now();
        peer.position = told.position;
        let (own, _) = trail.head();
        if told.position > own {
            // Its earlier one, if it can be compared now, and the newest when this one is as far.
            peer.ahead.get_or_insert((told.position, digest));
        }
        let at = [(told.position, Some(digest)), (told.mark, mark)];
        let comparable = at.into_iter().find_map(|(position, theirs)| {
            let ours = trail.at(position).filter(|_| position > 0)?;
            Some((position, ours, theirs?))
        });
        if let Some((position, ours, theirs)) = comparable {
            self.compare(&told.replica, position, ours, theirs);
        }
    }

    /// Compares what others were ahead with, now that this one has come as far
    pub(super) fn catch_up(&mut self, trail: &Trail) {
        let (own, _) = trail.head();
        let reached: Vec<(String, u64, StateDigest)> = self
            .peers
            .iter_mut()
            .filter_map(|(replica, peer)| {
                let (position, theirs) = peer.ahead.take_if(|(position, _)| *position <= own)?;
                Some((replica.clone(), position, theirs))
            })
            .collect();
        for (replica, position, theirs) in reached {
            if let Some(ours) = trail.at(position) {
                self.compare(&replica, position, ours, theirs);
            }
        }
        self.settle();
    }

    fn compare(&mut self, replica: &str, position: u64, ours: StateDigest, theirs: StateDigest) {
        let Some(peer) = self.peers.get_mut(replica) else { return };
        let agrees = ours == theirs;
        let before = peer.compared.replace((position, agrees));
        if !agrees && before.is_none_or(|(_, agreed)| agreed) {
            let agreed_at = before.map_or(0, |(position, _)| position);
            tracing::error!(
                replica,
                position,
                agreed_at,
                ours = hex(&ours),
                theirs = hex(&theirs),
                "another replica made something else of the same log"
            );
            self.keep(replica, position, agreed_at, &ours, &theirs);
        }
        if agrees && before.is_some_and(|(_, agreed)| !agreed) {
            tracing::info!(replica, position, "the replica agrees again");
        }
        self.settle();
    }

    fn settle(&mut self) {
        let (differ, agree) = self.counts();
        if differ > agree {
            let why = format!(
                "this replica and {differ} other(s) made something else of the same log, {agree} agree(s): \
                 the files `divergence-*.json` in its data folder have both digests. Run `tenure verify` \
                 on each data folder, and rebuild the one that is wrong"
            );
            if self.differs.is_none() {
                tracing::error!(code = "replica_differs", "{why}");
            }
            self.differs = Some(why);
        } else if self.differs.is_some() && differ == 0 && agree > 0 {
            tracing::info!("this replica agrees with all that it hears of");
            self.differs = None;
        }
    }

    /// Keeps both digests for study
    fn keep(
        &self,
        replica: &str,
        position: u64,
        agreed_at: u64,
        ours: &StateDigest,
        theirs: &StateDigest,
    ) {
        let safe: String = replica.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        let path = self.folder.join(format!("divergence-{position}-{safe}.json"));
        let evidence = serde_json::json!({
            "position": position,
            "last_position_that_agreed": agreed_at,
            "this_replica": { "replica": self.own, "digest": hex(ours) },
            "other_replica": { "replica": replica, "digest": hex(theirs) },
        });
        // Nobody waits for the disk.
        std::thread::spawn(move || {
            if let Err(error) = std::fs::write(&path, format!("{evidence:#}\n")) {
                tracing::error!(%error, path = %path.display(), "the digests cannot be kept");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tenure_core::{Outcome, RecordedAt};
    use tenure_journal::{Journal, Payload, Row};

    use super::*;

    struct Replica {
        _folder: tempfile::TempDir,
        journal: Journal,
        trail: Trail,
        peers: Peers,
    }

    impl Replica {
        fn new(name: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let journal = Journal::open(&folder.path().join("data"), None).unwrap();
            let peers = Peers::new(name.to_owned(), folder.path());
            Self { _folder: folder, journal, trail: Trail::default(), peers }
        }

        fn write(&mut self, text: &str) {
            let rows = [Row {
                recorded_at: RecordedAt::saturating_from_micros(1),
                submitter: tenure_core::Principal::local(),
                door: None,
                outcome: Outcome::Applied,
                payload: Payload::Entry(text.as_bytes().to_vec()),
                origin: None,
            }];
            let digests = self.trail.ahead(&rows, &mut self.journal);
            self.journal.commit_unflushed(&mut rows.to_vec()).unwrap();
            self.trail.extend(digests);
            self.peers.catch_up(&self.trail);
        }

        fn tell(&self) -> Announcement {
            let name = &self.peers.own;
            Announcement::of(name, &self.trail).unwrap()
        }

        fn hear(&mut self, told: &Announcement) {
            self.peers.hear(told, &self.trail);
        }
    }

    #[test]
    fn who_differs_from_the_others_is_not_ready_and_keeps_both_digests() {
        let [mut a, mut b, mut c] = ["a", "b", "c"].map(Replica::new);
        for (replica, text) in [(&mut a, "x"), (&mut b, "x"), (&mut c, "y")] {
            replica.write(text);
        }
        let told = [a.tell(), b.tell(), c.tell()];
        for replica in [&mut a, &mut b, &mut c] {
            told.iter().for_each(|told| replica.hear(told));
        }
        assert_eq!((a.peers.differs(), a.peers.counts()), (None, (1, 1)));
        assert!(c.peers.differs().is_some_and(|why| why.contains("divergence-")));
        let kept = || {
            let files = std::fs::read_dir(c._folder.path()).unwrap().flatten();
            let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
            names.filter(|name| name.starts_with("divergence-1-")).count()
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while kept() < 2 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(kept(), 2);
    }

    #[test]
    fn of_two_that_differ_neither_is_ready_until_they_agree() {
        let [mut a, mut b] = ["a", "b"].map(Replica::new);
        a.write("x");
        b.write("y");
        let told = b.tell();
        a.hear(&told);
        assert!(a.peers.differs().is_some());
        // The other one was rebuilt.
        let mut again = Replica::new("b2");
        again.write("x");
        a.peers.peers.clear();
        assert!(a.peers.differs().is_some(), "silence is no agreement");
        a.hear(&again.tell());
        assert!(a.peers.differs().is_none());
    }

    #[test]
    fn who_is_ahead_is_compared_when_this_one_is_as_far() {
        let [mut a, mut b] = ["a", "b"].map(Replica::new);
        for text in ["x", "y"] {
            b.write(text);
        }
        a.write("x");
        a.hear(&b.tell());
        assert_eq!(a.peers.counts(), (0, 0));
        a.write("z");
        assert_eq!(a.peers.counts(), (1, 0));
    }
}
