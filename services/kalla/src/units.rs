//! Sizes and times as people type them: `2GB`, `512MiB`, `10m`, `1h30m`.

use std::time::Duration;

use bytesize::ByteSize;

/// No machine has more: some slip of the keyboard.
const MOST_BYTES: u64 = 1_000_000_000_000_000_000;

/// Reads `2GB`, `1.5g`, `512MiB` or a plain number of bytes. `kB`, `MB`, `GB` and `TB` are powers of 1,000; with an `i`
/// they are powers of 1,024.
pub fn bytes(text: &str) -> Result<u64, String> {
    let size = text.trim().parse::<ByteSize>().map(|size| size.as_u64());
    let size = size.ok().filter(|bytes| (1..MOST_BYTES).contains(bytes));
    size.ok_or_else(|| format!("`{text}` is not a size: write it like 2GB, 512MiB or 1.5g"))
}

/// Reads `500ms`, `90s`, `10m`, `2h`, `1h30m` or a plain number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let plain = text.trim().parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let time = plain.or_else(|| humantime::parse_duration(text.trim()).ok()).filter(|time| !time.is_zero());
    time.ok_or_else(|| format!("`{text}` is not a time: write it like 90s, 10m or 1h30m"))
}

/// A row count, with the separators that people type: `1000`, `1_000`, `1,000`.
pub fn count(text: &str) -> Result<u64, String> {
    let plain: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    plain.parse().map_err(|_| format!("`{text}` is not a number of rows"))
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
            ("1h 5s", Some(3_605_000)),
            ("", None),
            ("0s", None),
            ("m", None),
            ("10 minutes", Some(600_000)),
            ("1.5", Some(1_500)),
            ("-1", None),
            ("1.5h", Some(5_400_000)),
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
