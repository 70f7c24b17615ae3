//! On which machine is it measured, and what does it use of that?
//!
//! Read from `/proc`, so only Linux says all of it.

use std::path::Path;

use crate::report::Row;

/// The machine that this runs on
pub(crate) fn described() -> Row {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    let kernel = kernel.map(|kernel| format!("{} {}", std::env::consts::OS, kernel.trim()));
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get() as u64);
    let unknown = || "unknown".to_owned();
    vec![
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("cpu", field("/proc/cpuinfo", "model name").unwrap_or_else(unknown).into()),
        ("cores", cores.into()),
        ("memory_mib", memory_bytes().map(|bytes| (bytes >> 20) as f64).into()),
        ("kernel", kernel.unwrap_or_else(unknown).into()),
    ]
}

/// All memory of the machine
pub(crate) fn memory_bytes() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemTotal")
}

/// Memory of this process that is resident now
pub(crate) fn resident_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmRSS")
}

/// Bytes of all files in a folder
pub(crate) fn folder_bytes(folder: &Path) -> std::io::Result<u64> {
    std::fs::read_dir(folder)?.try_fold(0, |sum, file| {
        let file = file?;
        let metadata = file.metadata()?;
        Ok(sum + if metadata.is_dir() { folder_bytes(&file.path())? } else { metadata.len() })
    })
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn kilobytes(path: &str, name: &str) -> Option<u64> {
    Some(field(path, name)?.trim_end_matches(" kB").parse::<u64>().ok()? * 1_024)
}
