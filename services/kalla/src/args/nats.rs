//! The arguments about a broker, which gateways and workers share: each is a variable of the environment as well.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kalla_broker::{BrokerUrl, Settings};

use super::address::unrepeated;
use crate::units;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Broker")]
pub struct Nats {
    /// NATS server that jobs go through, such as nats://nats:4222 or tls://…, several separated by commas; user and password, or a token, may stand in it
    #[arg(long, env = "NATS_URL", value_name = "URL", hide_env_values = true, value_parser = unrepeated::<BrokerUrl>())]
    nats_url: Option<BrokerUrl>,
    /// Credentials for it, a file as `nsc` writes it
    #[arg(long, env = "NATS_CREDS", value_name = "FILE", requires = "nats_url")]
    nats_creds: Option<PathBuf>,
    /// Certificate that it may be signed with, beside those that the system trusts, a PEM file
    #[arg(long, env = "NATS_CA", value_name = "FILE", requires = "nats_url")]
    nats_ca: Option<PathBuf>,
    /// Servers that keep each job, where the stream is made
    #[arg(long, env = "KALLA_NATS_REPLICAS", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    nats_replicas: u8,
    /// After so long without a sign of life of its worker, a job is given to another one
    #[arg(long, env = "KALLA_ACK_WAIT", value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    ack_wait: Duration,
}

impl Nats {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.nats_url.is_none()
    }

    /// `None`: jobs go from the gateway to the worker.
    pub fn settings(self) -> Option<Settings> {
        let Self { nats_url, nats_creds: creds, nats_ca: ca, nats_replicas, ack_wait } = self;
        Some(Settings { url: nats_url?, creds, ca, replicas: nats_replicas.into(), ack_wait })
    }
}
