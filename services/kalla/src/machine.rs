//! What this process has been given.

use std::path::Path;
use std::process::Command;

/// Bytes of memory: those of the machine, or of the groups that the process is in where they have less. `None` where the system
/// does not tell it as Linux does.
pub fn memory() -> Option<u64> {
    memory_in(|path| std::fs::read_to_string(path).ok())
}

/// What the machine is called, or the container.
pub fn name() -> String {
    let told = || Command::new("hostname").output().ok().and_then(|output| String::from_utf8(output.stdout).ok());
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(told).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

fn memory_in(read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let machine = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    });
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().flat_map(files).filter_map(|file| read(&file)?.trim().parse::<u64>().ok());
    limits.chain(machine).min()
}

/// Where the limits are that hold for a line of `/proc/self/cgroup`: of its group, and of those that it is in. A container may be
/// told its path on the machine while it sees its own limits at the root.
fn files(line: &str) -> Vec<String> {
    let mut parts = line.splitn(3, ':');
    let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
        return Vec::new();
    };
    let (root, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|one| one == "memory") => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        _ => return Vec::new(),
    };
    Path::new(path).ancestors().map(|group| format!("{root}{}/{file}", group.display()).replace("//", "/")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_that_holds_is_what_there_is() {
        const MACHINE: (&str, &str) = ("/proc/meminfo", "MemTotal:       8000 kB\nMemFree: 1 kB\n");
        let machine = 8_000 * 1024;
        let groups = |text| ("/proc/self/cgroup", text);
        type Files<'a> = &'a [(&'a str, &'a str)];
        let cases: [(Files<'_>, Option<u64>); 7] = [
            (&[], None),
            (&[MACHINE], Some(machine)),
            (&[MACHINE, groups("0::/\n"), ("/sys/fs/cgroup/memory.max", "4096\n")], Some(4096)),
            (&[MACHINE, groups("0::/a/b\n"), ("/sys/fs/cgroup/a/memory.max", "100\n")], Some(100)),
            (&[MACHINE, groups("0::/a\n"), ("/sys/fs/cgroup/a/memory.max", "max\n")], Some(machine)),
            (
                &[
                    MACHINE,
                    groups("3:cpu:/c\n2:cpu,memory:/docker/1\n"),
                    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "200\n"),
                ],
                Some(200),
            ),
            (
                &[
                    MACHINE,
                    groups("2:memory:/a\n"),
                    ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n"),
                ],
                Some(machine),
            ),
        ];
        for (files, expected) in cases {
            let read = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
            assert_eq!(memory_in(read), expected, "{files:?}");
        }
        assert!(memory().is_some_and(|bytes| bytes > 1 << 28));
    }
}
