//! What are the people called?
//!
//! Given and family names from many places are combined by counting. No name is meant to be that of a real person.

use std::collections::BTreeSet;

const GIVEN: [&str; 53] = [
    "Amara", "Bjorn", "Carla", "Dilan", "Elif", "Farid", "Gisela", "Hannes", "Ines", "Joao",
    "Katya", "Linus", "Mina", "Nadia", "Oskar", "Petra", "Quentin", "Rania", "Stefan", "Tamika",
    "Ulrike", "Vikram", "Wanda", "Xenia", "Yara", "Zoltan", "Anil", "Birgit", "Cedric", "Dorota",
    "Emeka", "Fiona", "Goran", "Hiroko", "Isabel", "Javier", "Kofi", "Leila", "Milan", "Nils",
    "Olivia", "Pavel", "Rosa", "Samir", "Thandi", "Umut", "Vera", "Wei", "Yasmin", "Zofia",
    "Arjun", "Clara", "Diego",
];

const FAMILY: [&str; 61] = [
    "Abebe",
    "Albrecht",
    "Antunes",
    "Bakker",
    "Balogun",
    "Benitez",
    "Bergman",
    "Castellan",
    "Cermak",
    "Chandra",
    "Dahl",
    "Desai",
    "Dvorak",
    "Eriksen",
    "Esposito",
    "Falk",
    "Fontaine",
    "Fujita",
    "Galan",
    "Gruber",
    "Haas",
    "Halonen",
    "Hoang",
    "Iversen",
    "Jankovic",
    "Jensen",
    "Kamara",
    "Keller",
    "Kimura",
    "Kowal",
    "Laurent",
    "Lehto",
    "Lombardi",
    "Mbeki",
    "Moreau",
    "Nakata",
    "Nandi",
    "Nyberg",
    "Obi",
    "Olsen",
    "Ortega",
    "Pavlov",
    "Pereira",
    "Quist",
    "Ramaswamy",
    "Reuter",
    "Rossi",
    "Sato",
    "Schenk",
    "Sorensen",
    "Szabo",
    "Tanaka",
    "Teixeira",
    "Ulbrich",
    "Valdez",
    "Vogel",
    "Wanjiru",
    "Winkler",
    "Yilmaz",
    "Zapata",
    "Zhou",
];

/// Gives names, each of them once
#[derive(Debug)]
pub(crate) struct Names {
    turn: usize,
    taken: BTreeSet<String>,
}

impl Names {
    pub(crate) fn new(taken: impl IntoIterator<Item = String>) -> Self {
        Self { turn: 0, taken: taken.into_iter().collect() }
    }

    /// The next name that nobody has
    pub(crate) fn next(&mut self) -> String {
        // Both lists have a prime length, and the lengths differ: so there are 3,233 names.
        loop {
            let given = GIVEN.iter().cycle().nth(self.turn * 7 % GIVEN.len());
            let family = FAMILY.iter().cycle().nth(self.turn * 17 % FAMILY.len());
            self.turn += 1;
            let name = match (given, family) {
                (Some(given), Some(family)) => format!("{given} {family}"),
                _ => format!("Person {}", self.turn),
            };
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// The user of a name in an identity provider
pub(crate) fn user(origin: &str, name: &str) -> String {
    let name = name.to_ascii_lowercase().replace('-', "").replace(' ', ".");
    format!("user:{origin}/{name}@acme.example")
}
