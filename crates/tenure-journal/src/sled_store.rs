//! How is sled set up, so that it flushes what it is told to and does not wait for itself?

use std::path::Path;

/// A store of sled in a folder; nothing of it is on the disk before it is flushed
///
/// Large segments have two reasons. A node of sixteen values stays far below a fourth of one: sled puts a larger
/// node into a file of its own, which it does not flush. And few buffers are on their way at a time: sled 0.34 waits
/// for a truncation of its file while it holds a lock, and if eight writers of full buffers wait for that lock,
/// nobody is left to truncate, and nothing ever goes on. A test with sled's default segments of 512 KiB stood
/// still for this reason. An existing store keeps the segment size with which it was made.
pub(crate) fn config(path: &Path, cache_bytes: u64) -> sled::Config {
    sled::Config::new()
        .path(path)
        .cache_capacity(cache_bytes)
        .segment_size(4 * 1_024 * 1_024)
        .flush_every_ms(None)
}
