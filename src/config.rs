//! Options of a store, checked once, when it is opened.

use std::path::PathBuf;

use crate::error::{Error, ErrorCode, Result};
use crate::store::{self, Eviction, HIGH_WATER, SpillConfig, StoreConfig};

/// The least and the most bytes of a store: its pages are counted in 32 bits.
const SIZES: std::ops::RangeInclusive<u64> = (64 << 10)..=(1 << 44);
const TOMBSTONES: usize = 100_000;

/// Checked options.
#[derive(Clone, Debug)]
pub struct Config {
    /// The store's name, for those who connect; chosen when `None`.
    pub name: Option<String>,
    /// Bytes of the arena; 0: 30 % of the memory there is.
    pub size: u64,
    /// The arena's file, if it is to have a name.
    pub path: Option<PathBuf>,
    /// Free bytes that stay warm; half the store if `None`.
    pub warm_reserve: Option<u64>,
    /// Has those bytes allocated when the store is opened.
    pub pre_touch: bool,
    /// Bytes of the system's memory that the store leaves to other programs; chosen when `None`, and with 0 it takes all.
    pub memory_margin: Option<u64>,
    /// What goes first when memory is short.
    pub eviction: Eviction,
    /// Collected batches that are remembered.
    pub tombstones: usize,
    /// Where and when it spills; `None`: a full store is full.
    pub spill: Option<SpillConfig>,
}

impl Config {
    /// A store of that size in memory, all else by default.
    ///
    /// # Errors
    /// As for `from_pairs`.
    pub fn sized(size: u64) -> Result<Self> {
        Config::from_pairs(&[("store.size".into(), size.to_string())])
    }

    /// Reads `key = value` pairs: `name`, `store.size` (bytes; 0: 30 % of the memory there is), `store.path`,
    /// `store.warmReserve` (bytes), `store.preTouch` (`true` or `false`),
    /// `store.memoryMargin` (bytes), `eviction` (`batch` or `lru`), `tombstones` (a count),
    /// `spill.directory` (a path; none: nothing is spilled), `spill.capacity` (bytes of files), `spill.highWater` (percent),
    /// `spill.normalMode` (`evict` or `spill`).
    ///
    /// # Errors
    /// `InvalidArgument` naming the option and what it takes.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<Self> {
        let mut name = None;
        let mut size = 0;
        let mut path = None;
        let mut warm_reserve = None;
        let mut pre_touch = false;
        let mut memory_margin = None;
        let mut eviction = Eviction::Batch;
        let mut tombstones = TOMBSTONES;
        let mut directory = None;
        let (mut spill_capacity, mut high_water, mut normal_mode) = (None, HIGH_WATER, false);
        for (key, value) in pairs {
            match key.as_str() {
                "name" if is_name(value) => name = Some(value.clone()),
                "name" => return Err(invalid(key, value, "a name of 1 to 200 bytes without control characters")),
                "store.size" => size = number(key, value)?,
                "store.path" if value.is_empty() => return Err(invalid(key, value, "a path")),
                "store.path" => path = Some(PathBuf::from(value)),
                "store.warmReserve" => warm_reserve = Some(number(key, value)?),
                "store.preTouch" => {
                    pre_touch = value.parse().map_err(|_| invalid(key, value, "'true' or 'false'"))?;
                }
                "store.memoryMargin" => memory_margin = Some(number(key, value)?),
                "eviction" => {
                    eviction = match value.as_str() {
                        "batch" => Eviction::Batch,
                        "lru" => Eviction::Lru,
                        _ => return Err(invalid(key, value, "'batch' or 'lru'")),
                    };
                }
                "tombstones" => {
                    tombstones = usize::try_from(number(key, value)?).map_err(|_| invalid(key, value, "a count"))?;
                }
                "spill.directory" if value.is_empty() => return Err(invalid(key, value, "a path")),
                "spill.directory" => directory = Some(PathBuf::from(value)),
                "spill.capacity" => spill_capacity = Some(number(key, value)?),
                "spill.highWater" => {
                    let percent = value.parse().ok().filter(|percent| (1..=100).contains(percent));
                    high_water = percent.ok_or_else(|| invalid(key, value, "a percentage, 1 to 100"))?;
                }
                "spill.normalMode" => {
                    normal_mode = match value.as_str() {
                        "evict" => false,
                        "spill" => true,
                        _ => return Err(invalid(key, value, "'evict' or 'spill'")),
                    };
                }
                _ => {
                    let known = "name, store.size, store.path, store.warmReserve, store.preTouch, store.memoryMargin, eviction, \
                                 tombstones, \
                                 spill.directory, spill.capacity, spill.highWater, spill.normalMode";
                    return Err(Error::new(
                        ErrorCode::InvalidArgument,
                        format!("there is no option '{key}'; there are {known}"),
                    ));
                }
            }
        }
        if size != 0 && !SIZES.contains(&size) {
            let range = format!("{} to {} bytes", SIZES.start(), SIZES.end());
            return Err(invalid("store.size", &size.to_string(), &range));
        }
        let spill =
            directory.map(|directory| SpillConfig { directory, capacity: spill_capacity, high_water, normal_mode });
        Ok(Config { name, size, path, warm_reserve, pre_touch, memory_margin, eviction, tombstones, spill })
    }

    /// What the store is told.
    ///
    /// # Errors
    /// `StoreOpen` when the memory is not there.
    pub(crate) fn store(&self, name: &str) -> Result<StoreConfig> {
        self.store_config(name, Memory::of_this_machine())
    }

    /// Bytes of the system's memory that are left to other programs.
    pub(crate) fn margin(&self) -> u64 {
        self.memory_margin.unwrap_or_else(|| store::default_margin(Memory::of_this_machine().least()))
    }

    /// True when the arena's pages can go nowhere but memory.
    fn in_memory(&self) -> bool {
        self.path.as_ref().is_none_or(|path| path.starts_with("/dev/shm"))
    }

    fn store_config(&self, name: &str, memory: Memory) -> Result<StoreConfig> {
        let capacity = if self.size == 0 { memory.least() / 10 * 3 } else { self.size };
        if self.in_memory() && capacity > memory.least() {
            return Err(Error::new(
                ErrorCode::StoreOpen,
                format!(
                    "a store of {capacity} bytes does not fit: {}; name a smaller store.size, or a store.path on a disk",
                    memory.describe()
                ),
            ));
        }
        Ok(StoreConfig {
            name: name.to_owned(),
            capacity,
            path: self.path.clone(),
            warm_reserve: self.warm_reserve.unwrap_or(capacity / 2),
            pre_touch: self.pre_touch,
            eviction: self.eviction,
        })
    }
}

/// It becomes a part of a file's name, of which the system shows no more.
fn is_name(value: &str) -> bool {
    (1..=200).contains(&value.len()) && !value.chars().any(char::is_control)
}

fn number(key: &str, value: &str) -> Result<u64> {
    value.parse().map_err(|_| invalid(key, value, "a whole number, 0 or more"))
}

fn invalid(key: &str, value: &str, wanted: &str) -> Error {
    Error::new(ErrorCode::InvalidArgument, format!("option {key} is {wanted}, not '{value}'"))
}

/// Memory there is, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Memory {
    ram: u64,
    cgroup: Option<u64>,
}

impl Memory {
    /// From the system's files.
    fn of_this_machine() -> Memory {
        let read = |path: &str| store::read_file(path).unwrap_or_default();
        memory_from(&read("/proc/meminfo"), &read("/proc/self/cgroup"), &store::read_file)
    }

    fn least(&self) -> u64 {
        self.cgroup.map_or(self.ram, |limit| limit.min(self.ram))
    }

    fn describe(&self) -> String {
        match self.cgroup {
            Some(limit) if limit < self.ram => format!("the cgroup's limit is {limit} bytes"),
            _ => format!("the machine has {} bytes of memory", self.ram),
        }
    }
}

/// The machine's memory, and the smallest limit of the process's cgroup and those above it, in version 2 or 1.
fn memory_from(meminfo: &str, own_cgroup: &str, read: &dyn Fn(&str) -> Option<String>) -> Memory {
    let ram = store::meminfo(meminfo, "MemTotal").unwrap_or(u64::MAX);
    let cgroup = store::cgroups(own_cgroup).iter().filter_map(|cgroup| cgroup.limit(read)).min();
    Memory { ram, cgroup }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;
    const MEMORY: Memory = Memory { ram: 10 * GIB, cgroup: None };

    fn config(pairs: &[(&str, &str)]) -> Result<Config> {
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::from_pairs(&pairs)
    }

    fn store(pairs: &[(&str, &str)], memory: Memory) -> Result<StoreConfig> {
        config(pairs)?.store_config("s", memory)
    }

    #[test]
    fn the_default_size_is_thirty_percent_of_the_memory_there_is() {
        assert_eq!(store(&[], MEMORY).expect("valid").capacity, GIB * 3);
        let limited = store(&[], Memory { cgroup: Some(GIB), ..MEMORY }).expect("valid");
        assert_eq!((limited.capacity, limited.warm_reserve), (GIB / 10 * 3, GIB / 10 * 3 / 2));
    }

    #[test]
    fn a_margin_is_left_to_other_programs() {
        assert_eq!(config(&[("store.memoryMargin", "5")]).expect("valid").margin(), 5);
        let known = [(1 << 30, 32 << 20), (8 * GIB, GIB / 4), (24 * GIB, GIB / 4 * 3), (1 << 40, GIB)];
        assert_eq!(known.map(|(memory, _)| store::default_margin(memory)), known.map(|(_, margin)| margin));
    }

    #[test]
    fn what_cannot_fit_is_refused() {
        let large = ("store.size", "10737418241");
        let e = store(&[large], MEMORY).expect_err("larger than memory");
        assert_eq!(e.code(), ErrorCode::StoreOpen);
        assert!(e.message().contains("10737418240 bytes of memory") && e.message().contains("store.path"), "{e}");
        assert!(store(&[large, ("store.path", "/disk/arena")], MEMORY).is_ok());
        assert!(store(&[large, ("store.path", "/dev/shm/arena")], MEMORY).is_err(), "which is memory");
        let e = store(&[("store.size", "2147483648")], Memory { cgroup: Some(GIB), ..MEMORY });
        assert!(e.expect_err("over the cgroup's").message().contains("cgroup's limit is 1073741824"));
    }

    #[test]
    fn errors_name_the_option_and_what_it_takes() {
        for (key, value, says) in [
            ("store.size", "ten", "a whole number"),
            ("store.size", "1", "65536 to"),
            ("store.size", "-1", "a whole number"),
            ("eviction", "fifo", "'batch' or 'lru'"),
            ("store.memoryMargin", "-1", "a whole number"),
            ("spill.highWater", "0", "1 to 100"),
            ("spill.capacity", "much", "a whole number"),
            ("store.pth", "x", "there is no option 'store.pth'"),
            ("name", "", "1 to 200 bytes"),
            ("name", "a\0b", "without control characters"),
        ] {
            let e = config(&[(key, value)]).expect_err(key);
            assert!(e.code() == ErrorCode::InvalidArgument && e.message().contains(says), "{e}");
        }
    }

    #[test]
    fn cgroup_limits_of_both_versions_are_found() {
        let files = |path: &str| match path {
            "/sys/fs/cgroup/a/b/memory.max" => Some("max\n".to_owned()),
            "/sys/fs/cgroup/a/memory.max" => Some("5000\n".to_owned()),
            "/sys/fs/cgroup/memory/c/memory.limit_in_bytes" => Some("7000\n".to_owned()),
            _ => None,
        };
        let meminfo = "MemFree: 1 kB\nMemTotal:       24 kB\n";
        assert_eq!(memory_from(meminfo, "0::/a/b\n", &files), Memory { ram: 24 << 10, cgroup: Some(5000) });
        assert_eq!(memory_from(meminfo, "4:cpu,memory:/c\n", &files).cgroup, Some(7000));
        assert_eq!(memory_from(meminfo, "", &files).cgroup, None);
    }
}
