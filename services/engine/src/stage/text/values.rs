//! The exact spellings of values in text files. What is not spelled exactly so is text: nothing is trimmed or rounded.
//!
//! Hot: called once per value, so arithmetic wraps where the length of the input already bounds the result.

use crate::time_zone::TimeZone;

/// A plain decimal number: `[-]digits[.digits]`, without leading zeros, of at most 38 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    pub negative: bool,
    /// All digits, the point left out.
    pub mantissa: u128,
    /// Digits before the point; 0 for `0.5` and `.5`.
    pub digits: u8,
    /// Digits after the point.
    pub scale: u8,
}

impl Number {
    pub fn as_i64(&self) -> Option<i64> {
        let magnitude = i128::try_from(self.mantissa).ok()?;
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }
}

pub const POWERS: [i128; 39] = {
    let mut powers = [1i128; 39];
    let mut i = 1;
    while i < 39 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

#[inline]
fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    }
}

#[inline]
pub fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = sign(text);
    // 19 digits fit an u64.
    if digits.is_empty() || digits.len() > 19 || (digits[0] == b'0' && digits.len() > 1) {
        return None;
    }
    let mut value = 0u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

#[inline]
pub fn number(text: &[u8]) -> Option<Number> {
    let (negative, body) = sign(text);
    let mut point = body.len();
    let mantissa = if body.len() <= 19 {
        let mut value = 0u64;
        for (i, byte) in body.iter().enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            } else if *byte == b'.' && point == body.len() {
                point = i;
            } else {
                return None;
            }
        }
        u128::from(value)
    } else {
        point = memchr::memchr(b'.', body).unwrap_or(body.len());
        long_mantissa(body, point)?
    };
    let scale = match body.len() - point {
        0 => 0,
        1 => return None,
        n => n - 1,
    };
    let digits = match point {
        0 if scale == 0 => return None,
        1 if body[0] == b'0' => 0,
        n if n > 1 && body[0] == b'0' => return None,
        n => n,
    };
    if digits + scale > 38 {
        return None;
    }
    Some(Number { negative, mantissa, digits: u8::try_from(digits).ok()?, scale: u8::try_from(scale).ok()? })
}

fn long_mantissa(body: &[u8], point: usize) -> Option<u128> {
    if body.len() > 40 {
        return None;
    }
    let mut value = 0u128;
    for (i, byte) in body.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value.checked_mul(10)?.checked_add(u128::from(digit))?;
        } else if i != point {
            return None;
        }
    }
    Some(value)
}

/// `true` or `false` in any case.
#[inline]
pub fn boolean(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if text.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}

#[inline]
fn digits<const N: usize>(text: &[u8]) -> Option<u32> {
    let mut value = 0u32;
    let mut worst = 0u8;
    for byte in &text[..N] {
        let digit = byte.wrapping_sub(b'0');
        worst = worst.max(digit);
        value = value.wrapping_mul(10).wrapping_add(u32::from(digit));
    }
    (worst <= 9).then_some(value)
}

/// `YYYY-MM-DD`, years 0001 to 9999, as days since 1970-01-01.
#[inline]
pub fn date(text: &[u8]) -> Option<i32> {
    let text: &[u8; 10] = text.try_into().ok()?;
    if text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits::<4>(text)?, digits::<2>(&text[5..])?, digits::<2>(&text[8..])?);
    if year == 0 || !(1..=12).contains(&month) || day == 0 || day > 31 {
        return None;
    }
    if day > 28 {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let last = match month {
            2 => 28 + u32::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if day > last {
            return None;
        }
    }
    // Years that begin in March, so that the leap day is the last of its year.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    days.cast_signed().checked_sub(719_468)
}

/// A point in time in microseconds since 1970-01-01, in UTC when the text has an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    pub micros: i64,
    pub offset: bool,
}

/// `YYYY-MM-DD`, `T` or a blank, `HH:MM`, optional `:SS`, optional `.` and up to 6 digits (up to 9 when those after the
/// sixth are zeros), optional `Z`, `±HH` or `±HH:MM`.
#[inline]
pub fn timestamp(text: &[u8]) -> Option<Timestamp> {
    if text.len() < 16 || !matches!(text[10], b'T' | b' ') || text[13] != b':' {
        return None;
    }
    let days = date(&text[..10])?;
    let (hour, minute) = (digits::<2>(&text[11..])?, digits::<2>(&text[14..])?);
    let (mut second, mut micros, mut rest) = (0, 0, &text[16..]);
    if rest.len() >= 3 && rest[0] == b':' {
        second = digits::<2>(&rest[1..])?;
        rest = &rest[3..];
        if let [b'.', fraction @ ..] = rest {
            let length = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            micros = fraction_micros(&fraction[..length])?;
            rest = &fraction[length..];
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let offset_minutes = offset(rest)?;
    let seconds = i64::from(days) * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    let seconds = seconds - i64::from(offset_minutes.unwrap_or(0)) * 60;
    Some(Timestamp { micros: seconds * 1_000_000 + micros, offset: offset_minutes.is_some() })
}

fn fraction_micros(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 9 || digits.iter().skip(6).any(|d| *d != b'0') {
        return None;
    }
    Some((0..6).fold(0, |value, i| value * 10 + digits.get(i).map_or(0, |d| i64::from(d - b'0'))))
}

/// Minutes east of Greenwich, `None` inside when there is no offset at all.
fn offset(text: &[u8]) -> Option<Option<i32>> {
    let (sign, rest) = match text {
        [] => return Some(None),
        [b'Z'] => return Some(Some(0)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        2 => (digits::<2>(rest)?, 0),
        5 if rest[2] == b':' => (digits::<2>(rest)?, digits::<2>(&rest[3..])?),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then(|| Some(sign * (hours * 60 + minutes).cast_signed()))
}

/// A date, or a timestamp without an offset, in microseconds since 1970-01-01 of the local clock.
#[inline]
pub fn local_time(text: &[u8]) -> Option<i64> {
    if text.len() == 10 {
        return date(text).map(|days| i64::from(days) * 86_400_000_000);
    }
    timestamp(text).filter(|t| !t.offset).map(|t| t.micros)
}

/// A timestamp with an offset, in microseconds since 1970-01-01 in UTC.
#[inline]
pub fn utc_time(text: &[u8]) -> Option<i64> {
    timestamp(text).filter(|t| t.offset).map(|t| t.micros)
}

/// A local time of `zone`, or a timestamp with an offset of its own, in UTC.
pub fn time_in(zone: TimeZone, text: &[u8]) -> Option<i64> {
    utc_time(text).or_else(|| Some(zone.instant(local_time(text)?).0))
}

/// A finite number, for columns that are set to float by hand.
pub fn float(text: &[u8]) -> Option<f64> {
    if !text.iter().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok().filter(|value: &f64| value.is_finite())
}

/// An integer in a column that is set to integer by hand: leading zeros and `+` are the user's wish.
pub fn integer_by_hand(text: &[u8]) -> Option<i64> {
    if text.starts_with(b"+-") {
        return None;
    }
    let text = without_padding(text);
    integer(&text)
}

/// A number in a column that is set to decimal by hand.
pub fn number_by_hand(text: &[u8]) -> Option<Number> {
    number(&without_padding(text))
}

/// A boolean in a column that is set to boolean by hand.
pub fn boolean_by_hand(text: &[u8]) -> Option<bool> {
    match text.to_ascii_lowercase().as_slice() {
        b"true" | b"t" | b"yes" | b"y" | b"1" => Some(true),
        b"false" | b"f" | b"no" | b"n" | b"0" => Some(false),
        _ => None,
    }
}

fn without_padding(text: &[u8]) -> Vec<u8> {
    let (negative, body) = match text {
        [b'+', rest @ ..] => (false, rest),
        _ => sign(text),
    };
    let zeros = body.iter().take_while(|b| **b == b'0').count();
    // A zero that stands alone before the end or the point is not padding.
    let keep = zeros > 0 && body.get(zeros).is_none_or(|b| !b.is_ascii_digit());
    let body = &body[if keep { zeros - 1 } else { zeros }..];
    if negative { [b"-", body].concat() } else { body.to_vec() }
}

/// The digits of `number`, which may have an exponent, written out without one; `None` when that needs more than
/// 38 digits. JSON writers spell plain amounts so (`1e-05`).
pub fn without_exponent(number: &str) -> Option<String> {
    let Some((mantissa, exponent)) = number.split_once(['e', 'E']) else { return Some(number.to_owned()) };
    let exponent: i32 = exponent.parse().ok()?;
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    if !(-38..=39).contains(&point) || digits.len() > 40 {
        return None;
    }
    let (whole, fraction) = match usize::try_from(point) {
        Ok(point) if point >= digits.len() => (format!("{digits:0<point$}"), String::new()),
        Ok(point) => (digits[..point].to_owned(), digits[point..].to_owned()),
        Err(_) => (String::new(), "0".repeat(usize::try_from(-point).ok()?) + &digits),
    };
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let fraction = fraction.trim_end_matches('0');
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

#[cfg(test)]
#[path = "tests/values.rs"]
mod tests;
