//! That something was saved, told to every gateway that uses the database: by Postgres itself, or inside the one that has the file.

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt as _};
use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::broadcast::{self, Receiver, Sender};
use uuid::Uuid;

use super::{Store, StoreError};

const CHANNEL: &str = "kalla_runs";
/// Until a connection that is lost is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// Notices that a listener of this process may be behind.
const WAITING: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Runs have changed: those behind the last number that was read.
    Saved,
    /// A run has come further, without a number.
    Further(Uuid),
}

impl Notice {
    fn text(self) -> String {
        match self {
            Self::Saved => String::new(),
            Self::Further(run_id) => run_id.to_string(),
        }
    }

    fn read(text: &str) -> Self {
        Uuid::try_parse(text).map_or(Self::Saved, Self::Further)
    }
}

/// Rings in the one process that has a file open.
#[derive(Debug, Clone)]
pub struct Bell(Sender<Notice>);

impl Default for Bell {
    fn default() -> Self {
        Self(broadcast::channel(WAITING).0)
    }
}

impl Store {
    /// What tells of a notice when the change is saved that it belongs to, if the database itself does.
    pub(super) fn notifies(&self, notice: Notice) -> Option<(&'static str, String)> {
        match self {
            Self::Postgres(_) => Some(("SELECT pg_notify('kalla_runs', $1)", notice.text())),
            Self::Sqlite(..) => None,
        }
    }

    /// The same, after it is saved, where the database does not.
    pub(super) fn ring(&self, notice: Notice) {
        if let Self::Sqlite(_, Bell(bell)) = self {
            // Nobody listens: nobody is told.
            let _ = bell.send(notice);
        }
    }

    /// Notices without end. Whatever was missed on the way is told as [`Notice::Saved`].
    pub fn notices(&self) -> BoxStream<'static, Notice> {
        match self {
            Self::Postgres(pool) => {
                let begin = (pool.clone(), None);
                futures::stream::unfold(begin, |(pool, listener)| async move {
                    let (notice, listener) = heard(&pool, listener).await;
                    Some((notice, (pool, Some(listener))))
                })
                .boxed()
            }
            Self::Sqlite(_, Bell(bell)) => {
                futures::stream::unfold(
                    bell.subscribe(),
                    |mut bell| async move { Some((rung(&mut bell).await?, bell)) },
                )
                .boxed()
            }
        }
    }
}

async fn rung(bell: &mut Receiver<Notice>) -> Option<Notice> {
    match bell.recv().await {
        Ok(notice) => Some(notice),
        Err(broadcast::error::RecvError::Lagged(_)) => Some(Notice::Saved),
        Err(broadcast::error::RecvError::Closed) => None,
    }
}

async fn heard(pool: &PgPool, mut listener: Option<PgListener>) -> (Notice, PgListener) {
    loop {
        let heard = match listener.take() {
            None => listen(pool).await.map(|listener| (Notice::Saved, listener)),
            Some(mut listener) => listener
                .try_recv()
                .await
                .map_err(StoreError::from)
                .map(|told| (told.map_or(Notice::Saved, |told| Notice::read(told.payload())), listener)),
        };
        match heard {
            Ok(heard) => return heard,
            Err(error) => {
                tracing::debug!(%error, "the database tells of no changes");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn listen(pool: &PgPool) -> Result<PgListener, StoreError> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}
