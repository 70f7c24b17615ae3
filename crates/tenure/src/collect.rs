//! `tenure collect`: the live sources, asked and imported
//!
//! It keeps no state of its own. Since when events are asked for is what the ledger says that the source covered last.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;
use tenure_collect::{Fetched, Kind, Settings, Window};
use tenure_core::{Instant, MICROS_PER_SECOND};
use tenure_import::{Input, Options, Source, Summary};
use tenure_wire::api;
use tenure_wire::question::Texts;

use crate::door::{Door, DoorArgs, Wrong};
use crate::import::{Through, show};
use crate::output::{Format, Output, complain, say};

/// How far back events are asked for the first time, in days: what Cloud Foundry keeps (31), and what SAP keeps of the
/// audit log (90)
const FIRST_DAYS: [(Kind, i64); 2] = [(Kind::Cf, 31), (Kind::AuditLog, 90)];

/// Ask the live sources of a landscape, and import what they answer
///
/// The configuration has a table `[[collect]]` for each source. Secrets stand in files or in the environment.
#[derive(Debug, Args)]
pub(crate) struct Collect {
    /// The names of the sources; all of them if none is named
    names: Vec<String>,
    /// The file that has the tables `[[collect]]` (TOML)
    #[arg(long, value_name = "FILE", env = "TENURE_COLLECT")]
    config: PathBuf,
    /// Where a listing contradicts the ledger, append what makes them agree, with a reason that says so
    #[arg(long, conflicts_with = "drift_only")]
    reconcile: bool,
    /// Only compare listings with the ledger, and append nothing
    #[arg(long)]
    drift_only: bool,
    /// Exit with 0 though records were left out, refused or unreadable
    #[arg(long)]
    tolerate: bool,
    /// Ask for events since then, not since what the ledger has of the source
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Ask, show what came, and import nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    collect: Vec<Settings>,
}

impl Collect {
    pub(crate) fn run(self, door: &DoorArgs, output: &Output) -> anyhow::Result<ExitCode> {
        let sources = self.sources()?;
        let since = self.since.as_deref().map(Instant::parse).transpose();
        let since = since.map_err(|error| Wrong(format!("`--since`: {error}")))?;
        let door = if self.drift_only || self.dry_run { door.reading() } else { door.appending() }?;
        let mut failed = false;
        let mut summaries = serde_json::Map::new();
        for settings in &sources {
            match self.one(settings, since, &door) {
                Ok(Some(summary)) => {
                    failed |= summary.is_incomplete() && !self.tolerate;
                    failed |= self.drift_only && !summary.drift.is_empty();
                    if output.format == Format::Json {
                        summaries.insert(settings.name.clone(), serde_json::to_value(&summary)?);
                        continue;
                    }
                    say(&format!("{}:", settings.name))?;
                    show(&summary, output)?;
                }
                Ok(None) => {}
                // One source that cannot be asked does not keep the others from it.
                Err(error) => {
                    failed = true;
                    complain(&format!("{}: {error:#}", settings.name));
                }
            }
        }
        door.close();
        if output.format == Format::Json {
            say(&serde_json::to_string_pretty(&summaries)?)?;
        }
        Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }

    fn sources(&self) -> anyhow::Result<Vec<Settings>> {
        let shown = self.config.display();
        let text = std::fs::read_to_string(&self.config)
            .with_context(|| format!("`{shown}` cannot be read"))?;
        let configured: Configuration = toml::from_str(&text)
            .map_err(|error| Wrong(format!("`{shown}`: {}", error.message())))?;
        let configured = configured.collect;
        if configured.is_empty() {
            bail!(Wrong(format!("`{shown}` has no table `[[collect]]`")));
        }
        if self.names.is_empty() {
            return Ok(configured);
        }
        let named = self.names.iter().map(|name| {
            let found = configured.iter().find(|one| one.name == *name).cloned();
            found.ok_or_else(|| {
                anyhow::Error::new(Wrong(format!("`{shown}` has no source with the name `{name}`")))
            })
        });
        named.collect()
    }

    /// Collects a source; no summary if nothing is imported
    fn one(
        &self,
        settings: &Settings,
        since: Option<Instant>,
        door: &Door,
    ) -> anyhow::Result<Option<Summary>> {
        let source = settings.open()?;
        let now = now()?;
        let kind = match settings.kind {
            Kind::Cf => Source::Cf,
            Kind::Xsuaa => Source::Xsuaa,
            Kind::AuditLog => Source::AuditLog,
            Kind::Scim => Source::Scim,
            _ => bail!("sources of this kind are not imported"),
        };
        let from = match since {
            Some(since) => since,
            None => from(settings, kind, door, now)?,
        };
        let window = Window::new(from, now).context("events are asked for since a time to come")?;
        let mut pages: Vec<Fetched> = Vec::new();
        let collected = tenure_collect::collect(&source, window, &|| false, &mut |page| {
            pages.push(page);
            Ok(())
        })?;
        if self.dry_run {
            say(&format!(
                "{}: {} records in {} listings and {} pages",
                settings.name, collected.records, collected.listings, collected.pages,
            ))?;
            return Ok(None);
        }
        let options = Options {
            reconcile: self.reconcile,
            drift_only: self.drift_only,
            on: settings.on.clone(),
            // What changed while the listings were read is in the next window.
            at: pages.iter().filter(|page| page.window.is_none()).map(|page| page.at).min(),
            window: Some((window.from(), window.until())),
            default_origin: settings.origin.clone().unwrap_or(Options::default().default_origin),
            ..Options::default()
        };
        let bodies = pages.iter().map(|page| {
            let name = page.what.as_str().to_owned();
            serde_json::to_vec(&page.body).map(|bytes| (name, bytes))
        });
        let bodies: Vec<(String, Vec<u8>)> = bodies.collect::<Result<_, _>>()?;
        drop(pages);
        let mut readers: Vec<(String, &[u8])> =
            bodies.iter().map(|(name, bytes)| (name.clone(), bytes.as_slice())).collect();
        let inputs = readers.iter_mut().map(|(name, read)| Input { name: name.clone(), read });
        let inputs = inputs.collect();
        let summary =
            tenure_import::import(kind, inputs, &options, &mut Through(door), &mut |_| {})?;
        Ok(Some(summary))
    }
}

/// Since when events are asked for: the end of what the source told of each level, less the overlap
///
/// What came after the earliest of these ends is asked for again, and changes nothing twice.
fn from(settings: &Settings, source: Source, door: &Door, now: Instant) -> anyhow::Result<Instant> {
    let days =
        FIRST_DAYS.iter().find(|(kind, _)| *kind == settings.kind).map_or(0, |(_, days)| *days);
    let back = |from: Instant, micros: i64| {
        Instant::saturating_from_micros(from.micros().saturating_sub(micros))
    };
    // The source keeps nothing that is older.
    let oldest = back(now, days * 24 * 3_600 * MICROS_PER_SECOND);
    let overlap = i64::try_from(settings.overlap.duration().as_micros()).unwrap_or(i64::MAX);
    let mut told: Option<Instant> = None;
    let mut page_token = None;
    loop {
        let question = Texts::named("sources").with("source", source.name());
        // What Cloud Foundry covers lies below the subaccount.
        let question = question.with_if("under", settings.on.clone());
        let question = question.with_if("page_token", page_token);
        let page: api::Sources = serde_json::from_value(door.ask(&question)?)?;
        let ends = page.sources.iter().filter_map(|row| told_until(row, oldest));
        told = ends.chain(told).min();
        page_token = page.next_page_token;
        if page_token.is_none() {
            return Ok(told.map_or(oldest, |told| back(told, overlap).max(oldest)));
        }
    }
}

/// Until when a source told all that changed at a level; `None` if it only listed what was there
///
/// A listing says nothing of the events before it.
fn told_until(row: &api::SourceRow, oldest: Instant) -> Option<Instant> {
    let gaps = row.gaps.as_ref()?;
    if row.listed.as_ref() != Some(&row.last) {
        return Instant::parse(&row.last).ok();
    }
    // The last gap ends where the last listing is, if nothing was told up to it.
    match gaps.iter().find(|gap| gap.until.as_ref() == Some(&row.last)) {
        Some(gap) => Instant::parse(&gap.from).ok(),
        None if row.gap_count > Some(gaps.len()) => Some(oldest),
        None => Instant::parse(&row.last).ok(),
    }
}

/// The time of this machine
pub(crate) fn now() -> anyhow::Result<Instant> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Instant::saturating_from_micros(i64::try_from(since.as_micros())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_not_taken_for_events_that_were_told() {
        let row = |more: serde_json::Value| -> api::SourceRow {
            let mut row = serde_json::json!({
                "source": "cf", "level": "cf-org:o", "subtree": true, "level_exists": true,
                "first": "2026-01-01T00:00:00Z", "last": "2026-01-05T00:00:00Z", "moments": 0,
            });
            let more = more.as_object().cloned().unwrap_or_default();
            row.as_object_mut().unwrap().extend(more);
            serde_json::from_value(row).unwrap()
        };
        let oldest = Instant::parse("2025-12-01T00:00:00Z").unwrap();
        let until = |more| told_until(&row(more), oldest).map(|at| at.to_string());
        let (listed, told) = ("2026-01-05T00:00:00Z", "2026-01-03T00:00:00Z");
        // Only listed, only told, told up to the listing, and listed after what was told.
        assert_eq!(until(serde_json::json!({"listed": listed})), None);
        let ends = until(serde_json::json!({"gaps": [], "gap_count": 0}));
        assert_eq!(ends.as_deref(), Some(listed));
        let ends = until(serde_json::json!({"listed": listed, "gaps": [], "gap_count": 0}));
        assert_eq!(ends.as_deref(), Some(listed));
        let gap = serde_json::json!([{"from": told, "until": listed}]);
        let ends = until(serde_json::json!({"listed": listed, "gaps": gap, "gap_count": 1}));
        assert_eq!(ends.as_deref(), Some(told));
        // The gaps that are not shown may be the last ones.
        let other = serde_json::json!([{"from": "2026-01-02T00:00:00Z", "until": told}]);
        let ends = until(serde_json::json!({"listed": listed, "gaps": other, "gap_count": 11}));
        assert_eq!(ends, Some(oldest.to_string()));
    }
}
