//! Results in a bucket.

use std::fs::{self, File};
use std::io::Read as _;

use futures::TryStreamExt as _;
use object_store::{ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion};

use super::{CONTRADICTING, FAILED, STAGED, failed, parse};
use crate::error::{Error, Result};
use crate::location::{Location, in_words};
use crate::manifest::{Kin, MANIFEST, Manifest};
use crate::write::Sink;

/// Bytes that are read at a time.
const PART: usize = 1 << 20;

/// Makes the files under `prefix` the result of `output`, unless another attempt of the same run has been first; gives the
/// manifest that stands there in the end.
pub async fn commit(
    output: &Location,
    prefix: &Location,
    staged: Option<Location>,
    manifest: &Manifest,
) -> Result<Manifest> {
    if let Some(staged) = staged {
        upload(&staged, &prefix.join(STAGED)).await?;
    }
    let before = put_manifest(output, manifest).await?;
    match before {
        Some(before) if before.run_id == manifest.run_id => return Ok(before),
        Some(before) => {
            let files = before.files.values().map(|file| file.path.as_str());
            let staged = before.inputs().filter_map(|input| input.staged.as_deref());
            remove(output, files.chain(staged)).await?;
        }
        None => {}
    }
    remove_prefix(&output.join(FAILED)).await?;
    Ok(manifest.clone())
}

/// Gives the manifest that was there before; the same run's stays.
async fn put_manifest(output: &Location, manifest: &Manifest) -> Result<Option<Manifest>> {
    let json = serde_json::to_vec_pretty(manifest).map_err(|e| Error::defect_of("manifest", e))?;
    let location = output.join(MANIFEST);
    let failed = |e: object_store::Error| failed(&location, &in_words(&e));
    let (store, path) = location.open().map_err(failed)?;
    loop {
        let (mode, before) = match store.get(&path).await {
            Ok(found) => {
                let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
                let bytes = found.bytes().await.map_err(failed)?;
                (PutMode::Update(version), parse(&bytes).ok())
            }
            Err(object_store::Error::NotFound { .. }) => (PutMode::Create, None),
            Err(error) => return Err(failed(error)),
        };
        let kin = before.as_ref().map(|before| before.kin(&manifest.run_id, manifest.payload_sha256.as_deref()));
        match kin {
            Some(Kin::Same) => return Ok(before),
            Some(Kin::Contradicting) => return Err(super::failed(&location, &CONTRADICTING)),
            Some(Kin::Other) | None => {}
        }
        match store.put_opts(&path, PutPayload::from(json.clone()), PutOptions::from(mode)).await {
            Ok(_) => return Ok(before),
            // Somebody was faster: what stands there now is what counts.
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Copies the files of a directory into a bucket.
async fn upload(directory: &Location, prefix: &Location) -> Result<()> {
    let Some(path) = directory.as_local() else { return Ok(()) };
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

/// Removes objects below `output` by the paths that a manifest has for them. Those that are gone already are as good.
pub async fn remove(output: &Location, paths: impl Iterator<Item = &str>) -> Result<()> {
    let prefix = format!("{output}/");
    for inside in paths.filter_map(|path| path.strip_prefix(&prefix)) {
        let location = output.join(inside);
        let failed = |e: object_store::Error| failed(&location, &in_words(&e));
        let (store, path) = location.open().map_err(failed)?;
        match store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

pub async fn remove_prefix(prefix: &Location) -> Result<()> {
    let failed = |e: object_store::Error| failed(prefix, &in_words(&e));
    let (store, path) = prefix.open().map_err(failed)?;
    let objects: Vec<_> = store.list(Some(&path)).try_collect().await.map_err(failed)?;
    for object in objects {
        store.delete(&object.location).await.map_err(failed)?;
    }
    Ok(())
}
