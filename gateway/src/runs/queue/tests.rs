#![allow(clippy::unwrap_used)]

use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

/// A run that is called `name`, a number; created at that second.
fn waiting(name: u8, priority: i32, concurrency: usize) -> Waiting {
    Waiting { run_id: Uuid::from_u128(name.into()), priority, concurrency, created: at(name.into()) }
}

fn line(away: usize, turn: Option<i64>, names: &[u8]) -> Line {
    Line { away, turn: turn.map(at), waiting: names.iter().map(|name| waiting(*name, 0, 0)).collect() }
}

fn names(chosen: &[Uuid]) -> Vec<u128> {
    chosen.iter().map(|id| id.as_u128()).collect()
}

#[test]
fn a_line_goes_in_its_order_and_no_further_than_there_is_room() {
    let lines = || vec![line(0, None, &[1, 2, 3, 4])];
    assert_eq!(names(&next(lines(), 3)), [1, 2, 3]);
    assert_eq!(names(&next(lines(), 9)), [1, 2, 3, 4]);
    assert_eq!(names(&next(lines(), 0)), [0; 0]);
    assert_eq!(names(&next(Vec::new(), 3)), [0; 0]);
}

#[test]
fn lines_take_turns() {
    // However long one of them is, and whoever came first.
    let lines = vec![line(0, None, &[1, 2, 3, 4, 5]), line(0, None, &[6, 7])];
    assert_eq!(names(&next(lines, 9)), [1, 6, 2, 7, 3, 4, 5]);
    // Whoever has less under way goes first.
    let lines = vec![line(2, Some(1), &[1, 2]), line(0, Some(9), &[3, 4, 5])];
    assert_eq!(names(&next(lines, 4)), [3, 4, 1, 5]);
    // Of equals, whoever has waited longer for its turn; before all of them, whoever never had one.
    let lines = vec![line(1, Some(5), &[1]), line(1, Some(4), &[2]), line(1, None, &[3])];
    assert_eq!(names(&next(lines, 3)), [3, 2, 1]);
}

/// One place, and two recipes whose runs keep coming: as a gateway finds them, one at a time.
#[test]
fn two_recipes_share_one_place_evenly() {
    let mut lines = vec![line(0, None, &[1, 2, 3, 4, 5, 6, 7, 8]), line(0, None, &[9, 10, 11, 12])];
    let mut order = Vec::new();
    for turn in 0..8 {
        let [chosen] = next(lines.clone(), 1)[..] else { panic!("one goes") };
        let line = lines.iter_mut().find(|line| line.waiting[0].run_id == chosen).unwrap();
        line.waiting.remove(0);
        line.turn = Some(at(100 + turn));
        order.push(chosen);
    }
    assert_eq!(names(&order), [1, 9, 2, 10, 3, 11, 4, 12]);
}

#[test]
fn a_higher_priority_goes_first() {
    let urgent = Line { away: 5, turn: Some(at(9)), waiting: vec![waiting(8, 10, 0), waiting(1, 0, 0)] };
    let lines = vec![line(0, None, &[2, 3]), urgent];
    assert_eq!(names(&next(lines, 4)), [8, 2, 3, 1]);
}

#[test]
fn a_recipe_keeps_to_its_bound() {
    let bounded =
        |away| Line { away, turn: None, waiting: vec![waiting(1, 50, 2), waiting(2, 50, 2), waiting(3, 50, 2)] };
    assert_eq!(names(&next(vec![bounded(0), line(0, None, &[4])], 9)), [1, 2, 4]);
    assert_eq!(names(&next(vec![bounded(1), line(0, None, &[4])], 9)), [1, 4]);
    // Other recipes do not wait for it.
    assert_eq!(names(&next(vec![bounded(2), line(0, None, &[4])], 9)), [4]);
}
