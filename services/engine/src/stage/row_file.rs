//! The Parquet file that holds the rows of a source: a staged one, or the source itself when it is Parquet already.
//! A row's number is its position in this file.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::SchemaRef;
use bytes::{Buf, Bytes};
use object_store::ObjectStore as _;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};

use super::{damaged, store_error};
use crate::error::{Error, Result};
use crate::location::{Location, in_words};
use crate::sums::Sums;
use crate::tasks;

/// Row groups up to this size are fetched with one read; larger local ones are read page by page.
const WINDOW: u64 = 64 << 20;
/// Rows of a source that are looked at together, when it may be damaged.
const CHECKED: u64 = 64 * 1024;
/// Rows of a source that are summed up together.
const SUMMED: u64 = 256 * 1024;
const DAMAGED: &str = "is damaged";

#[derive(Debug, Clone)]
pub struct RowFile {
    location: Location,
    bytes: u64,
    reader: ArrowReaderMetadata,
    /// Known of files that we staged ourselves.
    sums: Option<Sums>,
    /// Of the source that is read where it lies.
    source: Option<String>,
}

/// Consecutive rows that are read together: a slice of one row group, or some whole ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    groups: Range<usize>,
    /// Rows of the first group that come before the unit.
    skip: usize,
    /// Row numbers in the file.
    pub rows: Range<u64>,
}

impl Unit {
    /// Its part of bits that there are for every row of the file.
    pub fn part_of(&self, rows: &BooleanBuffer) -> Result<BooleanBuffer> {
        let bit = |n: u64| usize::try_from(n).map_err(|_| Error::defect(format!("{n} rows are too many")));
        let start = bit(self.rows.start)?;
        Ok(rows.slice(start, bit(self.rows.end)? - start))
    }
}

impl RowFile {
    pub fn new(location: Location, bytes: u64, metadata: Arc<ParquetMetaData>) -> Result<Self, ParquetError> {
        let reader = ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new())?;
        Ok(Self { location, bytes, reader, sums: None, source: None })
    }

    /// A file that is not ours, but the source itself: what is wrong with it is told of the source.
    pub fn of_source(self, alias: &str) -> Self {
        Self { source: Some(alias.to_owned()), ..self }
    }

    pub fn with_sums(self, sums: Sums) -> Self {
        Self { sums: Some(sums), ..self }
    }

    /// Of all rows: known, or read from the columns that are summed up.
    pub async fn sums(&self, threads: usize) -> Result<Sums> {
        if let Some(sums) = &self.sums {
            return Ok(sums.clone());
        }
        let columns = Sums::columns(self.schema());
        let sums = Arc::new(Mutex::new(Sums::default()));
        if columns.is_empty() {
            return Ok(Sums::default());
        }
        let units = Arc::new(self.units(SUMMED));
        let count = units.len();
        let (file, shared) = (self.clone(), Arc::clone(&sums));
        tasks::for_each(threads, count, move |index| {
            let (file, columns, sums) = (file.clone(), columns.clone(), Arc::clone(&shared));
            let units = Arc::clone(&units);
            async move {
                let mut own = Sums::default();
                file.read_columns(&units[index], &columns).await?.iter().for_each(|batch| own.add(batch));
                sums.lock().unwrap_or_else(|e| e.into_inner()).merge(&own);
                Ok(())
            }
        })
        .await?;
        let sums = std::mem::take(&mut *sums.lock().unwrap_or_else(|e| e.into_inner()));
        Ok(sums)
    }

    pub fn location(&self) -> &Location {
        &self.location
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn schema(&self) -> &SchemaRef {
        self.reader.schema()
    }

    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        self.reader.metadata()
    }

    pub fn rows(&self) -> u64 {
        self.groups().iter().map(group_rows).sum()
    }

    /// What some columns take in memory, about.
    pub fn column_bytes(&self, names: &BTreeSet<String>) -> u64 {
        let columns = self.groups().iter().flat_map(RowGroupMetaData::columns);
        let wanted = columns.filter(|c| c.column_path().parts().first().is_some_and(|name| names.contains(name)));
        wanted.map(|c| u64::try_from(c.uncompressed_size()).unwrap_or(0)).sum()
    }

    fn groups(&self) -> &[RowGroupMetaData] {
        self.metadata().row_groups()
    }

    /// The whole file as units of at most about `rows` rows, in order.
    pub fn units(&self, rows: u64) -> Vec<Unit> {
        let mut units: Vec<Unit> = Vec::new();
        let mut start = 0;
        for (index, group) in self.groups().iter().enumerate() {
            let end = start + group_rows(group);
            match units.last_mut() {
                Some(last) if last.skip == 0 && end - last.rows.start <= rows => {
                    last.groups.end = index + 1;
                    last.rows.end = end;
                }
                _ => {
                    let mut from = start;
                    while from < end {
                        let to = end.min(from + rows);
                        // A position inside one row group always fits the machine's word.
                        let skip = usize::try_from(from - start).unwrap_or(usize::MAX);
                        units.push(Unit { groups: index..index + 1, skip, rows: from..to });
                        from = to;
                    }
                }
            }
            start = end;
        }
        units
    }

    /// The rows of `unit` that are set in `selected` (as long as the unit), in order.
    pub async fn read(&self, unit: &Unit, selected: BooleanBuffer) -> Result<Vec<RecordBatch>> {
        let range = byte_range(&self.groups()[unit.groups.clone()], |_| true);
        self.read_ranges(unit, selection(unit, selected), ProjectionMask::all(), vec![range]).await
    }

    /// All rows of `unit`, of some columns.
    async fn read_columns(&self, unit: &Unit, columns: &[usize]) -> Result<Vec<RecordBatch>> {
        let schema = self.metadata().file_metadata().schema_descr();
        let mask = ProjectionMask::roots(schema, columns.iter().copied());
        let groups = &self.groups()[unit.groups.clone()];
        let ranges = groups.iter().flat_map(|group| {
            let leaves = (0..group.num_columns()).filter(|leaf| mask.leaf_included(*leaf));
            leaves.map(|leaf| byte_range(std::slice::from_ref(group), |index| index == leaf))
        });
        let ranges = ranges.collect();
        self.read_ranges(unit, selection(unit, all_of(unit)), mask, ranges).await
    }

    /// `ranges` hold what is in the projection.
    async fn read_ranges(
        &self,
        unit: &Unit,
        selection: RowSelection,
        mask: ProjectionMask,
        ranges: Vec<Range<u64>>,
    ) -> Result<Vec<RecordBatch>> {
        let groups: Vec<usize> = unit.groups.clone().collect();
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let decoded = match &self.location {
            Location::Local(path) if bytes > WINDOW => {
                let file = File::open(path).map_err(|e| self.unreadable(&e))?;
                self.decode(file, groups, selection, mask)
            }
            Location::Local(path) => {
                let chunks = File::open(path).and_then(|file| Chunks::read_local(&file, &ranges));
                self.decode(chunks.map_err(|e| self.unreadable(&e))?, groups, selection, mask)
            }
            Location::Object { .. } => {
                let chunks = Chunks::fetch(&self.location, &ranges).await;
                self.decode(chunks.map_err(|e| self.out_of_reach(&e))?, groups, selection, mask)
            }
        };
        decoded.map_err(|e| self.damaged(e))
    }

    /// Reads all of a source that lies where it is, after something has failed that may be its fault; says so then.
    pub async fn check(&self) -> Result<()> {
        if self.source.is_some() {
            for unit in self.units(CHECKED) {
                self.read_all(&unit).await?;
            }
        }
        Ok(())
    }

    fn unreadable(&self, cause: &std::io::Error) -> Error {
        let what = format!("{} cannot be read: {cause}", self.location);
        match (&self.source, cause.kind()) {
            (Some(alias), ErrorKind::NotFound) => Error::NotFound { alias: alias.clone(), what },
            // The footer says that there is more.
            (Some(alias), ErrorKind::UnexpectedEof) => damaged(alias, &self.location, DAMAGED, cause),
            (Some(alias), _) => Error::Unavailable { alias: alias.clone(), what },
            (None, _) => Error::Output { path: self.location.to_string(), reason: cause.to_string() },
        }
    }

    fn out_of_reach(&self, cause: &object_store::Error) -> Error {
        match &self.source {
            Some(alias) => store_error(alias, &self.location, cause),
            None => Error::Output { path: self.location.to_string(), reason: in_words(cause) },
        }
    }

    fn damaged(&self, cause: ParquetError) -> Error {
        match &self.source {
            Some(alias) => damaged(alias, &self.location, DAMAGED, &cause),
            None => Error::defect_of(format!("reading back {}", self.location), cause),
        }
    }

    /// All rows of `unit`.
    pub async fn read_all(&self, unit: &Unit) -> Result<Vec<RecordBatch>> {
        self.read(unit, all_of(unit)).await
    }

    fn decode<R: ChunkReader + 'static>(
        &self,
        input: R,
        groups: Vec<usize>,
        selection: RowSelection,
        mask: ProjectionMask,
    ) -> Result<Vec<RecordBatch>, ParquetError> {
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(input, self.reader.clone())
            .with_row_groups(groups)
            .with_row_selection(selection)
            .with_projection(mask)
            .with_batch_size(8192)
            .build()?;
        Ok(reader.collect::<Result<Vec<_>, _>>()?)
    }
}

fn group_rows(group: &RowGroupMetaData) -> u64 {
    u64::try_from(group.num_rows()).unwrap_or(0)
}

fn all_of(unit: &Unit) -> BooleanBuffer {
    BooleanBuffer::new_set(usize::try_from(unit.rows.end - unit.rows.start).unwrap_or(usize::MAX))
}

fn selection(unit: &Unit, selected: BooleanBuffer) -> RowSelection {
    if unit.skip == 0 {
        return RowSelection::from_boolean_buffer(selected);
    }
    let mut mask = arrow::array::BooleanBufferBuilder::new(unit.skip + selected.len());
    mask.append_n(unit.skip, false);
    mask.append_buffer(&selected);
    RowSelection::from_boolean_buffer(mask.finish())
}

/// From the first to the last byte of some row groups, of some of their columns.
fn byte_range(groups: &[RowGroupMetaData], wanted: impl Fn(usize) -> bool + Copy) -> Range<u64> {
    let columns = groups.iter().flat_map(|group| group.columns().iter().enumerate());
    let columns = columns.filter(|(index, _)| wanted(*index)).map(|(_, column)| column.byte_range());
    let (mut start, mut end) = (u64::MAX, 0);
    for (offset, length) in columns {
        start = start.min(offset);
        end = end.max(offset + length);
    }
    start.min(end)..end
}

/// Parts of a file in memory, addressed by their offsets in the file.
pub struct Chunks(Vec<(u64, Bytes)>);

impl Chunks {
    pub fn read_local(file: &File, ranges: &[Range<u64>]) -> std::io::Result<Self> {
        let read = |range: &Range<u64>| Ok((range.start, read_range(file, range)?));
        ranges.iter().map(read).collect::<std::io::Result<_>>().map(Self)
    }

    pub async fn fetch(location: &Location, ranges: &[Range<u64>]) -> Result<Self, object_store::Error> {
        let (store, path) = location.open()?;
        let bytes = store.get_ranges(&path, ranges).await?;
        Ok(Self(ranges.iter().map(|range| range.start).zip(bytes).collect()))
    }

    /// From `start` to the end of the part that holds it.
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let part = |(offset, bytes): &(u64, Bytes)| {
            let within = usize::try_from(start.checked_sub(*offset)?).ok()?;
            (within <= bytes.len()).then(|| (*offset, bytes.slice(within..)))
        };
        // Where one part ends and another begins, the latter.
        let found = self.0.iter().filter_map(part).max_by_key(|(offset, _)| *offset).map(|(_, bytes)| bytes);
        found.ok_or_else(|| ParquetError::EOF(format!("offset {start} is outside of what was read")))
    }
}

#[cfg(unix)]
fn read_range(file: &File, range: &Range<u64>) -> std::io::Result<Bytes> {
    use std::os::unix::fs::FileExt as _;
    let mut bytes = vec![0; usize::try_from(range.end - range.start).map_err(std::io::Error::other)?];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes.into())
}

#[cfg(not(unix))]
fn read_range(mut file: &File, range: &Range<u64>) -> std::io::Result<Bytes> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut bytes = vec![0; usize::try_from(range.end - range.start).map_err(std::io::Error::other)?];
    file.seek(SeekFrom::Start(range.start))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes.into())
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.iter().map(|(offset, bytes)| offset + bytes.len() as u64).max().unwrap_or(0)
    }
}

impl ChunkReader for Chunks {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start)?;
        if length > bytes.len() {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} are outside of what was read")));
        }
        Ok(bytes.slice(..length))
    }
}
