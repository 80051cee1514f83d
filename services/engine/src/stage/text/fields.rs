//! Where the fields of delimited text begin and end.
//!
//! The quoting rules, here and in the cutter alike: a quote opens a quoted field only as the field's first byte; inside,
//! two quotes stand for one; the first single quote closes. Every other quote is an ordinary byte. Where fields are trimmed,
//! blanks around one are no part of it, also before its first quote and behind its last.

use wide::u8x32;

/// The bytes that separate fields and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Separators {
    pub delimiter: u8,
    pub quote: Option<u8>,
    /// `\n`, or `\r` in files that know no other line end. Before `\n` one `\r` belongs to the line end.
    pub terminator: u8,
    /// Whether blanks around fields are left out.
    pub trim: bool,
}

impl Separators {
    /// Whether a byte may be left out at the edge of a field.
    pub fn is_blank(self, byte: u8) -> bool {
        self.trim && matches!(byte, b' ' | b'\t') && byte != self.delimiter
    }
}

/// A field's bytes in the text, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    #[inline]
    pub fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }

    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// The fields of some rows of a text. Reused from one call of [`FieldIndex::scan`] to the next.
#[derive(Debug)]
pub struct FieldIndex {
    separators: Separators,
    /// Where each field starts: one past a separator. The field ends one before the next entry.
    starts: Vec<u32>,
    used: usize,
    /// For each row the position in `starts` that follows its last field.
    row_ends: Vec<u32>,
    /// Closing quotes that something else than a separator follows.
    pub bad_quotes: Vec<u32>,
    /// Whether a quote byte was seen.
    pub quotes: bool,
}

/// One row: its fields are the entries `first..last` of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    first: u32,
    last: u32,
}

impl Row {
    pub fn fields(self) -> usize {
        (self.last - self.first) as usize
    }
}

enum State {
    Plain,
    Quoted,
}

const BLOCK: usize = 64;

impl FieldIndex {
    pub fn new(separators: Separators) -> Self {
        Self { separators, starts: Vec::new(), used: 0, row_ends: Vec::new(), bad_quotes: Vec::new(), quotes: false }
    }

    pub fn separators(&self) -> Separators {
        self.separators
    }

    /// Indexes at least `rows` rows of `text` from `from` on, or all there are. `text` must be smaller than 4 GiB; a
    /// last row without line end is not taken. Gives where the row after the last one starts.
    pub fn scan(&mut self, text: &[u8], from: usize, rows: usize) -> usize {
        self.used = 0;
        self.row_ends.clear();
        self.bad_quotes.clear();
        self.quotes = false;
        self.reserve();
        self.starts[0] = position(from);
        self.used = 1;
        let mut state = State::Plain;
        let mut escaped = usize::MAX;
        let mut at = from;
        while at < text.len() && self.row_ends.len() < rows {
            self.reserve();
            let mut tail = [0u8; BLOCK];
            let block: &[u8; BLOCK] = match text.get(at..at + BLOCK).and_then(|b| b.try_into().ok()) {
                Some(block) => block,
                None => {
                    tail[..text.len() - at].copy_from_slice(&text[at..]);
                    &tail
                }
            };
            let valid = match text.len() - at {
                n if n < BLOCK => (1u64 << n) - 1,
                _ => u64::MAX,
            };
            let quotes = self.separators.quote.map_or(0, |q| mask(block, q)) & valid;
            let delimiters = mask(block, self.separators.delimiter) & valid;
            let terminators = mask(block, self.separators.terminator) & valid;
            match (quotes, &state) {
                (0, State::Plain) => self.take_plain(at, delimiters | terminators, terminators),
                (0, State::Quoted) => {}
                _ => self.take_quoted(text, at, quotes, delimiters, terminators, &mut state, &mut escaped),
            }
            at += BLOCK;
        }
        match self.row_ends.last() {
            Some(last) => self.starts[*last as usize] as usize,
            None => from,
        }
    }

    /// Room for the separators of one more block.
    fn reserve(&mut self) {
        if self.starts.len() < self.used + BLOCK + 1 {
            self.starts.resize((self.starts.len() * 2).max(1 << 12), 0);
        }
    }

    #[inline]
    fn take_plain(&mut self, at: usize, mut separators: u64, mut terminators: u64) {
        while terminators != 0 {
            let upto = terminators ^ (terminators - 1);
            self.row_ends.push(position(self.used) + (separators & upto).count_ones() - 1);
            terminators &= terminators - 1;
        }
        let base = position(at) + 1;
        let count = separators.count_ones() as usize;
        for slot in &mut self.starts[self.used..self.used + count] {
            *slot = base + separators.trailing_zeros();
            separators &= separators - 1;
        }
        self.used += count;
    }

    #[expect(clippy::too_many_arguments, reason = "the state of one loop, apart for the speed of the other branch")]
    fn take_quoted(
        &mut self,
        text: &[u8],
        at: usize,
        quotes: u64,
        delimiters: u64,
        terminators: u64,
        state: &mut State,
        escaped: &mut usize,
    ) {
        self.quotes |= quotes != 0;
        let quote = self.separators.quote;
        let mut all = quotes | delimiters | terminators;
        while all != 0 {
            let bit = all & all.wrapping_neg();
            let here = at + all.trailing_zeros() as usize;
            all ^= bit;
            let is_quote = quotes & bit != 0;
            match state {
                State::Plain if is_quote => {
                    let before = &text[self.starts[self.used - 1] as usize..here];
                    if before.iter().all(|byte| self.separators.is_blank(*byte)) {
                        *state = State::Quoted;
                    }
                }
                State::Plain => {
                    if terminators & bit != 0 {
                        self.row_ends.push(position(self.used));
                    }
                    self.starts[self.used] = position(here + 1);
                    self.used += 1;
                }
                State::Quoted if !is_quote || here == *escaped => {}
                State::Quoted if text.get(here + 1).copied() == quote => *escaped = here + 1,
                State::Quoted => {
                    *state = State::Plain;
                    if !self.ends_field(&text[here + 1..]) {
                        self.bad_quotes.push(position(here));
                    }
                }
            }
        }
    }

    fn ends_field(&self, rest: &[u8]) -> bool {
        let Separators { delimiter, terminator, .. } = self.separators;
        let blanks = rest.iter().take_while(|byte| self.separators.is_blank(**byte)).count();
        match &rest[blanks..] {
            [] => true,
            [b, ..] if *b == delimiter || *b == terminator => true,
            [b'\r', b'\n', ..] => terminator == b'\n',
            _ => false,
        }
    }

    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let mut first = 0;
        self.row_ends.iter().map(move |&last| {
            let row = Row { first, last };
            first = last;
            row
        })
    }

    /// Where the row starts and where it ends, the line end not included.
    pub fn row_span(&self, text: &[u8], row: Row) -> Span {
        let span = Span { start: self.starts[row.first as usize], end: self.starts[row.last as usize] - 1 };
        self.without_return(text, span)
    }

    pub fn field_start(&self, row: Row, column: usize) -> usize {
        self.starts[row.first as usize + column] as usize
    }

    /// Field `column` of each of `rows`, all of which have `columns` fields.
    pub fn column(&self, text: &[u8], rows: &[Row], column: usize, columns: usize, spans: &mut Vec<Span>) {
        spans.clear();
        let starts = &self.starts[..self.used];
        spans.extend(rows.iter().map(|row| {
            let i = row.first as usize + column;
            Span { start: starts[i], end: starts[i + 1] - 1 }
        }));
        if column + 1 == columns && self.separators.terminator == b'\n' {
            for span in spans.iter_mut() {
                *span = self.without_return(text, *span);
            }
        }
        if self.separators.trim {
            spans.iter_mut().for_each(|span| *span = self.trimmed(text, *span));
        }
        if let (true, Some(quote)) = (self.quotes, self.separators.quote) {
            for span in spans.iter_mut() {
                if !span.is_empty() && text[span.start as usize] == quote {
                    *span = Span { start: span.start + 1, end: span.end - 1 };
                }
            }
        }
    }

    fn trimmed(&self, text: &[u8], span: Span) -> Span {
        let bytes = span.of(text);
        let is_blank = |byte: &&u8| self.separators.is_blank(**byte);
        let behind = bytes.iter().rev().take_while(is_blank).count();
        let before = bytes[..bytes.len() - behind].iter().take_while(is_blank).count();
        Span { start: span.start + position(before), end: span.end - position(behind) }
    }

    fn without_return(&self, text: &[u8], span: Span) -> Span {
        let carriage_return =
            self.separators.terminator == b'\n' && !span.is_empty() && text[span.end as usize - 1] == b'\r';
        Span { start: span.start, end: span.end - u32::from(carriage_return) }
    }
}

/// Positions are kept in 32 bits: a chunk is at most a record's limit and a block long.
#[expect(clippy::cast_possible_truncation, reason = "chunks are far smaller than 4 GiB")]
fn position(at: usize) -> u32 {
    at as u32
}

#[inline]
fn mask(block: &[u8; BLOCK], byte: u8) -> u64 {
    let needle = u8x32::splat(byte);
    let half = |range: std::ops::Range<usize>| {
        let mut lanes = [0u8; 32];
        lanes.copy_from_slice(&block[range]);
        u64::from(u8x32::from(lanes).simd_eq(needle).to_bitmask())
    };
    half(0..32) | half(32..64) << 32
}

/// Whether the text that `span` was cut from is a quoted field that holds doubled quotes.
#[inline]
pub fn has_doubled_quotes(text: &[u8], span: Span, quote: u8) -> bool {
    span.start > 0 && text[span.start as usize - 1] == quote && memchr::memchr(quote, span.of(text)).is_some()
}

/// Appends the content of a quoted field, each doubled quote as one.
pub fn push_unescaped(field: &[u8], quote: u8, out: &mut Vec<u8>) {
    let mut rest = field;
    while let Some(i) = memchr::memchr(quote, rest) {
        out.extend_from_slice(&rest[..=i]);
        rest = rest.get(i + 2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
#[path = "tests/fields.rs"]
mod tests;
