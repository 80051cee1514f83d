//! What an operator may set. Only values: who starts a worker reads them from wherever they are.

use std::time::Duration;

use kalla_engine::job::Limits;
use kalla_engine::location::Location;
use kalla_engine::{Fence, Stores};
use kalla_serving::{Address, PublicUrl, Tls};

use crate::budget::Budget;
use crate::callback::CallbackSettings;
use crate::process::ProcessSettings;

/// Holds secrets and so has no `Debug`.
#[derive(Clone)]
pub struct Config {
    pub host: String,
    /// 0: any free port.
    pub port: u16,
    /// What the machine is called, or the container.
    pub machine: String,
    /// Where results, uploads and notes are; a local one is an absolute path.
    pub storage: Location,
    /// How buckets are reached.
    pub stores: Stores,
    /// What jobs may use besides the storage; nobody uses what the storage keeps for itself.
    pub fence: Fence,
    /// Where a callback may be private in spite of that: the gateway that the operator has named.
    pub callback_url: Option<Address>,
    /// Whether it is part of a process that alone is to reach it: nobody else is told that it is there.
    pub inside: bool,
    /// What every request has to bring, where it is set.
    pub token: Option<String>,
    /// Whether everyone who reaches the worker may use it, on whatever address it listens.
    pub open: bool,
    /// The name that programs call it by, where there is no token.
    pub public_url: Option<PublicUrl>,
    pub tls: Option<Tls>,
    /// The broker that jobs come from, if not to the port alone.
    pub broker: Option<kalla_broker::Settings>,
    /// How many jobs run at the same time, and how much memory everything has.
    pub budget: Budget,
    /// Jobs that wait at most.
    pub queue: usize,
    /// What one job may use that is alone.
    pub limits: Limits,
    /// The largest file that is taken.
    pub upload_bytes: u64,
    pub callbacks: CallbackSettings,
    /// How long a worker that is told to stop may take.
    pub grace: Duration,
    /// Bytes of the disks of a local storage and of spilled data below which nothing new is taken.
    pub reserve: u64,
    /// How long uploads are kept.
    pub retention: Duration,
    /// How long staged rows stay beside the results; zero: not at all.
    pub keep_staged: Duration,
    /// How the process of a job is started, and where it puts what it has no memory for.
    pub process: ProcessSettings,
}
