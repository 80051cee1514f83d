//! A job is a process. Whatever a job does, a kill ends it and nothing else notices.
//!
//! The worker starts `kalla job`, sends it an [`v1::Order`] and reads its [`v1::Report`]s ([`frame`]). A process does one
//! thing in its life. One waits warm, so that a small job pays for no start. Its standard input stays open while
//! somebody wants what it does: closing it, or the death of the worker, ends it ([`child`]).

pub mod child;
mod disk;
mod frame;
pub mod memory;

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kalla_engine::{Error, WorkDir};
use kalla_proto::v1::{self, Code, Problem, report};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{outcome, problem};
use frame::Frames;

/// How long a process that is told to stop may take to clean up.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a new process may take to read its order.
const START: Duration = Duration::from_secs(10);
/// Between two looks at the memory of a process, and at what it has on the disk.
const WATCH: Duration = Duration::from_millis(50);
const WATCH_DISK: Duration = Duration::from_millis(500);
/// Prefix of the directories for what processes write on the way: [`kalla_engine::sweep_scratch`] knows it.
const SCRATCH: &str = "kalla-job-";
const SIGKILL: i32 = 9;

/// How a process is started.
#[derive(Debug, Clone)]
pub struct ProcessSettings {
    /// The binary, which understands `job`.
    pub program: PathBuf,
    /// What follows `job`.
    pub arguments: Vec<String>,
    /// Where a process writes what it has no memory for; the system's temporary directory when `None`.
    pub spill_dir: Option<PathBuf>,
    /// How much of that one may have at a time.
    pub spill_bytes: Option<u64>,
}

/// Starts processes, and keeps one warm. Clones are the same.
#[derive(Clone)]
pub struct Processes(Arc<Pool>);

struct Pool {
    settings: ProcessSettings,
    warm: Mutex<Option<Process>>,
}

/// One that waits for its order. It is killed when it is dropped.
struct Process {
    child: Child,
    /// Closed to stop it.
    orders: Option<ChildStdin>,
    reports: Frames<ChildStdout>,
    /// What it writes on the way, removed with it.
    scratch: WorkDir,
    spill_bytes: Option<u64>,
}

/// How long a process may take, and how much memory the system may show for it alone.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub memory: u64,
    pub time: Option<Duration>,
}

/// Why a process ended without a last report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Death {
    /// It was told to stop.
    Stopped,
    OutOfTime(Duration),
    OutOfMemory(u64),
    OutOfDisk(u64),
    /// By the system, most likely for want of memory.
    Killed,
    /// How it ended.
    Crashed(String),
    /// Why there is none.
    NotStarted(String),
}

impl Processes {
    pub fn new(settings: ProcessSettings) -> Self {
        let pool = Self(Arc::new(Pool { settings, warm: Mutex::new(None) }));
        pool.warm_up();
        pool
    }

    /// Has `order` followed in a process of its own; gives its last report. `progress` gets the others.
    pub async fn follow(
        &self,
        order: v1::Order,
        bounds: Bounds,
        cancel: &CancellationToken,
        progress: impl FnMut(report::Report),
    ) -> Result<report::Report, Death> {
        let process = self.take().map_err(|error| Death::NotStarted(error.to_string()))?;
        process.follow(order, bounds, cancel, progress).await
    }

    /// The warm one, and the next begins to get warm.
    fn take(&self) -> std::io::Result<Process> {
        let warm = self.0.warm.lock().unwrap_or_else(|e| e.into_inner()).take();
        // One that was killed while it waited is replaced.
        let warm = warm.and_then(|mut process| matches!(process.child.try_wait(), Ok(None)).then_some(process));
        let process = warm.map_or_else(|| Process::start(&self.0.settings), Ok);
        let pool = self.clone();
        tokio::task::spawn_blocking(move || pool.warm_up());
        process
    }

    fn warm_up(&self) {
        let mut warm = self.0.warm.lock().unwrap_or_else(|e| e.into_inner());
        if warm.is_none() {
            // Whoever needs one will try again and tell what is wrong.
            *warm = Process::start(&self.0.settings).ok();
        }
    }
}

impl Process {
    fn start(settings: &ProcessSettings) -> std::io::Result<Self> {
        let scratch = WorkDir::create(settings.spill_dir.as_deref(), SCRATCH)?;
        let mut command = Command::new(&settings.program);
        command.arg0("kalla").arg("job").args(&settings.arguments).env("TMPDIR", scratch.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        // Ctrl-C reaches every process of the terminal's group: the worker decides when its jobs end.
        command.process_group(0);
        let mut child = command.spawn()?;
        let orders = child.stdin.take();
        let reports = child.stdout.take().ok_or_else(|| std::io::Error::other("a process without a pipe"))?;
        Ok(Self { child, orders, reports: Frames::new(reports), scratch, spill_bytes: settings.spill_bytes })
    }

    async fn follow(
        mut self,
        order: v1::Order,
        bounds: Bounds,
        cancel: &CancellationToken,
        progress: impl FnMut(report::Report),
    ) -> Result<report::Report, Death> {
        let done = self.supervise(order, bounds, cancel, progress).await;
        // It has nothing more to do, or must not do it any more.
        let _ = self.child.start_kill();
        let _ = self.child.wait().await;
        let scratch = self.scratch;
        // Spilled data may be large; what cannot be removed is swept by age.
        tokio::task::spawn_blocking(move || drop(scratch));
        done
    }

    async fn supervise(
        &mut self,
        order: v1::Order,
        bounds: Bounds,
        cancel: &CancellationToken,
        mut progress: impl FnMut(report::Report),
    ) -> Result<report::Report, Death> {
        self.send(&order).await?;
        // The process minds its time itself and says so; this is for one that cannot.
        let late = bounds.time.map(|time| Instant::now() + time + PATIENCE);
        let mut overdue = None;
        let mut look = tokio::time::interval(WATCH);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look_at_disk = tokio::time::interval(WATCH_DISK);
        look_at_disk.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = until(overdue) => return Err(Death::Stopped),
                () = until(late) => return Err(Death::OutOfTime(bounds.time.unwrap_or_default())),
                () = cancel.cancelled(), if overdue.is_none() => {
                    overdue = Some(Instant::now() + PATIENCE);
                    self.orders = None;
                }
                report = self.reports.next::<v1::Report>() => match report {
                    Ok(Some(v1::Report { report: Some(report) })) if is_last(&report) => return Ok(report),
                    Ok(Some(v1::Report { report: Some(report) })) => progress(report),
                    // It knows something that this version does not.
                    Ok(Some(v1::Report { report: None })) => {}
                    Ok(None) if overdue.is_some() => return Err(Death::Stopped),
                    Ok(None) => return Err(self.cause().await),
                    Err(error) => return Err(Death::Crashed(format!("its report cannot be read: {error}"))),
                },
                _ = look.tick() => if self.taken().is_some_and(|bytes| bytes > bounds.memory) {
                    return Err(Death::OutOfMemory(bounds.memory));
                },
                _ = look_at_disk.tick() => if let Some(limit) = self.spill_bytes
                    && disk::used(self.scratch.path()).await > limit
                {
                    return Err(Death::OutOfDisk(limit));
                },
            }
        }
    }

    async fn send(&mut self, order: &v1::Order) -> Result<(), Death> {
        let frame = frame::encode(order).map_err(|e| Death::NotStarted(e.to_string()))?;
        let Some(orders) = &mut self.orders else { return Ok(()) };
        match tokio::time::timeout(START, orders.write_all(&frame)).await {
            // One that has died before it read its order is told by the end of its reports.
            Ok(_) => Ok(()),
            Err(_) => Err(Death::NotStarted("the process does not read its order".to_owned())),
        }
    }

    fn taken(&self) -> Option<u64> {
        self.child.id().and_then(memory::taken)
    }

    /// Of the end of a process that has said nothing about it.
    async fn cause(&mut self) -> Death {
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) => match status.signal() {
                Some(SIGKILL) => Death::Killed,
                Some(signal) => Death::Crashed(format!("signal {signal}")),
                None => Death::Crashed(status.to_string()),
            },
            Ok(Err(error)) => Death::Crashed(error.to_string()),
            Err(_) => Death::Crashed("it fell silent".to_owned()),
        }
    }
}

impl Death {
    /// What is told to whoever wanted the work.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Stopped => problem::of(&Error::Cancelled),
            Self::OutOfTime(limit) => problem::of(&Error::TimedOut(*limit)),
            Self::OutOfMemory(limit) => {
                let what = "its process was killed before it took memory from others".to_owned();
                problem::of(&Error::OutOfMemory { limit: *limit, what })
            }
            Self::OutOfDisk(limit) => {
                let message = format!(
                    "the job puts more than {limit} bytes on the disk for want of memory: give it more memory, or raise KALLA_SPILL_BYTES"
                );
                Problem::refused(Code::Exhausted, message)
            }
            Self::Killed => {
                let message = "the system killed the process of the job, most likely for want of memory: give the worker more memory, or lower KALLA_CONCURRENCY";
                Problem::later(Code::Exhausted, message)
            }
            Self::Crashed(how) => problem::defect(&format!("the process of the job crashed: {how}")),
            Self::NotStarted(why) => {
                tracing::error!(why, "a process for a job cannot be started");
                Problem::later(Code::Unavailable, "the worker cannot start a process for the job: try again later")
            }
        }
    }
}

fn is_last(report: &report::Report) -> bool {
    !matches!(report, report::Report::Event(event) if !outcome::is_terminal(event))
}

/// Never, where there is no such moment.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
