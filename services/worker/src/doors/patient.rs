//! Streams to clients that may be slow: read no faster than they are taken, and given up with a word when they are not
//! taken at all.

use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use kalla_engine::{Error, Result};
use kalla_proto::v1::{Code, Problem};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tonic::Status;

use crate::problem::{self, grpc_status};
use crate::results::Results;

/// A client that takes nothing for so long has gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// `turn` is held until the last item is taken, the client leaves, or it is given up.
pub fn patient<T: Send + 'static>(
    results: &Results,
    mut items: BoxStream<'static, Result<T>>,
    turn: OwnedSemaphorePermit,
) -> Result<impl Stream<Item = Result<T, Status>> + Send + use<T>, Problem> {
    let (sender, receiver) = mpsc::channel(1);
    let reading = results.spawn(async move {
        let _turn = turn;
        while let Some(item) = items.next().await {
            match tokio::time::timeout(PATIENCE, sender.reserve()).await {
                Ok(Ok(place)) => place.send(Some(item.map_err(refused))),
                _ => return,
            }
        }
        // The end is said: what ends without it is not whole.
        let _ = tokio::time::timeout(PATIENCE, sender.send(None)).await;
    })?;
    Ok(futures::stream::unfold(Some((receiver, reading)), |open| async move {
        let (mut receiver, reading) = open?;
        match receiver.recv().await {
            Some(Some(item)) => Some((item, Some((receiver, reading)))),
            Some(None) => None,
            None => {
                let message = format!("nothing has been taken for {} s", PATIENCE.as_secs());
                Some((Err(grpc_status(&problem::later(Code::Deadline, message))), None))
            }
        }
    }))
}

pub fn refused(error: Error) -> Status {
    grpc_status(&problem::told(&error))
}
