//! What was found, in one sentence.

use super::measure::Outcome;
use super::why::PassReport;
use crate::lineage::Side;

/// What the nearest row of all says, if it is near. `side` is that of the row that is asked about, `other` what the other
/// source is called.
pub fn verdict(passes: &[PassReport], side: Side, other: &str) -> String {
    if passes.is_empty() {
        return "match_sql has no join of the two sides: what is compared inside EXISTS, IN or a lateral subquery has no conditions that could be told apart".to_owned();
    }
    let all = passes.iter().flat_map(|pass| pass.candidates.iter().map(move |candidate| (pass, candidate)));
    let nearest = all.filter(|(_, candidate)| candidate.near).min_by(|(_, a), (_, b)| a.chance.total_cmp(&b.chance));
    let Some((pass, near)) = nearest else {
        if passes.iter().all(|pass| pass.conditions.is_empty()) {
            return "match_sql joins the two sides without any condition".to_owned();
        }
        return match passes.first().and_then(|pass| pass.kept_out.first()) {
            Some(out) if passes.iter().all(|pass| !pass.kept_out.is_empty()) => {
                format!("it is left out before it meets any row of {other}: {}", told(out))
            }
            _ => format!("no row of {other} comes near"),
        };
    };
    let row = format!("{other} {}", in_words(&near.rows));
    let of = pass.name.as_ref().map(|name| format!(" of `{name}`")).unwrap_or_default();
    let failed: Vec<&Outcome> = near.outcomes.iter().filter(|outcome| outcome.holds != Some(true)).collect();
    let taken = match near.matched_with.as_slice() {
        _ if !near.matched => String::new(),
        [] => ", and is matched already".to_owned(),
        with => format!(", and is matched with {} {}", side.as_str(), in_words(with)),
    };
    match failed.as_slice() {
        [] => format!("{row} meets every condition{of}{taken}"),
        [one] => format!("{row} meets every condition{of} but one{taken}: {}", told(one)),
        some => {
            let some = some.iter().map(|outcome| told(outcome)).collect::<Vec<_>>().join("; ");
            format!("{row} comes nearest{of}{taken}: {some}")
        }
    }
}

fn told(outcome: &Outcome) -> String {
    let reason = outcome.reason.as_deref().unwrap_or("this is not true");
    format!("`{}`: {reason}", outcome.condition)
}

/// `row 7`, `rows 7, 8, 12`.
pub fn in_words<N: ToString>(rows: &[N]) -> String {
    let numbers = rows.iter().take(5).map(N::to_string).collect::<Vec<_>>().join(", ");
    let more = if rows.len() > 5 { ", …" } else { "" };
    format!("{} {numbers}{more}", if rows.len() == 1 { "row" } else { "rows" })
}
