//! How recipes stand: what their latest runs were, however many runs there are.

use std::collections::BTreeMap;

use kalla_proto::v1::{Complete, FindingKind, Found, ListStandingsResponse, Money, Run, RunState, Standing};

use crate::store::{Store, StoreError};

/// Runs that are told of each recipe.
const FOUND: u32 = 24;

pub async fn standings(store: &Store) -> Result<ListStandingsResponse, StoreError> {
    let mut standings: BTreeMap<String, Standing> = BTreeMap::new();
    for (recipe_id, runs) in store.run_counts().await? {
        standings.insert(recipe_id.clone(), Standing { recipe_id, runs, ..Standing::default() });
    }
    for run in store.latest_runs(None, 1).await? {
        if let Some(standing) = standings.get_mut(&run.recipe_id) {
            standing.latest = Some(run);
        }
    }
    for run in store.latest_runs(Some(RunState::Completed), FOUND).await? {
        if let Some(standing) = standings.get_mut(&run.recipe_id) {
            standing.found.extend(found(&run));
            standing.completed.get_or_insert(run);
        }
    }
    Ok(ListStandingsResponse { standings: standings.into_values().collect() })
}

fn found(run: &Run) -> Option<Found> {
    let complete = run.complete.as_ref()?;
    Some(Found {
        run_id: run.run_id.clone(),
        recipe_version: run.recipe_version,
        created: run.created,
        total_left: complete.total_left,
        total_right: complete.total_right,
        unmatched_left_count: complete.unmatched_left_count,
        unmatched_right_count: complete.unmatched_right_count,
        open_left: worth(complete, FindingKind::UnmatchedLeft),
        open_right: worth(complete, FindingKind::UnmatchedRight),
        wrong: complete.verdict.iter().flat_map(|verdict| &verdict.findings).any(|finding| finding.wrong),
    })
}

fn worth(complete: &Complete, kind: FindingKind) -> Vec<Money> {
    let findings = complete.verdict.iter().flat_map(|verdict| &verdict.findings);
    findings.filter(|finding| finding.kind() == kind).flat_map(|finding| finding.amounts.clone()).collect()
}
