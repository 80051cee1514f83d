//! One gateway sends what waits and looks at what is due, for all that use the database.

use tokio_util::sync::CancellationToken;

use super::Runs;
use crate::lease::Lease;

const HOUSEKEEPING: &str = "housekeeping";

impl Runs {
    pub async fn keep_house(self, stop: CancellationToken) {
        let work = async || {
            tokio::join!(self.keep_sweeping(&stop), self.keep_dispatching(&stop));
        };
        let (store, metrics) = (&self.0.parts.store, &self.0.parts.metrics);
        if !store.is_shared() {
            metrics.keeps_house(true);
            return work().await;
        }
        let mut lease = Lease::new(store.clone(), HOUSEKEEPING);
        loop {
            tokio::select! {
                () = lease.take() => {}
                () = stop.cancelled() => return,
            }
            tracing::debug!("this gateway keeps house");
            metrics.keeps_house(true);
            // Whatever is cut short here is done again by the next one.
            tokio::select! {
                () = work() => break,
                () = lease.keep() => metrics.keeps_house(false),
            }
        }
        lease.give_up().await;
    }
}
