//! What is told of a source is the same however little memory there is.

use std::fmt::Write as _;

use kalla_engine::job::Limits;

use super::source;

#[tokio::test]
async fn values_are_counted_though_they_do_not_fit_into_memory() {
    let mut text = "id,name,twice\n".to_owned();
    for n in 0..300_000 {
        writeln!(text, "{n},a rather long name with the number {n},{}", n / 2).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("names.csv");
    std::fs::write(&path, text).unwrap();
    let mut told = Vec::new();
    for memory in [8 << 20, 1 << 30] {
        let limits = Limits { threads: 2, memory, ..Limits::default() };
        let found = kalla_engine::inspect(&source("names", &path), &limits, 0).await.unwrap();
        let columns = found.columns.iter().map(|column| (column.name.clone(), column.distinct, column.distinct_exact));
        told.push((columns.collect::<Vec<_>>(), found.candidate_keys));
    }
    assert_eq!(told[0], told[1]);
    let distinct: Vec<u64> = told[0].0.iter().map(|(_, distinct, _)| *distinct).collect();
    assert_eq!(distinct, [300_000, 300_000, 150_000]);
}
