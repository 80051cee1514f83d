//! NATS as a gateway and a worker have it in common: how it is reached, and the stream of jobs between them. A gateway
//! publishes jobs and asks how many wait; a worker takes them, one for each place that is free, and tells that it lives. Neither knows how the other
//! does its work.

mod connect;
mod dead;
mod jobs;
mod stream;
mod workers;

pub use connect::{Broker, BrokerError, BrokerUrl, Settings};
pub use dead::Dead;
pub use jobs::{Batch, Delivery, Jobs};
pub use stream::{Depth, Published};
pub use workers::{GONE, SIGN_OF_LIFE, Sign, Signs, key};
