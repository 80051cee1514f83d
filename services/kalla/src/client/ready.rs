//! `kalla ready`: whether a gateway or a worker can be used.

use std::time::Duration;

use kalla_engine::Error;
use kalla_proto::v1::Problem;

use super::Gateway;
use crate::args::client::Ready;
use crate::output::{self, AGREED};

/// What health checks of containers are to end with; other statuses mean other things to them.
const NOT_READY: u8 = 1;
const PATIENCE: Duration = Duration::from_secs(5);

pub async fn ready(args: Ready) -> Result<u8, Error> {
    let asked = async {
        let gateway = Gateway::new(&args.url).map_err(|problem| problem.message)?;
        let response = gateway.request(reqwest::Method::GET, "/ready").timeout(PATIENCE).send().await;
        let response = response.map_err(|error| match error.is_timeout() {
            true => format!("{} does not answer within {} s", args.url, PATIENCE.as_secs()),
            false => format!("nothing answers at {}: {}", args.url, innermost(&error)),
        })?;
        if response.status().is_success() {
            return Ok(());
        }
        let status = response.status();
        let text = response.text().await.unwrap_or_default();
        let reason = serde_json::from_str::<Problem>(&text).map(|problem| problem.message);
        Err(format!("{} is not ready: {}", args.url, reason.unwrap_or_else(|_| format!("it answers {status}"))))
    };
    match asked.await {
        Ok(()) => output::print("ready\n").map(|()| AGREED),
        Err(reason) => {
            output::complain(&format!("{reason}\n"));
            Ok(NOT_READY)
        }
    }
}

/// What the system said.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
