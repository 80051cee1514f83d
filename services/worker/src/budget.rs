//! How the memory of a worker is shared out, so that all that it does at the same time fits into it.
//!
//! Half is for jobs, or what `job_memory` and `concurrency` say. The rest is for looks into sources, which are processes as well, and
//! for the worker itself, which reads results and takes files: half each.
//!
//! A job that begins gets the least that one in its place can work with, and half of what is free beyond the least of those that may
//! begin beside it; the last place gets all that is free. So one that is alone has a good part of it, and nobody waits for it.

const MIB: u64 = 1 << 20;

/// What a process takes before it holds a row, and for each of its threads. Its operators take half as much again as they count.
const PROCESS: u64 = 128 * MIB;
const THREAD: u64 = 64 * MIB;
/// What operators need of each thread at least.
const LEAST: u64 = 16 * MIB;
/// A process that looks at the head of a file or of a table, and one that tries a job on a sample.
const HEAD: u64 = 96 * MIB;
const WHOLE: u64 = 288 * MIB;
/// What the worker takes before it does anything.
const BASE: u64 = 96 * MIB;
/// Held of a result while a page of it is looked for, and while a file is made of it.
const PAGE: u64 = 8 * MIB;
const FILE: u64 = 24 * MIB;
const MOST_PAGES: u64 = 32;
const MOST_FILES: u64 = 8;
const MOST_UPLOADS: u64 = 16;
/// More for sorting serves nobody.
const MOST_SORTING: u64 = 512 * MIB;
/// For all but jobs: half of it is two heads and a look at a whole source.
const LEAST_REST: u64 = 2 * (2 * HEAD + WHOLE);

/// What a process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub threads: usize,
    /// For its operators.
    pub memory: u64,
    /// As the system shows it: a process that takes more is ended.
    pub bytes: u64,
}

/// So many at the same time, each with as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub places: usize,
    pub each: Grant,
}

/// What is shared out among jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jobs {
    pub places: usize,
    /// All of them together.
    bytes: u64,
    threads: usize,
    /// For the operators of each, where somebody has said it.
    fixed: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub jobs: Jobs,
    /// Heads of files, and as many of databases.
    pub heads: Share,
    /// What is read as a whole.
    pub whole: Share,
    /// For sorting results, of all that are read at a time.
    pub sorting: u64,
    /// Pages of results, files that are made of them, and files that come in.
    pub pages: usize,
    pub files: usize,
    /// Where a piece of so many bytes is held of each.
    uploads: u64,
}

/// What an operator has said of it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Of all processes together.
    pub memory: u64,
    pub threads: usize,
    pub concurrency: Option<usize>,
    pub job_memory: Option<u64>,
}

impl Grant {
    /// What operators may use that share `memory`, with all that the process takes beside.
    pub fn of(memory: u64, threads: usize) -> Self {
        let bytes = PROCESS
            .saturating_add(THREAD.saturating_mul(threads as u64))
            .saturating_add(memory)
            .saturating_add(memory / 2);
        Self { threads, memory, bytes }
    }

    fn least(threads: usize) -> Self {
        Self::of(LEAST * threads as u64, threads)
    }

    /// The inverse, with so many threads at most; `None` where a process cannot work.
    fn within(bytes: u64, most: usize) -> Option<Self> {
        let threads = (1..=most.max(1)).rev().find(|threads| Self::least(*threads).bytes <= bytes)?;
        let memory = (bytes - Self::of(0, threads).bytes) / 3 * 2;
        Some(Self { threads, memory, bytes })
    }
}

impl Jobs {
    /// The least of the one that begins as the `nth`, from 1: by then as many share the threads.
    fn least(&self, nth: usize) -> Grant {
        let threads = self.threads.div_ceil(nth.max(1));
        self.fixed.map_or_else(|| Grant::least(threads), |memory| Grant::of(memory, threads))
    }

    /// Of the `nth` that begins and all that may begin beside it.
    fn leasts(&self, nth: usize) -> u64 {
        (nth..=self.places).map(|nth| self.least(nth).bytes).fold(0, u64::saturating_add)
    }

    /// What the next job gets, where `running` have `taken` so much; `None` when it has to wait.
    pub fn next(&self, running: usize, taken: u64) -> Option<Grant> {
        let nth = running + 1;
        if nth > self.places {
            return None;
        }
        let (free, least) = (self.bytes.saturating_sub(taken), self.least(nth));
        if self.fixed.is_some() {
            return (least.bytes <= free).then_some(least);
        }
        let beyond = free.saturating_sub(self.leasts(nth));
        let bytes = if nth == self.places { free } else { free.min(least.bytes + beyond / 2) };
        Grant::within(bytes, least.threads)
    }

    /// What one that is alone gets.
    pub fn most(&self) -> Grant {
        self.next(0, 0).unwrap_or_else(|| self.least(1))
    }
}

impl Budget {
    /// What a worker needs that runs one job at a time.
    pub fn least() -> u64 {
        LEAST_REST + Grant::least(1).bytes
    }

    /// Says what to change where what was said cannot be. Memory that is less than the [least](Self::least) is taken for that much.
    pub fn new(wanted: Wanted) -> Result<Self, String> {
        let Wanted { memory, concurrency, job_memory, .. } = wanted;
        let memory = memory.max(Self::least());
        let most = memory - LEAST_REST;
        let half = most.min(memory / 2);
        let all = |places, threads| Jobs { places, bytes: half, threads, fixed: job_memory };
        let first = if job_memory.is_some() { most } else { half };
        let threads = (1..=wanted.threads).rev().find(|threads| all(1, *threads).leasts(1) <= first).unwrap_or(1);
        let fits = |places: &usize| all(*places, threads).leasts(1) <= half;
        let places = concurrency.or_else(|| (1..=wanted.threads).rev().find(fits));
        let mut jobs = all(places.unwrap_or(1), threads);
        let needed = jobs.leasts(1);
        jobs.bytes = jobs.bytes.max(needed);
        if jobs.bytes > most {
            return Err(format!(
                "KALLA_CONCURRENCY={} with {} MiB for the operators of a job needs {} MiB for all that runs, and of these {} MiB everything else has to have {}: lower KALLA_CONCURRENCY or KALLA_JOB_MEMORY, or raise KALLA_MEMORY",
                jobs.places,
                jobs.least(1).memory / MIB,
                needed.div_ceil(MIB),
                memory / MIB,
                LEAST_REST / MIB
            ));
        }
        let rest = (memory - jobs.bytes) / 2;
        let heads = rest / 4 / HEAD;
        let heads = Share { places: count(heads, jobs.places as u64), each: Grant { bytes: HEAD, ..Grant::least(1) } };
        let whole = rest - 2 * HEAD * heads.places as u64;
        let most = count(whole / WHOLE.max(Grant::least(threads).bytes), jobs.places as u64);
        let each = Grant::within(whole / most as u64, threads).unwrap_or_else(|| Grant::least(1));
        let own = (rest - BASE) / 4;
        Ok(Self {
            jobs,
            heads,
            whole: Share { places: most, each },
            sorting: own.min(MOST_SORTING),
            pages: count(own / PAGE, MOST_PAGES),
            files: count(own / FILE, MOST_FILES),
            uploads: own,
        })
    }

    /// Files that may come in at the same time, where `held` is kept of each.
    pub fn uploads(&self, held: u64) -> usize {
        count(self.uploads / held.max(1), MOST_UPLOADS)
    }
}

fn count(fitting: u64, most: u64) -> usize {
    usize::try_from(fitting.min(most).max(1)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn budget(memory: u64, threads: usize) -> Budget {
        Budget::new(Wanted { memory, threads, concurrency: None, job_memory: None }).unwrap()
    }

    /// All that may happen at the same time.
    fn together(budget: &Budget, jobs: u64) -> u64 {
        let looks = 2 * budget.heads.places as u64 * budget.heads.each.bytes
            + budget.whole.places as u64 * budget.whole.each.bytes;
        let own = BASE + budget.sorting + budget.pages as u64 * PAGE + budget.files as u64 * FILE;
        jobs + looks + own + budget.uploads(FILE) as u64 * FILE
    }

    #[test]
    fn all_together_fits() {
        for quarters in 5..200 {
            for threads in [1, 2, 3, 4, 8, 16, 64] {
                let memory = quarters * GIB / 4;
                let budget = budget(memory, threads);
                let mut taken = 0;
                for running in 0..budget.jobs.places {
                    let grant = budget.jobs.next(running, taken).unwrap();
                    assert!(grant.threads >= 1 && grant.memory >= LEAST, "{memory} {threads} {grant:?}");
                    assert!(Grant::of(grant.memory, grant.threads).bytes <= grant.bytes);
                    taken += grant.bytes;
                }
                assert_eq!(budget.jobs.next(budget.jobs.places, taken), None);
                assert!(together(&budget, taken) <= memory, "{quarters} {threads} {budget:?}");
            }
        }
    }

    /// Jobs come and go in any order: whoever has a place finds memory for it.
    #[test]
    fn nobody_waits_for_memory_who_has_a_place() {
        let mut random = 1_u64;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % below
        };
        for (memory, threads) in [(2 * GIB, 1), (3 * GIB, 2), (12 * GIB, 8), (48 * GIB, 32)] {
            let jobs = budget(memory, threads).jobs;
            let mut running: Vec<u64> = Vec::new();
            for _ in 0..10_000 {
                if running.len() < jobs.places && next(2) == 0 {
                    let taken = running.iter().sum();
                    let grant = jobs.next(running.len(), taken).unwrap_or_else(|| panic!("{memory} {running:?}"));
                    assert!(taken + grant.bytes <= jobs.bytes);
                    running.push(grant.bytes);
                } else if !running.is_empty() {
                    running.swap_remove(next(running.len()));
                }
            }
        }
    }

    /// As docs/reference/worker.md says.
    #[test]
    fn a_job_that_is_alone_has_most() {
        for (machine, threads, places, memory) in [(2, 1, 1, 256), (4, 2, 2, 370), (16, 8, 8, 1130), (64, 16, 16, 5976)]
        {
            let jobs = budget(machine * GIB / 4 * 3, threads).jobs;
            assert_eq!(
                (jobs.places, jobs.most().threads, jobs.most().memory / MIB),
                (places, threads, memory),
                "{machine}"
            );
        }
    }

    #[test]
    fn a_small_machine_looks_at_one_source_at_a_time() {
        let small = budget(3 * GIB / 2, 1);
        assert_eq!((small.heads.places, small.whole.places, small.whole.each.bytes), (1, 1, WHOLE));
        assert_eq!((small.files, small.pages, small.uploads(3 * MIB)), (4, 12, 16));
        // Less than one job needs is taken for as much.
        assert_eq!(budget(1, 64), budget(Budget::least(), 64));
    }

    #[test]
    fn what_is_said_is_obeyed_or_refused() {
        let wanted = |concurrency, job_memory| {
            let budget = Budget::new(Wanted { memory: 8 * GIB, threads: 4, concurrency, job_memory });
            budget.map(|Budget { jobs, .. }| (jobs.places, jobs.most().threads, jobs.most().memory))
        };
        assert_eq!(wanted(None, Some(GIB)), Ok((2, 4, GIB)));
        assert_eq!(wanted(None, Some(3 * GIB)), Ok((1, 4, 3 * GIB)));
        assert_eq!(wanted(Some(1), Some(4 * GIB)), Ok((1, 4, 4 * GIB)));
        assert_eq!(wanted(Some(3), Some(GIB)), Ok((3, 4, GIB)));
        assert_eq!(wanted(Some(16), None).unwrap().0, 16);
        for (concurrency, job_memory) in [(None, Some(6 * GIB)), (Some(8), Some(GIB)), (Some(1000), None)] {
            let told = wanted(concurrency, job_memory).unwrap_err();
            assert!(told.contains("KALLA_MEMORY"), "{told}");
        }
    }
}
