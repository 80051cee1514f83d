//! Can a source be reached, and if not, what stands in the way?

use crate::error::{Error, Result};
use crate::job::{Source, SourceUri};
use crate::manifest::{Column, columns};
use crate::stage;

/// What has to be right before rows come, in the order in which it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Of a database: it answers under its address, with the TLS that is asked for.
    Server,
    /// It knows the user and accepts the password.
    Login,
    Database,
    /// It is there and may be read.
    Table,
    /// A file or an object is there, may be read and is what it should be.
    File,
}

impl Part {
    const OF_DATABASE: [Self; 4] = [Self::Server, Self::Login, Self::Database, Self::Table];
}

/// How far one came.
#[derive(Debug)]
pub struct Connection {
    /// What was right.
    pub passed: Vec<Part>,
    /// What was not; nothing behind it was tried.
    pub failed: Option<(Part, Error)>,
    /// Columns of the source, where all was right.
    pub columns: Vec<Column>,
}

/// See [`crate::test_connection`].
pub async fn test_connection(source: &Source) -> Result<Connection> {
    let source = Source { filters: Vec::new(), ..source.clone() };
    let found = match &source.uri {
        SourceUri::File(_) => stage::sample(&source, 1).await.map_err(|error| (Part::File, error)),
        SourceUri::Postgres(table) => match stage::postgres::reach(&source.alias, table).await {
            Ok(()) => stage::sample(&source, 1).await.map_err(|error| (Part::Table, error)),
            Err(failed) => Err(failed),
        },
    };
    let parts: &[Part] = match source.uri {
        SourceUri::File(_) => &[Part::File],
        SourceUri::Postgres(_) => &Part::OF_DATABASE,
    };
    Ok(match found {
        Ok(sample) => {
            Connection { passed: parts.to_vec(), failed: None, columns: columns(&sample.schema, &sample.facts.notes) }
        }
        // A defect of ours is no answer.
        Err((_, error @ Error::Internal { .. })) => return Err(error),
        Err((part, error)) => Connection {
            passed: parts.iter().copied().take_while(|passed| *passed != part).collect(),
            failed: Some((part, error)),
            columns: Vec::new(),
        },
    })
}
