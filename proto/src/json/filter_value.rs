//! Filter values as bare JSON: a string, a number, a boolean or an array of them.
//!
//! A number keeps its digits. serde hands numbers over as 64-bit integers or doubles, so the text of a JSON number is
//! asked for with the protocol of `serde_json`'s `RawValue`. Other formats (YAML) know nothing of it and hand over what
//! they have: there, a double that may have lost digits is refused.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::v1::filter_value::Kind;
use crate::v1::{FilterValue, FilterValueList};

/// The name by which `RawValue` asks `serde_json` for the text of a value.
pub(super) const RAW: &str = "$serde_json::private::RawValue";
/// Decimal digits that a double always holds.
const DOUBLE_DIGITS: usize = 15;
/// More than any column of numbers can hold.
const MAX_DIGITS: usize = 100;

impl Serialize for FilterValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.kind {
            None => serializer.serialize_unit(),
            Some(Kind::Text(text)) => serializer.serialize_str(text),
            Some(Kind::Boolean(value)) => serializer.serialize_bool(*value),
            Some(Kind::List(list)) => list.serialize(serializer),
            Some(Kind::Number(digits)) => serialize_number(digits, serializer),
        }
    }
}

fn serialize_number<S: Serializer>(digits: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let not_a_number = || S::Error::custom("a number of a filter is not written in decimal digits");
    if !digits.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return Err(not_a_number());
    }
    if let Some(number) = digits.parse::<i64>().ok().filter(|number| number.to_string() == digits) {
        return serializer.serialize_i64(number);
    }
    let short = digits.contains('.') && digits.bytes().filter(u8::is_ascii_digit).count() <= DOUBLE_DIGITS;
    if let Some(number) = digits.parse::<f64>().ok().filter(|number| short && number.to_string() == digits) {
        return serializer.serialize_f64(number);
    }
    RawValue::from_string(digits.to_owned()).map_err(|_| not_a_number())?.serialize(serializer)
}

impl<'de> Deserialize<'de> for FilterValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { kind: Some(deserializer.deserialize_newtype_struct(RAW, KindVisitor)?) })
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, a boolean or an array of them")
    }

    /// `serde_json` answers with a map of one entry, the text of the value.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        match map.next_key::<Cow<'de, str>>()? {
            Some(key) if key == RAW => from_raw(&map.next_value::<Cow<'de, str>>()?),
            _ => Err(de::Error::invalid_type(Unexpected::Map, &self)),
        }
    }

    /// Every other format just goes on.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element::<FilterValue>()? {
            values.push(value);
        }
        list(values)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Boolean(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text(text.to_owned()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Kind, E> {
        Ok(Kind::Number(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Kind, E> {
        Ok(Kind::Number(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Kind, E> {
        let shortest = format!("{number:e}");
        let digits = shortest.split('e').next().unwrap_or_default().bytes().filter(u8::is_ascii_digit).count();
        if !number.is_finite() || digits > DOUBLE_DIGITS {
            return Err(E::custom("this number has more digits than can be read here: write it as a string"));
        }
        plain_decimal(&shortest).map(Kind::Number).map_err(E::custom)
    }
}

fn from_raw<E: de::Error>(raw: &str) -> Result<Kind, E> {
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw).map(Kind::Text).map_err(E::custom),
        Some(b'[') => list(serde_json::from_str(raw).map_err(E::custom)?),
        Some(b't') => Ok(Kind::Boolean(true)),
        Some(b'f') => Ok(Kind::Boolean(false)),
        Some(b'-' | b'0'..=b'9') => plain_decimal(raw).map(Kind::Number).map_err(E::custom),
        Some(b'{') => Err(E::invalid_type(Unexpected::Map, &KindVisitor)),
        _ => Err(E::invalid_type(Unexpected::Unit, &KindVisitor)),
    }
}

fn list<E: de::Error>(values: Vec<FilterValue>) -> Result<Kind, E> {
    if values.iter().any(|value| matches!(value.kind, Some(Kind::List(_)))) {
        return Err(E::custom("an array within an array is not a value of a filter"));
    }
    Ok(Kind::List(FilterValueList { values }))
}

/// `1.25e3` as `1250`: the same value without an exponent. A number without one stays as it was written.
fn plain_decimal(number: &str) -> Result<String, &'static str> {
    const TOO_LONG: &str = "this number has more digits than any column of numbers can hold";
    let Some((mantissa, exponent)) = number.split_once(['e', 'E']) else {
        return if number.len() > MAX_DIGITS { Err(TOO_LONG) } else { Ok(number.to_owned()) };
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: isize = exponent.parse().map_err(|_| TOO_LONG)?;
    if exponent.unsigned_abs() + mantissa.len() > MAX_DIGITS {
        return Err(TOO_LONG);
    }
    // Enough zeros on both sides for the point to move over them.
    let zeros = "0".repeat(exponent.unsigned_abs());
    let digits = format!("{zeros}{whole}{fraction}{zeros}");
    let point = (zeros.len() + whole.len()).checked_add_signed(exponent).ok_or(TOO_LONG)?;
    let whole = digits[..point].trim_start_matches('0');
    let fraction = digits[point..].trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Ok(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}
