//! Enums as lower-case words. A number that this version has no word for stays a number, so that nothing is lost.

use std::fmt;
use std::marker::PhantomData;

use kalla_spelling::nearest;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nobody writes a longer one by mistake.
const LONGEST_WORD: usize = 32;

/// The words of an enum of the contract. The build script implements it for each.
pub trait HasWords: Copy + Into<i32> + TryFrom<i32> {
    /// Each word and its number; the first is `unspecified`, 0.
    const WORDS: &'static [(&'static str, i32)];

    fn word(self) -> &'static str {
        let number = self.into();
        Self::WORDS.iter().find(|(_, known)| *known == number).map_or("unspecified", |(word, _)| word)
    }

    /// `None` where it is no word, and for `unspecified`.
    fn from_word(word: &str) -> Option<Self> {
        let (_, number) = Self::WORDS.iter().skip(1).find(|(known, _)| *known == word)?;
        Self::try_from(*number).ok()
    }
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

/// A word that there is not, with those that there are. What is no word at all may be a secret in the wrong place.
fn strange<T: HasWords>(text: &str) -> String {
    let words: Vec<&str> = T::WORDS.iter().skip(1).map(|(word, _)| *word).collect();
    let known = words.join(", ");
    let plain = text.len() <= LONGEST_WORD && text.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
    match nearest(text, words) {
        _ if !plain => format!("this is no word that is known here: it is one of {known}"),
        Some(meant) => format!("`{text}` is not known here: did you mean `{meant}`? It is one of {known}"),
        None => format!("`{text}` is not known here: it is one of {known}"),
    }
}

/// The same for a list of them.
pub struct ListOfWords<T>(PhantomData<T>);

impl<T: HasWords> ListOfWords<T> {
    pub fn serialize<S: Serializer>(numbers: &[i32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(numbers.iter().map(|number| Word::<T>(*number, PhantomData)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<i32>, D::Error> {
        let words: Option<Vec<Word<T>>> = Option::deserialize(deserializer)?;
        Ok(words.unwrap_or_default().into_iter().map(|Word(number, _)| number).collect())
    }
}

/// One of a list.
struct Word<T>(i32, PhantomData<T>);

impl<T: HasWords> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Words::<T>::serialize(&self.0, serializer)
    }
}

impl<'de, T: HasWords> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Words::<T>::deserialize(deserializer).map(|number| Self(number, PhantomData))
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
            None => Err(E::custom(strange::<T>(text))),
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
