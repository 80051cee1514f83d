//! From a job payload to an engine job: all that can be wrong without reading data is told at once.

use std::path::PathBuf;
use std::time::Duration;

use kalla_engine::job::{Job, Limits, ResultFormat, Source, SourceUri};
use kalla_engine::location::Location;
use kalla_engine::{Addresses, Error, Fence, Stores, Violation};
use kalla_proto::json::{FieldError, from_json_lenient};
use kalla_proto::{CONTRACT_VERSION, v1};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::budget::Grant;
use crate::callback::Target;
use crate::convert;
use crate::policy::Policy;

/// What a payload is read against.
#[derive(Clone)]
pub struct Intake {
    pub policy: Policy,
    /// As far as jobs may reach.
    pub stores: Stores,
    /// Where the results of jobs without an output of their own go, each under its run_id.
    pub results: Location,
    /// Whether staged rows stay beside the results for a time.
    pub keep_staged: bool,
    /// What one job may use on this worker.
    pub limits: Limits,
}

/// A job that can be run.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub job: Job,
    /// What its process is told: all but whom to call back.
    pub payload: v1::JobPayload,
    pub attempt: u32,
    /// `None` when nobody wants to be called back.
    pub target: Option<Target>,
    /// Tells whether two payloads of one run ask for the same.
    pub fingerprint: [u8; 32],
    /// Whether the output was given as a `file://` URL.
    pub as_url: bool,
    /// What of the payload was not read, in one sentence.
    pub warning: Option<String>,
}

/// A payload as JSON. Fields that are not known are noted in it, unless they look like a known one that is misspelled: without
/// what they were to say, something else would be computed. Those of a later contract are all noted.
pub fn from_json(text: &str) -> Result<v1::JobPayload, v1::Problem> {
    let unreadable = |error| v1::Problem::unreadable(&[error]);
    let (payload, unknown) = from_json_lenient::<v1::JobPayload>(text).map_err(unreadable)?;
    if payload.contract_version <= CONTRACT_VERSION {
        let misspelled = unknown.iter().filter(|field| field.meant.is_some());
        let misspelled: Vec<FieldError> = misspelled.cloned().map(FieldError::from).collect();
        if !misspelled.is_empty() {
            return Err(v1::Problem::unreadable(&misspelled));
        }
    }
    Ok(v1::JobPayload { ignored_fields: unknown.into_iter().map(|field| field.path).collect(), ..payload })
}

/// What is to be said of a payload that was not read as a whole.
fn warning(payload: &v1::JobPayload) -> Option<String> {
    let fields = payload.ignored_fields.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    let version = payload.contract_version;
    if version > CONTRACT_VERSION {
        let ignored = if fields.is_empty() { "what is new in it".to_owned() } else { fields };
        return Some(format!(
            "the payload is written by version {version} of the contract and this worker knows version {CONTRACT_VERSION}: {ignored} \
             was not read"
        ));
    }
    (!fields.is_empty()).then(|| format!("the payload has fields that are not known: {fields} was not read"))
}

impl Intake {
    /// As a process of a worker reads its order.
    pub fn within(bounds: v1::Bounds, stores: Stores) -> Self {
        // The worker has written them, and can read them.
        let places = |texts: &[String]| texts.iter().filter_map(|text| stores.locate(text).ok()).collect();
        let fence = Fence {
            directories: bounds.file_roots.iter().map(PathBuf::from).collect(),
            buckets: places(&bounds.buckets),
            any_bucket: bounds.any_bucket,
            closed: places(&bounds.closed),
            addresses: Addresses { refuse_private: bounds.refuse_private },
        };
        let usual = Limits::default();
        let limits = bounds.limits.unwrap_or_default();
        Self {
            policy: Policy::new(fence.addresses),
            keep_staged: bounds.keep_staged,
            results: stores.locate(&bounds.results).unwrap_or(Location::Local(PathBuf::new())),
            limits: Limits {
                memory: limits.memory_bytes.unwrap_or(usual.memory),
                threads: limits.threads.and_then(|n| usize::try_from(n).ok()).unwrap_or(usual.threads),
                max_rejected: limits.max_rejected_rows.unwrap_or(usual.max_rejected),
                max_matched: limits.max_matched_rows.unwrap_or(usual.max_matched),
                timeout: limits.timeout_seconds.map(Duration::from_secs),
                spill_dir: usual.spill_dir,
            },
            stores: stores.within(fence),
        }
    }

    /// What a process of this worker may use and reach.
    pub fn bounds(&self, grant: Grant) -> v1::Bounds {
        let limits = v1::Limits {
            memory_bytes: Some(grant.memory),
            threads: u32::try_from(grant.threads).ok(),
            max_rejected_rows: Some(self.limits.max_rejected),
            max_matched_rows: Some(self.limits.max_matched),
            timeout_seconds: self.limits.timeout.map(|time| time.as_secs().max(1)),
        };
        let Fence { directories, buckets, any_bucket, closed, addresses } =
            self.stores.fence().cloned().unwrap_or_default();
        let texts = |places: &[Location]| places.iter().map(Location::to_string).collect();
        v1::Bounds {
            limits: Some(limits),
            file_roots: directories.iter().map(|root| root.display().to_string()).collect(),
            refuse_private: addresses.refuse_private,
            results: self.results.to_string(),
            keep_staged: self.keep_staged,
            buckets: texts(&buckets),
            any_bucket,
            closed: texts(&closed),
        }
    }

    pub fn accept(&self, payload: &v1::JobPayload) -> Result<Accepted, Error> {
        let mut wrong = Vec::new();
        if uuid::Uuid::try_parse(&payload.run_id).is_err()
            || !payload.run_id.starts_with(|c: char| c.is_ascii_hexdigit())
        {
            wrong.push(Violation::new("run_id", "must be a UUID, such as 3f0c2b1e-8d5a-4c1b-9a55-0d7f4e6a2b10"));
        }
        let target = self.target(payload).unwrap_or_else(|message| {
            wrong.push(Violation::new("callback_url", message));
            None
        });
        let output = self.output(payload).unwrap_or_else(|message| {
            wrong.push(Violation::new("output_path", message));
            Location::Local(PathBuf::new())
        });
        let job = self.job(payload, output, &mut wrong);
        match kalla_engine::validate(&job) {
            // What is wrong with the id is told already.
            Err(Error::Invalid(more)) => wrong.extend(more.into_iter().filter(|v| v.field != "run_id")),
            other => other?,
        }
        if !wrong.is_empty() {
            return Err(Error::Invalid(wrong));
        }
        Ok(Accepted {
            job,
            payload: v1::JobPayload { callback_url: String::new(), callback_token: None, ..payload.clone() },
            attempt: payload.attempt.max(1),
            target,
            fingerprint: fingerprint(payload),
            as_url: payload.output_path.starts_with("file://"),
            warning: warning(payload),
        })
    }

    /// A source by itself, to look at.
    pub fn source(&self, wire: Option<&v1::Source>) -> Result<Source, Error> {
        let mut wire = wire.cloned().unwrap_or_default();
        if wire.alias.is_empty() {
            wire.alias = "source".to_owned();
        }
        let mut wrong = Vec::new();
        let source = self.one_source("source", &wire, Vec::new(), &mut wrong);
        if wrong.is_empty() { Ok(source) } else { Err(Error::Invalid(wrong)) }
    }

    /// Whom a job wants to have called back.
    pub fn target(&self, payload: &v1::JobPayload) -> Result<Option<Target>, String> {
        if payload.callback_url.is_empty() {
            return Ok(None);
        }
        let url = self.policy.callback(&payload.callback_url)?;
        let token = payload.callback_token.clone().filter(|token| !token.is_empty());
        if token.as_ref().is_some_and(|token| reqwest::header::HeaderValue::from_str(token).is_err()) {
            return Err("callback_token holds characters that a header cannot carry".to_owned());
        }
        Ok(Some(Target { url: url.to_string(), token }))
    }

    fn output(&self, payload: &v1::JobPayload) -> Result<Location, String> {
        if payload.output_path.is_empty() {
            return Ok(self.results.join(&payload.run_id));
        }
        self.stores.locate_output(&payload.output_path)
    }

    /// The job as far as it makes sense, so that all that is wrong with it can be told.
    fn job(&self, payload: &v1::JobPayload, output: Location, wrong: &mut Vec<Violation>) -> Job {
        if payload.sources.len() < 2 {
            wrong.push(Violation::new("sources", "a job has at least two: the left side and the right side"));
        }
        let keys = |source: &v1::Source, side: Option<&str>| {
            let given = payload.primary_keys.get(&source.alias);
            let given = given.or_else(|| payload.primary_keys.get(side?));
            given.map(|names| names.columns.clone()).unwrap_or_default()
        };
        let sides = [Some("left_src"), Some("right_src")].into_iter().chain(std::iter::repeat(None));
        let sources: Vec<Source> = payload
            .sources
            .iter()
            .zip(sides)
            .enumerate()
            .map(|(i, (source, side))| self.one_source(&format!("sources[{i}]"), source, keys(source, side), wrong))
            .collect();
        for alias in payload.primary_keys.keys() {
            if !payload.sources.iter().any(|s| s.alias == *alias) && !matches!(alias.as_str(), "left_src" | "right_src")
            {
                wrong.push(Violation::new(format!("primary_keys.{alias}"), "there is no source of this alias"));
            }
        }
        let compare = payload.compare.as_ref().map(|wire| {
            convert::compare(wire).unwrap_or_else(|found| {
                wrong.extend(found);
                Default::default()
            })
        });
        let mut sources = sources.into_iter();
        Job {
            run_id: payload.run_id.clone(),
            attempt: payload.attempt.max(1),
            payload_sha256: Some(hex::encode(fingerprint(payload))),
            left: sources.next().unwrap_or_else(|| nothing("left_src")),
            right: sources.next().unwrap_or_else(|| nothing("right_src")),
            extras: sources.collect(),
            match_sql: payload.match_sql.clone(),
            compare,
            output,
            format: match payload.format() {
                v1::ResultFormat::Unspecified | v1::ResultFormat::Parquet => ResultFormat::Parquet,
                v1::ResultFormat::Csv => ResultFormat::Csv,
            },
            keep_staged: self.keep_staged,
            sync: true,
            limits: self.limits(payload.limits.as_ref()),
        }
    }

    fn one_source(
        &self,
        field: &str,
        wire: &v1::Source,
        primary_key: Vec<String>,
        wrong: &mut Vec<Violation>,
    ) -> Source {
        let options = convert::options(wire.options.as_ref()).unwrap_or_else(|messages| {
            wrong.extend(messages.into_iter().map(|m| Violation::new(format!("{field}.options"), m)));
            Default::default()
        });
        let filters = convert::filters(&wire.filters).unwrap_or_else(|messages| {
            wrong.extend(messages.into_iter().map(|(i, m)| Violation::new(format!("{field}.filters[{i}]"), m)));
            Vec::new()
        });
        let uri = self.stores.source(&wire.uri).unwrap_or_else(|message| {
            wrong.push(Violation::new(format!("{field}.uri"), message));
            nowhere()
        });
        Source { alias: wire.alias.clone(), uri, filters, primary_key, options }
    }

    /// A job may ask for less than the worker gives, not for more.
    fn limits(&self, wire: Option<&v1::Limits>) -> Limits {
        let own = self.limits.clone();
        let Some(wire) = wire else { return own };
        let wanted = wire.timeout_seconds.map(Duration::from_secs);
        Limits {
            memory: wire.memory_bytes.map_or(own.memory, |bytes| bytes.min(own.memory)),
            threads: wire.threads.map_or(own.threads, |n| usize::try_from(n).unwrap_or(own.threads).min(own.threads)),
            max_rejected: wire.max_rejected_rows.unwrap_or(own.max_rejected),
            max_matched: wire.max_matched_rows.map_or(own.max_matched, |rows| rows.min(own.max_matched)),
            timeout: match (wanted, own.timeout) {
                (Some(wanted), Some(own)) => Some(wanted.min(own)),
                (wanted, own) => wanted.or(own),
            },
            spill_dir: own.spill_dir,
        }
    }
}

/// In the place of a source that is not given.
fn nothing(alias: &str) -> Source {
    let (alias, uri, options) = (alias.to_owned(), nowhere(), Default::default());
    Source { alias, uri, filters: Vec::new(), primary_key: Vec::new(), options }
}

fn nowhere() -> SourceUri {
    SourceUri::File(Location::Local(PathBuf::new()))
}

/// Of all but what may differ from one attempt to the next, as when the gateway has moved or is of another version.
fn fingerprint(payload: &v1::JobPayload) -> [u8; 32] {
    let same = v1::JobPayload {
        attempt: 0,
        callback_url: String::new(),
        callback_token: None,
        contract_version: 0,
        ignored_fields: Vec::new(),
        traceparent: None,
        ..payload.clone()
    };
    Sha256::digest(same.encode_to_vec()).into()
}
