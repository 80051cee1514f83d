//! Numbers for people: shares that are never rounded to a claim that does not hold, sizes, times, bars.

pub use kalla_engine::numbers::{count, counted, decimal};

/// The share of `part` in `whole` in percent, rounded down to a tenth, so that 100.0 % means all; but not down to 0.0 %
/// while there is something.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole);
    if tenths == 0 && part > 0 { "<0.1 %".to_owned() } else { format!("{}.{} %", tenths / 10, tenths % 10) }
}

/// A bar of `width` cells, drawn in eighths of a cell; full only when all of it is.
pub fn bar(part: u64, whole: u64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = if whole == 0 { 0 } else { width as u128 * 8 * u128::from(part) / u128::from(whole) };
    let eighths = usize::try_from(eighths).unwrap_or(0).max(usize::from(part > 0));
    let (full, rest) = (eighths / 8, eighths % 8);
    let blanks = width - full - usize::from(rest > 0);
    format!("{}{}{}", "█".repeat(full), EIGHTHS[rest], "░".repeat(blanks))
}

/// `999 B`, `84.2 kB`, `1.2 GB`: powers of 1,000.
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if value < 999.95 || unit == "TB" {
            return if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    unreachable!("the last unit returns")
}

/// `12 ms`, `1.24 s`, `3 min 05 s`.
pub fn millis(ms: f64) -> String {
    if ms < 1.0 {
        "<1 ms".to_owned()
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if ms < 59_995.0 {
        format!("{:.2} s", ms / 1000.0)
    } else {
        let seconds = (ms / 1000.0).round();
        format!("{:.0} min {:02.0} s", (seconds / 60.0).floor(), seconds % 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_claim_no_more_than_holds() {
        for (part, whole, text) in [
            (0, 0, "–"),
            (0, 10, "0.0 %"),
            (10, 10, "100.0 %"),
            (9_999_999, 10_000_000, "99.9 %"),
            (1, 10_000_000, "<0.1 %"),
            (1, 3, "33.3 %"),
            (u64::MAX - 1, u64::MAX, "99.9 %"),
        ] {
            assert_eq!(percent(part, whole), text);
        }
    }

    #[test]
    fn bars() {
        for (part, whole, text) in [
            (0, 0, "░░░░"),
            (0, 8, "░░░░"),
            (8, 8, "████"),
            (4, 8, "██░░"),
            (9, 16, "██▎░"),
            (1, 1_000_000, "▏░░░"),
            (999_999, 1_000_000, "███▉"),
        ] {
            assert_eq!(bar(part, whole, 4), text, "{part} of {whole}");
        }
    }

    #[test]
    fn sizes_and_times() {
        for (n, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (84_200, "84.2 kB"),
            (999_960, "1.0 MB"),
            (1 << 40, "1.1 TB"),
        ] {
            assert_eq!(bytes(n), text);
        }
        for (ms, text) in [
            (0.2, "<1 ms"),
            (12.4, "12 ms"),
            (999.7, "1.00 s"),
            (1240.0, "1.24 s"),
            (59_996.0, "1 min 00 s"),
            (185_000.0, "3 min 05 s"),
        ] {
            assert_eq!(millis(ms), text);
        }
    }
}
