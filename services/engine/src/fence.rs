//! What jobs may use of a machine and of what is around it, where not everything is allowed.

use std::path::{Component, Path, PathBuf};

use crate::addresses::Addresses;
use crate::location::Location;
use crate::stores::Bucket;

/// Where an operator adds directories and buckets, as errors tell.
const FILE_ROOTS: &str = "KALLA_FILE_ROOTS";
const BUCKETS: &str = "KALLA_BUCKETS";

/// Of two places of which one is inside of the other, the inner one says what holds for it.
#[derive(Debug, Clone, Default)]
pub struct Fence {
    /// Directories whose files may be read and written. Those that do not exist allow nothing, until they do.
    pub directories: Vec<PathBuf>,
    /// Buckets, or what is below a key of them, that may be read and written.
    pub buckets: Vec<Location>,
    /// Whether all other buckets may be read.
    pub any_bucket: bool,
    /// Places that nobody may read or write, though they are inside of one of those.
    pub closed: Vec<Location>,
    /// Of databases.
    pub addresses: Addresses,
}

impl Fence {
    /// With the links of all paths resolved, once.
    pub fn resolved(mut self) -> Self {
        self.directories = self.directories.iter().filter_map(|path| resolve(path).ok()).collect();
        for place in &mut self.closed {
            if let Location::Local(path) = place {
                *path = resolve(path).unwrap_or_else(|_| path.clone());
            }
        }
        self
    }

    /// The path with its links resolved, if it may be used.
    pub fn file(&self, path: &Path) -> Result<PathBuf, String> {
        let shown = path.display();
        let resolved = resolve(path).map_err(|reason| format!("`{shown}`: {reason}"))?;
        let depth = |root: &Path| resolved.starts_with(root).then(|| root.components().count());
        let open = self.directories.iter().filter_map(|root| depth(root)).max();
        let closed = self.closed.iter().filter_map(|place| depth(place.as_local()?)).max();
        match (open, closed) {
            (None, _) => Err(format!(
                "`{shown}` is outside of the directories that jobs may use: move the file, or have the operator add its directory to {FILE_ROOTS}"
            )),
            (Some(_), None) => Ok(resolved),
            (Some(open), Some(closed)) if open > closed => Ok(resolved),
            _ => Err(format!("`{shown}` belongs to Kalla itself, and no job may use it")),
        }
    }

    /// Whether an object, or what is below a key, may be read, and written too if that is wanted.
    pub fn object(&self, bucket: &Bucket, key: &str, write: bool) -> Result<(), String> {
        let below = |place: &Location| match place {
            Location::Object { bucket: of, key: root } if of == bucket => {
                let rest = key.strip_prefix(root.as_str())?;
                (root.is_empty() || rest.is_empty() || rest.starts_with('/')).then_some(root.len())
            }
            _ => None,
        };
        let open = self.buckets.iter().filter_map(below).max();
        if self.closed.iter().filter_map(below).max().is_some_and(|closed| open.is_none_or(|open| open <= closed)) {
            return Err(format!("`{bucket}/{key}` belongs to Kalla itself, and no job may use it"));
        }
        if open.is_some() || (self.any_bucket && !write) {
            return Ok(());
        }
        let may = if self.any_bucket { "write to" } else { "use" };
        Err(format!(
            "`{bucket}/{key}` is outside of the buckets that jobs may {may}: have the operator add `{bucket}`, or a part of it, to {BUCKETS}"
        ))
    }
}

/// The part that exists is resolved by the system; what does not exist yet cannot hold a link.
fn resolve(path: &Path) -> Result<PathBuf, String> {
    let absolute = std::path::absolute(path).map_err(|e| e.to_string())?;
    if absolute.components().any(|c| c == Component::ParentDir) {
        return Err("`..` is not allowed in a path".to_owned());
    }
    let mut rest = Vec::new();
    let mut there = absolute.as_path();
    loop {
        match there.canonicalize() {
            Ok(found) => return Ok(rest.iter().rev().fold(found, |path, name| path.join(name))),
            // A link that leads nowhere is there, and may lead somewhere later.
            Err(_) if there.is_symlink() => return Err("a link on the way leads nowhere".to_owned()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => match (there.file_name(), there.parent()) {
                (Some(name), Some(parent)) => {
                    rest.push(name.to_owned());
                    there = parent;
                }
                _ => return Err(e.to_string()),
            },
            Err(e) => return Err(e.to_string()),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::stores::{Scheme, Stores};

    #[test]
    fn files_are_used_under_the_roots_only() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        std::fs::create_dir_all(inside.join("deep")).unwrap();
        std::fs::create_dir_all(inside.join("data/staging")).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("away")).unwrap();
        std::os::unix::fs::symlink(inside.join("deep"), inside.join("near")).unwrap();
        std::os::unix::fs::symlink(inside.join("data"), inside.join("key")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("nowhere"), inside.join("broken")).unwrap();
        let closed = ["data", "data/staging/outbox", "same"].map(|path| Location::Local(inside.join(path)));
        let directories = vec![inside.clone(), inside.join("data/staging"), inside.join("same")];
        let fence = Fence { directories, closed: closed.to_vec(), ..Fence::default() }.resolved();
        for (path, allowed) in [
            ("in/a.csv", true),
            ("in/deep/new/dir", true),
            ("in/near/a.csv", true),
            ("in", true),
            ("out/a.csv", false),
            ("in/away/a.csv", false),
            ("in/broken", false),
            ("in/../out/a.csv", false),
            ("inner/a.csv", false),
            ("in/data", false),
            ("in/data/secret.key", false),
            ("in/key/secret.key", false),
            ("in/database.csv", true),
            ("in/data/staging/files/a.csv", true),
            ("in/data/staging/outbox", false),
            ("in/data/staging/outbox/a.json", false),
            ("in/data/staging/outbox.csv", true),
            ("in/same/a.csv", false),
        ] {
            assert_eq!(fence.file(&dir.path().join(path)).is_ok(), allowed, "{path}");
        }
    }

    #[test]
    fn buckets_are_used_as_the_operator_says() {
        let stores = Stores::default();
        let place = |bucket: &str, key: &str| Location::Object {
            bucket: stores.bucket(Scheme::S3, bucket),
            key: key.to_owned(),
        };
        let closed = vec![place("staging", "outbox"), place("staging", "runs")];
        let open =
            Fence { buckets: vec![place("staging", "")], any_bucket: true, closed: closed.clone(), ..Fence::default() };
        let named = Fence { buckets: vec![place("staging", ""), place("bank", "in/2026")], closed, ..Fence::default() };
        // Read, written; where all buckets may be read, and where some are named.
        for (bucket, key, in_open, in_named) in [
            ("staging", "files/a.csv", (true, true), (true, true)),
            ("staging", "outbox/a.json", (false, false), (false, false)),
            ("staging", "outbox", (false, false), (false, false)),
            ("staging", "outboxes/a.csv", (true, true), (true, true)),
            ("staging", "runs/a.json", (false, false), (false, false)),
            ("bank", "in/2026/a.csv", (true, false), (true, true)),
            ("bank", "in/2026", (true, false), (true, true)),
            ("bank", "in/20261/a.csv", (true, false), (false, false)),
            ("bank", "a.csv", (true, false), (false, false)),
            ("other", "a.csv", (true, false), (false, false)),
        ] {
            let bucket = stores.bucket(Scheme::S3, bucket);
            let may =
                |fence: &Fence| (fence.object(&bucket, key, false).is_ok(), fence.object(&bucket, key, true).is_ok());
            assert_eq!(may(&open), in_open, "{bucket}/{key}");
            assert_eq!(may(&named), in_named, "{bucket}/{key}");
        }
        let gcs = stores.bucket(Scheme::Gcs, "bank");
        assert!(named.object(&gcs, "in/2026/a.csv", false).is_err(), "another cloud");
    }
}
