//! Which questions are there, and which parameters does each have?
//!
//! The list that documents, doors and the reader of texts share.

/// A kind of question, as documents describe it
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name at every door
    pub name: &'static str,
    /// What it asks
    pub title: &'static str,
    /// The parameters that it takes
    pub parameters: &'static [Parameter],
}

/// A parameter of a question, as documents describe it
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name
    pub name: &'static str,
    /// What it says
    pub title: &'static str,
}

impl Parameter {
    /// Whether it may have several values
    pub fn repeats(&self) -> bool {
        self.name == CAN.name
    }
}

pub(super) const CAN: Parameter = Parameter {
    name: "can",
    title: "What one could do: `operation:<id>` or the id alone, `role:<name>`, `scope:<name>`, `role-collection:<name>`, `permission:<name>`, `path:</a/path>`; several mean any of them",
};
const AT: Parameter =
    Parameter { name: "at", title: "Valid time: an instant or a date; now if absent" };
const UNTIL: Parameter =
    Parameter { name: "until", title: "The end of the stretch, not included; none if absent" };
const KNOWN_AT: Parameter =
    Parameter { name: "known_at", title: "A position, or a recorded time; the newest if absent" };
const PAGE_TOKEN: Parameter =
    Parameter { name: "page_token", title: "The next page of an earlier answer" };
const MIN_POSITION: Parameter =
    Parameter { name: "min_position", title: "Wait until this position is known here" };
const PRINCIPAL: Parameter = Parameter { name: "principal", title: "The principal" };
const ON: Parameter = Parameter { name: "on", title: "On this level" };
const EXPLAIN: Parameter =
    Parameter { name: "explain", title: "`full` for who gave each holding, when and why" };
const READING: Parameter = Parameter {
    name: "reading",
    title: "In which sense: `assigned` if absent; `session`: by what was assigned at some moment of a session's life; `latent`: by what one could have given oneself",
};
const LIFE: Parameter = Parameter {
    name: "life",
    title: "With `reading=session`: how long a session lives, digits and `s`, `m`, `h` or `d`, from 1s to 7d; 12h if absent",
};
const FROM: Parameter =
    Parameter { name: "from", title: "The start of the stretch; 1970 if absent" };
const ONLY_ON: Parameter = Parameter { name: "on", title: "Only at this level" };
const ROLE_COLLECTION: Parameter =
    Parameter { name: "role_collection", title: "Only of role collections with this name" };
const ROLE: Parameter =
    Parameter { name: "role", title: "Only of this single role: a name, or `application/name`" };
const HOLDINGS_LIMIT: Parameter =
    Parameter { name: "limit", title: "Holdings a page, 1 to 10,000; 1,000 if absent" };

/// Every question
pub const KINDS: &[Kind] = &[
    Kind {
        name: "who",
        title: "Who could X on a level or on any level under one, at a moment or during a stretch of time",
        parameters: &[
            CAN,
            Parameter { name: "on", title: "On this level; exactly one of `on` and `under`" },
            Parameter { name: "under", title: "On any level of the subtree of this one" },
            AT,
            Parameter { name: "from", title: "The start of a stretch of time; 1970 if absent" },
            UNTIL,
            KNOWN_AT,
            READING,
            LIFE,
            Parameter {
                name: "explain",
                title: "`true` for the holdings that make it true, `full` also for who gave each, when and why",
            },
            Parameter { name: "limit", title: "Subjects a page, 1 to 10,000; 1,000 if absent" },
            PAGE_TOKEN,
            MIN_POSITION,
        ],
    },
    Kind {
        name: "what",
        title: "What could a principal do on a level",
        parameters: &[PRINCIPAL, ON, AT, KNOWN_AT, MIN_POSITION],
    },
    Kind {
        name: "check",
        title: "Could a principal do X on a level",
        parameters: &[PRINCIPAL, CAN, ON, AT, KNOWN_AT, READING, LIFE, EXPLAIN, MIN_POSITION],
    },
    Kind {
        name: "timeline",
        title: "When could a principal do X on a level",
        parameters: &[PRINCIPAL, CAN, ON, FROM, UNTIL, KNOWN_AT, EXPLAIN, MIN_POSITION],
    },
    Kind {
        name: "where",
        title: "Where could a principal do X",
        parameters: &[
            PRINCIPAL,
            CAN,
            Parameter { name: "under", title: "In the subtree of this level" },
            Parameter { name: "kind", title: "Only levels of this kind" },
            AT,
            KNOWN_AT,
            READING,
            LIFE,
            Parameter { name: "limit", title: "Levels a page, 1 to 10,000; 1,000 if absent" },
            PAGE_TOKEN,
            MIN_POSITION,
        ],
    },
    Kind {
        name: "diff",
        title: "What changed between two coordinates, or who gained or lost the power to X",
        parameters: &[
            Parameter {
                name: "can",
                title: "X: who gained or lost that power, on a level or on any level under one; absent for what changed",
            },
            Parameter { name: "on", title: "With `can`: on this level" },
            Parameter {
                name: "from",
                title: "Valid time of the first: an instant or a date; now if absent",
            },
            Parameter {
                name: "until",
                title: "Valid time of the second: an instant or a date; now if absent",
            },
            Parameter {
                name: "known_from",
                title: "What was known at the first: a position or a recorded time; the newest if absent",
            },
            Parameter {
                name: "known_until",
                title: "What was known at the second: a position or a recorded time; the newest if absent",
            },
            Parameter {
                name: "under",
                title: "Only in the subtree of this level, taken at each of the two",
            },
            Parameter {
                name: "principal",
                title: "Only holdings of this principal; not with `can`",
            },
            Parameter { name: "limit", title: "Rows a page, 1 to 10,000; 1,000 if absent" },
            PAGE_TOKEN,
            MIN_POSITION,
        ],
    },
    Kind {
        name: "assignments",
        title: "Who holds what",
        parameters: &[
            ONLY_ON,
            Parameter {
                name: "principal",
                title: "Only what this principal holds, by itself or through a set",
            },
            ROLE_COLLECTION,
            ROLE,
            AT,
            KNOWN_AT,
            HOLDINGS_LIMIT,
            PAGE_TOKEN,
            EXPLAIN,
            MIN_POSITION,
        ],
    },
    Kind {
        name: "holdings",
        title: "Who held what during a stretch of time, and how each holding ended",
        parameters: &[
            ONLY_ON,
            Parameter {
                name: "principal",
                title: "Only what this principal held, by itself or through a set",
            },
            ROLE_COLLECTION,
            ROLE,
            FROM,
            UNTIL,
            KNOWN_AT,
            EXPLAIN,
            HOLDINGS_LIMIT,
            PAGE_TOKEN,
            MIN_POSITION,
        ],
    },
    Kind {
        name: "members",
        title: "Who is a member of a group or an attribute",
        parameters: &[
            Parameter { name: "set", title: "The group or attribute" },
            AT,
            KNOWN_AT,
            Parameter { name: "limit", title: "Members a page, 1 to 10,000; 1,000 if absent" },
            PAGE_TOKEN,
            MIN_POSITION,
        ],
    },
    Kind {
        name: "principals",
        title: "Which principals are known, and how much each holds",
        parameters: &[
            Parameter {
                name: "kind",
                title: "Only of this kind: `user`, `client`, `group`, `attribute` or `everyone`",
            },
            Parameter { name: "origin", title: "Only of this origin" },
            Parameter {
                name: "holding",
                title: "`true`: only those that hold something that counts; `false`: only the others",
            },
            AT,
            KNOWN_AT,
            Parameter { name: "limit", title: "Principals a page, 1 to 10,000; 1,000 if absent" },
            PAGE_TOKEN,
            MIN_POSITION,
        ],
    },
    Kind {
        name: "search",
        title: "Which levels, principals, role collections, roles, operations and permissions have a name that contains a text",
        parameters: &[
            Parameter {
                name: "q",
                title: "Words that the name or the id contains, each of them, in any letter case and without accents",
            },
            Parameter {
                name: "kind",
                title: "Only of this kind: that of a level, that of a principal, `role-collection`, `role`, `operation` or `permission`",
            },
            AT,
            KNOWN_AT,
            Parameter { name: "limit", title: "At most so many names, 1 to 200; 20 if absent" },
            MIN_POSITION,
        ],
    },
    Kind {
        name: "sources",
        title: "Which sources observed which levels, since when, and with which gaps",
        parameters: &[
            Parameter { name: "on", title: "Only of this level; not with `under`" },
            Parameter {
                name: "under",
                title: "Only of levels in the subtree of this one, itself included",
            },
            Parameter { name: "source", title: "Only of this source" },
            AT,
            KNOWN_AT,
            Parameter { name: "limit", title: "Rows a page, 1 to 10,000; 1,000 if absent" },
            PAGE_TOKEN,
            MIN_POSITION,
        ],
    },
    Kind {
        name: "levels",
        title: "Which levels exist",
        parameters: &[
            Parameter {
                name: "under",
                title: "Only in the subtree of this level, itself included",
            },
            Parameter { name: "kind", title: "Only of this kind, such as `subaccount`" },
            AT,
            KNOWN_AT,
            MIN_POSITION,
        ],
    },
    Kind {
        name: "role-collections",
        title: "Which role collections exist at a level",
        parameters: &[ONLY_ON, AT, KNOWN_AT, MIN_POSITION],
    },
    Kind {
        name: "catalog",
        title: "Which catalogue is in force",
        parameters: &[AT, KNOWN_AT, MIN_POSITION],
    },
    Kind {
        name: "history",
        title: "Which entries name something",
        parameters: &[
            Parameter { name: "after", title: "Only entries after this position" },
            Parameter { name: "limit", title: "Entries a page, 1 to 10,000; 1,000 if absent" },
            Parameter { name: "principal", title: "Entries that name this principal in a change" },
            Parameter { name: "actor", title: "Entries of this actor" },
            Parameter { name: "submitter", title: "Entries that this principal handed in" },
            Parameter {
                name: "level",
                title: "Entries that name this level in a change, also as a parent",
            },
            Parameter {
                name: "role_collection",
                title: "Entries that name this role collection in a change",
            },
            Parameter {
                name: "outcome",
                title: "Entries with this outcome: `applied`, `refused` or `duplicate`",
            },
            MIN_POSITION,
        ],
    },
    Kind {
        name: "entry",
        title: "One entry",
        parameters: &[
            Parameter { name: "entry", title: "The id or the position of the entry" },
            Parameter {
                name: "wait",
                title: "If the entry is not there yet, wait for it so many milliseconds, at most 20,000",
            },
            MIN_POSITION,
        ],
    },
];

/// The kind of question with a name
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
