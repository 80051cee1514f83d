//! Directories that belong to a process as long as it lives, and go when it ends, however it ends.
//!
//! Beside each stands a file with its name and `.lock` at the end, which is there before the directory and after it: whoever works
//! in the directory holds it locked. A file, because network disks lock nothing else.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

const LOCK: &str = ".lock";

/// Disappears, with what is in it, when it is dropped; after a kill it is swept, because nobody holds its lock any more.
pub struct WorkDir {
    path: PathBuf,
    _lock: NamedTempFile,
}

impl WorkDir {
    /// In `parent`, or where the system keeps temporary files; its name begins with `prefix`.
    pub fn create(parent: Option<&Path>, prefix: &str) -> io::Result<Self> {
        let temporary = tempfile::env::temp_dir();
        let parent = parent.unwrap_or(&temporary);
        loop {
            let lock = tempfile::Builder::new().prefix(prefix).suffix(LOCK).tempfile_in(parent)?;
            match lock.as_file().try_lock() {
                Ok(()) if is_at(lock.as_file(), lock.path()) => {}
                // A sweep between the two steps took it for one that was given up.
                Ok(()) | Err(TryLockError::WouldBlock) => continue,
                // Where there are no locks nothing is swept either.
                Err(TryLockError::Error(_)) => {}
            }
            let path = lock.path().with_extension("");
            match create(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self { path, _lock: lock }),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Nobody else reads what is in it.
fn create(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What cannot be removed now is swept later.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes the directories in `parent` that a process has left which was killed, if they are `old`; says how many. `ours`: whatever
/// has such a name is ours, with a lock or without.
pub fn sweep(parent: &Path, prefix: &str, ours: bool, old: impl Fn(&Path) -> bool) -> usize {
    let Ok(entries) = fs::read_dir(parent) else { return 0 };
    let named = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    named.filter(|entry| remove_given_up(&entry.path(), ours, &old)).count()
}

/// By its lock, which is held while the directory goes, so that nobody begins to work in it.
fn remove_given_up(path: &Path, ours: bool, old: impl Fn(&Path) -> bool) -> bool {
    if path.is_symlink() {
        return false;
    }
    if path.is_dir() {
        let mut lock = path.as_os_str().to_owned();
        lock.push(LOCK);
        return ours && !Path::new(&lock).exists() && old(path) && fs::remove_dir_all(path).is_ok();
    }
    let dir = path.with_extension("");
    if path.extension().is_none_or(|extension| extension != "lock") || dir.exists() && !old(&dir) {
        return false;
    }
    let Ok(lock) = File::options().read(true).write(true).open(path) else { return false };
    if lock.try_lock().is_err() || !is_at(&lock, path) {
        return false;
    }
    let removed = fs::remove_dir_all(&dir).is_ok();
    if removed || !dir.exists() {
        // Nobody needs it; the next sweep tries again.
        let _ = fs::remove_file(path);
    }
    removed
}

/// Whether the file is still the one that has this name.
#[cfg(unix)]
pub fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let both = file.metadata().and_then(|ours| Ok((ours, fs::metadata(path)?)));
    both.is_ok_and(|(ours, there)| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
}

#[cfg(not(unix))]
pub fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_goes_and_what_is_held_stays() {
        let root = tempfile::tempdir().unwrap();
        let alive = WorkDir::create(Some(root.path()), ".attempt-").unwrap();
        fs::write(alive.path().join("rows"), "1").unwrap();
        // Killed before the directory was there, while it was used, and while it was removed.
        for name in [".attempt-a.lock", ".attempt-b.lock"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        for name in [".attempt-b/stage", ".attempt-c", "kalla-mine"] {
            fs::create_dir_all(root.path().join(name)).unwrap();
        }
        let there = || {
            let names = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name());
            names.map(|name| name.into_string().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(sweep(root.path(), ".attempt-", true, |_| false), 0);
        assert_eq!(sweep(root.path(), ".attempt-", true, |_| true), 2);
        // Whose it is without a lock nobody knows where others have such names.
        assert_eq!(sweep(root.path(), "kalla-", false, |_| true), 0);
        assert_eq!(there().len(), 3, "{:?}", there());
        assert!(alive.path().join("rows").exists());
        drop(alive);
        assert_eq!(there(), ["kalla-mine"]);
    }
}
