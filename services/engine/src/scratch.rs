//! Sources that are staged to be looked at, and forgotten.

use tokio_util::sync::CancellationToken;

use crate::attempt::SCRATCH;
use crate::error::{Error, Result};
use crate::job::{Job, Limits, Source};
use crate::location::Location;
use crate::progress::Meter;
use crate::stage::{self, StageContext, Staged};
use crate::tasks::Threads;
use crate::workdir::WorkDir;

/// A place for staged files that nobody will need.
pub struct Scratch {
    dir: WorkDir,
}

impl Scratch {
    pub fn new(limits: &Limits) -> Result<Self> {
        let failed =
            |e: std::io::Error| Error::Output { path: "temporary directory".to_owned(), reason: e.to_string() };
        Ok(Self { dir: WorkDir::create(limits.spill_dir.as_deref(), SCRATCH).map_err(failed)? })
    }

    /// Reads all sources of a job, at once.
    pub async fn stage(&self, job: &Job) -> Result<Vec<Staged>> {
        let threads = Threads::new(job.limits.threads);
        let staged = job.sources().enumerate().map(|(index, source)| {
            let cx = self.context(source, index, threads.clone());
            async move { stage::stage(source, &cx).await }
        });
        futures::future::try_join_all(staged).await
    }

    /// Of a file or directory in it.
    pub fn place(&self, name: &str) -> Location {
        Location::Local(self.dir.path().join(name))
    }

    pub fn context(&self, source: &Source, index: usize, threads: Threads) -> StageContext {
        StageContext {
            alias: source.alias.clone(),
            threads,
            target: self.place(&format!("{index}.parquet")),
            meter: Meter::default(),
            cancel: CancellationToken::new(),
        }
    }
}
