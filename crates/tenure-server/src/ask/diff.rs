//! How does a difference get its JSON and its pages?
//!
//! A page goes through all lists of the answer, one after the other.

use tenure_core::answer::{self, ComputedAt, LandscapeDiff};
use tenure_wire::api;

use super::Asker;
use super::page::Pages;

impl Asker<'_> {
    pub(super) fn diff(
        &self,
        diff: &answer::Diff,
        from: &ComputedAt,
        until: &ComputedAt,
    ) -> api::Diff {
        let mut page = self.pages();
        let gained = api::holdings(page.cut(&diff.gained));
        let lost = api::holdings(page.cut(&diff.lost));
        let changed = written(page.cut(&diff.changed));
        let landscape = diff.landscape.as_ref();
        let levels = landscape.map(|landscape| levels(landscape, &mut page));
        let definitions = landscape.map(|landscape| written(page.cut(&landscape.definitions)));
        let catalogs = landscape.filter(|_| self.token.is_none()).map(|_| api::Catalogs {
            from: from.catalog.as_ref().map(ToString::to_string),
            until: until.catalog.as_ref().map(ToString::to_string),
        });
        api::Diff {
            as_of: self.both(from, until),
            gained,
            lost,
            changed,
            levels,
            definitions,
            catalogs,
            next_page_token: page.next_token(self.asked, from, until),
        }
    }

    pub(super) fn power_diff(
        &self,
        diff: &answer::PowerDiff,
        from: &ComputedAt,
        until: &ComputedAt,
        elsewhere: Vec<api::Elsewhere>,
    ) -> api::PowerDiff {
        let mut page = self.pages();
        api::PowerDiff {
            as_of: self.both(from, until),
            gained: written(page.cut(&diff.gained)),
            lost: written(page.cut(&diff.lost)),
            elsewhere,
            next_page_token: page.next_token(self.asked, from, until),
        }
    }

    fn pages(&self) -> Pages {
        Pages::new(self.token.as_ref(), self.asked.limit)
    }

    fn both(&self, from: &ComputedAt, until: &ComputedAt) -> api::DiffAsOf {
        api::DiffAsOf { from: self.as_of(from), until: self.as_of(until) }
    }
}

fn levels(landscape: &LandscapeDiff, page: &mut Pages) -> api::LevelsDiff {
    let texts = |levels: &[tenure_core::Level]| levels.iter().map(ToString::to_string).collect();
    api::LevelsDiff {
        created: texts(page.cut(&landscape.created)),
        deleted: texts(page.cut(&landscape.deleted)),
        moved: written(page.cut(&landscape.moved)),
        changed: written(page.cut(&landscape.changed)),
    }
}

fn written<'a, T, U: From<&'a T>>(rows: &'a [T]) -> Vec<U> {
    rows.iter().map(U::from).collect()
}
