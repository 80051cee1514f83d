//! Results on a disk.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{CONTRADICTING, FAILED, PREVIOUS, STAGED, inside, parse};
use crate::job::ResultFormat;
use crate::manifest::{Kin, MANIFEST, Manifest};
use crate::results::ResultSet;
use crate::workdir::{WorkDir, is_at};
use crate::write::file_name;

/// Held by whoever changes what stands in an output.
const LOCK: &str = ".lock";
/// How long another job may take to put its result into place.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// The right to change an output; its file goes with it.
pub struct OutputLock {
    _file: Option<File>,
    path: PathBuf,
}

impl OutputLock {
    pub fn take(output: &Path) -> io::Result<Self> {
        let path = output.join(LOCK);
        let since = Instant::now();
        loop {
            let file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
            match file.try_lock() {
                // Whoever had it before has taken the file away: it is nobody's lock any more.
                Ok(()) if !is_at(&file, &path) => continue,
                Ok(()) => return Ok(Self { _file: Some(file), path }),
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a lock that can be waited for can be waited for only for ever"
                )]
                Err(TryLockError::WouldBlock) if since.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other("another job has been putting its result here for a minute"));
                }
                // A disk without locks: two jobs at once are nothing that it can keep apart.
                Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {
                    return Ok(Self { _file: None, path });
                }
                Err(TryLockError::Error(e)) => return Err(e),
            }
        }
    }
}

impl Drop for OutputLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A result that waits to take the place of the one before.
pub struct New {
    /// Where its files are.
    pub dir: WorkDir,
    pub names: Vec<String>,
    /// Where its staged rows are, if they are kept.
    pub staged: Option<PathBuf>,
    pub manifest: Manifest,
    pub sync: bool,
}

impl New {
    /// Takes the place, unless another attempt of the same run has; gives the manifest that stands there in the end.
    pub fn commit(self, output: &Path) -> io::Result<Manifest> {
        let json = serde_json::to_vec_pretty(&self.manifest).map_err(io::Error::other)?;
        for name in &self.names {
            self.flush(&self.dir.path().join(name))?;
        }
        let _lock = OutputLock::take(output)?;
        match read(output)? {
            Before::Nothing => {}
            Before::Unknown => fs::remove_file(output.join(MANIFEST))?,
            Before::Result(before) => {
                match before.kin(&self.manifest.run_id, self.manifest.payload_sha256.as_deref()) {
                    Kin::Same => {
                        clear(output, &before)?;
                        return Ok(*before);
                    }
                    Kin::Other => self.move_aside(output, *before)?,
                    Kin::Contradicting => return Err(io::Error::other(CONTRADICTING)),
                }
            }
        }
        drop_directory(&output.join(FAILED))?;
        for name in &self.names {
            fs::rename(self.dir.path().join(name), output.join(name))?;
        }
        drop_directory(&output.join(STAGED))?;
        if let Some(staged) = &self.staged {
            for entry in fs::read_dir(staged)? {
                self.flush(&entry?.path())?;
            }
            fs::rename(staged, output.join(STAGED))?;
        }
        self.flush(output)?;
        self.put_manifest(output, &json)?;
        clear(output, &self.manifest)?;
        Ok(self.manifest)
    }

    /// A second home for the result that stands in `output`: its files by links, and its manifest, which says where they are.
    fn move_aside(&self, output: &Path, mut before: Manifest) -> io::Result<()> {
        // Kept from the beginning: the manifest may name it, whatever goes wrong after that. What none names is cleared away.
        let aside = tempfile::Builder::new().prefix(PREVIOUS).tempdir_in(output)?.keep();
        let results = before.files.values_mut().map(|file| &mut file.path);
        let inputs = [&mut before.left, &mut before.right].into_iter().chain(&mut before.extras);
        for path in results.chain(inputs.filter_map(|input| input.staged.as_mut())) {
            let name = inside(path);
            // It may stand aside already, because of a job that was killed.
            let name_there =
                name.split_once('/').filter(|(first, _)| first.starts_with(PREVIOUS)).map_or(name, |n| n.1);
            let there = aside.join(name_there);
            if let Some(parent) = there.parent() {
                fs::create_dir_all(parent)?;
            }
            match fs::hard_link(output.join(name), &there) {
                // Nobody can read it any more, before or after.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(_) => {
                    fs::copy(output.join(name), &there)?;
                    self.flush(&there)?;
                }
                Ok(()) => {}
            }
            *path = there.display().to_string();
        }
        self.flush(&aside)?;
        let json = serde_json::to_vec_pretty(&before).map_err(io::Error::other)?;
        self.put_manifest(output, &json)
    }

    fn put_manifest(&self, output: &Path, json: &[u8]) -> io::Result<()> {
        let hidden = self.dir.path().join(MANIFEST);
        fs::write(&hidden, json)?;
        self.flush(&hidden)?;
        fs::rename(hidden, output.join(MANIFEST))?;
        self.flush(output)
    }

    /// To the disk itself: a name must not outlast a power cut that its content does not.
    fn flush(&self, path: &Path) -> io::Result<()> {
        match self.sync {
            // Directories cannot be opened everywhere.
            true if cfg!(unix) || !path.is_dir() => File::open(path)?.sync_all(),
            _ => Ok(()),
        }
    }
}

/// What stands in an output.
enum Before {
    Nothing,
    Result(Box<Manifest>),
    /// No manifest that we understand: of another engine, or damaged.
    Unknown,
}

fn read(output: &Path) -> io::Result<Before> {
    match fs::read(output.join(MANIFEST)) {
        Ok(bytes) => Ok(parse(&bytes).map_or(Before::Unknown, |manifest| Before::Result(Box::new(manifest)))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Before::Nothing),
        Err(e) => Err(e),
    }
}

/// Removes what does not belong to the result that stands there: files under the names of ours, and results that have made
/// room.
fn clear(output: &Path, manifest: &Manifest) -> io::Result<()> {
    let names: Vec<&str> = manifest.files.values().map(|file| inside(&file.path)).collect();
    for set in ResultSet::ALL {
        for format in [ResultFormat::Parquet, ResultFormat::Csv] {
            let name = file_name(set.name(), format);
            if !names.contains(&name.as_str()) {
                match fs::remove_file(output.join(name)) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                    _ => {}
                }
            }
        }
    }
    for entry in fs::read_dir(output)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let used = names.iter().any(|file| file.split('/').next() == Some(&name));
        if name.starts_with(PREVIOUS) && !used {
            drop_directory(&entry.path())?;
        }
    }
    Ok(())
}

/// Puts what a failed job leaves, if it leaves something, into the place of what the last one left.
pub fn keep_failed(output: &Path, attempt: &Path) -> io::Result<()> {
    let left = attempt.join(FAILED);
    if !left.exists() {
        return Ok(());
    }
    let _lock = OutputLock::take(output)?;
    drop_directory(&output.join(FAILED))?;
    fs::rename(left, output.join(FAILED))
}

pub fn drop_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
