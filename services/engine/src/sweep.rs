//! What attempts leave behind when their process is killed: on a disk known by the lock that nobody holds any more, in a
//! bucket by its age.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use object_store::path::Path as ObjectPath;

use crate::attempt::{HIDDEN, SCRATCH, committed};
use crate::error::{Error, Result};
use crate::location::{Location, in_words};
use crate::workdir;

/// See [`crate::sweep_attempts`].
pub async fn sweep_attempts(root: &Location, age: Duration) -> Result<usize> {
    match root {
        Location::Local(path) => {
            let outputs = directories(path).map_err(|e| failed(root, &e))?;
            Ok(outputs.iter().map(|output| remove_attempts(output)).sum())
        }
        Location::Object { .. } => sweep_bucket(root, 1, Some(SystemTime::now() - age)).await,
    }
}

/// See [`crate::drop_attempts`].
pub async fn drop_attempts(output: &Location) -> Result<usize> {
    match output {
        Location::Local(path) => {
            let path = path.clone();
            let removed = tokio::task::spawn_blocking(move || remove_attempts(&path)).await;
            Ok(removed.unwrap_or(0))
        }
        Location::Object { .. } => sweep_bucket(output, 0, None).await,
    }
}

/// Removes attempts that were given up from one output on a disk, and the output when nothing else is in it.
pub fn sweep_output(output: &Location) -> usize {
    output.as_local().map_or(0, remove_attempts)
}

fn remove_attempts(output: &Path) -> usize {
    let removed = workdir::sweep(output, HIDDEN, true, |_| true);
    if removed > 0 {
        // Fails where there is something in it, as it should.
        let _ = fs::remove_dir(output);
    }
    removed
}

/// Removes working directories that nobody has used for `age`, nor holds the lock of, from the directory for spilled data.
pub fn sweep_scratch(spill_dir: Option<&Path>, age: Duration) -> usize {
    let limit = SystemTime::now() - age;
    // Others may use such names in a place that is shared.
    workdir::sweep(spill_dir.unwrap_or(&tempfile::env::temp_dir()), SCRATCH, false, |dir| newest(dir) < limit)
}

/// The directories in `path`; none when it is not there.
fn directories(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir() && !path.is_symlink()).collect())
}

/// When anything in `dir` was last written; now where that cannot be told.
fn newest(dir: &Path) -> SystemTime {
    let modified = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).unwrap_or_else(|_| SystemTime::now());
    let below = directories(dir).unwrap_or_default();
    below.iter().map(|dir| newest(dir)).chain([modified(dir)]).max().unwrap_or_else(SystemTime::now)
}

/// One attempt: its prefix, its objects and when the last of them was written.
#[derive(Default)]
struct Leftover {
    objects: Vec<ObjectPath>,
    newest: Option<SystemTime>,
}

/// Of the outputs that lie `depth` below `root`, what nobody has written to since `limit`.
async fn sweep_bucket(root: &Location, depth: usize, limit: Option<SystemTime>) -> Result<usize> {
    let failed = |e: object_store::Error| failed(root, &in_words(&e));
    let (store, base) = root.open().map_err(failed)?;
    let mut found: BTreeMap<(String, String), Leftover> = BTreeMap::new();
    let mut objects = store.list(Some(&base));
    while let Some(object) = objects.try_next().await.map_err(failed)? {
        let Some(parts) = object.location.prefix_match(&base) else { continue };
        let parts: Vec<_> = parts.map(|part| part.as_ref().to_owned()).collect();
        let (output, inside) = parts.split_at(depth.min(parts.len()));
        if let [attempt, _, ..] = inside
            && attempt.starts_with(SCRATCH)
        {
            let leftover = found.entry((output.join("/"), attempt.clone())).or_default();
            leftover.newest = leftover.newest.max(Some(object.last_modified.into()));
            leftover.objects.push(object.location);
        }
    }
    drop(objects);
    let mut removed = 0;
    for ((output, attempt), leftover) in found {
        let output = if depth == 0 { root.clone() } else { root.join(&output) };
        if (limit.is_some() && leftover.newest >= limit) || is_result(&output, &output.join(&attempt)).await? {
            continue;
        }
        for object in leftover.objects {
            store.delete(&object).await.map_err(failed)?;
        }
        removed += 1;
    }
    Ok(removed)
}

async fn is_result(output: &Location, attempt: &Location) -> Result<bool> {
    let prefix = format!("{attempt}/");
    let manifest = committed(output).await?;
    Ok(manifest.is_some_and(|manifest| manifest.files.values().any(|file| file.path.starts_with(&prefix))))
}

fn failed(location: &Location, cause: &dyn std::fmt::Display) -> Error {
    Error::Output { path: location.to_string(), reason: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_attempts_that_were_given_up_go() {
        let root = tempfile::tempdir().unwrap();
        for dir in ["run-1/.attempt-aaaaaa/stage", "run-2/.attempt-bbbbbb", "run-2/kept", "kalla-spill"] {
            fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        fs::write(root.path().join("run-1/.attempt-aaaaaa/stage/0.parquet"), "rows").unwrap();
        fs::write(root.path().join("run-1/matched.parquet"), "rows").unwrap();
        let location = Location::Local(root.path().to_path_buf());
        for dir in ["run-1/.attempt-aaaaaa", "run-2/.attempt-bbbbbb", "kalla-spill"] {
            fs::write(root.path().join(format!("{dir}.lock")), "").unwrap();
        }
        let lock = root.path().join("run-1/.attempt-aaaaaa.lock");
        let alive = fs::File::options().read(true).write(true).open(lock).unwrap();
        alive.lock().unwrap();
        assert_eq!(sweep_attempts(&location, Duration::ZERO).await.unwrap(), 1);
        assert_eq!(sweep_output(&location.join("run-1")), 0);
        drop(alive);
        assert_eq!(sweep_output(&location.join("run-1")), 1);
        let left = |path: &str| root.path().join(path).exists();
        assert!(left("run-1/matched.parquet") && left("run-2/kept") && left("kalla-spill"));
        assert!(!left("run-1/.attempt-aaaaaa") && !left("run-2/.attempt-bbbbbb"));
        assert_eq!(sweep_attempts(&location.join("nowhere"), Duration::ZERO).await.unwrap(), 0);
        assert_eq!(sweep_scratch(Some(root.path()), Duration::from_secs(3600)), 0);
        assert_eq!(sweep_scratch(Some(root.path()), Duration::ZERO), 1);
    }
}
