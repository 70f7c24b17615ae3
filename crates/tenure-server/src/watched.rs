//! How is what files say read again when they change?
//!
//! They are looked at once a second. Files that cannot be used keep what was read before, and the log says so.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use crate::engine::chain;
use crate::file::FileError;

/// How often it is looked whether a file has changed
const PAUSE: Duration = Duration::from_secs(1);

/// What tells one version of a file from the next
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Version {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl From<&Metadata> for Version {
    fn from(found: &Metadata) -> Self {
        let changed = (found.ctime(), found.ctime_nsec());
        Self { inode: found.ino(), bytes: found.len(), changed }
    }
}

/// The versions of all files of one kind; `None` for a file that is not there
type Versions = Vec<Option<Version>>;

/// What files say, read again whenever one of them changes
pub(crate) struct Watched<T> {
    paths: Vec<PathBuf>,
    read: Box<dyn Fn() -> Result<T, FileError> + Send + Sync>,
    first: Versions,
    now: ArcSwap<T>,
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Reads the files at these paths
    ///
    /// # Errors
    /// Files that cannot be used.
    pub(crate) fn open(
        paths: Vec<PathBuf>,
        read: impl Fn() -> Result<T, FileError> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, FileError> {
        // Looked at before they are read: what changes in between is read again.
        let first = versions(&paths);
        let now = ArcSwap::from_pointee(read()?);
        Ok(Arc::new(Self { paths, read: Box::new(read), first, now }))
    }

    /// What they say now
    pub(crate) fn now(&self) -> Guard<Arc<T>> {
        self.now.load()
    }

    /// Reads the files again whenever one of them changes, until this is dropped
    pub(crate) fn watch(self: &Arc<Self>) {
        let mut seen = self.first.clone();
        let watched = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                let Some(watched) = watched.upgrade() else { return };
                // A disk that stands still holds up one thread, and no request.
                let looked = tokio::task::spawn_blocking(move || watched.look(seen));
                match looked.await {
                    Ok(now) => seen = now,
                    Err(error) => {
                        tracing::error!(%error, "files are not looked at any more: restart the server");
                        return;
                    }
                }
            }
        });
    }

    fn look(&self, before: Versions) -> Versions {
        let seen = versions(&self.paths);
        if seen == before {
            return before;
        }
        match (self.read)() {
            Ok(read) => {
                self.now.store(Arc::new(read));
                tracing::info!(paths = ?self.paths, "read again");
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "what was read before still counts");
                // Files that are there, and could only not be read now, are read again soon.
                if matches!(error, FileError::Read { .. }) && seen.iter().all(Option::is_some) {
                    return before;
                }
            }
        }
        seen
    }
}

fn versions(paths: &[PathBuf]) -> Versions {
    let version = |path| std::fs::metadata(path).ok().map(|found| Version::from(&found));
    paths.iter().map(version).collect()
}
