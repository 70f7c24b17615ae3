//! Which known names contain a text?
//!
//! Every name is collected, looked at and sorted.
//!
//! Rules: `docs/semantics.md#search`.

use std::collections::BTreeMap;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use tenure_core::answer::{Found, Search as Answer};
use tenure_core::{EffectiveAt, FoundKind, KnownAt, Level, Search, lower_case};

use super::Oracle;
use super::access::ledger;
use super::state::State;

/// Words without marks, in lower case
fn words(text: &str) -> Vec<String> {
    let plain = |word: &str| {
        let plain: String = word.nfd().filter(|c| !is_combining_mark(*c)).collect();
        lower_case(&plain).nfd().collect::<String>()
    };
    text.split_whitespace().map(plain).filter(|word| !word.is_empty()).collect()
}

/// 0 for an equal name, 1 for one that begins with the text, 2 for one that has it as a word, else 3
fn rank(name: &str, text: &str) -> u8 {
    let places = (0..=name.len()).filter(|place| name.is_char_boundary(*place));
    let is_word = |place: usize| {
        let alone = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
        name[place..].starts_with(text)
            && alone(name[..place].chars().last())
            && alone(name[place + text.len()..].chars().next())
    };
    match name {
        _ if name == text => 0,
        _ if name.starts_with(text) => 1,
        _ if places.into_iter().any(is_word) => 2,
        _ => 3,
    }
}

impl State {
    /// Every name of what exists, with the texts in which it is looked for
    fn names(&self) -> Vec<(Found, Vec<String>)> {
        let mut names = Vec::new();
        let title = |id: &Arc<str>| {
            let mut rows = self.document().into_iter().flat_map(|document| &document.operations);
            rows.find_map(|row| row.title.clone().filter(|_| row.operation == *id))
        };
        let mut definitions = BTreeMap::new();
        for (level, state) in &self.levels {
            let name = state.attributes.name.clone();
            let texts = [Some(level.id().to_owned()), name.as_deref().map(str::to_owned)];
            let found = Found {
                kind: FoundKind::Level(level.kind()),
                id: level.to_string(),
                title: name,
                path: Some(self.path(level)),
            };
            names.push((found, texts.into_iter().flatten().collect()));
            for role in self.roles_at(level).into_keys() {
                let texts = vec![role.name.to_string(), role.application.to_string()];
                definitions.insert((FoundKind::Role, role.text()), (None, texts));
            }
            for name in self.role_collections_at(level).into_keys() {
                let key = (FoundKind::RoleCollection, name.to_string());
                definitions.insert(key, (None, vec![name.to_string()]));
            }
            for id in self.operations_at(level).into_keys() {
                let title = title(&id);
                let texts = [Some(id.to_string()), title.as_deref().map(str::to_owned)];
                let texts = texts.into_iter().flatten().collect();
                definitions.insert((FoundKind::Operation, id.to_string()), (title, texts));
            }
        }
        for (_, name) in self.permissions.keys() {
            let key = (FoundKind::Permission, name.to_string());
            definitions.insert(key, (None, vec![name.to_string()]));
        }
        let definitions = definitions.into_iter();
        names
            .extend(definitions.map(|((kind, id), (title, texts))| {
                (Found { kind, id, title, path: None }, texts)
            }));
        names
    }

    fn path(&self, level: &Level) -> Vec<Arc<str>> {
        let mut above = self.upwards(level);
        above.remove(0);
        above.retain(|level| *level != ledger());
        above.reverse();
        let name = |level: &Level| self.levels[level].attributes.name.clone();
        above.iter().map(|level| name(level).unwrap_or_else(|| level.as_str().into())).collect()
    }
}

impl Oracle {
    /// The names that contain every word of a text
    pub fn search(&self, search: &Search, t: EffectiveAt, s: KnownAt) -> Answer {
        let mut names = self.state(t, s).names();
        for principal in self.known(s) {
            let text = principal.name().unwrap_or(principal.origin()).to_owned();
            let kind = FoundKind::Principal(principal.kind());
            let id = principal.to_string();
            names.push((Found { kind, id, title: None, path: None }, vec![text]));
        }
        let asked = words(&search.text);
        let whole = asked.join(" ");
        let mut found = Vec::new();
        for (name, texts) in names {
            let texts: Vec<String> = texts.iter().map(|text| words(text).join(" ")).collect();
            let has = |word: &String| texts.iter().any(|text| text.contains(word));
            let wanted = search.kind.is_none_or(|kind| kind == name.kind);
            if wanted && !asked.is_empty() && asked.iter().all(has) {
                let best = texts.iter().map(|text| rank(text, &whole)).min();
                found.push((best, name.kind, name.id.clone(), name));
            }
        }
        found.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        let more = found.len() > search.limit;
        found.truncate(search.limit);
        Answer { found: found.into_iter().map(|(.., name)| name).collect(), more }
    }
}
