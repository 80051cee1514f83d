//! The door to the broker: as many jobs as there are places, each until its last word is where nothing loses it.

use std::time::Duration;

use futures::StreamExt as _;
use kalla_broker::{Broker, Delivery, SIGN_OF_LIFE};
use kalla_proto::v1::Problem;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::service::{JobService, Left};

/// Until a broker that could not be used is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// A job that cannot be taken now may be taken by another worker, and by this one after so long.
const LATER: Duration = Duration::from_secs(5);

/// Takes jobs until `stop`. What is taken is given back or acknowledged by tasks of `under_way`.
pub async fn take_jobs(service: JobService, broker: Broker, stop: CancellationToken, under_way: TaskTracker) {
    let taking = async {
        let mut told = String::new();
        loop {
            let Err(problem) = take(&service, &broker, &under_way).await;
            // Once, and not again and again.
            if problem.message != told {
                tracing::warn!(problem = problem.message, "no jobs are taken");
                told = problem.message;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = taking => {}
        () = hear_of_stops(&service, &broker) => {}
        () = stop.cancelled() => {}
    }
}

/// Tells now and again that this worker lives and how it is, until `stop`, and then that it is gone.
pub async fn give_signs_of_life(service: JobService, broker: Broker, stop: CancellationToken) {
    loop {
        if let Err(problem) = broker.announce(&service.status()).await {
            tracing::debug!(problem = problem.message, "no sign of life");
        }
        tokio::select! {
            () = tokio::time::sleep(SIGN_OF_LIFE) => {}
            () = stop.cancelled() => break,
        }
    }
    if let Err(problem) = broker.withdraw(&service.status().name).await {
        tracing::debug!(problem = problem.message, "others find out that it is gone");
    }
}

/// Until something fails.
async fn take(
    service: &JobService,
    broker: &Broker,
    under_way: &TaskTracker,
) -> Result<std::convert::Infallible, Problem> {
    let jobs = broker.jobs().await?;
    tracing::info!(broker = broker.place(), "jobs are taken");
    loop {
        let mut batch = jobs.ask(service.room().await).await?;
        while let Some(delivery) = batch.next().await? {
            // A task of its own, so that no job is taken and forgotten when the door closes.
            let (begun, has_begun) = oneshot::channel();
            let span = tracing::info_span!("delivery", run_id = delivery.job.run_id, workers = delivery.workers);
            let (service, wait) = (service.clone(), broker.ack_wait());
            under_way.spawn(async move { keep(&service, &delivery, wait, begun).await }.instrument(span));
            let _ = has_begun.await;
        }
    }
}

/// From the moment at which a job is taken until somebody else answers for it.
async fn keep(service: &JobService, delivery: &Delivery, wait: Duration, begun: oneshot::Sender<()>) {
    let signs_of_life = async {
        loop {
            tokio::time::sleep(wait / 3).await;
            delivery.goes_on().await;
        }
    };
    let taken = service.take(&delivery.job, delivery.workers, || {
        let _ = begun.send(());
    });
    let left = tokio::select! {
        left = taken => left,
        () = signs_of_life => return,
    };
    match left {
        Left::Done => delivery.done().await,
        Left::GivenBack => delivery.give_back(None).await,
        Left::Dead(problem) => delivery.bury(&problem.message).await,
        Left::Later(problem) => {
            tracing::warn!(problem = problem.message, "not taken");
            delivery.give_back(Some(LATER)).await;
        }
    }
}

/// Jobs that somebody wants stopped, wherever they are.
async fn hear_of_stops(service: &JobService, broker: &Broker) {
    loop {
        if let Ok(mut stops) = broker.stops().await {
            while let Some(run_id) = stops.next().await {
                service.stop_if_here(&run_id);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
