//! A line of a file with those around it, for whoever has to mend it.

use std::time::Duration;

use memchr::memchr;

use super::encoding::{EncodingGuess, Transcoder};
use super::origin::Origin;
use crate::clock;
use crate::error::{Error, Line, Result};
use crate::job::ReadOptions;
use crate::location::Location;

/// Lines before and after it.
const AROUND: u64 = 2;
/// What is told of a line, in characters.
const TOLD: usize = 300;
/// Long enough for a few gigabytes of a disk; what takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const BLOCK: usize = 1 << 20;

/// Nothing where the file cannot be read once more.
pub async fn around(alias: &str, location: &Location, options: &ReadOptions, line: u64) -> Vec<Line> {
    clock::within(PATIENCE, read(alias, location, options, line)).await.and_then(Result::ok).unwrap_or_default()
}

async fn read(alias: &str, location: &Location, options: &ReadOptions, line: u64) -> Result<Vec<Line>> {
    let origin = Origin::open(alias, location).await?;
    let head = origin.head(BLOCK).await?;
    let guess = EncodingGuess { settled: true, ..EncodingGuess::of(&head, options.encoding) };
    let mut transcoder = Transcoder::new(guess);
    let mut stream = origin.stream()?;
    stream.read(vec![0; guess.skip], 0, guess.skip).await?;
    let mut lines = Lines::new(line);
    let (mut raw, mut text) = (vec![0; BLOCK], vec![0; BLOCK * 3 + 32]);
    loop {
        let (buffer, read) = stream.read(raw, 0, BLOCK).await?;
        raw = buffer;
        let last = read < BLOCK;
        let goes_on = match &mut transcoder {
            None => lines.take(&raw[..read]),
            Some(transcoder) => match transcoder.decode(&raw[..read], last, &mut text) {
                Ok(written) => lines.take(&text[..written]),
                // The line may be the one that cannot be read further.
                Err((written, _)) => {
                    lines.take(&text[..written]);
                    false
                }
            },
        };
        if last || !goes_on {
            return if lines.reached() { Ok(lines.told()) } else { Err(Error::defect("there is no such line")) };
        }
    }
}

/// The lines that are wanted, as far as they have come.
struct Lines {
    wanted: std::ops::RangeInclusive<u64>,
    line: u64,
    number: u64,
    /// Of the line that has not ended.
    text: Vec<u8>,
    /// Where lines end; `None` as long as none has.
    terminator: Option<u8>,
    found: Vec<Line>,
}

impl Lines {
    fn new(line: u64) -> Self {
        let wanted = line.saturating_sub(AROUND).max(1)..=line.saturating_add(AROUND);
        Self { wanted, line, number: 1, text: Vec::new(), terminator: None, found: Vec::new() }
    }

    /// Whether more is wanted.
    fn take(&mut self, mut text: &[u8]) -> bool {
        // Files of an old Mac end their lines with a carriage return alone.
        let terminator = *self.terminator.get_or_insert_with(|| {
            if memchr(b'\n', text).is_none() && memchr(b'\r', text).is_some() { b'\r' } else { b'\n' }
        });
        while let Some(end) = memchr(terminator, text) {
            self.keep(&text[..end]);
            self.end();
            text = &text[end + 1..];
            if self.number > *self.wanted.end() {
                return false;
            }
        }
        self.keep(text);
        true
    }

    /// Of a long line, no more than is told of it.
    fn keep(&mut self, text: &[u8]) {
        if self.wanted.contains(&self.number) {
            let room = (TOLD * 4 + 1).saturating_sub(self.text.len());
            self.text.extend_from_slice(&text[..text.len().min(room)]);
        }
    }

    fn end(&mut self) {
        let text = std::mem::take(&mut self.text);
        if self.wanted.contains(&self.number) {
            let text = String::from_utf8_lossy(&text);
            let text = text.trim_end_matches('\r');
            let told = match text.char_indices().nth(TOLD) {
                Some((cut, _)) => format!("{}…", &text[..cut]),
                None => text.to_owned(),
            };
            self.found.push(Line { number: self.number, text: told });
        }
        self.number += 1;
    }

    fn reached(&self) -> bool {
        self.number >= self.line
    }

    fn told(mut self) -> Vec<Line> {
        if !self.text.is_empty() {
            self.end();
        }
        self.found
    }
}

#[cfg(test)]
#[path = "tests/around.rs"]
mod tests;
