//! Who of several gateways does what one is to do for all.

use uuid::Uuid;

use super::{Store, StoreError, on, signed, unsigned};

/// A lease as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// `None`: whoever wants it may have it.
    pub holder: Option<Uuid>,
    /// Counts up as long as the holder is alive.
    pub beat: u64,
}

impl Store {
    /// Whether other gateways may use the same database.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    pub async fn lease(&self, name: &str) -> Result<Held, StoreError> {
        let sql = "SELECT holder, beat FROM leases WHERE name = $1";
        let (holder, beat): (Option<Uuid>, i64) =
            on!(self, pool => sqlx::query_as(sql).bind(name).fetch_one(pool).await)?;
        Ok(Held { holder, beat: unsigned(beat) })
    }

    /// Writes the next beat of a lease that is as `seen`, and says what it is then. `None`: it is not as it was.
    pub async fn beat(&self, name: &str, seen: Held, holder: Option<Uuid>) -> Result<Option<Held>, StoreError> {
        let sql = "UPDATE leases SET holder = $3, beat = beat + 1 WHERE name = $1 AND beat = $2";
        let written = on!(self, pool => {
            let query = sqlx::query(sql).bind(name).bind(signed(seen.beat)).bind(holder);
            query.execute(pool).await.map(|done| done.rows_affected())
        })?;
        Ok((written == 1).then_some(Held { holder, beat: seen.beat + 1 }))
    }
}
