//! Sizes and times as people type them: `2GB`, `512MiB`, `10m`, `1h30m`.

use std::time::Duration;

/// Reads `2GB`, `1.5g`, `512MiB` or a plain number of bytes. `kB`, `MB`, `GB` and `TB` are powers of 1,000; with an `i`
/// they are powers of 1,024.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size: write it like 2GB, 512MiB or 1.5g");
    let (digits, unit) = split_number(text);
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    let bytes = number * factor as f64;
    if !(1.0..1e18).contains(&bytes) {
        return Err(wrong());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in 1..1e18, and a byte more or less is nothing"
    )]
    Ok(bytes as u64)
}

/// Reads `500ms`, `90s`, `10m`, `2h`, `1h30m` or a plain number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time: write it like 90s, 10m or 1h30m");
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let (digits, after) = split_number(rest);
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let number: f64 = digits.parse().map_err(|_| wrong())?;
        let seconds = match unit {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(wrong()),
        };
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = next.trim_start();
    }
    if total.is_zero() { Err(wrong()) } else { Ok(total) }
}

/// A row count, with the separators that people type: `1000`, `1_000`, `1,000`.
pub fn count(text: &str) -> Result<u64, String> {
    let plain: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    plain.parse().map_err(|_| format!("`{text}` is not a number of rows"))
}

fn split_number(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases = [
            ("2GB", Some(2_000_000_000)),
            ("2 GB", Some(2_000_000_000)),
            ("512MiB", Some(512 << 20)),
            ("1.5g", Some(1_500_000_000)),
            ("64k", Some(64_000)),
            ("1048576", Some(1_048_576)),
            ("", None),
            ("GB", None),
            ("-1GB", None),
            ("2 gigs", None),
            ("0", None),
            ("99999999TB", None),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn times() {
        let cases = [
            ("90", Some(90_000)),
            ("90s", Some(90_000)),
            ("500ms", Some(500)),
            ("10m", Some(600_000)),
            ("1h30m", Some(5_400_000)),
            ("1.5h", Some(5_400_000)),
            ("1h 5s", Some(3_605_000)),
            ("", None),
            ("0s", None),
            ("m", None),
            ("10 minutes", None),
            ("1e400", None),
        ];
        for (text, expected) in cases {
            assert_eq!(duration(text).ok().map(|d| d.as_millis()), expected, "{text}");
        }
    }

    #[test]
    fn counts() {
        let cases = [("1000", Some(1000)), ("1_000", Some(1000)), ("1,000", Some(1000)), ("-1", None), ("many", None)];
        for (text, expected) in cases {
            assert_eq!(count(text).ok(), expected, "{text}");
        }
    }
}
