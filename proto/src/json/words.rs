//! Enums as lower-case words. A number that this version has no word for stays a number, so that nothing is lost.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Visitor};
use serde::{Deserializer, Serializer};

/// Implemented by the build script for every enum of the contract.
pub trait HasWords {
    /// Each word and its number; the first is `unspecified`, 0.
    const WORDS: &'static [(&'static str, i32)];
}

/// What `#[serde(with = …)]` names: an enum field is generated as an `i32`.
pub struct Words<T>(PhantomData<T>);

impl<T: HasWords> Words<T> {
    pub fn serialize<S: Serializer>(number: &i32, serializer: S) -> Result<S::Ok, S::Error> {
        match T::WORDS.iter().find(|(_, known)| known == number) {
            Some((word, _)) => serializer.serialize_str(word),
            None => serializer.serialize_i32(*number),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
        deserializer.deserialize_any(Self(PhantomData))
    }
}

impl<T: HasWords> Visitor<'_> for Words<T> {
    type Value = i32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = T::WORDS.iter().skip(1).map(|(word, _)| *word).collect();
        write!(f, "one of {}", words.join(", "))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<i32, E> {
        match T::WORDS.iter().find(|(word, _)| *word == text) {
            Some((_, number)) => Ok(*number),
            None => Err(E::invalid_value(de::Unexpected::Other("word"), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<i32, E> {
        i32::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<i32, E> {
        i32::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    fn visit_unit<E>(self) -> Result<i32, E> {
        Ok(0)
    }
}
