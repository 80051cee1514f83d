//! The workers that are there: each tells now and again that it lives, in a bucket of keys that forgets what is old.

use std::time::Duration;

use async_nats::jetstream::kv::{Config, Operation, Store, Watch};
use async_nats::jetstream::stream::StorageType;
use futures::StreamExt as _;
use kalla_proto::json::from_json_lenient;
use kalla_proto::v1::{Problem, WorkerStatus};

use crate::connect::Broker;

const WORKERS: &str = "KALLA_WORKERS";
/// A worker gives a sign of life so often.
pub const SIGN_OF_LIFE: Duration = Duration::from_secs(3);
/// One that has given none for so long is gone.
pub const GONE: Duration = Duration::from_secs(10);

/// What is heard of a worker.
#[derive(Debug, Clone, PartialEq)]
pub enum Sign {
    /// It lives, and says how it is.
    Here(Box<WorkerStatus>),
    /// It has gone by itself.
    Left { key: String },
}

/// Signs of life as they come, those that still count first.
pub struct Signs {
    broker: Broker,
    watch: Watch,
}

impl Broker {
    /// Tells that a worker lives.
    pub async fn announce(&self, status: &WorkerStatus) -> Result<(), Problem> {
        let away = |error: &dyn std::fmt::Display| self.away(&error.to_string());
        let text = serde_json::to_vec(status).map_err(|error| away(&error))?;
        let workers = self.workers_known().await?;
        workers.put(key(&status.name), text.into()).await.map_err(|error| away(&error))?;
        Ok(())
    }

    /// Tells that it is gone, so that nobody waits for its next sign of life.
    pub async fn withdraw(&self, name: &str) -> Result<(), Problem> {
        let workers = self.workers_known().await?;
        workers.delete(key(name)).await.map_err(|error| self.away(&error.to_string()))
    }

    /// Listens to all workers.
    pub async fn signs(&self) -> Result<Signs, Problem> {
        let workers = self.workers_known().await?;
        let watch = workers.watch_with_history(">").await.map_err(|error| self.away(&error.to_string()))?;
        Ok(Signs { broker: self.clone(), watch })
    }

    async fn workers_known(&self) -> Result<Store, Problem> {
        self.connected()?;
        if let Ok(found) = self.jetstream.get_key_value(WORKERS).await {
            return Ok(found);
        }
        let wanted = Config {
            bucket: WORKERS.to_owned(),
            description: "Workers of Kalla that are alive".to_owned(),
            history: 1,
            max_age: GONE,
            // What is not kept in a restart of the broker would be missed until the next sign of life.
            storage: StorageType::File,
            num_replicas: self.settings.replicas,
            ..Config::default()
        };
        self.jetstream.create_key_value(wanted).await.map_err(|error| self.away(&error.to_string()))
    }
}

impl Signs {
    /// What nobody can read is passed over. An error: listen anew.
    pub async fn next(&mut self) -> Result<Sign, Problem> {
        while let Some(entry) = self.watch.next().await {
            let entry = entry.map_err(|error| self.broker.away(&error.to_string()))?;
            if entry.operation != Operation::Put {
                return Ok(Sign::Left { key: entry.key });
            }
            match std::str::from_utf8(&entry.value).ok().map(from_json_lenient::<WorkerStatus>) {
                Some(Ok((status, _))) => return Ok(Sign::Here(Box::new(status))),
                _ => tracing::debug!(key = entry.key, "a sign of life cannot be read"),
            }
        }
        Err(self.broker.away("the connection has ended"))
    }
}

/// What a worker is called in the bucket, where not every character may stand.
pub fn key(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hold_what_the_broker_takes() {
        assert_eq!(key("worker-7f:9090"), "worker-7f_9090");
        assert_eq!(key("a.b c/ü"), "a_b_c__");
    }
}
