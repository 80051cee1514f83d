//! Bytes to a local file or a multipart upload, counted and, on demand, hashed on their way.

use std::fs::File;
use std::io::Write as _;

use object_store::buffered::BufWriter;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::error::{Error, Result};
use crate::location::{Location, in_words};

/// Where the bytes of one new file go.
pub struct Sink {
    location: Location,
    inner: Inner,
    hash: Option<Sha256>,
    bytes: u64,
}

enum Inner {
    File(File),
    Upload(Upload),
}

/// An upload that ends as one object or as none: parts of one that is given up would stay, unseen and paid for.
struct Upload {
    /// `None` once it was finished.
    writer: Option<Box<BufWriter>>,
    /// Why the writer must not be asked again.
    broken: Option<String>,
}

impl Upload {
    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let writer = self.usable()?;
        let written = writer.write_all(bytes).await;
        self.broken = written.as_ref().err().map(ToString::to_string);
        written
    }

    /// The writer; broken until the caller says otherwise.
    fn usable(&mut self) -> std::io::Result<&mut BufWriter> {
        let reason = self.broken.replace("an earlier write was given up".to_owned());
        match (reason, self.writer.as_mut()) {
            (None, Some(writer)) => Ok(writer),
            (reason, _) => {
                self.broken.clone_from(&reason);
                Err(std::io::Error::other(reason.unwrap_or_default()))
            }
        }
    }

    async fn finish(mut self) -> std::io::Result<()> {
        self.usable()?;
        match self.writer.take() {
            Some(mut writer) => writer.shutdown().await,
            None => Ok(()),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (Some(mut writer), Ok(runtime)) = (self.writer.take(), tokio::runtime::Handle::try_current()) {
            // The store's own rule for unfinished uploads is what is left when this fails too.
            runtime.spawn(async move { drop(writer.abort().await) });
        }
    }
}

impl Sink {
    /// Creates the file. Its directory must be there: what goes on after its attempt was given up makes none.
    pub fn create(location: &Location, hashed: bool) -> Result<Self> {
        let inner = match location {
            Location::Local(path) => Inner::File(File::create(path).map_err(|e| failed(location, &e))?),
            Location::Object { .. } => {
                let (store, path) = location.open().map_err(|e| failed(location, &e))?;
                Inner::Upload(Upload { writer: Some(Box::new(BufWriter::new(store, path))), broken: None })
            }
        };
        Ok(Self { location: location.clone(), inner, hash: hashed.then(Sha256::new), bytes: 0 })
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        self.bytes += bytes.len() as u64;
        match &mut self.inner {
            Inner::File(file) => file.write_all(bytes),
            Inner::Upload(upload) => upload.write(bytes).await,
        }
        .map_err(|e| failed(&self.location, &e))
    }

    /// Makes the file whole; gives its size and, when it was asked for, its SHA-256 in hex.
    pub async fn finish(self) -> Result<(u64, Option<String>)> {
        match self.inner {
            Inner::File(file) => drop(file),
            Inner::Upload(upload) => upload.finish().await.map_err(|e| failed(&self.location, &e))?,
        }
        Ok((self.bytes, self.hash.map(|hash| hex::encode(hash.finalize()))))
    }
}

fn failed(location: &Location, cause: &dyn std::fmt::Display) -> Error {
    Error::Output { path: location.to_string(), reason: in_words(cause) }
}
