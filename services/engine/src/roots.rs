//! Directories whose files may be used, where not all may.

use std::path::{Component, Path, PathBuf};

#[derive(Debug, Clone)]
pub struct Roots {
    /// With links resolved.
    paths: Vec<PathBuf>,
    setting: &'static str,
}

impl Roots {
    /// `setting` is where the operator adds to them. Roots that do not exist allow nothing, until they do: they are resolved
    /// here, once.
    pub fn new(roots: &[PathBuf], setting: &'static str) -> Self {
        Self { paths: roots.iter().filter_map(|root| resolve(root).ok()).collect(), setting }
    }

    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The path with its links resolved, if it is under one of the roots.
    pub fn file(&self, path: &Path) -> Result<PathBuf, String> {
        let shown = path.display();
        let resolved = resolve(path).map_err(|reason| format!("`{shown}`: {reason}"))?;
        if self.paths.iter().any(|root| resolved.starts_with(root)) {
            return Ok(resolved);
        }
        Err(format!(
            "`{shown}` is outside of the directories that jobs may use: move the file, or have the operator add its directory to {}",
            self.setting
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

    #[test]
    fn files_are_used_under_the_roots_only() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        std::fs::create_dir_all(inside.join("deep")).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("away")).unwrap();
        std::os::unix::fs::symlink(inside.join("deep"), inside.join("near")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("nowhere"), inside.join("broken")).unwrap();
        let roots = Roots::new(std::slice::from_ref(&inside), "SETTING");
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
        ] {
            assert_eq!(roots.file(&dir.path().join(path)).is_ok(), allowed, "{path}");
        }
    }
}
