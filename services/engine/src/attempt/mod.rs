//! One try at a job: its files live apart until they are all there, then become the result in one step.
//!
//! A reader goes by `manifest.json`, which is replaced as a whole. On a disk ([`local`]) the files of a result have fixed
//! names: before they are replaced, the result that they belong to moves aside, by links, and its manifest says so. In a
//! bucket ([`bucket`]), where nothing can be renamed, the files of every attempt stay under a prefix of their own. So whenever
//! a process ends, a reader finds a whole result: the one before, or the new one.

mod bucket;
mod local;

use std::fs;
use std::path::PathBuf;

use object_store::ObjectStoreExt as _;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::job::Job;
use crate::location::{Location, in_words};
use crate::manifest::{MANIFEST, MANIFEST_VERSION, Manifest};
use crate::sweep;
use crate::workdir::WorkDir;
use bucket::remove_prefix;
use local::OutputLock;

/// Directories of attempts on a disk begin with this.
pub const HIDDEN: &str = ".attempt-";
/// Directories of a result that makes room for another one begin with this.
const PREVIOUS: &str = ".previous-";
/// Where staged files are while an attempt works, and where they stay beside its result.
const STAGE: &str = "stage";
const STAGED: &str = "staged";
/// Why a result does not take its place.
const CONTRADICTING: &str = "here is a result of this run, which was ordered otherwise: use a run_id of its own";
/// Where the rejected rows of a job stand that failed because of them. The result beside it is that of an earlier job.
const FAILED: &str = "failed";
/// Prefixes of attempts in a bucket, and directories for what is not a result, begin with this.
pub const SCRATCH: &str = "kalla-";

/// The directory of one attempt; what is in it disappears unless it is committed.
pub struct Attempt {
    output: Location,
    destination: Destination,
    /// Where staged files go.
    staging: WorkDir,
}

enum Destination {
    /// `created` is the output directory when it was not there before.
    Local {
        dir: WorkDir,
        created: Option<PathBuf>,
    },
    Bucket {
        prefix: Location,
    },
}

impl Attempt {
    /// Makes sure that the output can be written before any work is done, and clears away what attempts have left there whose
    /// process was killed.
    pub fn begin(job: &Job) -> Result<Self> {
        let (output, spill_dir) = (&job.output, job.limits.spill_dir.as_deref());
        let failed = |e: std::io::Error| failed(output, &e);
        let staging = || WorkDir::create(spill_dir, SCRATCH).map_err(failed);
        let (destination, staging) = match output {
            Location::Local(path) => {
                let created = (!path.exists()).then(|| path.clone());
                fs::create_dir_all(path).map_err(failed)?;
                sweep::sweep_output(output);
                // A sweep of what nobody used may have taken it for given up.
                fs::create_dir_all(path).map_err(failed)?;
                // Where it cannot be locked in the end, better to know now.
                drop(OutputLock::take(path).map_err(failed)?);
                // What stays is renamed in the end, which no other disk allows.
                let staging = match spill_dir {
                    Some(_) if !job.keep_staged => staging()?,
                    _ => WorkDir::create(Some(path), HIDDEN).map_err(failed)?,
                };
                (Destination::Local { dir: WorkDir::create(Some(path), HIDDEN).map_err(failed)?, created }, staging)
            }
            Location::Object { .. } => {
                let staging = staging()?;
                let unique = staging.path().file_name().and_then(|n| n.to_str()).unwrap_or("attempt").to_owned();
                (Destination::Bucket { prefix: output.join(&unique) }, staging)
            }
        };
        fs::create_dir(staging.path().join(STAGE)).map_err(failed)?;
        Ok(Self { output: output.clone(), destination, staging })
    }

    /// Where this attempt writes its result files.
    pub fn results(&self) -> Location {
        match &self.destination {
            Destination::Local { dir, .. } => Location::Local(dir.path().to_path_buf()),
            Destination::Bucket { prefix, .. } => prefix.clone(),
        }
    }

    /// Where this attempt writes what a failed job leaves.
    pub fn failed(&self) -> Location {
        match &self.destination {
            Destination::Local { dir, .. } => Location::Local(dir.path().join(FAILED)),
            Destination::Bucket { .. } => self.output.join(FAILED),
        }
    }

    /// Where that will be found.
    pub fn failed_path(&self, name: &str) -> Location {
        self.output.join(FAILED).join(name)
    }

    /// Where staged files go: on the disk of this machine.
    pub fn staging(&self) -> Location {
        Location::Local(self.staging.path().join(STAGE))
    }

    /// Where the file of a source is found once its staged rows are kept; `None` where that is no file of this attempt.
    pub fn kept_path(&self, staged: &Location) -> Option<Location> {
        let name = staged.file_name()?;
        (*staged == self.staging().join(name)).then(|| self.committed_path(STAGED).join(name))
    }

    /// Where a result file of this name will be found once it is committed.
    pub fn committed_path(&self, name: &str) -> Location {
        match &self.destination {
            Destination::Local { .. } => self.output.join(name),
            Destination::Bucket { prefix, .. } => prefix.join(name),
        }
    }

    /// Makes `names` and the manifest the result of the output. When another attempt of the same run was first, its manifest is
    /// given back and this attempt's files are dropped.
    pub async fn commit(self, job: &Job, names: Vec<String>, manifest: Manifest) -> Result<Manifest> {
        match self.destination {
            Destination::Local { dir, .. } => {
                let Location::Local(output) = self.output.clone() else { return Ok(manifest) };
                let staged = job.keep_staged.then(|| self.staging.path().join(STAGE));
                let new = local::New { dir, names, staged, manifest, sync: job.sync };
                // Files are moved and flushed, which may take a while.
                let commit = tokio::task::spawn_blocking(move || new.commit(&output));
                let committed = commit.await.map_err(|e| Error::defect_of("committing", e))?;
                committed.map_err(|e| failed(&self.output, &e))
            }
            Destination::Bucket { prefix, .. } => {
                let staged = job.keep_staged.then(|| Location::Local(self.staging.path().join(STAGE)));
                let committed = bucket::commit(&self.output, &prefix, staged, &manifest).await;
                if committed.as_ref().map_or(true, |other| *other != manifest) {
                    // What went wrong first is what matters.
                    let _ = remove_prefix(&prefix).await;
                }
                committed
            }
        }
    }

    /// Leaves nothing behind but what was written to [`Attempt::failed`].
    pub async fn abandon(self) -> Result<()> {
        match self.destination {
            Destination::Local { dir, created } => {
                let Some(output) = self.output.as_local() else { return Ok(()) };
                local::keep_failed(output, dir.path()).map_err(|e| failed(&self.output, &e))?;
                drop((dir, self.staging));
                if let Some(created) = created {
                    // Something in it is a good reason for it to stay.
                    let _ = fs::remove_dir(created);
                }
                Ok(())
            }
            Destination::Bucket { prefix } => remove_prefix(&prefix).await,
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
    parse(&bytes).map(Some).map_err(|reason| Error::Output { path: location.to_string(), reason })
}

/// The manifest in a file, or why it is none that this engine understands.
fn parse(bytes: &[u8]) -> Result<Manifest, String> {
    #[derive(Deserialize)]
    struct Version {
        #[serde(default)]
        manifest_version: u32,
    }
    let no_manifest = |e: serde_json::Error| format!("this is not a manifest of Kalla: {e}");
    let version: Version = serde_json::from_slice(bytes).map_err(no_manifest)?;
    if version.manifest_version > MANIFEST_VERSION {
        return Err(format!(
            "a newer Kalla wrote this manifest (version {}, known up to {MANIFEST_VERSION}): read it with that one",
            version.manifest_version
        ));
    }
    serde_json::from_slice(bytes).map_err(no_manifest)
}

/// See [`crate::drop_staged`].
pub async fn drop_staged(output: &Location) -> Result<()> {
    if let Some(path) = output.as_local() {
        return local::drop_directory(&path.join(STAGED)).map_err(|e| failed(output, &e));
    }
    let Some(manifest) = committed(output).await? else { return Ok(()) };
    bucket::remove(output, manifest.inputs().filter_map(|input| input.staged.as_deref())).await
}

/// Where a file is that a manifest names: below the output, wherever that was moved to. No other place is followed.
pub fn below(output: &Location, path: &str) -> Location {
    let inside = match output {
        Location::Object { .. } => path.strip_prefix(&format!("{output}/")).unwrap_or(path),
        Location::Local(_) => inside(path),
    };
    inside.split('/').fold(output.clone(), |at, name| at.join(name))
}

/// The part of a file's path on a disk that is below its output: `matched.parquet`, `staged/0.parquet`, and the same in the
/// directory of a result that makes room for another one.
pub fn inside(path: &str) -> &str {
    let mut start = path.rfind('/').map_or(0, |at| at + 1);
    for _ in 0..2 {
        let above = path[..start.saturating_sub(1)].rfind('/').map_or(0, |at| at + 1);
        let name = &path[above..start.saturating_sub(1).max(above)];
        if start == 0 || name != STAGED && !name.starts_with(PREVIOUS) {
            break;
        }
        start = above;
    }
    &path[start..]
}

fn failed(location: &Location, cause: &dyn std::fmt::Display) -> Error {
    Error::Output { path: location.to_string(), reason: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_manifest_are_found_below_the_output() {
        for (path, wanted) in [
            ("/a/b/matched.parquet", "matched.parquet"),
            ("matched.parquet", "matched.parquet"),
            ("out/staged/0.parquet", "staged/0.parquet"),
            ("staged/0.parquet", "staged/0.parquet"),
            ("/a/.previous-x/matched.parquet", ".previous-x/matched.parquet"),
            ("/a/.previous-x/staged/0.parquet", ".previous-x/staged/0.parquet"),
            ("/a/staged/b/matched.csv", "matched.csv"),
        ] {
            assert_eq!(inside(path), wanted);
        }
    }

    #[test]
    fn manifests_of_others_are_not_guessed_at() {
        let newer = format!("{{\"manifest_version\": {}, \"x\": 1}}", MANIFEST_VERSION + 1);
        assert!(parse(newer.as_bytes()).unwrap_err().contains("a newer Kalla"));
        for text in ["", "{", "[]", "{}", "{\"manifest_version\": \"one\"}"] {
            assert!(parse(text.as_bytes()).unwrap_err().contains("not a manifest"), "{text}");
        }
    }
}
