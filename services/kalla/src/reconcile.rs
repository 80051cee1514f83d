//! `kalla reconcile`: run the job, show how far it is, tell what it found.

use kalla_engine::job::Job;
use kalla_engine::manifest::{Column, Manifest};
use kalla_engine::progress::Progress;
use kalla_engine::verdict::Agreement;
use kalla_engine::{Error, Stores, Violation};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::args::Reconcile;
use crate::job::Draft;
use crate::output::{self, AGREED, BREAKS};
use crate::report::{self, Page};
use crate::signals::stoppable;
use crate::sql::Columns;
use crate::{dry_run, job, progress};

/// `cancel`: the user wants no more of it.
pub async fn run(args: Reconcile, stores: &Stores, cancel: &CancellationToken) -> Result<u8, Error> {
    let draft = stoppable(cancel, prepared(job::reconcile(&args, stores)?)).await?;
    if args.show_sql {
        output::print(&format!("{}\n", draft.job.match_sql.trim_end()))?;
        return Ok(AGREED);
    }
    let (job, flags) = draft.into_parts();
    let told = |error| match &flags {
        Some(flags) => flags.told(error),
        None => error,
    };
    if let Some(rows) = args.dry_run {
        return stoppable(cancel, dry_run::run(&job, rows, args.json)).await.map_err(told);
    }
    let manifest = execute(job, !(args.quiet || args.json), cancel).await.map_err(told)?;
    if args.json {
        output::json(&manifest)?;
    } else if !args.quiet {
        let page = Page { width: output::width(), breaks: args.breaks, numbered: args.matching.numbered };
        output::print(&report::reconciliation(&manifest, &args.out, page))?;
    }
    Ok(if manifest.verdict().agreement == Agreement::Differ { BREAKS } else { AGREED })
}

/// The draft with what can only be known from the sources: the columns behind `l.*` and whether a file is the one that
/// the recipe is for.
pub async fn prepared(mut draft: Draft) -> Result<Draft, Error> {
    let declares = draft.declared.iter().any(|columns| !columns.is_empty());
    if !draft.wants_columns() && !declares {
        return Ok(draft);
    }
    let columns = columns(&draft.job).await?;
    if declares {
        let mut wrong = Vec::new();
        for ((declared, found), (field, source)) in draft
            .declared
            .iter()
            .zip([&columns.left, &columns.right])
            .zip([("sources.left.schema", &draft.job.left), ("sources.right.schema", &draft.job.right)])
        {
            let missing: Vec<String> =
                declared.iter().filter(|c| !found.contains(c)).map(|c| format!("`{c}`")).collect();
            if !missing.is_empty() {
                let (missing, found) = (missing.join(", "), found.join(", "));
                let message = format!("source `{}` lacks the columns {missing}; it has {found}", source.alias);
                wrong.push(Violation::new(field, message));
            }
        }
        if !wrong.is_empty() {
            return Err(Error::Invalid(wrong));
        }
    }
    draft.expand(&columns);
    Ok(draft)
}

/// The names of the columns of both sides.
async fn columns(job: &Job) -> Result<Columns, Error> {
    let names = |columns: Vec<Column>| columns.into_iter().map(|c| c.name).collect();
    let left = kalla_engine::head_columns(&job.left).await?;
    let right = kalla_engine::head_columns(&job.right).await?;
    Ok(Columns { left: names(left), right: names(right) })
}

async fn execute(job: Job, visible: bool, cancel: &CancellationToken) -> Result<Manifest, Error> {
    let (sender, receiver) = watch::channel(Progress::default());
    let bars = visible.then(|| progress::show(&job, receiver));
    let outcome = kalla_engine::reconcile(job, sender, cancel.clone()).await;
    if let Some(bars) = bars {
        bars.clear();
    }
    outcome
}
