//! The bytes of one file, local or in a bucket, read in order and always from the same version.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, ObjectStore};
use tokio::task::JoinHandle;

use crate::error::{Error, Place, Result};
use crate::location::Location;
use crate::stage::{fingerprint, store_error};

/// Requests under way while a block is parsed.
const READ_AHEAD: usize = 3;
const REQUEST: u64 = 8 << 20;

/// A file that exists and can be opened as often as needed.
#[derive(Debug, Clone)]
pub struct Origin {
    pub alias: String,
    location: Location,
    object: Option<(Arc<dyn ObjectStore>, ObjectPath, Option<String>)>,
    pub bytes: u64,
    /// ETag of an object; size and modification time of a file.
    pub fingerprint: String,
}

impl Origin {
    pub async fn open(alias: &str, location: &Location) -> Result<Self> {
        let mut origin = Self {
            alias: alias.to_owned(),
            location: location.clone(),
            object: None,
            bytes: 0,
            fingerprint: String::new(),
        };
        if location.as_local().is_some() {
            (origin.bytes, origin.fingerprint) = origin.local_identity()?;
            return Ok(origin);
        }
        let (store, path) = location.open().map_err(|e| origin.object_error(&e))?;
        let options = GetOptions { head: true, ..GetOptions::default() };
        let meta = store.get_opts(&path, options).await.map_err(|e| origin.object_error(&e))?.meta;
        origin.bytes = meta.size;
        origin.fingerprint = fingerprint(&meta);
        origin.object = Some((store, path, meta.e_tag));
        Ok(origin)
    }

    fn local_identity(&self) -> Result<(u64, String)> {
        let Location::Local(path) = &self.location else {
            return Err(Error::defect("not a local file"));
        };
        let meta = std::fs::metadata(path).map_err(|e| self.file_error(&e))?;
        if !meta.is_file() {
            let kind = if meta.is_dir() { "a directory" } else { "not a regular file" };
            return Err(self.data_error(format!("{} is {kind}: name one file", self.location)));
        }
        let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        Ok((
            meta.len(),
            format!("{} bytes, modified {}.{:09}", meta.len(), modified.as_secs(), modified.subsec_nanos()),
        ))
    }

    /// Fails when the file is not the one that was opened. Objects are checked on every request.
    pub fn check_unchanged(&self) -> Result<()> {
        if self.object.is_none() && self.local_identity()?.1 != self.fingerprint {
            return Err(self.changed());
        }
        Ok(())
    }

    /// The first `limit` bytes, or all there are.
    pub async fn head(&self, limit: usize) -> Result<Vec<u8>> {
        let mut stream = self.stream()?;
        // No more memory than the file can fill: a page that is never read costs as much as one that is.
        let limit = limit.min(usize::try_from(self.bytes).unwrap_or(usize::MAX).saturating_add(1));
        let (mut buffer, read) = stream.read(vec![0; limit], 0, limit).await?;
        buffer.truncate(read);
        Ok(buffer)
    }

    pub fn stream(&self) -> Result<ByteStream> {
        let feed = match (&self.object, &self.location) {
            (None, Location::Local(path)) => Feed::File(Some(File::open(path).map_err(|e| self.file_error(&e))?)),
            _ => Feed::Object(Requests::default()),
        };
        Ok(ByteStream { origin: self.clone(), feed })
    }

    pub fn data_error(&self, reason: impl Into<String>) -> Error {
        Error::Data { alias: self.alias.clone(), place: Place::default(), reason: reason.into() }
    }

    fn changed(&self) -> Error {
        self.data_error(format!("{} changed while it was read: run the job again", self.location))
    }

    fn file_error(&self, error: &std::io::Error) -> Error {
        let alias = self.alias.clone();
        let place = &self.location;
        match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                Error::NotFound { alias, what: format!("there is no file {place}") }
            }
            std::io::ErrorKind::PermissionDenied => {
                Error::Denied { alias, what: format!("no permission to read {place}") }
            }
            _ => Error::Unavailable { alias, what: format!("reading {place}: {error}") },
        }
    }

    fn object_error(&self, error: &object_store::Error) -> Error {
        match error {
            object_store::Error::Precondition { .. } => self.changed(),
            other => store_error(&self.alias, &self.location, other),
        }
    }
}

/// Reads an origin from its beginning.
pub struct ByteStream {
    origin: Origin,
    feed: Feed,
}

enum Feed {
    File(Option<File>),
    Object(Requests),
}

#[derive(Default)]
struct Requests {
    /// Where the next request starts.
    next: u64,
    under_way: VecDeque<JoinHandle<Result<Bytes, object_store::Error>>>,
    /// What the last answer has left.
    rest: Bytes,
}

impl ByteStream {
    /// Fills `buffer[at..at + want]`; less only at the end of the file. Gives the buffer back with the count.
    pub async fn read(&mut self, mut buffer: Vec<u8>, at: usize, want: usize) -> Result<(Vec<u8>, usize)> {
        match &mut self.feed {
            Feed::File(slot) => {
                let mut file = slot.take().ok_or_else(|| Error::defect("a read was given up halfway"))?;
                let task = tokio::task::spawn_blocking(move || {
                    let read = fill(&mut file, &mut buffer[at..at + want]);
                    (file, buffer, read)
                });
                let (file, buffer, read) = task.await.map_err(|e| Error::defect_of("reading", e))?;
                *slot = Some(file);
                Ok((buffer, read.map_err(|e| self.origin.file_error(&e))?))
            }
            Feed::Object(requests) => {
                let mut read = 0;
                while read < want {
                    if requests.rest.is_empty() && !requests.receive(&self.origin).await? {
                        break;
                    }
                    let part = requests.rest.split_to(requests.rest.len().min(want - read));
                    buffer[at + read..at + read + part.len()].copy_from_slice(&part);
                    read += part.len();
                }
                Ok((buffer, read))
            }
        }
    }
}

fn fill(file: &mut File, mut into: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while !into.is_empty() {
        match file.read(into) {
            Ok(0) => break,
            Ok(n) => {
                read += n;
                into = &mut into[n..];
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}

impl Requests {
    /// Waits for the next answer; false when there is none.
    async fn receive(&mut self, origin: &Origin) -> Result<bool> {
        let Some((store, path, etag)) = &origin.object else { return Ok(false) };
        while self.next < origin.bytes && self.under_way.len() < READ_AHEAD {
            let range = self.next..(self.next + REQUEST).min(origin.bytes);
            self.next = range.end;
            self.under_way.push_back(tokio::spawn(get(Arc::clone(store), path.clone(), etag.clone(), range)));
        }
        let Some(task) = self.under_way.pop_front() else { return Ok(false) };
        let answer = task.await.map_err(|e| Error::defect_of("reading", e))?;
        self.rest = answer.map_err(|e| origin.object_error(&e))?;
        Ok(true)
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.under_way.iter().for_each(JoinHandle::abort);
    }
}

async fn get(
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    etag: Option<String>,
    range: Range<u64>,
) -> Result<Bytes, object_store::Error> {
    let options = GetOptions { range: Some(range.into()), if_match: etag, ..GetOptions::default() };
    store.get_opts(&path, options).await?.bytes().await
}
