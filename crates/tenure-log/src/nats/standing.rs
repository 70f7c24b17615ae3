//! How does this ledger stand to its stream?
//!
//! There is one [`Standing`] at a time: away, catching up, following, or a reason to stop. A reason to stop ends when
//! its cause ends. A loss is always reported.

use tokio::sync::watch;

/// How a ledger stands to its stream
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// No server answers
    Away {
        /// Why
        why: String,
    },
    /// The stream is being read, up to its end at the last look
    CatchingUp {
        /// The sequence of the last message to apply
        target: u64,
    },
    /// All messages of the stream are applied here, or will be in a moment
    Following,
    /// The stream can lose or change messages, or belongs to another ledger
    Unfit {
        /// Which setting is wrong, and what it must be
        why: String,
    },
    /// There is no stream, and this ledger knows entries: there was a stream, or the journal has not moved to one yet
    Absent {
        /// Its name
        stream: String,
        /// The last position of the journal
        newest: u64,
    },
    /// The stream ends before the journal does
    LostTail {
        /// The last position that both have
        common: u64,
        /// The last position of the journal
        newest: u64,
    },
    /// The stream and the journal have different entries at a position
    OtherContent {
        /// The first position that differs
        position: u64,
        /// The sequence of the stream's message at that position
        sequence: u64,
    },
    /// A message is gone from the middle of the stream
    Missing {
        /// Its sequence
        sequence: u64,
    },
    /// A message needs newer rules than this program knows
    NeedsUpgrade {
        /// The version of the rules that it needs
        version: u64,
        /// The sequence of the message
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

    /// The standing as a sentence, which also says what to do
    pub fn sentence(&self) -> String {
        match self {
            Self::Following => "the stream is followed".to_owned(),
            Self::Away { why } => format!(
                "NATS is away ({why}): questions are still answered, and the connection is tried again"
            ),
            Self::CatchingUp { target } => {
                format!("the stream is being read, up to its message {target}")
            }
            Self::Unfit { why } => why.clone(),
            Self::Absent { stream, newest } => format!(
                "there is no stream `{stream}`, and {newest} positions are known here: the stream was deleted, or \
                 it is on other NATS servers. Nothing is applied. Restore the stream from a backup; or stop this \
                 server, and `tenure republish --data …` makes the stream again with the entries that are known here"
            ),
            Self::LostTail { common, newest } => format!(
                "the stream has lost entries: it ends at position {common}, and {newest} positions are \
                 known here. Nothing more is applied. Stop this server, and `tenure republish --data …` \
                 shows what it would append again"
            ),
            Self::OtherContent { position, sequence } => format!(
                "at position {position} the stream (its message {sequence}) has another entry than is known here. \
                 Nothing more is applied. Stop this server, and `tenure republish --data …` shows the difference"
            ),
            Self::Missing { sequence } => format!(
                "the stream's message {sequence} is gone: nothing after it is applied. Restore the stream \
                 from a backup that has the message, or republish from a data folder that has it"
            ),
            Self::NeedsUpgrade { version, sequence } => format!(
                "the stream's message {sequence} needs version {version} of the rules, and this program has \
                 version {}: start a newer program",
                tenure_wire::v1::RULES_VERSION
            ),
            Self::Journal { why } => format!("the journal cannot be read: {why}"),
        }
    }

    /// Whether an append must be refused: it would hide a loss, or go to a stream that cannot be the log
    pub(crate) fn forbids_appending(&self) -> bool {
        !matches!(self, Self::Following | Self::CatchingUp { .. } | Self::Away { .. })
    }
}

/// Facts about the connected server
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServerFacts {
    /// Its version
    pub version: String,
    /// Number of servers that keep the stream
    pub stream_replicas: usize,
    /// Whether an acknowledged entry may reach the server's disk up to two minutes later
    pub syncs_late: bool,
    /// What an operator should know
    pub warnings: Vec<String>,
}

/// The status of the log, which all its parts share
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
    /// How the ledger stands to the stream now
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// A receiver that is told when the standing changes
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

    /// Facts about the connected server
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

    /// Sets the standing and logs it; it is an error when an operator has to act
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

    /// Notes where the stream ends when a message is read: a ledger that has reached its target then gets that end as
    /// its next target
    pub(crate) fn reach_for(&self, read: u64, last: u64) {
        self.standing.send_if_modified(|standing| match standing {
            Standing::CatchingUp { target } if *target <= read && *target < last => {
                *target = last;
                true
            }
            _ => false,
        });
    }

    /// Notes where the stream ends: a target after that end is lowered to it
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

    /// Notes that a message is applied and shown
    pub(crate) fn set_applied(&self, sequence: u64) {
        self.applied.send_replace(sequence);
        self.settle();
    }

    /// A ledger that has reached its target follows the stream
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
