//! How much memory a process has, as the system sees it; `None` where it does not tell that as Linux does.

/// Bytes that a process has for itself: the program, which is there once for all of them, does not count.
pub fn taken(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(line(&status, "RssAnon:")? + line(&status, "RssShmem:").unwrap_or(0))
}

/// Resident bytes of this process.
pub fn own() -> Option<u64> {
    line(&std::fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

fn line(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_is_told() {
        let own = super::own().unwrap();
        let taken = super::taken(std::process::id()).unwrap();
        assert!(own > 1 << 20 && taken > 1 << 18 && taken < own, "{own} {taken}");
        assert_eq!(super::taken(u32::MAX), None);
    }
}
