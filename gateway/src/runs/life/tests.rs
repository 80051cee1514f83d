//! The whole matrix of states and inputs, as a table; what is not in it changes nothing.
#![allow(clippy::unwrap_used)]

use super::*;

const DAY: TimeDelta = TimeDelta::days(1);

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn life(phase: Phase, cancel: bool) -> Life {
    let due = (!phase.ended()).then(at);
    let ready = (phase == Phase::Pending).then(at);
    let begun = Life::begin(Policy::default(), at() - TimeDelta::minutes(5));
    Life { phase, attempt: 2, failures: 1, heard: 5, cancel, ready, due, ..begun }
}

fn spell(before: &Life, after: &Life) -> String {
    let mut text = format!("{:?}", after.phase).to_lowercase();
    if after.cancel {
        text += ", to be cancelled";
    }
    if after.attempt != before.attempt {
        text += &format!(", attempt {}", after.attempt);
    }
    for (what, before, after) in [
        ("failures", before.failures, after.failures),
        ("interruptions", before.interruptions, after.interruptions),
        ("troubles", before.troubles, after.troubles),
    ] {
        if after != before {
            text += &format!(", {what} {after}");
        }
    }
    if after.heard != before.heard {
        text += &format!(", heard {}", after.heard);
    }
    if after.unreached != before.unreached {
        text += ", unreached";
    }
    for (what, before, after) in [("ready", before.ready, after.ready), ("due", before.due, after.due)] {
        match after {
            Some(after) if Some(after) != before => text += &format!(", {what} in {} s", (after - at()).num_seconds()),
            _ => {}
        }
    }
    text
}

fn matrix() -> String {
    use Phase::{Cancelled, Completed, Dispatched, Failed, Matching, Pending, Staging, Writing};
    let states = [Pending, Dispatched, Staging, Matching, Writing]
        .into_iter()
        .flat_map(|phase| [life(phase, false), life(phase, phase != Pending)])
        .chain([Completed, Failed, Cancelled].map(|phase| life(phase, phase == Cancelled)));
    let heard = |attempt, seq, news| Input::Heard { attempt, seq, news };
    let news = [
        News::Progress(Stage::Staging),
        News::Progress(Stage::WritingResults),
        News::Completed,
        News::Failed { code: Code::Invalid, retryable: false },
        News::Failed { code: Code::Unavailable, retryable: true },
        News::Failed { code: Code::Exhausted, retryable: true },
        News::Interrupted,
        News::Cancelled,
    ];
    let mut inputs = vec![
        ("taken".to_owned(), Input::Taken { attempt: 2, place: None }),
        ("refused".to_owned(), Input::Refused { attempt: 2 }),
        ("no room".to_owned(), Input::NoRoom { attempt: 2 }),
        ("unreached".to_owned(), Input::Unreached { attempt: 2, patience: DAY }),
        ("unreached, and no patience".to_owned(), Input::Unreached { attempt: 2, patience: TimeDelta::zero() }),
        ("alive".to_owned(), Input::Alive { attempt: 2 }),
        ("lost".to_owned(), Input::Lost { attempt: 2 }),
        ("troubled".to_owned(), Input::Troubled { attempt: 2 }),
        ("cancel".to_owned(), Input::Cancel),
        ("retry".to_owned(), Input::Retry),
        ("due".to_owned(), Input::Due),
    ];
    inputs.extend(news.map(|news| (format!("{news:?}").to_lowercase(), heard(2, 6, news))));
    for news in [News::Progress(Stage::Staging), News::Completed] {
        inputs.push((format!("{news:?} of another worker").to_lowercase(), heard(4, 1, news)));
    }
    // Of another attempt, or told before: never anything.
    let late: Vec<Input> = [
        Input::Taken { attempt: 1, place: None },
        Input::Refused { attempt: 1 },
        Input::NoRoom { attempt: 1 },
        Input::Unreached { attempt: 1, patience: TimeDelta::zero() },
        Input::Troubled { attempt: 1 },
        Input::Alive { attempt: 1 },
        Input::Lost { attempt: 1 },
    ]
    .into_iter()
    .chain(news.into_iter().flat_map(|news| [heard(1, 9, news), heard(2, 5, news), heard(2, 1, news)]))
    .collect();
    let mut lines: Vec<String> = Vec::new();
    for before in states {
        let mut name = format!("{:?}", before.phase).to_lowercase();
        if before.cancel && !before.phase.ended() {
            name += " (cancel)";
        }
        for (word, input) in &inputs {
            let (after, effect) = apply(&before, *input, at());
            assert!(after.phase.ended() == after.due.is_none(), "{name} + {word}: an end is never due, all else is");
            if after == before && effect.is_none() {
                continue;
            }
            let effect = effect.map(|effect| format!(" => {effect:?}").to_lowercase()).unwrap_or_default();
            let line = format!("{name} + {word} -> {}{effect}", spell(&before, &after));
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        for input in &late {
            assert_eq!(apply(&before, *input, at()), (before.clone(), None), "{name} + {input:?}");
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn the_whole_life() {
    let found = matrix();
    assert_eq!(found, include_str!("matrix.txt"), "the life of a run is another one:\n{found}");
}

/// After `input`, so many seconds after [`at`].
fn then(life: &Life, second: i64, input: Input) -> Life {
    apply(life, input, at() + TimeDelta::seconds(second)).0
}

#[test]
fn a_worker_that_is_away_is_waited_for_as_long_as_someone_said() {
    let unreached = Input::Unreached { attempt: 1, patience: TimeDelta::hours(1) };
    let mut life = then(&Life::begin(Policy::default(), at()), 3, unreached);
    let mut looks = 1;
    while let Some(due) = life.due {
        life = apply(&life, unreached, due).0;
        looks += 1;
    }
    assert_eq!((looks, life.phase), (121, Phase::Failed));
    // Time in which there was one, and no room, does not count.
    let away = then(&Life::begin(Policy::default(), at()), 0, unreached);
    let back = then(&away, 3599, Input::NoRoom { attempt: 1 });
    assert_eq!(then(&back, 3600, unreached).phase, Phase::Pending);
    let never = (1..100_000).fold(away, |life, look| then(&life, 30 * look, Input::NoRoom { attempt: 1 }));
    assert_eq!(never.phase, Phase::Pending);
}

#[test]
fn what_fails_is_attempted_a_bounded_number_of_times() {
    let mut life = Life::begin(Policy::default(), at());
    let mut pauses = Vec::new();
    for attempt in 1..=3 {
        life = then(&life, 0, Input::Taken { attempt, place: None });
        let news = News::Failed { code: Code::Unavailable, retryable: true };
        life = then(&life, 0, Input::Heard { attempt, seq: 1, news });
        pauses.extend(life.ready.map(|ready| (ready - at()).num_seconds()));
    }
    assert_eq!((life.phase, life.failures, pauses), (Phase::Failed, 3, vec![5, 10]));
    let retried = then(&life, 60, Input::Retry);
    assert_eq!((retried.attempt, retried.failures, retried.ready), (4, 0, Some(at() + TimeDelta::seconds(60))));
}

#[test]
fn whoever_loses_its_worker_is_charged_nothing_and_does_not_go_on_for_ever() {
    let mut life = Life::begin(Policy::default(), at());
    for attempt in 1..=50 {
        life = then(&life, 0, Input::Taken { attempt, place: None });
        let ended = if attempt % 2 == 0 {
            Input::Lost { attempt }
        } else {
            Input::Heard { attempt, seq: 1, news: News::Interrupted }
        };
        life = then(&life, 0, ended);
        assert_eq!((life.phase, life.ready), (Phase::Pending, Some(at())));
    }
    assert_eq!((life.attempt, life.failures, life.interruptions), (51, 0, 50));
    let week = 7 * 24 * 3600;
    life = then(&life, week, Input::Taken { attempt: 51, place: None });
    assert_eq!(then(&life, week, Input::Lost { attempt: 51 }).phase, Phase::Failed);
}

#[test]
fn trouble_is_looked_at_ever_more_seldom_and_ends_with_the_next_success() {
    let mut life = Life::begin(Policy::default(), at());
    let mut pauses = Vec::new();
    for _ in 0..6 {
        life = then(&life, 0, Input::Troubled { attempt: 1 });
        assert_eq!(life.ready, life.due);
        pauses.push((life.due.unwrap() - at()).num_seconds());
    }
    assert_eq!((pauses, life.parked()), (vec![10, 20, 40, 80, 3600, 3600], true));
    let taken = then(&life, 3600, Input::Taken { attempt: 1, place: None });
    assert_eq!((taken.troubles, taken.parked()), (0, false));
}

/// What versions before this one have stored, and what one after it may store.
#[test]
fn stored_lives_are_read_with_defaults() {
    let old = r#"{"phase":"pending","attempt":2,"last_attempt":3,"heard":5,"tries":4,"cancel":false,"due":"2027-01-15T08:00:00Z"}"#;
    let life: Life = serde_json::from_str(old).unwrap();
    assert_eq!((life.attempt, life.failures, life.ready, &life.policy), (2, 0, None, &Policy::default()));
    // It waits like any other from its next look on.
    assert_eq!(then(&life, 0, Input::Due).ready, Some(at()));
    let mut new = serde_json::to_value(Life::begin(Policy::default(), at())).unwrap();
    new["mood"] = "well".into();
    new["policy"]["patience"] = 9.into();
    assert_eq!(serde_json::from_value::<Life>(new).unwrap(), Life::begin(Policy::default(), at()));
}
