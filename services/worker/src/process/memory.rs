//! How much memory a process has, as the system sees it; `None` where it does not tell that as Linux does.

/// Resident bytes of a process.
pub fn resident(pid: u32) -> Option<u64> {
    resident_in(&format!("/proc/{pid}/status"))
}

/// Resident bytes of this process.
pub fn own() -> Option<u64> {
    resident_in("/proc/self/status")
}

fn resident_in(status: &str) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_is_told() {
        let own = super::own().unwrap();
        let same = super::resident(std::process::id()).unwrap();
        assert!(own > 1 << 20 && same > 1 << 20, "{own} {same}");
        assert_eq!(super::resident(u32::MAX), None);
    }
}
