//! `kalla up`, `kalla gateway` and `kalla migrate`: from arguments to servers that run until they are told to stop.

use console::style;
use kalla_engine::{Error, Stores};
use kalla_gateway::{Config, Key, Place, StartError};
use kalla_serving::Address;

use crate::args::gateway::{Front, Gateway, Migrate, Once, State, Up};
use crate::args::worker::{Listening, Logs, Opening, Secret};
use crate::demo;
use crate::output::{self, AGREED, FAILED};
use crate::worker::{self, Own, complain, until_told};

/// The file of the key in the data directory.
const KEY: &str = "secret.key";
/// Where the worker inside keeps its results, in the data directory.
const STAGING: &str = "staging";
/// Where a gateway looks for its worker, if nobody says otherwise.
const WORKER: &str = "http://localhost:9090";

/// The gateway and a worker in one process. They talk over loopback, as they do from machine to machine.
pub async fn up(args: Up, stores: Stores) -> Result<u8, Error> {
    let Up { mut front, demo, worker_url, mut settings, log, log_format } = args;
    let logs = Logs { log, log_format };
    let telemetry = match worker::observe("kalla", &logs) {
        Ok(telemetry) => telemetry,
        Err(error) => return complain(&error),
    };
    let example = demo.map(|_| demo::write(&front.state.data_dir)).transpose()?;
    if let Some(folder) = &example {
        settings.safety.file_roots.push(folder.clone());
    }
    // The worker is told where it will report before it starts, and the gateway where its worker is.
    let listening = match listen(&front).await {
        Ok(listening) => listening,
        Err(error) => return complain(&error),
    };
    let callback_url = callback_url(&front, &listening)?;
    let (inside, worker_url) = match worker_url {
        Some(url) => (None, url),
        None => {
            let token = kalla_gateway::secret().map_err(|e| Error::defect_of("making a token", e))?;
            front.worker_token = Some(Secret(token.clone()));
            let loopback = Listening {
                host: "127.0.0.1".to_owned(),
                port: 0,
                token: Some(Secret(token)),
                opening: Opening::default(),
                tls_cert: None,
                tls_key: None,
            };
            let data_dir = &front.state.data_dir;
            let own = Own {
                callback_url: Some(callback_url.clone()),
                broker: front.nats.clone().settings(),
                inside: true,
                data_dir,
                staging: &data_dir.join(STAGING),
            };
            match worker::start(loopback, own, settings, &logs, stores).await? {
                Ok(running) => {
                    let url = address(&format!("http://{}", running.address))?;
                    (Some(running), url)
                }
                Err(error) => return complain(&error),
            }
        }
    };
    let state = place_in_words(&front.state);
    let worker = if inside.is_some() { "in this process".to_owned() } else { worker_url.to_string() };
    let gateway = match kalla_gateway::start(listening, config(front, Some(worker_url), callback_url)).await {
        Ok(gateway) => gateway,
        Err(error) => return complain(&error),
    };
    let url = format!("http://{}", gateway.address);
    greet(&url, &state, &worker)?;
    let stop = async {
        // Jobs that end now are still told to the gateway.
        if let Some(worker) = inside {
            worker.stop().await;
        }
        gateway.stop().await;
    };
    if let Some(folder) = example {
        let shown = demo::show(&url, &folder).await;
        let failed = shown.is_err();
        match shown {
            Ok(outcome) => output::print(&format!("{}\n", outcome.text))?,
            Err(problem) => output::complain_of(&problem),
        }
        if demo == Some(Some(Once::Once)) {
            stop.await;
            telemetry.finish().await;
            return Ok(if failed { FAILED } else { AGREED });
        }
    }
    until_told(stop).await;
    telemetry.finish().await;
    Ok(AGREED)
}

pub async fn gateway(args: Gateway) -> Result<u8, Error> {
    let telemetry = match worker::observe("kalla-gateway", &args.logs) {
        Ok(telemetry) => telemetry,
        Err(error) => return complain(&error),
    };
    let listening = match listen(&args.front).await {
        Ok(listening) => listening,
        Err(error) => return complain(&error),
    };
    let callback_url = callback_url(&args.front, &listening)?;
    // Workers of a broker tell where they are.
    let alone = args.front.nats.is_none().then(|| address(WORKER)).transpose()?;
    let worker_url = args.worker_url.or(alone);
    match kalla_gateway::start(listening, config(args.front, worker_url, callback_url)).await {
        Ok(gateway) => until_told(gateway.stop()).await,
        Err(error) => return complain(&error),
    }
    telemetry.finish().await;
    Ok(AGREED)
}

async fn listen(front: &Front) -> Result<kalla_gateway::Listening, StartError> {
    if front.anthropic_api_key.is_some() {
        tracing::warn!("ANTHROPIC_API_KEY is set: this version has no agent that uses it");
    }
    kalla_gateway::listen_on(&front.host, front.port, front.opening.to_everyone()).await
}

fn callback_url(front: &Front, listening: &kalla_gateway::Listening) -> Result<Address, Error> {
    front.callback_url.clone().map_or_else(|| address(&listening.callback_url()), Ok)
}

/// One that we have made.
fn address(text: &str) -> Result<Address, Error> {
    text.parse().map_err(|e: String| Error::defect_of("an address", std::io::Error::other(e)))
}

pub async fn migrate(args: Migrate) -> Result<u8, Error> {
    if let Err(error) = kalla_gateway::migrate(&place(&args.state)).await {
        return complain(&error);
    }
    output::print(&format!("The schema is up to date: {}\n", place_in_words(&args.state)))?;
    Ok(AGREED)
}

fn config(front: Front, worker_url: Option<Address>, callback_url: Address) -> Config {
    let database = place(&front.state);
    Config {
        database,
        key: match front.secret_key {
            Some(secret) => Key::Text(secret.0),
            None => Key::File(front.state.data_dir.join(KEY)),
        },
        worker_url,
        worker_token: front.worker_token.map(|secret| secret.0),
        broker: front.nats.settings(),
        worker_patience: front.worker_patience,
        callback_url,
        public_url: front.opening.public_url,
    }
}

fn place(state: &State) -> Place {
    match &state.database_url {
        Some(url) => Place::Postgres(url.0.clone()),
        None => Place::Directory(state.data_dir.clone()),
    }
}

fn place_in_words(state: &State) -> String {
    match &state.database_url {
        Some(_) => "in the Postgres of DATABASE_URL".to_owned(),
        None => format!("in {}", state.data_dir.display()),
    }
}

/// What is said when everything runs.
fn greet(url: &str, state: &str, worker: &str) -> Result<(), Error> {
    output::print(&format!(
        "\n  {}  {url}\n\n  {}  {state}\n  {} {worker}\n\n  Ctrl-C stops it.\n\n",
        style("Kalla").bold().green(),
        style("State").dim(),
        style("Worker").dim(),
    ))
}
