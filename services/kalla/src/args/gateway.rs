//! The arguments of `kalla up`, `kalla gateway` and `kalla migrate`: each is a variable of the environment as well.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use kalla_serving::Address;

use super::address::unrepeated;
use super::nats::Nats;
use super::worker::{LogFormat, Logs, Opening, Secret, Settings, secret};
use crate::units;

const UP_EXAMPLES: &str = "\
Examples:
  On a laptop, with everything under ./kalla-data:
    kalla up
  The same, with an example to look at:
    kalla up --demo
  On a server, with Postgres and a worker of its own, behind a reverse proxy that asks for a password:
    DATABASE_URL=postgres://kalla:…@localhost:5432/kalla WORKER_URL=http://localhost:9090 kalla up

docs/reference/gateway.md tells the API and every setting.";

/// Start everything: the API and its page on port 3000, and a worker beside it.
#[derive(Debug, Args)]
#[command(after_help = UP_EXAMPLES)]
pub struct Up {
    #[command(flatten)]
    pub front: Front,
    /// Make the example: two sources, a recipe and a finished run; with `once`, end after that
    #[arg(long, value_name = "once", num_args = 0..=1, require_equals = true)]
    pub demo: Option<Option<Once>>,
    /// Send runs to this worker, and start none
    #[arg(long, env = "WORKER_URL", value_name = "URL", hide_env_values = true, value_parser = unrepeated::<Address>(), help_heading = "Worker")]
    pub worker_url: Option<Address>,
    #[command(flatten)]
    pub settings: Settings,
    /// What to log: error, warn, info, debug or trace, also by part: kalla_worker=debug,info
    #[arg(long, env = "RUST_LOG", value_name = "LEVEL", default_value = "warn", help_heading = "Logs")]
    pub log: String,
    /// Form of the log, which goes to the standard error
    #[arg(long, env = "KALLA_LOG_FORMAT", value_enum, default_value_t, help_heading = "Logs")]
    pub log_format: LogFormat,
}

/// Serve the API and its page, and send runs to a worker that runs elsewhere.
#[derive(Debug, Args)]
pub struct Gateway {
    #[command(flatten)]
    pub front: Front,
    /// The worker that runs are sent to [default: http://localhost:9090; with a broker, workers tell where they are]
    #[arg(long, env = "WORKER_URL", value_name = "URL", hide_env_values = true, value_parser = unrepeated::<Address>(), help_heading = "Worker")]
    pub worker_url: Option<Address>,
    #[command(flatten)]
    pub logs: Logs,
}

/// Make the schema of the database what this version needs. A gateway does the same when it starts.
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(flatten)]
    pub state: State,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Listening")]
pub struct Front {
    /// Address to listen on
    #[arg(long, env = "KALLA_HOST", value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: String,
    /// Port of the API and its page; 0 takes a free one
    #[arg(long, env = "KALLA_PORT", value_name = "PORT", default_value_t = 3000)]
    pub port: u16,
    #[command(flatten)]
    pub opening: Opening,
    #[command(flatten)]
    pub nats: Nats,
    /// Known, and not used by this version
    #[arg(long, env = "ANTHROPIC_API_KEY", hide = true, hide_env_values = true, value_parser = secret)]
    pub anthropic_api_key: Option<Secret>,
    #[command(flatten)]
    pub state: State,
    /// Key that seals credentials and signs tokens, 64 hex digits [default: the file secret.key in the data directory]
    #[arg(long, env = "KALLA_SECRET_KEY", value_name = "HEX", hide_env_values = true, value_parser = secret, help_heading = "State")]
    pub secret_key: Option<Secret>,
    /// Token that the worker wants to be shown
    #[arg(long, env = "KALLA_WORKER_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = secret, help_heading = "Worker")]
    pub worker_token: Option<Secret>,
    /// How long a run waits while the worker is not reached, such as 12h; then it fails
    #[arg(long, env = "KALLA_WORKER_PATIENCE", value_name = "TIME", default_value = "1d", value_parser = units::duration, help_heading = "Worker")]
    pub worker_patience: Duration,
    /// Where the worker reports [default: /api/worker at the address that is listened on]
    #[arg(long, env = "KALLA_CALLBACK_URL", value_name = "URL", hide_env_values = true, value_parser = unrepeated::<Address>(), help_heading = "Worker")]
    pub callback_url: Option<Address>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "State")]
pub struct State {
    /// Directory for the embedded database, the key and, in `kalla up`, results
    #[arg(long, env = "KALLA_DATA_DIR", value_name = "DIR", default_value = "./kalla-data")]
    pub data_dir: PathBuf,
    /// Postgres database to use instead of the embedded one: postgres://user:password@host:5432/database
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true, value_parser = secret)]
    pub database_url: Option<Secret>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Once {
    Once,
}
