//! The whole matrix of states and inputs, as a table; what is not in it changes nothing.
#![allow(clippy::unwrap_used)]

use super::*;

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn life(phase: Phase, cancel: bool) -> Life {
    let due = (!phase.ended()).then(at);
    Life { phase, attempt: 2, last_attempt: 3, heard: 5, tries: 0, cancel, due }
}

fn spell(before: &Life, after: &Life) -> String {
    let mut text = format!("{:?}", after.phase).to_lowercase();
    if after.cancel {
        text += ", to be cancelled";
    }
    if after.attempt != before.attempt {
        text += &format!(", attempt {}", after.attempt);
    }
    if after.last_attempt != before.last_attempt {
        text += &format!(" of {}", after.last_attempt);
    }
    if after.heard != before.heard {
        text += &format!(", heard {}", after.heard);
    }
    if after.tries != before.tries {
        text += &format!(", tries {}", after.tries);
    }
    match after.due {
        Some(due) if Some(due) != before.due => text += &format!(", due in {} s", (due - at()).num_seconds()),
        _ => {}
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
        News::Failed { retryable: false },
        News::Failed { retryable: true },
        News::Cancelled,
    ];
    let mut inputs = vec![
        ("taken".to_owned(), Input::Taken { attempt: 2 }),
        ("refused".to_owned(), Input::Refused { attempt: 2 }),
        ("unreached".to_owned(), Input::Unreached { attempt: 2 }),
        ("alive".to_owned(), Input::Alive { attempt: 2 }),
        ("lost".to_owned(), Input::Lost { attempt: 2 }),
        ("cancel".to_owned(), Input::Cancel),
        ("retry".to_owned(), Input::Retry),
        ("due".to_owned(), Input::Due),
    ];
    inputs.extend(news.map(|news| (format!("{news:?}").to_lowercase(), heard(2, 6, news))));
    // Of another attempt, or told before: never anything.
    let late: Vec<Input> = [
        Input::Taken { attempt: 1 },
        Input::Refused { attempt: 1 },
        Input::Unreached { attempt: 1 },
        Input::Alive { attempt: 1 },
        Input::Lost { attempt: 1 },
    ]
    .into_iter()
    .chain(
        news.into_iter().flat_map(|news| [heard(1, 9, news), heard(3, 9, news), heard(2, 5, news), heard(2, 1, news)]),
    )
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

#[test]
fn a_worker_that_is_away_is_waited_for_ever_longer_and_not_for_ever() {
    let (mut life, _) = Life::begin(at());
    let mut pauses = Vec::new();
    let mut tries = 0;
    while !life.phase.ended() {
        life = apply(&life, Input::Unreached { attempt: 1 }, at()).0;
        pauses.extend(life.due.map(|due| (due - at()).num_seconds()));
        tries += 1;
    }
    assert_eq!(pauses[..8], [1, 2, 4, 8, 16, 30, 30, 30]);
    assert_eq!((tries, life.phase), (TRIES, Phase::Failed));
}

#[test]
fn what_is_lost_is_attempted_a_bounded_number_of_times() {
    let (mut life, _) = Life::begin(at());
    for attempt in 1..=ATTEMPTS {
        assert_eq!(life.attempt, attempt);
        life = apply(&life, Input::Taken { attempt }, at()).0;
        life = apply(&life, Input::Lost { attempt }, at()).0;
    }
    assert_eq!(life.phase, Phase::Failed);
    let (retried, effect) = apply(&life, Input::Retry, at());
    assert_eq!((retried.attempt, retried.last_attempt, effect), (4, 6, Some(Effect::Dispatch)));
}
