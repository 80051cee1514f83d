//! What a process has on the disk.

use std::fs;
use std::path::Path;

/// Bytes of the files below `path`. What comes and goes meanwhile may be counted or not.
pub async fn used(path: &Path) -> u64 {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || below(&path)).await.unwrap_or(0)
}

fn below(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    // Of a link its own size: it leads elsewhere.
    let sizes = entries.flatten().filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)));
    sizes.map(|(path, found)| if found.is_dir() { below(&path) } else { found.len() }).sum()
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn all_files_count() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("deep")).unwrap();
        std::fs::write(dir.path().join("a"), [0; 100]).unwrap();
        std::fs::write(dir.path().join("deep/b"), [0; 50]).unwrap();
        assert_eq!(super::used(dir.path()).await, 150);
        assert_eq!(super::used(&dir.path().join("nowhere")).await, 0);
    }
}
