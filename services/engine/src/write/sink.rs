//! Bytes to a local file or a multipart upload, counted and, on demand, hashed on their way.

use std::fs::File;
use std::io::Write as _;

use object_store::buffered::BufWriter;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::error::{Error, Result};
use crate::location::Location;

/// Where the bytes of one new file go.
pub struct Sink {
    location: Location,
    inner: Inner,
    hash: Option<Sha256>,
    bytes: u64,
}

enum Inner {
    File(File),
    Upload(Box<BufWriter>),
}

impl Sink {
    /// Creates the file, and the directories above it when it is a local one.
    pub fn create(location: &Location, hashed: bool) -> Result<Self> {
        let inner = match location {
            Location::Local(path) => {
                let parent = path.parent().unwrap_or(std::path::Path::new("."));
                std::fs::create_dir_all(parent).map_err(|e| failed(location, &e))?;
                Inner::File(File::create(path).map_err(|e| failed(location, &e))?)
            }
            Location::Object { .. } => {
                let (store, path) = location.open().map_err(|e| failed(location, &e))?;
                Inner::Upload(Box::new(BufWriter::new(store, path)))
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
            Inner::Upload(upload) => upload.write_all(bytes).await,
        }
        .map_err(|e| failed(&self.location, &e))
    }

    /// Makes the file whole; gives its size and, when it was asked for, its SHA-256 in hex.
    pub async fn finish(self) -> Result<(u64, Option<String>)> {
        match self.inner {
            Inner::File(file) => drop(file),
            Inner::Upload(mut upload) => upload.shutdown().await.map_err(|e| failed(&self.location, &e))?,
        }
        let hex = self.hash.map(|h| h.finalize().iter().map(|b| format!("{b:02x}")).collect());
        Ok((self.bytes, hex))
    }
}

fn failed(location: &Location, cause: &dyn std::fmt::Display) -> Error {
    Error::Output { path: location.to_string(), reason: cause.to_string() }
}
