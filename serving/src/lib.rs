//! What a gateway and a worker have in common as servers, each rule in one place: how connections are taken and how long a
//! client may dawdle, who may call, how a body is read, how a refusal is told. It knows nothing of runs, jobs and data.

pub mod address;
pub mod answer;
pub mod body;
pub mod callers;
pub mod metrics;
pub mod pace;
pub mod private;
pub mod room;
mod server;
pub mod telemetry;

pub use address::{Address, PublicUrl};
pub use answer::Refusal;
pub use callers::{Callers, is_loopback};
pub use room::{Room, Turn};
pub use server::{Server, Tls, TlsError, listen};
