//! What memory the system can still give: the machine's, and that of the process's control group.

use std::fmt;
use std::sync::OnceLock;

/// A control group with a limit of memory, of version 2 or 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Cgroup {
    folder: String,
    unified: bool,
}

/// Reads a file of the system's.
type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's control groups, an inner one before those around it, as `/proc/self/cgroup` names them.
pub(crate) fn cgroups(own: &str) -> Vec<Cgroup> {
    let mut all = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let (root, unified) = match controllers {
            "" => ("/sys/fs/cgroup", true),
            c if c.split(',').any(|c| c == "memory") => ("/sys/fs/cgroup/memory", false),
            _ => continue,
        };
        // in a container the path may be that of the host: the mount's own root counts as well
        let mut at = path.trim_end_matches('/');
        loop {
            all.push(Cgroup { folder: format!("{root}{at}"), unified });
            match at.rfind('/') {
                Some(slash) => at = &at[..slash],
                None => break,
            }
        }
    }
    all
}

impl Cgroup {
    fn number(&self, read: Read<'_>, unified: &str, other: &str) -> Option<u64> {
        let file = if self.unified { unified } else { other };
        read(&format!("{}/{file}", self.folder))?.trim().parse().ok()
    }

    /// Most bytes its processes may have together.
    pub(crate) fn limit(&self, read: Read<'_>) -> Option<u64> {
        self.number(read, "memory.max", "memory.limit_in_bytes")
    }

    /// Bytes its processes may have more, if there is a limit. Cached pages of files count as free where that matters: where
    /// there are fewer than `enough` without.
    fn headroom(&self, enough: u64, read: Read<'_>) -> Option<u64> {
        let limit = self.limit(read)?;
        let used = self.number(read, "memory.current", "memory.usage_in_bytes")?;
        let free = limit.saturating_sub(used);
        if free >= enough {
            return Some(free);
        }
        let key = if self.unified { "inactive_file " } else { "total_inactive_file " };
        let stat = read(&format!("{}/memory.stat", self.folder)).unwrap_or_default();
        let cached = stat.lines().find_map(|line| line.strip_prefix(key)?.trim().parse::<u64>().ok());
        Some(limit.saturating_sub(used.saturating_sub(cached.unwrap_or(0))))
    }
}

/// A figure of `/proc/meminfo`, in bytes.
pub(crate) fn meminfo(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.saturating_mul(1024))
}

/// Reads a file of the system's.
pub(crate) fn read_file(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Bytes that are left to other programs where nothing else is said: a thirty-second of the memory there is.
pub(crate) fn default_margin(memory: u64) -> u64 {
    (memory / 32).clamp(32 << 20, 1 << 30)
}

/// Why the system is not asked for memory: other programs would not have enough, and the system might kill one.
#[derive(Debug)]
pub(crate) struct Scarce {
    available: u64,
    whose: String,
    margin: u64,
}

impl fmt::Display for Scarce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scarce { available, whose, margin } = self;
        write!(
            f,
            "{available} bytes of memory are available {whose}, and {margin} are left to other programs (memoryMargin)"
        )
    }
}

impl std::error::Error for Scarce {}

/// The memory of the system, of which a margin is left to other programs.
pub(crate) struct SystemMemory {
    margin: u64,
    cgroups: OnceLock<Vec<Cgroup>>,
}

impl SystemMemory {
    /// With a margin of 0 the system is not asked what it has.
    pub(crate) fn new(margin: u64) -> Self {
        SystemMemory { margin, cgroups: OnceLock::new() }
    }

    /// Whether there are so many bytes and the margin. `injected` stands for the system's figure in tests.
    ///
    /// # Errors
    /// There are fewer.
    pub(crate) fn check(&self, bytes: u64, injected: impl FnOnce() -> Option<u64>) -> Result<(), Scarce> {
        if self.margin == 0 {
            return Ok(());
        }
        match injected() {
            Some(available) => self.compare(bytes, available, "to the test".to_owned()),
            None => self.check_with(bytes, &read_file),
        }
    }

    fn check_with(&self, bytes: u64, read: Read<'_>) -> Result<(), Scarce> {
        // a system that does not say is trusted
        if let Some(available) = meminfo(&read("/proc/meminfo").unwrap_or_default(), "MemAvailable") {
            self.compare(bytes, available, "on this machine".to_owned())?;
        }
        for cgroup in self.cgroups.get_or_init(|| cgroups(&read("/proc/self/cgroup").unwrap_or_default())) {
            if let Some(headroom) = cgroup.headroom(bytes.saturating_add(self.margin), read) {
                self.compare(bytes, headroom, format!("within the limit of {}", cgroup.folder))?;
            }
        }
        Ok(())
    }

    fn compare(&self, bytes: u64, available: u64, whose: String) -> Result<(), Scarce> {
        if available >= bytes.saturating_add(self.margin) {
            return Ok(());
        }
        Err(Scarce { available, whose, margin: self.margin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(margin: u64, bytes: u64, files: &[(&str, &str)]) -> Option<String> {
        let read = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
        SystemMemory::new(margin).check_with(bytes, &read).err().map(|e| e.to_string())
    }

    #[test]
    fn the_margin_is_kept_of_what_the_machine_has() {
        let files = [("/proc/meminfo", "MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable:      3 kB\n")];
        assert_eq!(says(1024, 2048, &files), None);
        let e = says(1024, 2049, &files).unwrap_or_default();
        assert!(e.contains("3072 bytes of memory are available on this machine, and 1024 are left"), "{e}");
        assert_eq!(says(1024, u64::MAX, &[]), None, "a system that does not say is trusted");
    }

    #[test]
    fn the_tightest_cgroup_around_the_process_counts_and_cached_files_do_not() {
        let own = ("/proc/self/cgroup", "0::/a/b\n");
        let outer = [("/sys/fs/cgroup/a/memory.max", "5000\n"), ("/sys/fs/cgroup/a/memory.current", "4000\n")];
        let mut files = vec![own, ("/sys/fs/cgroup/a/b/memory.max", "max\n"), outer[0], outer[1]];
        assert_eq!(says(500, 500, &files), None);
        let e = says(500, 501, &files).unwrap_or_default();
        assert!(e.contains("1000 bytes of memory are available within the limit of /sys/fs/cgroup/a,"), "{e}");
        files.push(("/sys/fs/cgroup/a/memory.stat", "anon 3000\ninactive_file 600\nactive_file 1\n"));
        assert_eq!(says(500, 1100, &files), None);
        assert!(says(500, 1101, &files).is_some());
    }

    #[test]
    fn version_1_has_other_names() {
        let files = [
            ("/proc/self/cgroup", "5:cpu:/x\n4:cpuset,memory:/c\n"),
            ("/sys/fs/cgroup/memory/c/memory.limit_in_bytes", "9000\n"),
            ("/sys/fs/cgroup/memory/c/memory.usage_in_bytes", "8000\n"),
            ("/sys/fs/cgroup/memory/c/memory.stat", "inactive_file 5\ntotal_inactive_file 100\n"),
        ];
        assert_eq!(says(1000, 100, &files), None);
        assert!(says(1000, 101, &files).is_some_and(|e| e.contains("1100 bytes")));
    }
}
