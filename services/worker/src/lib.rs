//! The worker: one stateless service that runs jobs, and thin doors to it.
//!
//! [`service::JobService`] is the only way in. Doors decode, call and encode. What a worker has to remember (results,
//! uploads, terminal events that nobody has accepted yet) is in its storage, where any other worker finds it.

pub mod budget;
pub mod callback;
pub mod config;
pub mod convert;
mod doors;
mod inbox;
mod lease;
pub mod metrics;
pub mod outbox;
pub mod outcome;
pub mod payload;
pub mod policy;
pub mod problem;
pub mod process;
pub mod results;
pub mod server;
pub mod service;
pub mod storage;
mod sweep;

pub use config::Config;
pub use server::{Running, StartError, start};
