//! `token_overlap`, `token_jaccard` and `qgram_jaccard`: how much of two texts is the same, in words or in pieces.

use std::collections::HashSet;

use arrow::array::{ArrayRef, Float64Array};
use datafusion::common::Result;

use super::text::texts;

/// How large the common part of two sets is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// The smaller one.
    Smaller,
    /// Both together.
    Both,
}

impl Of {
    /// Two empty sets are the same; an empty one has nothing in common with others.
    fn share<T: std::hash::Hash + Eq>(self, a: &HashSet<T>, b: &HashSet<T>) -> f64 {
        if a.is_empty() && b.is_empty() {
            return 1.0;
        }
        let common = a.intersection(b).count();
        let whole = match self {
            Self::Smaller => a.len().min(b.len()),
            Self::Both => a.len() + b.len() - common,
        };
        // Texts are far too short for a float not to hold these.
        if whole == 0 { 0.0 } else { common as f64 / whole as f64 }
    }
}

/// Of the words of two texts, each once: what stands between white space, as it is written.
pub(super) fn of_words(a: &ArrayRef, b: &ArrayRef, of: Of) -> Result<Float64Array> {
    compared(a, b, |a, b| {
        let words = |text: &'_ str| text.split_whitespace().map(str::to_owned).collect::<HashSet<_>>();
        of.share(&words(a), &words(b))
    })
}

/// Of all pieces of `length` characters, each once. A shorter text is one piece.
pub(super) fn of_pieces(a: &ArrayRef, b: &ArrayRef, length: usize) -> Result<Float64Array> {
    compared(a, b, |a, b| Of::Both.share(&pieces(a, length), &pieces(b, length)))
}

fn pieces(text: &str, length: usize) -> HashSet<Vec<char>> {
    let chars: Vec<char> = text.chars().collect();
    match chars.len() {
        0 => HashSet::new(),
        all if all < length => HashSet::from([chars]),
        _ => chars.windows(length).map(<[char]>::to_vec).collect(),
    }
}

fn compared(a: &ArrayRef, b: &ArrayRef, share: impl Fn(&str, &str) -> f64) -> Result<Float64Array> {
    let (a, b) = (texts(a)?, texts(b)?);
    Ok(a.zip(b).map(|(a, b)| Some(share(a?, b?))).collect())
}
