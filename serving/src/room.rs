//! Room for so many of a kind at a time: whoever comes too much is told to come again, and takes nobody else's place.

use std::sync::Arc;

use kalla_proto::v1::{Code, Problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A place in a room, for as long as it is kept.
pub type Turn = OwnedSemaphorePermit;

/// Clones are the same.
#[derive(Debug, Clone)]
pub struct Room {
    places: Arc<Semaphore>,
    count: usize,
    /// What is too much, as in "files are uploaded".
    what: &'static str,
}

impl Room {
    pub fn new(places: usize, what: &'static str) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), count: places, what }
    }

    /// At once or not at all.
    pub fn enter(&self) -> Result<Turn, Problem> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| self.full())
    }

    /// Waits for a place for a while.
    pub async fn wait(&self, patience: std::time::Duration) -> Result<Turn, Problem> {
        match tokio::time::timeout(patience, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(self.full()),
        }
    }

    /// How many there are, and how many of them are taken.
    pub fn places(&self) -> (usize, usize) {
        (self.count, self.count.saturating_sub(self.places.available_permits()))
    }

    fn full(&self) -> Problem {
        Problem::later(Code::Exhausted, format!("too many {} at the same time: try again later", self.what))
    }
}
