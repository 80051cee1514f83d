//! Looking without running: check a job, profile a source, show its head. In processes, a few at a time.

use std::time::Duration;

use kalla_proto::v1::{self, Code, Problem, order, report};
use kalla_serving::Room;
use tokio_util::sync::CancellationToken;

use super::JobService;
use crate::budget::{Budget, Grant, Share};
use crate::problem;
use crate::process::{Bounds, Death};

/// How long a look may wait for its turn, and take.
const TURN: Duration = Duration::from_secs(10);
const QUICK: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(600);
/// How long a job that arrives is looked at, its turn included, before it is accepted as it is.
const FORESIGHT: Duration = Duration::from_secs(5);

/// Looks of unlike kinds, which do not take each other's turns: what has to be connected to may not answer for a long time, and
/// what is read as a whole is long and takes memory, also for the sake of the few rows that pass a filter. The head of a file is neither, and somebody waits for it.
pub struct Looks {
    heads: Kind,
    connections: Kind,
    whole: Kind,
}

struct Kind {
    room: Room,
    /// Each of them.
    grant: Grant,
}

impl Looks {
    pub fn new(budget: &Budget) -> Self {
        let kind =
            |Share { places, each }| Kind { room: Room::new(places, "sources are being looked into"), grant: each };
        Self { heads: kind(budget.heads), connections: kind(budget.heads), whole: kind(budget.whole) }
    }

    /// Of each kind its name, its places, and those that are taken.
    pub fn load(&self) -> [(&'static str, usize, usize); 3] {
        [("heads", &self.heads), ("connections", &self.connections), ("whole", &self.whole)].map(|(name, kind)| {
            let (places, taken) = kind.room.places();
            (name, places, taken)
        })
    }

    fn kind(&self, order: &order::Order) -> &Kind {
        let head = |source: Option<&v1::Source>| match source {
            Some(source) if !source.filters.is_empty() => &self.whole,
            Some(source) if source.uri.starts_with("postgres") => &self.connections,
            _ => &self.heads,
        };
        match order {
            order::Order::Preview(request) => head(request.source.as_ref()),
            order::Order::Reach(request) => head(request.source.as_ref()),
            order::Order::Foresee(job) if job.sources.iter().any(|s| s.uri.starts_with("postgres")) => {
                &self.connections
            }
            order::Order::Foresee(_) => &self.heads,
            _ => &self.whole,
        }
    }
}

impl JobService {
    /// Plans a job against the schemas of its sources.
    pub async fn check(&self, payload: v1::JobPayload) -> Result<v1::CheckJobResponse, Problem> {
        match self.look(LONG, order::Order::Check(unreported(payload))).await? {
            report::Report::Checked(checked) => Ok(checked),
            other => Err(unasked(&other)),
        }
    }

    /// What is wrong with a job that one need not read its data to see. Where that cannot be said soon, the job itself says it.
    pub(super) async fn foresee(&self, payload: &v1::JobPayload) -> Result<(), Problem> {
        let order = order::Order::Foresee(unreported(payload.clone()));
        match tokio::time::timeout(FORESIGHT, self.look(FORESIGHT, order)).await {
            Ok(Err(problem)) if problem.code() == Code::Invalid => Err(problem),
            told => {
                tracing::debug!(run_id = payload.run_id, ?told, "looked at");
                Ok(())
            }
        }
    }

    /// Runs a job on a sample of its rows.
    pub async fn dry_run(&self, mut request: v1::DryRunJobRequest) -> Result<v1::DryRunJobResponse, Problem> {
        request.job = request.job.map(unreported);
        match self.look(LONG, order::Order::DryRun(request)).await? {
            report::Report::Tried(tried) => Ok(tried),
            other => Err(unasked(&other)),
        }
    }

    /// Reads a whole source and profiles it.
    pub async fn inspect(&self, request: v1::InspectSourceRequest) -> Result<v1::InspectSourceResponse, Problem> {
        match self.look(LONG, order::Order::Inspect(request)).await? {
            report::Report::Inspected(inspected) => Ok(inspected),
            other => Err(unasked(&other)),
        }
    }

    /// The head of a source.
    pub async fn preview(&self, request: v1::PreviewSourceRequest) -> Result<v1::PreviewSourceResponse, Problem> {
        match self.look(QUICK, order::Order::Preview(request)).await? {
            report::Report::Previewed(previewed) => Ok(previewed),
            other => Err(unasked(&other)),
        }
    }

    /// Tries to reach a source.
    pub async fn reach(&self, request: v1::TestConnectionRequest) -> Result<v1::TestConnectionResponse, Problem> {
        match self.look(QUICK, order::Order::Reach(request)).await? {
            report::Report::Reached(reached) => Ok(reached),
            other => Err(unasked(&other)),
        }
    }

    /// Says why a row matches nothing; the request names where the results are.
    pub async fn explain(&self, request: v1::ExplainRowRequest) -> Result<v1::ExplainRowResponse, Problem> {
        match self.look(LONG, order::Order::Explain(request)).await? {
            report::Report::Explained(explained) => Ok(explained),
            other => Err(unasked(&other)),
        }
    }

    /// Giving up the look ends its process.
    async fn look(&self, limit: Duration, order: order::Order) -> Result<report::Report, Problem> {
        let Kind { room, grant } = self.0.looks.kind(&order);
        let _turn = room.wait(TURN).await?;
        let order = v1::Order { order: Some(order), bounds: Some(self.0.parts.intake.bounds(*grant)) };
        let bounds = Bounds { memory: grant.bytes, time: Some(limit) };
        match self.0.parts.processes.follow(order, bounds, &CancellationToken::new(), |_| {}).await {
            Ok(report::Report::Refused(problem)) => Err(problem),
            Ok(report) => Ok(report),
            Err(Death::OutOfTime(_)) => {
                let message = format!("this took longer than {} s: filter the source, or run the job", limit.as_secs());
                Err(Problem::refused(Code::Deadline, message))
            }
            Err(death) => Err(death.problem()),
        }
    }
}

/// Nobody is called back about a look.
fn unreported(payload: v1::JobPayload) -> v1::JobPayload {
    v1::JobPayload { callback_url: String::new(), callback_token: None, ..payload }
}

fn unasked(report: &report::Report) -> Problem {
    problem::defect(&format!("an answer to another question: {report:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Wanted;

    #[test]
    fn what_is_filtered_is_read_as_a_whole() {
        let wanted = Wanted { memory: 3 << 30, threads: 2, concurrency: None, job_memory: None };
        let budget = Budget::new(wanted).unwrap();
        let looks = Looks::new(&budget);
        let grant = |uri: &str, filters: usize| {
            let filters = vec![v1::Filter::default(); filters];
            let source = Some(v1::Source { uri: uri.to_owned(), filters, ..Default::default() });
            let request = v1::PreviewSourceRequest { source, ..Default::default() };
            looks.kind(&order::Order::Preview(request)).grant
        };
        for uri in ["a.csv", "postgres://db/x"] {
            assert_eq!((grant(uri, 0), grant(uri, 1)), (budget.heads.each, budget.whole.each), "{uri}");
        }
    }
}
