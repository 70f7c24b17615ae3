//! Do the documents lead where they say, and are they as short as they promise?

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every document of the repository, by its path in it
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in [".", "docs", "docs/adr"] {
        for file in fs::read_dir(root().join(folder)).unwrap() {
            let path = Path::new(folder).join(file.unwrap().file_name());
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The lines of a document that are not in a fence
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The anchors of a document: those of its headings, as GitHub makes them, and those it names
fn anchors(text: &str) -> BTreeSet<String> {
    let slug = |heading: &str| -> String {
        let kept = heading.to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let mut found = BTreeSet::new();
    for line in prose(text) {
        if let Some(heading) = line.strip_prefix('#') {
            found.insert(slug(heading.trim_start_matches('#').trim()));
        }
        let named = line.split("<a id=\"").skip(1).filter_map(|rest| rest.split_once('"'));
        found.extend(named.map(|(id, _)| id.to_owned()));
    }
    found
}

/// The targets of all links to files in a document
fn links(text: &str) -> Vec<String> {
    let targets = prose(text).flat_map(|line| line.split("](").skip(1));
    let targets = targets.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut dead = Vec::new();
    for document in documents() {
        let text = read(&document);
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').map_or((&*link, None), |(f, a)| (f, Some(a)));
            let target = match file {
                "" => document.clone(),
                file => document.parent().unwrap().join(file),
            };
            let there = root().join(&target).exists();
            let leads =
                there && anchor.is_none_or(|anchor| anchors(&read(&target)).contains(anchor));
            if !leads {
                dead.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links: {dead:#?}");
}

/// `docs/….md#anchor` in the comments of the code
fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    sources(&root().join("tests"), &mut files);
    let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let page = read(Path::new("docs/threats.md"));
    let mut named = 0;
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let shown_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in shown_by.split('`').skip(1).step_by(2) {
            if name.ends_with(".rs") {
                assert!(files.iter().any(|file| file.ends_with(name)), "{name}");
            } else if name.matches('_').count() > 3
                && name.chars().all(|c| c.is_alphanumeric() || c == '_')
            {
                assert!(text.contains(&format!("fn {name}(")), "{name}");
            } else {
                continue;
            }
            named += 1;
        }
    }
    assert!(named > 25, "{named}");
}

#[test]
fn every_rule_that_the_code_refers_to_is_there() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    sources(&root().join("tests/src"), &mut files);
    let known = anchors(&read(Path::new("docs/semantics.md")));
    let mut referred = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for rest in text.split("docs/semantics.md#").skip(1) {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '-'));
            let anchor = &rest[..end.unwrap_or(rest.len())];
            assert!(known.contains(anchor), "{}: {anchor}", file.display());
            referred += 1;
        }
    }
    assert!(referred > 0);
}

#[test]
fn the_map_and_the_decisions_are_short() {
    let lines = |path: &Path| read(path).lines().count();
    assert!(lines(Path::new("ARCHITECTURE.md")) <= 200);
    for document in documents().iter().filter(|path| path.starts_with("docs/adr")) {
        assert!(lines(document) <= 50, "{} is longer than a page", document.display());
    }
}
