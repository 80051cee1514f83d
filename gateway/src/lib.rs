//! The gateway: the front of Kalla. It owns all state (sources, recipes, runs), serves the API, sends runs to a worker and
//! takes what the worker reports. It never sees a row of data and knows no query engine.

mod access;
mod address;
mod api;
mod catalog;
pub mod config;
mod dispatch;
mod keys;
mod lease;
mod metrics;
mod problem;
mod recipes;
mod runs;
mod server;
mod store;
mod time;
mod uploads;
mod worker;

pub use config::{Config, Key};
pub use keys::secret;
pub use server::{Listening, Running, StartError, listen_on, migrate, start};
pub use store::Place;
