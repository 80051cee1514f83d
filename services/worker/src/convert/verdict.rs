//! What a run has found, as the contract tells it.

use kalla_engine::explain::Side;
use kalla_engine::verdict::{Agreement, Finding, FindingKind, Money, Verdict};
use kalla_proto::v1;

pub fn verdict(found: Verdict) -> v1::Verdict {
    v1::Verdict {
        agreement: agreement(found.agreement).into(),
        sentence: found.sentence,
        findings: found.findings.into_iter().map(finding).collect(),
    }
}

fn agreement(agreement: Agreement) -> v1::Agreement {
    match agreement {
        Agreement::Agree => v1::Agreement::Agree,
        Agreement::Doubtful => v1::Agreement::Doubtful,
        Agreement::Differ => v1::Agreement::Differ,
        Agreement::Empty => v1::Agreement::Empty,
    }
}

fn finding(finding: Finding) -> v1::Finding {
    let Finding { kind, wrong, count, amounts, allowed, columns, text } = finding;
    let [left, right] = columns.map_or([None, None], |columns| columns.map(Some));
    let money = |Money { amount, currency }| v1::Money { amount, currency };
    v1::Finding {
        kind: wire_kind(kind).into(),
        wrong,
        text,
        count,
        amounts: amounts.into_iter().map(money).collect(),
        allowed,
        left,
        right,
    }
}

fn wire_kind(kind: FindingKind) -> v1::FindingKind {
    match kind {
        FindingKind::Unmatched(Side::Left) => v1::FindingKind::UnmatchedLeft,
        FindingKind::Unmatched(Side::Right) => v1::FindingKind::UnmatchedRight,
        FindingKind::Rejected(Some(Side::Left)) => v1::FindingKind::RejectedLeft,
        FindingKind::Rejected(Some(Side::Right)) => v1::FindingKind::RejectedRight,
        FindingKind::Rejected(None) => v1::FindingKind::RejectedExtra,
        FindingKind::Multiple(Side::Left) => v1::FindingKind::MultipleLeft,
        FindingKind::Multiple(Side::Right) => v1::FindingKind::MultipleRight,
        FindingKind::Apart => v1::FindingKind::Apart,
        FindingKind::Differing => v1::FindingKind::Differing,
        FindingKind::OneSided => v1::FindingKind::OneSided,
    }
}
