//! How the broker is reached: addresses, credentials, TLS. What is secret of that stands in no log.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, ServerAddr, jetstream};
use kalla_proto::v1::{Code, Problem};
use url::Url;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for a connection to a broker that is there.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Between two tries to connect, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// The servers of NATS_URL, `nats://` or `tls://`, separated by commas, and what of the address is secret. Shown without that.
#[derive(Clone)]
pub struct BrokerUrl {
    servers: Vec<ServerAddr>,
    user: String,
    password: Option<String>,
}

impl FromStr for BrokerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "it is no address of NATS: nats://host:4222 or tls://host:4222, several separated by commas".to_owned();
        let mut found = Self { servers: Vec::new(), user: String::new(), password: None };
        for text in text.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let text = if text.contains("://") { text.to_owned() } else { format!("nats://{text}") };
            let mut url = Url::parse(&text).map_err(|_| wrong())?;
            if !matches!(url.scheme(), "nats" | "tls") || url.host_str().is_none_or(str::is_empty) {
                return Err(wrong());
            }
            if !url.username().is_empty() {
                found.user = plain(url.username());
                found.password = url.password().map(plain);
                url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| wrong())?;
            }
            found.servers.push(ServerAddr::from_url(url).map_err(|_| wrong())?);
        }
        if found.servers.is_empty() { Err(wrong()) } else { Ok(found) }
    }
}

/// Without the escapes of a URL.
fn plain(text: &str) -> String {
    let form = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(form.as_bytes()).map(|(name, _)| name.into_owned()).next().unwrap_or_default()
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<&str> = self.servers.iter().map(|server| server.as_url_str().trim_end_matches('/')).collect();
        f.write_str(&servers.join(","))
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an operator may set. Holds secrets.
#[derive(Debug, Clone)]
pub struct Settings {
    pub url: BrokerUrl,
    /// A file of credentials, as `nsc` writes it.
    pub creds: Option<PathBuf>,
    /// A certificate that servers may be signed with, beside those that the system trusts.
    pub ca: Option<PathBuf>,
    /// Servers that keep each job.
    pub replicas: usize,
    /// After so long without a sign of life of its worker, a job is given to another one.
    pub ack_wait: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("NATS_CREDS: {path}: {reason}")]
    Creds { path: String, reason: std::io::Error },
    #[error("NATS_CA: {path} cannot be read: {reason}")]
    Ca { path: String, reason: std::io::Error },
    #[error("NATS_URL: {0}")]
    Connect(#[from] async_nats::ConnectError),
}

/// The broker. Clones share the connection, which is made anew whenever it is lost.
#[derive(Clone)]
pub struct Broker {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) settings: Settings,
    said: Said,
}

/// What went wrong with the connection last, until there is one.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<String>>);

impl Said {
    /// Whether it is news.
    fn hear(&self, text: String) -> bool {
        let mut last = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let new = *last != text;
        *last = text;
        new
    }

    /// What an operator may look into.
    fn in_words(&self) -> &'static str {
        let last = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if last.contains("authorization violation") {
            "it does not take the credentials of NATS_URL or NATS_CREDS"
        } else {
            "is it running? NATS_CA names the certificate of one that speaks TLS, where the system does not trust it"
        }
    }
}

impl Broker {
    /// Begins to connect, and goes on trying: a broker that is away is waited for.
    pub async fn connect(settings: Settings, name: &str) -> Result<Self, BrokerError> {
        let said = Said::default();
        let mut options = ConnectOptions::new()
            .name(name)
            .retry_on_initial_connect()
            .request_timeout(Some(PATIENCE))
            .reconnect_delay_callback(|tries| LONGEST_PAUSE.min(Duration::from_millis(100 << tries.min(6))))
            .event_callback({
                let said = said.clone();
                move |event| {
                    let said = said.clone();
                    async move { tell(&event, &said) }
                }
            });
        let BrokerUrl { servers, user, password } = settings.url.clone();
        options = match (user, password) {
            (user, _) if user.is_empty() => options,
            (user, Some(password)) => options.user_and_password(user, password),
            (token, None) => options.token(token),
        };
        if let Some(path) = &settings.creds {
            let failed = |reason| BrokerError::Creds { path: path.display().to_string(), reason };
            options = options.credentials_file(path).await.map_err(failed)?;
        }
        if let Some(path) = &settings.ca {
            // The library would find out at its first connection, and again and again.
            let failed = |reason| BrokerError::Ca { path: path.display().to_string(), reason };
            std::fs::File::open(path).map_err(failed)?;
            options = options.add_root_certificates(path.clone());
        }
        let client = options.connect(servers).await?;
        // One that is there is connected to at once; for another one, those wait who need it.
        let _ = tokio::time::timeout(AT_ONCE, client.flush()).await;
        let jetstream = jetstream::new(client.clone());
        Ok(Self { client, jetstream, settings, said })
    }

    /// Where it is, without secrets.
    pub fn place(&self) -> String {
        self.settings.url.to_string()
    }

    /// How long a job may go without a sign of life of its worker.
    pub fn ack_wait(&self) -> Duration {
        self.settings.ack_wait
    }

    pub fn is_away(&self) -> bool {
        self.client.connection_state() != State::Connected
    }

    pub(crate) fn connected(&self) -> Result<(), Problem> {
        if self.is_away() { Err(self.away(self.said.in_words())) } else { Ok(()) }
    }

    pub(crate) fn away(&self, why: &str) -> Problem {
        Problem::later(Code::Unavailable, format!("the broker at {} cannot be reached: {why}", self.settings.url))
    }
}

/// The same thing once, and not at every try.
fn tell(event: &Event, said: &Said) {
    match event {
        Event::Connected => drop(said.hear(String::new())),
        // The library tells of the rest.
        Event::Disconnected => tracing::warn!("the broker is away"),
        Event::SlowConsumer(_) => tracing::warn!(%event, "broker"),
        Event::ServerError(_) | Event::ClientError(_) => {
            if said.hear(event.to_string()) {
                tracing::warn!(%event, "broker");
            }
        }
        _ => tracing::debug!(%event, "broker"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_secrets() {
        for (text, shown, user, password) in [
            ("nats://nats:4222", "nats://nats:4222", "", None),
            ("nats", "nats://nats", "", None),
            ("nats://kalla:s3%2Bcret@a:4222, tls://b", "nats://a:4222,tls://b", "kalla", Some("s3+cret")),
            ("nats://t0ken@a:4222", "nats://a:4222", "t0ken", None),
        ] {
            let url: BrokerUrl = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(format!("{url} {url:?}"), format!("{shown} {shown}"));
            assert_eq!((url.user.as_str(), url.password.as_deref()), (user, password));
        }
        for text in ["", ",", "http://a:4222", "nats://", "ws://a"] {
            assert!(text.parse::<BrokerUrl>().is_err(), "{text}");
        }
    }
}
