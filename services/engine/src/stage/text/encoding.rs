//! Which encoding a text file is in, and the way from there to UTF-8.

use std::fmt;
use std::str::FromStr;

use encoding_rs::{Decoder, DecoderResult};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "utf-16le")]
    Utf16Le,
    #[serde(rename = "utf-16be")]
    Utf16Be,
    #[serde(rename = "windows-1252")]
    Windows1252,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
            Self::Windows1252 => "windows-1252",
        })
    }
}

impl FromStr for Encoding {
    type Err = String;

    /// Reads the words of `Display`. Latin-1 is read as Windows-1252, which differs only where Latin-1 has control
    /// characters, as everybody on the web does.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "utf-16le" => Ok(Self::Utf16Le),
            "utf-16be" => Ok(Self::Utf16Be),
            "windows-1252" | "windows1252" | "cp1252" | "latin-1" | "latin1" | "iso-8859-1" => Ok(Self::Windows1252),
            _ => Err(format!("`{text}` is not an encoding: use utf-8, utf-16le, utf-16be, windows-1252 or latin-1")),
        }
    }
}

/// What is known about a file's encoding before all of it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodingGuess {
    pub encoding: Encoding,
    /// No byte of the file can prove it wrong any more.
    pub settled: bool,
    /// Length of the byte order mark.
    pub skip: usize,
}

impl EncodingGuess {
    /// From the head of a file, which need not end where a character ends, and what was set by hand.
    pub fn of(head: &[u8], by_hand: Option<Encoding>) -> Self {
        let (mark, skip) = match head {
            [0xEF, 0xBB, 0xBF, ..] => (Some(Encoding::Utf8), 3),
            [0xFF, 0xFE, ..] => (Some(Encoding::Utf16Le), 2),
            [0xFE, 0xFF, ..] => (Some(Encoding::Utf16Be), 2),
            _ => (None, 0),
        };
        if let Some(encoding) = by_hand {
            return Self { encoding, settled: true, skip: if mark == Some(encoding) { skip } else { 0 } };
        }
        if let Some(encoding) = mark.or_else(|| utf16_without_mark(head)) {
            return Self { encoding, settled: true, skip };
        }
        let evidence = Utf8Evidence::of(head);
        let encoding = if evidence.invalid && !evidence.multibyte { Encoding::Windows1252 } else { Encoding::Utf8 };
        Self { encoding, settled: evidence.invalid && evidence.multibyte, skip }
    }
}

/// Mostly Latin text in UTF-16 has a zero in every other byte.
fn utf16_without_mark(head: &[u8]) -> Option<Encoding> {
    let head = &head[..head.len().min(4096)];
    let zeros = |offset: usize| head.iter().skip(offset).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, pairs) = (zeros(0), zeros(1), head.len() / 2);
    if pairs == 0 {
        None
    } else if even == 0 && odd * 2 > pairs {
        Some(Encoding::Utf16Le)
    } else if odd == 0 && even * 2 > pairs {
        Some(Encoding::Utf16Be)
    } else {
        None
    }
}

/// What bytes say about being UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Utf8Evidence {
    /// There is a character of several bytes: more than chance in a file of another encoding.
    pub multibyte: bool,
    /// There are bytes that UTF-8 does not have. A character that the end cuts off does not count.
    pub invalid: bool,
}

impl Utf8Evidence {
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.is_ascii() {
            return Self::default();
        }
        if simdutf8::basic::from_utf8(bytes).is_ok() {
            return Self { multibyte: true, invalid: false };
        }
        let mut evidence = Self::default();
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            evidence.multibyte |= !chunk.valid().is_ascii();
            at += chunk.valid().len() + chunk.invalid().len();
            let cut_off =
                at == bytes.len() && std::str::from_utf8(chunk.invalid()).is_err_and(|e| e.error_len().is_none());
            evidence.invalid |= !chunk.invalid().is_empty() && !cut_off;
        }
        evidence
    }

    pub fn join(self, other: Self) -> Self {
        Self { multibyte: self.multibyte || other.multibyte, invalid: self.invalid || other.invalid }
    }
}

/// Turns pieces of a file into UTF-8.
pub struct Transcoder {
    decoder: Decoder,
    /// Look for UTF-8 in the raw bytes, because the encoding is only a guess.
    watch: bool,
    tail: Vec<u8>,
}

/// Why a piece cannot be transcoded; the text before it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TranscodeError {
    /// Bytes that the encoding does not have.
    Malformed,
    /// The guess was wrong: this is UTF-8.
    IsUtf8,
}

impl Transcoder {
    /// `None` for UTF-8, which is taken as it is.
    pub fn new(guess: EncodingGuess) -> Option<Self> {
        let encoding = match guess.encoding {
            Encoding::Utf8 => return None,
            Encoding::Utf16Le => encoding_rs::UTF_16LE,
            Encoding::Utf16Be => encoding_rs::UTF_16BE,
            Encoding::Windows1252 => encoding_rs::WINDOWS_1252,
        };
        let watch = guess.encoding == Encoding::Windows1252 && !guess.settled;
        Some(Self { decoder: encoding.new_decoder_without_bom_handling(), watch, tail: Vec::new() })
    }

    /// Writes `raw` as UTF-8 to `out`, which has three bytes of room for each byte of `raw` and some to spare.
    /// Gives the number of bytes written.
    pub fn decode(&mut self, raw: &[u8], last: bool, out: &mut [u8]) -> Result<usize, (usize, TranscodeError)> {
        if self.watch && self.holds_utf8(raw) {
            return Err((0, TranscodeError::IsUtf8));
        }
        match self.decoder.decode_to_utf8_without_replacement(raw, out, last) {
            (DecoderResult::InputEmpty, _, written) => Ok(written),
            (DecoderResult::Malformed(..) | DecoderResult::OutputFull, _, written) => {
                Err((written, TranscodeError::Malformed))
            }
        }
    }

    /// Whether there is a character of several bytes in `raw` or across its beginning.
    fn holds_utf8(&mut self, raw: &[u8]) -> bool {
        let mut seam = std::mem::take(&mut self.tail);
        seam.extend_from_slice(&raw[..raw.len().min(3)]);
        let found = Utf8Evidence::of(&seam).multibyte || Utf8Evidence::of(raw).multibyte;
        if raw.len() >= 3 {
            seam.clear();
            seam.extend_from_slice(&raw[raw.len() - 3..]);
        } else {
            seam.drain(..seam.len().saturating_sub(3));
        }
        self.tail = seam;
        found
    }
}

#[cfg(test)]
#[path = "tests/encoding.rs"]
mod tests;
