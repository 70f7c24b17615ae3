//! On which machine?
//!
//! Read from `/proc`, so only Linux says all of it; elsewhere what is not known is null.

use std::path::Path;

use serde::Serialize;

/// A machine
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Machine {
    /// The processor's model
    pub cpu: Option<String>,
    /// Processors that this process may use
    pub cores: Option<usize>,
    /// Memory
    pub memory_bytes: Option<u64>,
    /// The operating system and its kernel
    pub kernel: Option<String>,
}

impl Machine {
    /// The one that this runs on
    pub fn here() -> Self {
        let kernel = text("/proc/sys/kernel/osrelease");
        Self {
            cpu: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().ok().map(Into::into),
            memory_bytes: field("/proc/meminfo", "MemTotal").and_then(|text| kilobytes(&text)),
            kernel: kernel.map(|kernel| format!("{} {}", std::env::consts::OS, kernel.trim())),
        }
    }

    /// In one line
    pub fn described(&self) -> String {
        let unknown = || "unknown".to_owned();
        format!(
            "{}, {} cores, {} of memory, {}",
            self.cpu.clone().unwrap_or_else(unknown),
            self.cores.map_or_else(unknown, |cores| cores.to_string()),
            self.memory_bytes.map_or_else(unknown, |bytes| format!("{} MiB", bytes >> 20)),
            self.kernel.clone().unwrap_or_else(unknown),
        )
    }
}

/// Memory of this process that is resident now; only Linux says
pub fn resident_bytes() -> Option<u64> {
    field("/proc/self/status", "VmRSS").and_then(|text| kilobytes(&text))
}

/// Bytes of all files in a folder
///
/// # Errors
/// A folder that cannot be read.
pub fn folder_bytes(folder: &Path) -> std::io::Result<u64> {
    std::fs::read_dir(folder)?.try_fold(0, |sum, file| {
        let file = file?;
        let metadata = file.metadata()?;
        Ok(sum + if metadata.is_dir() { folder_bytes(&file.path())? } else { metadata.len() })
    })
}

fn text(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = text(path)?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn kilobytes(text: &str) -> Option<u64> {
    Some(text.trim_end_matches(" kB").parse::<u64>().ok()? * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_read() {
        assert_eq!(kilobytes("  12 kB".trim()), Some(12 * 1_024));
        assert_eq!(kilobytes("many"), None);
        if cfg!(target_os = "linux") {
            assert!(resident_bytes().unwrap() > 100_000);
            assert!(Machine::here().memory_bytes.unwrap() > resident_bytes().unwrap());
        }
    }

    #[test]
    fn the_bytes_of_a_folder_are_those_of_all_its_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/b"), [0; 10]).unwrap();
        std::fs::write(folder.path().join("c"), [0; 5]).unwrap();
        assert_eq!(folder_bytes(folder.path()).unwrap(), 15);
    }
}
