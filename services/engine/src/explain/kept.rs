//! The rows that a run has read, as they are kept beside its results, or lie in its sources still.

use super::tables::Tables;
use crate::error::{Error, Result};
use crate::job::Limits;
use crate::location::Location;
use crate::manifest::{Input, Manifest};
use crate::stage;

/// The tables of a run, and its `match_sql` planned over them. `locate` tells where a source is that was used where it lies,
/// if it may be read.
pub async fn kept(
    output: &Location,
    manifest: &Manifest,
    limits: &Limits,
    locate: &(dyn Fn(&str) -> Result<Location, String> + Send + Sync),
) -> Result<Tables> {
    let mut files = Vec::new();
    for input in manifest.inputs() {
        files.push((input.alias.as_str(), open(output, input, locate).await?, Vec::new()));
    }
    Tables::plan(&manifest.match_sql, &files, limits).await
}

async fn open(
    output: &Location,
    input: &Input,
    locate: &(dyn Fn(&str) -> Result<Location, String> + Send + Sync),
) -> Result<stage::RowFile> {
    let alias = &input.alias;
    if let Some(path) = &input.staged {
        let location = beside(output, path);
        return match stage::parquet::open(alias, &location).await {
            Ok((file, _)) => Ok(file),
            Err(Error::NotFound { .. }) => {
                Err(Error::Missing(format!("the rows of `{alias}` are no longer kept: run the job again")))
            }
            Err(error) => Err(error),
        };
    }
    if input.facts.format != "parquet" {
        return Err(Error::Missing(format!(
            "the rows of `{alias}` were not kept: run the job again with --keep-staged"
        )));
    }
    let denied = |what| Error::Denied { alias: alias.clone(), what };
    let location = locate(&input.uri).map_err(denied)?;
    let (file, facts) = stage::parquet::open(alias, &location).await?;
    if facts.fingerprint != input.facts.fingerprint {
        return Err(Error::Missing(format!("{location} has changed since the run: run the job again")));
    }
    Ok(file)
}

/// Kept rows are below the output, wherever that was moved to; no other place that a manifest names is followed.
fn beside(output: &Location, path: &str) -> Location {
    let inside = path.strip_prefix(&format!("{output}/")).filter(|_| output.as_local().is_none());
    match inside {
        Some(inside) => inside.split('/').fold(output.clone(), |at, name| at.join(name)),
        None => output.join(crate::attempt::STAGED).join(path.rsplit('/').next().unwrap_or(path)),
    }
}
