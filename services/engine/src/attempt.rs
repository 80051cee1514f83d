//! One try at a job: its files live apart until they are all there, then become the result in one step.
//!
//! In a local output directory the files of an attempt stand in a hidden directory of their own; committing moves them
//! to their names and writes the manifest last, under a lock. In a bucket, where nothing can be renamed, they stay under
//! a prefix of their own, and the manifest, created only if there is none, says which attempt's files are the result.

use std::fs::{self, File, TryLockError};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use futures::TryStreamExt as _;
use object_store::{ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::location::{Location, in_words};
use crate::manifest::{MANIFEST, Manifest};
use crate::write::Sink;

/// Directories of attempts on a disk begin with this.
pub const HIDDEN: &str = ".attempt-";
/// Where staged files are while an attempt works, and where they stay beside its result.
const STAGE: &str = "stage";
pub const STAGED: &str = "staged";
/// Where the rejected rows of a job stand that failed because of them. The result beside it is that of an earlier job.
const FAILED: &str = "failed";
/// Bytes that are read at a time.
const PART: usize = 1 << 20;
/// Prefixes of attempts in a bucket, and directories for what is not a result, begin with this.
pub const SCRATCH: &str = "kalla-";

/// The directory of one attempt; what is in it disappears unless it is committed.
pub struct Attempt {
    output: Location,
    place: Place,
}

enum Place {
    /// `created` is the output directory when it was not there before.
    Local {
        dir: TempDir,
        /// Held as long as the attempt lives: what nobody holds is swept.
        _lock: File,
        created: Option<PathBuf>,
    },
    Bucket {
        prefix: Location,
        staging: TempDir,
    },
}

impl Attempt {
    /// Makes sure that the output can be written before any work is done.
    pub fn begin(output: &Location, spill_dir: Option<&Path>) -> Result<Self> {
        let place = match output {
            Location::Local(path) => {
                let created = (!path.exists()).then(|| path.clone());
                fs::create_dir_all(path).map_err(|e| failed(output, &e))?;
                let (dir, lock) = locked_dir(path).map_err(|e| failed(output, &e))?;
                Place::Local { dir, _lock: lock, created }
            }
            Location::Object { .. } => {
                let mut builder = tempfile::Builder::new();
                let builder = builder.prefix(SCRATCH);
                let staging = spill_dir.map_or_else(|| builder.tempdir(), |dir| builder.tempdir_in(dir));
                let staging = staging.map_err(|e| failed(output, &e))?;
                let unique = staging.path().file_name().and_then(|n| n.to_str()).unwrap_or("attempt").to_owned();
                Place::Bucket { prefix: output.join(&unique), staging }
            }
        };
        let attempt = Self { output: output.clone(), place };
        if let Some(staging) = attempt.staging().as_local() {
            fs::create_dir(staging).map_err(|e| failed(output, &e))?;
        }
        Ok(attempt)
    }

    /// Where this attempt writes its result files.
    pub fn results(&self) -> Location {
        match &self.place {
            Place::Local { dir, .. } => Location::Local(dir.path().to_path_buf()),
            Place::Bucket { prefix, .. } => prefix.clone(),
        }
    }

    /// Where this attempt writes what a failed job leaves.
    pub fn failed(&self) -> Location {
        match &self.place {
            Place::Local { dir, .. } => Location::Local(dir.path().join(FAILED)),
            Place::Bucket { .. } => self.output.join(FAILED),
        }
    }

    /// Where that will be found.
    pub fn failed_path(&self, name: &str) -> Location {
        self.output.join(FAILED).join(name)
    }

    /// Where staged files go: on the disk of this machine.
    pub fn staging(&self) -> Location {
        let dir = match &self.place {
            Place::Local { dir, .. } | Place::Bucket { staging: dir, .. } => dir,
        };
        Location::Local(dir.path().join(STAGE))
    }

    /// Where the file of a source is found once its staged rows are kept; `None` where that is no file of this attempt.
    pub fn kept_path(&self, staged: &Location) -> Option<Location> {
        let name = staged.file_name()?;
        (*staged == self.staging().join(name)).then(|| self.committed_path(STAGED).join(name))
    }

    /// Where a result file of this name will be found once it is committed.
    pub fn committed_path(&self, name: &str) -> Location {
        match &self.place {
            Place::Local { .. } => self.output.join(name),
            Place::Bucket { prefix, .. } => prefix.join(name),
        }
    }

    /// Makes `names` and the manifest the result of the output, with the staged rows beside it if `keep_staged`. When another attempt of the same run was first, its
    /// manifest is given back and this attempt's files are dropped.
    pub async fn commit(self, names: &[String], keep_staged: bool, manifest: Manifest) -> Result<Manifest> {
        let json = serde_json::to_vec_pretty(&manifest).map_err(|e| Error::Internal(format!("manifest: {e}")))?;
        match &self.place {
            Place::Local { dir, .. } => {
                let Some(output) = self.output.as_local() else { return Ok(manifest) };
                let committed = commit_local(output, dir.path(), names, keep_staged, &manifest, &json);
                committed.map_err(|e| failed(&self.output, &e))
            }
            Place::Bucket { prefix, .. } => {
                if keep_staged {
                    upload(&self.staging(), &prefix.join(STAGED)).await?;
                }
                let manifest = commit_bucket(&self.output, manifest, json).await?;
                remove_prefix(&self.output.join(FAILED)).await?;
                Ok(manifest)
            }
        }
    }

    /// Leaves nothing behind but what was written to [`Attempt::failed`].
    pub async fn abandon(self) -> Result<()> {
        match self.place {
            Place::Local { dir, created, .. } => {
                let Some(output) = self.output.as_local() else { return Ok(()) };
                keep_failed(output, &dir.path().join(FAILED)).map_err(|e| failed(&self.output, &e))?;
                drop(dir);
                if let Some(created) = created {
                    // Something in it is a good reason for it to stay.
                    let _ = fs::remove_dir(created);
                }
                Ok(())
            }
            Place::Bucket { prefix, .. } => remove_prefix(&prefix).await,
        }
    }
}

/// A directory of its own in `output`, and the lock that tells that somebody works in it.
fn locked_dir(output: &Path) -> std::io::Result<(TempDir, File)> {
    loop {
        let dir = tempfile::Builder::new().prefix(HIDDEN).tempdir_in(output)?;
        let lock = File::open(dir.path())?;
        match lock.try_lock() {
            // A sweep between the two steps takes it for one that was given up.
            Err(TryLockError::WouldBlock) => {}
            Ok(()) if !dir.path().exists() => {}
            // Where there are no locks nothing is swept either.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok((dir, lock)),
        }
    }
}

/// See [`crate::committed`].
pub async fn committed(output: &Location) -> Result<Option<Manifest>> {
    let location = output.join(MANIFEST);
    let failed = |e: object_store::Error| failed(&location, &in_words(&e));
    let (store, path) = location.open().map_err(failed)?;
    let bytes = match store.get(&path).await {
        Ok(found) => found.bytes().await.map_err(failed)?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let unreadable = |e: serde_json::Error| Error::Output {
        path: location.to_string(),
        reason: format!("this is not a manifest of Kalla: {e}"),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(unreadable)
}

fn commit_local(
    output: &Path,
    attempt: &Path,
    names: &[String],
    keep_staged: bool,
    manifest: &Manifest,
    json: &[u8],
) -> std::io::Result<Manifest> {
    let lock = File::open(output)?;
    lock.lock()?;
    let path = output.join(MANIFEST);
    if let Some(before) = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok()) {
        if before.run_id == manifest.run_id {
            return Ok(before);
        }
        fs::remove_file(&path)?;
        for file in before.files.values() {
            if let Some(name) = Path::new(&file.path).file_name() {
                // Gone already is as good.
                let _ = fs::remove_file(output.join(name));
            }
        }
        drop_directory(&output.join(STAGED))?;
    }
    drop_directory(&output.join(FAILED))?;
    for name in names {
        fs::rename(attempt.join(name), output.join(name))?;
    }
    let staged = attempt.join(STAGE);
    if keep_staged && staged.exists() {
        // Left by an attempt that ended before it wrote a manifest.
        drop_directory(&output.join(STAGED))?;
        fs::rename(staged, output.join(STAGED))?;
    }
    let hidden = attempt.join(MANIFEST);
    fs::write(&hidden, json)?;
    fs::rename(hidden, path)?;
    Ok(manifest.clone())
}

/// Puts what a failed job leaves into the place of what the last one left.
fn keep_failed(output: &Path, left: &Path) -> std::io::Result<()> {
    if !left.exists() {
        return Ok(());
    }
    let lock = File::open(output)?;
    lock.lock()?;
    drop_directory(&output.join(FAILED))?;
    fs::rename(left, output.join(FAILED))
}

fn drop_directory(path: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// See [`crate::drop_staged`].
pub async fn drop_staged(output: &Location) -> Result<()> {
    if let Some(path) = output.as_local() {
        return drop_directory(&path.join(STAGED)).map_err(|e| failed(output, &e));
    }
    let Some(manifest) = committed(output).await? else { return Ok(()) };
    let prefix = format!("{output}/");
    for path in manifest.inputs().filter_map(|input| input.staged.as_deref()?.strip_prefix(&prefix)) {
        let location = output.join(path);
        let failed = |e: object_store::Error| failed(&location, &in_words(&e));
        let (store, path) = location.open().map_err(failed)?;
        match store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// Copies the files of a directory into a bucket.
async fn upload(directory: &Location, prefix: &Location) -> Result<()> {
    let Some(path) = directory.as_local().filter(|path| path.exists()) else { return Ok(()) };
    let failed = |e: std::io::Error| failed(prefix, &e);
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let mut file = File::open(entry.path()).map_err(failed)?;
        let mut sink = Sink::create(&prefix.join(&entry.file_name().to_string_lossy()), false)?;
        let mut part = vec![0; PART];
        loop {
            let read = file.read(&mut part).map_err(failed)?;
            if read == 0 {
                break;
            }
            sink.write(&part[..read]).await?;
        }
        sink.finish().await?;
    }
    Ok(())
}

async fn commit_bucket(output: &Location, manifest: Manifest, json: Vec<u8>) -> Result<Manifest> {
    let location = output.join(MANIFEST);
    let failed = |e: object_store::Error| failed(&location, &in_words(&e));
    let (store, path) = location.open().map_err(failed)?;
    let payload = PutPayload::from(json);
    let create = PutOptions::from(PutMode::Create);
    match store.put_opts(&path, payload.clone(), create).await {
        Ok(_) => Ok(manifest),
        Err(object_store::Error::AlreadyExists { .. }) => {
            let bytes = store.get(&path).await.map_err(failed)?.bytes().await.map_err(failed)?;
            match serde_json::from_slice::<Manifest>(&bytes) {
                Ok(before) if before.run_id == manifest.run_id => Ok(before),
                _ => store.put(&path, payload).await.map(|_| manifest).map_err(failed),
            }
        }
        Err(error) => Err(failed(error)),
    }
}

async fn remove_prefix(prefix: &Location) -> Result<()> {
    let failed = |e: object_store::Error| failed(prefix, &in_words(&e));
    let (store, path) = prefix.open().map_err(failed)?;
    let objects: Vec<_> = store.list(Some(&path)).try_collect().await.map_err(failed)?;
    for object in objects {
        store.delete(&object.location).await.map_err(failed)?;
    }
    Ok(())
}

fn failed(location: &Location, cause: &dyn std::fmt::Display) -> Error {
    Error::Output { path: location.to_string(), reason: cause.to_string() }
}
