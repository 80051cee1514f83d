//! NATS as a gateway and a worker have it in common: how it is reached, and the stream of jobs between them. A gateway
//! publishes jobs and asks how many wait; a worker takes them, one for each place that is free. Neither knows how the other
//! does its work.

mod connect;
mod jobs;
mod stream;

pub use connect::{Broker, BrokerError, BrokerUrl, Settings};
pub use jobs::{Batch, Delivery, Jobs};
pub use stream::{Depth, Published};
