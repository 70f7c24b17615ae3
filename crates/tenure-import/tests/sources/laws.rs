//! What holds of every import, tried on random landscapes
//!
//! A failure names its seed, and `TENURE_SEED` repeats it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};

use serde_json::json;
use tenure_import::{Options, Source};

use crate::memory::Memory;
use crate::run::{at, held, landscape, try_files};

const COLLECTIONS: [&str; 3] = ["Subaccount Viewer", "Orders Team", "Subaccount Administrator"];
const LEVELS: [&str; 2] = ["subaccount:dev", "subaccount:prod"];

/// Numbers that a seed determines
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        // Knuth's multiplier and increment for 64 bits (The Art of Computer Programming, 3.3.4).
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for n in (1..items.len()).rev() {
            items.swap(n, self.below(n + 1));
        }
    }
}

fn seeds() -> impl Iterator<Item = u64> {
    let said = std::env::var("TENURE_SEED").ok().map(|seed| seed.parse().unwrap());
    let first = said.unwrap_or_else(|| RandomState::new().hash_one(0) % 1_000_000);
    first..first + if said.is_some() { 1 } else { 12 }
}

/// A row of a table: the second of a day, and what happened
#[derive(Clone, Debug)]
struct Row {
    second: usize,
    gets: bool,
    who: String,
    what: &'static str,
    level: &'static str,
}

fn time(second: usize) -> String {
    format!("2026-02-01T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

fn rows(dice: &mut Dice) -> Vec<Row> {
    let mut seconds: Vec<usize> = (0..2_000).collect();
    dice.shuffle(&mut seconds);
    let rows = seconds.into_iter().take(60 + dice.below(60)).map(|second| Row {
        second,
        gets: dice.below(3) > 0,
        who: format!("user:corp/u{}", dice.below(6)),
        what: COLLECTIONS[dice.below(3)],
        level: LEVELS[dice.below(2)],
    });
    rows.collect()
}

/// A file of some rows, in any order
fn table(dice: &mut Dice, mut rows: Vec<Row>) -> String {
    dice.shuffle(&mut rows);
    let mut text = "time,action,level,role_collection,principal\n".to_owned();
    for row in rows {
        let action = if row.gets { "grant" } else { "revoke" };
        let Row { level, what, who, .. } = &row;
        text += &format!("{},{action},{level},{what},{who}\n", time(row.second));
    }
    text
}

/// Who holds what at a level after a second: all rows in order, one after another
fn folded(rows: &[Row], level: &str, second: usize) -> Vec<String> {
    let mut rows: Vec<&Row> = rows.iter().filter(|row| row.second <= second).collect();
    rows.sort_by_key(|row| row.second);
    let mut held = BTreeSet::new();
    for row in rows.into_iter().filter(|row| row.level == level) {
        let pair = format!("{}: {}", row.who, row.what);
        if row.gets {
            held.insert(pair)
        } else {
            held.remove(&pair)
        };
    }
    held.into_iter().collect()
}

fn is_folded(memory: &mut Memory, rows: &[Row], seed: u64) {
    for second in (0..2_000).step_by(97).chain([1_999]) {
        for level in LEVELS {
            let there = held(memory, level, &time(second));
            assert_eq!(there, folded(rows, level, second), "seed {seed}, {level}, {second}");
        }
    }
}

#[test]
fn events_in_any_files_in_any_order_with_any_overlap_say_the_same() {
    for seed in seeds() {
        let mut dice = Dice(seed);
        let rows = rows(&mut dice);
        // Each row is in one file at least.
        let mut files = vec![Vec::new(); 1 + dice.below(4)];
        for row in &rows {
            for _ in 0..=dice.below(2) {
                let file = dice.below(files.len());
                files[file].push(row.clone());
            }
        }
        let files: Vec<String> = files.into_iter().map(|rows| table(&mut dice, rows)).collect();
        let named = |text: &'_ str| text.as_bytes().to_vec();
        let bytes: Vec<Vec<u8>> = files.iter().map(|text| named(text)).collect();
        // All at once.
        let mut memory = landscape();
        let all: Vec<(&str, &[u8])> =
            bytes.iter().map(|bytes| ("file", bytes.as_slice())).collect();
        try_files(&mut memory, Source::Csv, &all, &Options::default()).unwrap();
        is_folded(&mut memory, &rows, seed);
        // One after another, in any order, and one of them again.
        let mut memory = landscape();
        let mut order: Vec<usize> = (0..all.len()).collect();
        dice.shuffle(&mut order);
        order.push(dice.below(all.len()));
        for file in order {
            try_files(&mut memory, Source::Csv, &all[file..=file], &Options::default()).unwrap();
        }
        is_folded(&mut memory, &rows, seed);
        // Twice is once.
        let again = try_files(&mut memory, Source::Csv, &all, &Options::default()).unwrap();
        assert_eq!(again.entries.applied, 0, "seed {seed}");
    }
}

/// A listing of a level, as XSUAA answers, with its rows in any order
fn listing(dice: &mut Dice, held: &BTreeMap<&str, BTreeSet<String>>) -> String {
    let mut collections: Vec<_> = COLLECTIONS
        .iter()
        .map(|name| {
            let mut users: Vec<_> = held.get(name).into_iter().flatten().collect();
            dice.shuffle(&mut users);
            let users: Vec<_> = users
                .into_iter()
                .map(|user| json!({"id": user, "username": user, "origin": "corp"}))
                .collect();
            json!({"name": name, "isReadOnly": *name != "Orders Team", "roleReferences": [],
                   "userReferences": users, "samlAttributeAssignment": []})
        })
        .collect();
    dice.shuffle(&mut collections);
    json!(collections).to_string()
}

#[test]
fn after_a_listing_the_ledger_says_at_its_moment_what_it_says() {
    for seed in seeds() {
        let mut dice = Dice(seed);
        let mut memory = landscape();
        // Something is known of both levels from elsewhere.
        let rows = rows(&mut dice);
        let known = table(&mut dice, rows.clone());
        try_files(&mut memory, Source::Csv, &[("known", known.as_bytes())], &Options::default())
            .unwrap();
        let elsewhere = held(&mut memory, LEVELS[1], "2026-03-01T00:00:00Z");
        for day in 1..5 {
            let mut users: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
            for _ in 0..dice.below(12) {
                let user = format!("u{}", dice.below(6));
                users.entry(COLLECTIONS[dice.below(3)]).or_default().insert(user);
            }
            let moment = format!("2026-03-0{day}T00:00:00Z");
            let options = Options {
                on: Some(LEVELS[0].to_owned()),
                at: at(&moment),
                reconcile: true,
                ..Options::default()
            };
            let text = listing(&mut dice, &users);
            let files = [("listing", text.as_bytes())];
            let summary = try_files(&mut memory, Source::Xsuaa, &files, &options).unwrap();
            let listed = users.iter().flat_map(|(name, users)| {
                users.iter().map(move |user| format!("user:corp/{user}: {name}"))
            });
            let mut listed: Vec<String> = listed.collect();
            listed.sort();
            assert_eq!(held(&mut memory, LEVELS[0], &moment), listed, "seed {seed}, {summary:#?}");
            // No other holding moved, and what was before is as it was.
            assert_eq!(held(&mut memory, LEVELS[1], &moment), elsewhere, "seed {seed}");
            let before = held(&mut memory, LEVELS[0], &time(1_999));
            assert_eq!(before, folded(&rows, LEVELS[0], 1_999), "seed {seed}");
            // Twice is once, and compared there is no difference.
            let again = try_files(&mut memory, Source::Xsuaa, &files, &options).unwrap();
            assert_eq!((again.entries.applied, again.drift.len()), (0, 0), "seed {seed}");
            // Only the first listing is a baseline.
            assert!(day == 1 || summary.baseline == 0, "seed {seed}");
        }
    }
}
