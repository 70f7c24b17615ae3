//! Where does this ledger stand to its stream?
//!
//! One [`Standing`] at a time: away, catching up, following, or one of the reasons not to go on. The last
//! ones end when their cause does; nothing that was lost is gone over in silence.

use tokio::sync::watch;

/// Where a ledger stands to its stream
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// No server answers
    Away {
        /// Why
        why: String,
    },
    /// The stream is read up to where it ended when it was looked at
    CatchingUp {
        /// The last sequence to be applied
        target: u64,
    },
    /// What the stream has is applied here, or will be in a moment
    Following,
    /// The stream can forget or rewrite, or is another ledger's
    Unfit {
        /// What is wrong, and what would be right
        why: String,
    },
    /// There is no stream, and there was one, or the journal is to move to one
    Absent {
        /// Its name
        stream: String,
        /// The last position of the journal
        newest: u64,
    },
    /// The journal has positions that the stream has not
    LostTail {
        /// The last position that both have
        common: u64,
        /// The last position of the journal
        newest: u64,
    },
    /// The stream has something else at a position than the journal
    OtherContent {
        /// The first position that differs
        position: u64,
        /// The stream's message
        sequence: u64,
    },
    /// A message is gone from the middle of the stream
    Missing {
        /// Its sequence
        sequence: u64,
    },
    /// A message needs newer rules than this program has
    NeedsUpgrade {
        /// The version that it needs
        version: u64,
        /// The message
        sequence: u64,
    },
    /// The journal cannot be read
    Journal {
        /// Why
        why: String,
    },
}

impl Standing {
    /// The code, for the line in the log, of a standing that an operator has to end; see `docs/errors.md`
    fn code(&self) -> Option<&'static str> {
        match self {
            Self::Following
            | Self::CatchingUp { .. }
            | Self::Away { .. }
            | Self::Journal { .. } => None,
            Self::Unfit { .. } => Some("log_unfit"),
            Self::Absent { .. } | Self::LostTail { .. } => Some("log_lost_tail"),
            Self::OtherContent { .. } | Self::Missing { .. } => Some("log_diverged"),
            Self::NeedsUpgrade { .. } => Some("needs_upgrade"),
        }
    }

    /// What is the matter, in a sentence that says what to do
    pub fn sentence(&self) -> String {
        match self {
            Self::Following => "the stream is followed".to_owned(),
            Self::Away { why } => format!(
                "NATS is away ({why}): what is known here is answered, and the connection is tried again"
            ),
            Self::CatchingUp { target } => {
                format!("the stream is being read, up to its message {target}")
            }
            Self::Unfit { why } => why.clone(),
            Self::Absent { stream, newest } => format!(
                "there is no stream `{stream}`, and {newest} positions are known here: it was deleted, or this \
                 is not the NATS that had it. Nothing is applied. Restore it from a backup; or stop this \
                 server, and `tenure republish --data …` makes it again with what is known here"
            ),
            Self::LostTail { common, newest } => format!(
                "the stream has lost entries: it ends at position {common}, and {newest} positions are \
                 known here. Nothing more is applied. Stop this server, and `tenure republish --data …` \
                 shows what it would append again"
            ),
            Self::OtherContent { position, sequence } => format!(
                "the stream has something else at position {position} (its message {sequence}) than what \
                 is known here. Nothing more is applied. Stop this server, and `tenure republish --data \
                 …` shows the difference"
            ),
            Self::Missing { sequence } => format!(
                "the stream's message {sequence} is gone: nothing after it is applied. Restore the stream \
                 from a backup that has it, or republish from a data folder that has it"
            ),
            Self::NeedsUpgrade { version, sequence } => format!(
                "the stream's message {sequence} needs version {version} of the rules, this program has \
                 {}: start a newer program",
                tenure_wire::v1::RULES_VERSION
            ),
            Self::Journal { why } => format!("the journal cannot be read: {why}"),
        }
    }

    /// Whether appending would go on after a loss in silence, or onto no log
    pub(crate) fn forbids_appending(&self) -> bool {
        !matches!(self, Self::Following | Self::CatchingUp { .. } | Self::Away { .. })
    }
}

/// What is known of the server that is connected
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServerFacts {
    /// Its version
    pub version: String,
    /// How many servers keep the stream
    pub stream_replicas: usize,
    /// What it acknowledges may not be on its disk for two minutes
    pub syncs_late: bool,
    /// What an operator should know
    pub warnings: Vec<String>,
}

/// What the log tells of itself; all parts share one
#[derive(Debug)]
pub struct Status {
    standing: watch::Sender<Standing>,
    /// The stream's last message that is applied here
    applied: watch::Sender<u64>,
    /// The stream's last message when it was looked at
    last: watch::Sender<u64>,
    server: watch::Sender<ServerFacts>,
}

impl Default for Status {
    fn default() -> Self {
        let why = "it was not reached yet".to_owned();
        Self {
            standing: watch::Sender::new(Standing::Away { why }),
            applied: watch::Sender::new(0),
            last: watch::Sender::new(0),
            server: watch::Sender::new(ServerFacts::default()),
        }
    }
}

impl Status {
    /// Where it stands now
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Told whenever it stands otherwise
    pub fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// The stream's last message that is applied here
    pub fn applied(&self) -> u64 {
        *self.applied.borrow()
    }

    /// The stream's last message when it was last looked at
    pub fn last(&self) -> u64 {
        *self.last.borrow()
    }

    /// What is known of the server
    pub fn server(&self) -> ServerFacts {
        self.server.borrow().clone()
    }

    pub(crate) fn watch_applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    pub(crate) fn set_server(&self, facts: ServerFacts) {
        self.server.send_if_modified(|before| {
            let changed = *before != facts;
            if changed {
                for warning in &facts.warnings {
                    tracing::warn!("{warning}");
                }
                *before = facts;
            }
            changed
        });
    }

    /// Says where it stands, loudly where nothing more is applied
    pub(crate) fn set(&self, standing: Standing) {
        self.standing.send_if_modified(|before| {
            let changed = *before != standing;
            if changed {
                let sentence = standing.sentence();
                match (standing.code(), &standing) {
                    (Some(code), _) => tracing::error!(code, "{sentence}"),
                    (None, Standing::Away { .. }) => tracing::warn!("{sentence}"),
                    (None, _) => tracing::info!("{sentence}"),
                }
                *before = standing;
            }
            changed
        });
        self.settle();
    }

    /// Notes where the stream ends when a message of it is read: who has read all that there was to catch up
    /// with goes on to there
    pub(crate) fn reach_for(&self, read: u64, last: u64) {
        self.standing.send_if_modified(|standing| match standing {
            Standing::CatchingUp { target } if *target <= read && *target < last => {
                *target = last;
                true
            }
            _ => false,
        });
    }

    /// Notes where the stream ends: nothing after it is waited for
    pub(crate) fn ends_at(&self, last: u64) {
        self.last.send_replace(last);
        self.standing.send_if_modified(|standing| match standing {
            Standing::CatchingUp { target } if *target > last => {
                *target = last;
                true
            }
            _ => false,
        });
        self.settle();
    }

    /// Notes that a message is applied and may be seen
    pub(crate) fn set_applied(&self, sequence: u64) {
        self.applied.send_replace(sequence);
        self.settle();
    }

    /// Who has read all that was to be read follows
    fn settle(&self) {
        let applied = self.applied();
        let reached = |standing: &Standing| matches!(standing, Standing::CatchingUp { target } if *target <= applied);
        self.standing.send_if_modified(|standing| {
            let done = reached(standing);
            if done {
                tracing::info!(sequence = applied, "caught up with the stream");
                *standing = Standing::Following;
            }
            done
        });
    }
}
