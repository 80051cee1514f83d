//! What workers share: results, uploads and notes under one root, a directory or a bucket.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt as _;
use kalla_engine::job::Job;
use kalla_engine::location::{Location, in_words};
use kalla_engine::{Error, Stores};
use kalla_proto::v1::job_event::Event;
use kalla_proto::v1::{Code, JobEvent, Problem};
use kalla_serving::private;
use object_store::buffered::BufWriter;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion};
use serde::{Deserialize, Serialize};

pub const FILES: &str = "files";
pub const RESULTS: &str = "results";
pub const OUTBOX: &str = "outbox";
pub const INBOX: &str = "inbox";
pub const WORKERS: &str = "workers";
const RUNS: &str = "runs";
const STAGED: &str = "staged";
const PROBES: &str = "probes";
/// What is written to a disk at once, and to a bucket, which takes 10,000 parts; and how many of them are on their way.
const PIECE: usize = 1 << 20;
const PART: usize = 10 << 20;
const IN_FLIGHT: usize = 2;
/// What is locked on a disk where stores of the cloud compare.
pub const TURNS: &str = "turns";

#[derive(Clone)]
pub struct Storage {
    root: Location,
    /// How other places are reached, where results are.
    stores: Stores,
    store: Arc<dyn ObjectStore>,
    base: ObjectPath,
    /// What else is written to on this machine.
    spill_dir: Option<PathBuf>,
    /// Bytes of each disk that nothing new takes.
    reserve: u64,
}

/// One state of an object, as a store tells it from others.
pub struct Version(UpdateVersion);

/// What the note of a run says to a job that is about to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It is to be done.
    Open,
    /// It has failed for good, or was stopped: doing it again would tell another outcome of the same attempt.
    Ended,
    /// The run is known with another payload.
    Contradicting,
}

/// What is known of a run, for workers that did not run it: from the moment at which it is accepted, for as long as its results.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunNote {
    pub run_id: String,
    pub output_path: String,
    /// Of the order. Notes of older versions have none.
    #[serde(default)]
    pub payload_sha256: Option<String>,
    /// The latest.
    #[serde(default)]
    pub attempt: u32,
    /// How that ended, if not with a result.
    #[serde(default)]
    pub outcome: Option<JobEvent>,
}

/// Bytes that are left of the disks that a worker writes to; `None` of a bucket, and where the system does not tell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disks {
    pub storage: Option<u64>,
    pub spill: Option<u64>,
    /// What is to stay free of each.
    pub reserve: u64,
}

impl RunNote {
    /// Whether the outcome is one that the same attempt cannot change.
    fn is_final(&self) -> bool {
        match self.outcome.as_ref().and_then(|last| last.event.as_ref()) {
            Some(Event::Error(error)) => !error.problem.as_ref().is_some_and(|problem| problem.retryable),
            _ => false,
        }
    }
}

impl Storage {
    /// Creates a local root that is not there.
    pub fn open(root: Location, stores: Stores, spill_dir: Option<PathBuf>, reserve: u64) -> Result<Self, Error> {
        if let Some(path) = root.as_local() {
            private::directory(path).map_err(|e| failed(&root, &e))?;
        }
        let (store, base) = root.open().map_err(|e| failed(&root, &e))?;
        Ok(Self { root, stores, store, base, spill_dir, reserve })
    }

    pub fn root(&self) -> &Location {
        &self.root
    }

    /// What is the workers' own, and no job's.
    pub fn own(&self) -> impl Iterator<Item = Location> {
        [INBOX, OUTBOX, PROBES, RUNS, STAGED, WORKERS].into_iter().map(|folder| self.root.join(folder))
    }

    pub fn file(&self, id: &str) -> Location {
        self.root.join(FILES).join(id)
    }

    /// Writes something small, reads it and removes it: fails when the storage cannot be used.
    pub async fn usable(&self) -> Result<(), Error> {
        if let Some(path) = self.root.as_local() {
            // What is not there is not made anew by writing to it.
            std::fs::metadata(path).map_err(|e| failed(&self.root, &e))?;
        }
        let name = format!("{PROBES}/{}", uuid::Uuid::new_v4());
        self.put(&name, PROBES.as_bytes().to_vec()).await?;
        let read = self.get(&name).await;
        self.delete(&name).await?;
        match read? {
            Some(bytes) if bytes == PROBES.as_bytes() => Ok(()),
            _ => Err(failed(&self.root, &"what is written there is not what is read")),
        }
    }

    pub fn disks(&self) -> Disks {
        let spill = self.spill_dir.as_deref();
        Disks { storage: self.root.as_local().and_then(free), spill: spill.and_then(free), reserve: self.reserve }
    }

    /// Fails when what is new would take the last of the disk, which what is under way has to end with.
    pub fn has_room(&self) -> Result<(), Problem> {
        let Disks { storage, spill, reserve } = self.disks();
        for (whose, free) in [("the storage", storage), ("KALLA_SPILL_DIR", spill)] {
            if let Some(free) = free
                && free < reserve
            {
                let message = format!(
                    "the disk of {whose} has {free} bytes left, and KALLA_DISK_RESERVE keeps {reserve}: make room, then try again"
                );
                return Err(Problem::later(Code::Unavailable, message));
            }
        }
        Ok(())
    }

    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let put = self.store.put(&self.path(name), PutPayload::from(bytes)).await;
        put.map(drop).map_err(|e| failed(&self.root.join(name), &in_words(&e)))
    }

    /// `None` when there is no such object.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let got = async { self.store.get(&self.path(name)).await?.bytes().await };
        match got.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(failed(&self.root.join(name), &in_words(&e))),
        }
    }

    /// An object that is gone already is as good.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(failed(&self.root.join(name), &in_words(&e))),
        }
    }

    /// Names under the root that start with `folder/`.
    pub async fn all(&self, folder: &str) -> Result<Vec<String>, Error> {
        self.older(folder, Duration::ZERO).await
    }

    /// Of those, the names of objects that were last written at least `age` ago.
    pub async fn older(&self, folder: &str, age: Duration) -> Result<Vec<String>, Error> {
        let limit = SystemTime::now() - age;
        let folder = self.path(folder);
        let objects = self.store.list(Some(&folder)).try_collect::<Vec<ObjectMeta>>().await;
        let objects = objects.map_err(|e| failed(&self.root, &in_words(&e)))?;
        let old = objects.into_iter().filter(|object| SystemTime::from(object.last_modified) <= limit);
        Ok(old.filter_map(|object| self.name(&object.location)).collect())
    }

    /// A stream of bytes that becomes the object as a whole or not at all.
    pub fn writer(&self, name: &str) -> BufWriter {
        BufWriter::with_capacity(Arc::clone(&self.store), self.path(name), self.at_once())
            .with_max_concurrency(IN_FLIGHT)
    }

    /// What a writer holds in memory at most.
    pub fn held(&self) -> u64 {
        (self.at_once() * (1 + IN_FLIGHT)) as u64
    }

    /// Bytes that are written together.
    fn at_once(&self) -> usize {
        if self.root.as_local().is_some() { PIECE } else { PART }
    }

    /// When an object was written last.
    pub async fn written(&self, name: &str) -> Result<Option<SystemTime>, Error> {
        match self.store.head(&self.path(name)).await {
            Ok(meta) => Ok(Some(meta.last_modified.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(failed(&self.root.join(name), &in_words(&e))),
        }
    }

    /// As [`Self::get`], with what [`Self::replace`] wants.
    pub async fn get_version(&self, name: &str) -> Result<Option<(Bytes, Version)>, Error> {
        let got = async {
            let found = self.store.get(&self.path(name)).await?;
            let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
            Ok((found.bytes().await?, Version(version)))
        };
        match got.await {
            Ok(found) => Ok(Some(found)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(failed(&self.root.join(name), &in_words(&e))),
        }
    }

    /// Whether an object that was still as it had been `seen` now is this.
    pub async fn replace(&self, name: &str, bytes: Vec<u8>, seen: &Version) -> Result<bool, Error> {
        let Location::Local(root) = &self.root else {
            return self.put_if(name, bytes, PutMode::Update(seen.0.clone())).await;
        };
        // The local store has no such thing: who replaces something there takes turns.
        let turns = root.join(WORKERS).join(TURNS);
        let _turn =
            File::create(&turns).and_then(|file| file.lock().map(|()| file)).map_err(|e| failed(&self.root, &e))?;
        match self.get_version(name).await? {
            Some((_, now)) if now.0.e_tag == seen.0.e_tag => self.put(name, bytes).await.map(|()| true),
            _ => Ok(false),
        }
    }

    /// Whether it was as `mode` wants it.
    async fn put_if(&self, name: &str, bytes: Vec<u8>, mode: PutMode) -> Result<bool, Error> {
        match self.store.put_opts(&self.path(name), PutPayload::from(bytes), PutOptions::from(mode)).await {
            Ok(_) => Ok(true),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. }
                | object_store::Error::NotFound { .. },
            ) => Ok(false),
            Err(e) => Err(failed(&self.root.join(name), &in_words(&e))),
        }
    }

    /// Removes what is left on a disk of uploads that were cut short by the end of their worker: those that nobody has written
    /// to for `age`. Says how many. The store writes them under names that no upload has, and does not list them.
    pub fn drop_torn(&self, age: Duration) -> io::Result<usize> {
        let Location::Local(root) = &self.root else { return Ok(0) };
        let mut removed = 0;
        let files = match std::fs::read_dir(root.join(FILES)) {
            Ok(files) => files,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(e) => return Err(e),
        };
        for file in files {
            let file = file?;
            let torn = file.file_name().to_string_lossy().contains('#');
            if torn && file.metadata()?.modified()?.elapsed().is_ok_and(|untouched| untouched >= age) {
                std::fs::remove_file(file.path())?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Leaves word of a job that is to be done.
    pub async fn note_run(&self, job: &Job) -> Result<Noted, Error> {
        let note = RunNote {
            run_id: job.run_id.clone(),
            output_path: job.output.to_string(),
            payload_sha256: job.payload_sha256.clone(),
            attempt: job.attempt,
            outcome: None,
        };
        let name = note_name(&job.run_id);
        if self.put_if(&name, json(&note)?, PutMode::Create).await? {
            return Ok(Noted::Open);
        }
        match self.note(&job.run_id).await? {
            Some(known) if known.payload_sha256.is_some() && known.payload_sha256 != note.payload_sha256 => {
                Ok(Noted::Contradicting)
            }
            Some(known) if known.attempt >= note.attempt && known.is_final() => Ok(Noted::Ended),
            Some(known) if known.attempt > note.attempt => Ok(Noted::Open),
            _ => self.put(&name, json(&note)?).await.map(|()| Noted::Open),
        }
    }

    /// Leaves word how an attempt ended that has no result. What later attempts have said stands.
    pub async fn note_outcome(&self, last: &JobEvent) -> Result<(), Error> {
        match self.note(&last.run_id).await? {
            Some(note) if note.attempt <= last.attempt => {
                let note = RunNote { attempt: last.attempt, outcome: Some(last.clone()), ..note };
                self.put(&note_name(&last.run_id), json(&note)?).await
            }
            _ => Ok(()),
        }
    }

    /// Leaves word that the staged rows of a run are kept for now.
    pub async fn note_staged(&self, run_id: &str) -> Result<(), Error> {
        self.put(&format!("{STAGED}/{run_id}"), Vec::new()).await
    }

    /// Removes the staged rows that were kept at least `age` ago; says of how many runs.
    pub async fn drop_staged(&self, age: Duration) -> Result<usize, Error> {
        let old = self.older(STAGED, age).await?;
        for name in &old {
            let run_id = name.rsplit('/').next().unwrap_or_default();
            if let Some(output) = self.run(run_id).await? {
                kalla_engine::drop_staged(&output).await?;
            }
            self.delete(name).await?;
        }
        Ok(old.len())
    }

    /// Where the results of a run are, if a worker has left word.
    pub async fn run(&self, run_id: &str) -> Result<Option<Location>, Error> {
        self.note(run_id).await?.map(|note| self.output(&note)).transpose()
    }

    /// Where the results of a run are, as its note says.
    pub fn output(&self, note: &RunNote) -> Result<Location, Error> {
        let wrong = |reason| Error::Output { path: self.root.join(&note_name(&note.run_id)).to_string(), reason };
        self.stores.locate(&note.output_path).map_err(wrong)
    }

    /// What a worker has left word of a run.
    pub async fn note(&self, run_id: &str) -> Result<Option<RunNote>, Error> {
        let name = note_name(run_id);
        // Whatever is no id of ours is no name of a note either.
        let note = if check_id(run_id).is_ok() { self.get(&name).await? } else { None };
        let wrong =
            |e: serde_json::Error| Error::Output { path: self.root.join(&name).to_string(), reason: e.to_string() };
        note.map(|note| serde_json::from_slice(&note).map_err(wrong)).transpose()
    }

    /// The ids of the runs whose results somebody has left word of.
    pub async fn runs(&self) -> Result<Vec<String>, Error> {
        let notes = self.all(RUNS).await?;
        Ok(notes.iter().filter_map(|name| Some(name.rsplit('/').next()?.strip_suffix(".json")?.to_owned())).collect())
    }

    fn path(&self, name: &str) -> ObjectPath {
        name.split('/').fold(self.base.clone(), |path, part| path.join(part))
    }

    fn name(&self, path: &ObjectPath) -> Option<String> {
        let parts: Vec<_> = path.prefix_match(&self.base)?.map(|part| part.as_ref().to_owned()).collect();
        Some(parts.join("/"))
    }
}

fn json(note: &RunNote) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(note).map_err(|e| Error::defect_of("a note of a job", e))
}

fn note_name(run_id: &str) -> String {
    format!("{RUNS}/{run_id}.json")
}

/// Ids become file names and URLs.
pub fn check_id(id: &str) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if id.is_empty() || id.len() > 128 || id.starts_with('.') || !id.chars().all(fine) {
        return Err("an id has 1 to 128 letters, digits, `.`, `_` and `-`, and does not start with a dot".to_owned());
    }
    Ok(())
}

/// Bytes that may still be written to the disk of `path`; `None` where the system does not tell.
fn free(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

fn failed(location: &Location, cause: &dyn std::fmt::Display) -> Error {
    Error::Output { path: location.to_string(), reason: cause.to_string() }
}
