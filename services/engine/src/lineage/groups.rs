//! The rows behind groups, each group written down once: an output row carries the number of its group, however many output
//! rows share it, instead of a list of rows.
//!
//! They go to a file of eight-byte words. The number of a group is where its record begins: how many row numbers it has, then
//! these, ascending, each once. A group of groups has the numbers of the groups instead, and their count is negative.

use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array as _, ArrayRef, AsArray as _, UInt64Array};
use arrow::datatypes::{DataType, Int64Type, UInt64Type};
use datafusion::common::{DataFusionError, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::{Error, Result};

/// Words that are written together, and those that are read of a large group at a time.
const PIECE: usize = 64 * 1024;
/// Words that are read at first: nearly every group is smaller.
const SMALL: usize = 16;
const WORD: usize = size_of::<i64>();

/// The groups of a statement while it runs; their file goes with them.
#[derive(Debug)]
pub struct Groups {
    directory: Option<PathBuf>,
    file: OnceLock<File>,
    words: AtomicU64,
}

/// What a group is made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Members<'a> {
    /// Row numbers, ascending, each once.
    Rows(&'a [i64]),
    /// Numbers of groups.
    Groups(&'a [i64]),
}

impl Groups {
    /// The file will be in `directory`, or where the system keeps temporary files.
    pub fn new(directory: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self { directory, file: OnceLock::new(), words: AtomicU64::new(0) })
    }

    /// An expression that writes down lists of rows, or of groups, and gives the group's number for each; NULL for an empty one.
    pub(super) fn number(self: &Arc<Self>, lists: Expr) -> Expr {
        let signature = Signature::any(1, Volatility::Volatile);
        ScalarUDF::new_from_impl(Number { groups: Arc::clone(self), signature }).call(vec![lists])
    }

    /// Hands over the members of a group piece by piece, of its rows the first `most`; says whether these are all.
    ///
    /// Errors: [`Error::Output`] when the file cannot be read, and those of `take`.
    pub(super) fn read(
        &self,
        number: i64,
        most: usize,
        mut take: impl FnMut(Members<'_>) -> Result<()>,
    ) -> Result<bool> {
        let broken = || Error::defect(format!("group {number} is not whole"));
        let words = |at: usize, count: usize| {
            let start = number.cast_unsigned() + at as u64;
            self.words_at(start, count)
                .map_err(|e| Error::Output { path: self.place(), reason: format!("the rows of a group: {e}") })
        };
        let first = words(0, SMALL)?;
        let (count, mut piece) = first.split_first().ok_or_else(broken)?;
        let length = usize::try_from(count.unsigned_abs()).map_err(|_| broken())?;
        let wanted = if *count < 0 { length } else { length.min(most) };
        let (mut done, mut more);
        done = 0;
        loop {
            let part = &piece[..piece.len().min(wanted - done)];
            done += part.len();
            take(if *count < 0 { Members::Groups(part) } else { Members::Rows(part) })?;
            if done == wanted {
                return Ok(wanted == length);
            }
            more = words(1 + done, (wanted - done).min(PIECE))?;
            if more.is_empty() {
                return Err(broken());
            }
            piece = &more;
        }
    }

    fn write_down(&self, lists: &ArrayRef) -> Result<UInt64Array, DataFusionError> {
        let Some(lists) = lists.as_list_opt::<i32>() else {
            return internal_err!("groups of the type {}", lists.data_type());
        };
        let values = lists.values();
        let (rows, groups) = (values.as_primitive_opt::<Int64Type>(), values.as_primitive_opt::<UInt64Type>());
        if rows.is_none() && groups.is_none() {
            return internal_err!("groups of the type {}", lists.data_type());
        }
        let mut numbers: Vec<Option<u64>> = vec![None; lists.len()];
        let (mut words, mut written) = (Vec::new(), Vec::new());
        let mut members = Vec::new();
        for list in (0..lists.len()).filter(|list| lists.is_valid(*list)) {
            let bound = |at: usize| usize::try_from(lists.value_offsets()[at]).map_err(io::Error::other);
            let range = bound(list)?..bound(list + 1)?;
            members.clear();
            if let Some(rows) = rows {
                members.extend(range.clone().filter(|at| rows.is_valid(*at)).map(|at| rows.value(at)));
            }
            if let Some(groups) = groups {
                members.extend(range.filter(|at| groups.is_valid(*at)).map(|at| groups.value(at).cast_signed()));
            }
            members.sort_unstable();
            members.dedup();
            match members[..] {
                [] => continue,
                // A group of one group is that group.
                [group] if groups.is_some() => numbers[list] = Some(group.cast_unsigned()),
                _ => {
                    numbers[list] = Some(words.len() as u64);
                    written.push(list);
                    let count = i64::try_from(members.len()).map_err(io::Error::other)?;
                    words.push(if groups.is_some() { -count } else { count });
                    words.extend_from_slice(&members);
                }
            }
            if words.len() >= PIECE {
                self.append(&mut words, &mut written, &mut numbers)?;
            }
        }
        self.append(&mut words, &mut written, &mut numbers)?;
        Ok(numbers.into_iter().collect())
    }

    /// Writes records to the end of the file. `numbers` of the lists that were `written` count from the first of them till then.
    fn append(&self, words: &mut Vec<i64>, written: &mut Vec<usize>, numbers: &mut [Option<u64>]) -> io::Result<()> {
        if words.is_empty() {
            return Ok(());
        }
        let start = self.words.fetch_add(words.len() as u64, Ordering::Relaxed);
        let bytes: Vec<u8> = words.drain(..).flat_map(i64::to_le_bytes).collect();
        let done = self.file().and_then(|file| positioned::write(file, &bytes, start * WORD as u64));
        done.map_err(|e| {
            io::Error::new(e.kind(), format!("the rows of groups cannot be written to {}: {e}", self.place()))
        })?;
        for list in written.drain(..) {
            numbers[list] = numbers[list].map(|number| start + number);
        }
        Ok(())
    }

    /// Up to `count` words: fewer at the end of the file.
    fn words_at(&self, start: u64, count: usize) -> io::Result<Vec<i64>> {
        let mut bytes = vec![0; count * WORD];
        let read = positioned::read(self.file()?, &mut bytes, start * WORD as u64)?;
        let (words, _) = bytes[..read].as_chunks::<WORD>();
        Ok(words.iter().map(|word| i64::from_le_bytes(*word)).collect())
    }

    fn file(&self) -> io::Result<&File> {
        if self.file.get().is_none() {
            let created = match &self.directory {
                Some(directory) => tempfile::tempfile_in(directory),
                None => tempfile::tempfile(),
            };
            // Of two that are created at once, one is dropped.
            let _ = self.file.set(created?);
        }
        self.file.get().ok_or_else(|| io::Error::other("no file"))
    }

    fn place(&self) -> String {
        self.directory.clone().unwrap_or_else(tempfile::env::temp_dir).display().to_string()
    }
}

/// The function behind [`Groups::number`].
#[derive(Debug)]
struct Number {
    groups: Arc<Groups>,
    signature: Signature,
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.groups, &other.groups)
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.groups).hash(state);
    }
}

impl ScalarUDFImpl for Number {
    fn name(&self) -> &'static str {
        "__kalla_group"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let [lists] = &args.args[..] else {
            return internal_err!("{} takes one argument", self.name());
        };
        let lists = lists.to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(Arc::new(self.groups.write_down(&lists)?)))
    }
}

/// Reads and writes at a place, by many at once.
mod positioned {
    use std::fs::File;
    use std::io;
    #[cfg(unix)]
    use std::os::unix::fs::FileExt as _;
    #[cfg(windows)]
    use std::os::windows::fs::FileExt as _;

    /// As much as there is, up to the length of `bytes`.
    pub fn read(file: &File, bytes: &mut [u8], start: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < bytes.len() {
            #[cfg(unix)]
            let read = file.read_at(&mut bytes[done..], start + done as u64);
            #[cfg(windows)]
            let read = file.seek_read(&mut bytes[done..], start + done as u64);
            match read {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    pub fn write(file: &File, bytes: &[u8], start: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            #[cfg(unix)]
            let written = file.write_at(&bytes[done..], start + done as u64);
            #[cfg(windows)]
            let written = file.seek_write(&bytes[done..], start + done as u64);
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => done += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Builder, ListBuilder, UInt64Builder};

    use super::*;

    fn rows(lists: &[Option<Vec<i64>>]) -> ArrayRef {
        let mut builder = ListBuilder::new(Int64Builder::new());
        for list in lists {
            match list {
                Some(rows) => builder.append_value(rows.iter().map(|row| (*row >= 0).then_some(*row))),
                None => builder.append_null(),
            }
        }
        Arc::new(builder.finish())
    }

    fn nested(lists: &[Vec<u64>]) -> ArrayRef {
        let mut builder = ListBuilder::new(UInt64Builder::new());
        lists.iter().for_each(|list| builder.append_value(list.iter().map(|group| Some(*group))));
        Arc::new(builder.finish())
    }

    fn members(groups: &Groups, number: u64, most: usize) -> (Vec<i64>, bool, bool) {
        let (mut all, mut nested) = (Vec::new(), false);
        let whole = groups.read(number.cast_signed(), most, |members| {
            match members {
                Members::Rows(rows) => all.extend_from_slice(rows),
                Members::Groups(groups) => {
                    nested = true;
                    all.extend_from_slice(groups);
                }
            }
            Ok(())
        });
        (all, nested, whole.unwrap())
    }

    #[test]
    fn what_is_written_is_read() {
        let groups = Groups::new(None);
        let long: Vec<i64> = (0..200_000).map(|row| row * 3).collect();
        // Below zero stands for NULL here: an outer join without a partner.
        let lists =
            [Some(vec![7, 3, -1, 7]), None, Some(vec![]), Some(vec![-1]), Some(long.clone()), Some((0..16).collect())];
        let numbers = groups.write_down(&rows(&lists)).unwrap();
        let valid: Vec<bool> = (0..lists.len()).map(|list| numbers.is_valid(list)).collect();
        assert_eq!(valid, [true, false, false, false, true, true]);
        assert_eq!(members(&groups, numbers.value(0), 1000), (vec![3, 7], false, true));
        assert_eq!(members(&groups, numbers.value(4), usize::MAX), (long.clone(), false, true));
        assert_eq!(members(&groups, numbers.value(4), 1000), (long[..1000].to_vec(), false, false));
        assert_eq!(members(&groups, numbers.value(5), 16), ((0..16).collect(), false, true));
        assert_eq!(members(&groups, numbers.value(5), 3), (vec![0, 1, 2], false, false));

        let (one, other) = (numbers.value(0), numbers.value(5));
        let again = groups.write_down(&nested(&[vec![one, one], vec![other, one, other]])).unwrap();
        assert_eq!(again.value(0), one, "a group of one group is that group");
        let both = [one, other].map(u64::cast_signed).to_vec();
        assert_eq!(members(&groups, again.value(1), 1), (both, true, true));
    }

    #[test]
    fn many_write_at_once() {
        let groups = Groups::new(None);
        std::thread::scope(|scope| {
            for task in 0..8 {
                let groups = &groups;
                scope.spawn(move || {
                    let lists: Vec<_> = (0..2_000).map(|n| Some(vec![task, 10 + n, 10_000 + n])).collect();
                    let numbers = groups.write_down(&rows(&lists)).unwrap();
                    for (number, list) in numbers.values().iter().zip(lists) {
                        assert_eq!(members(groups, *number, 1000).0, list.unwrap());
                    }
                });
            }
        });
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let groups = Groups::new(Some("/nowhere/at/all".into()));
        let error = groups.write_down(&rows(&[Some(vec![1])])).unwrap_err().to_string();
        assert!(error.contains("the rows of groups cannot be written to /nowhere/at/all"), "{error}");
    }
}
