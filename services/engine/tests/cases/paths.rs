//! Results and sources lie wherever a file system lets them.

use std::path::Path;

use kalla_engine::job::SourceUri;
use kalla_engine::location::Location;

use super::{Fixture, batches};

const NAMES: [&str; 11] = [
    "plain",
    "with space",
    "Müller",
    "漢字",
    "~#%[]{}^|<>*?\"",
    "100%25",
    "a%2Fb",
    "it's",
    "back\\slash",
    "+&=;:@!$,",
    "..dots..",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_name_of_a_directory_works() {
    let sql = "SELECT l.id, r.ref FROM l JOIN r ON l.id = r.ref";
    for name in NAMES {
        let mut fixture = Fixture::new(b"id,n\na,1\nb,2\n", b"ref\nb\nc\n", sql, &[]);
        let root = fixture.dir.path().join(name);
        let spill = root.join("spill");
        std::fs::create_dir_all(&spill).unwrap();
        fixture.job.output = Location::Local(root.join("out"));
        fixture.job.limits.spill_dir = Some(spill);
        let (manifest, answer) = fixture.run().await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((answer.left, answer.right), (vec![0], vec![1]), "{name}");

        // What was written is read where it lies: a Parquet source, and a file that is called like that too.
        let source = root.join(format!("{name}.parquet"));
        std::fs::copy(root.join("out/unmatched_left.parquet"), &source).unwrap();
        fixture.job.left.uri = SourceUri::File(Location::Local(source));
        fixture.job.run_id = "again".to_owned();
        let (again, answer) = fixture.run().await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((answer.left, answer.right), (vec![0], vec![0, 1]), "{name}");
        for file in again.files.values() {
            assert!(Path::new(&file.path).exists(), "{}", file.path);
        }
        assert_ne!(manifest.counts, again.counts);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_unmatched_rows_of_yesterday_are_a_source_like_others() {
    let sql = "SELECT l.id, r.ref FROM l JOIN r ON l.id = r.ref";
    let mut fixture = Fixture::new(b"id,_row\na,7\nb,8\n", b"ref\nb\nc\n", sql, &[]);
    for day in 0..3 {
        fixture.job.run_id = format!("day {day}");
        let (manifest, answer) = fixture.run().await.unwrap();
        assert_eq!(answer.left, vec![0]);
        let rows = batches(&fixture.dir.path().join("out/unmatched_left.parquet"));
        let names: Vec<String> = rows[0].schema().fields().iter().map(|field| field.name().clone()).collect();
        let wanted = ["id", "_row_1", "_row_2", "_row_3", "_row"];
        let wanted: Vec<_> = [&wanted[..day + 2], &wanted[4..]].concat();
        let mut sorted = names.clone();
        sorted.sort();
        let mut expected: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        expected.sort();
        assert_eq!((sorted, names.last().map(String::as_str)), (expected, Some("_row")));
        let note = manifest.left.columns.iter().find(|column| column.name == "_row").unwrap().note.clone().unwrap();
        assert!(note.contains(&format!("`_row_{}`", day + 1)), "{note}");
        let source = fixture.dir.path().join(format!("day{day}.parquet"));
        std::fs::copy(fixture.dir.path().join("out/unmatched_left.parquet"), &source).unwrap();
        fixture.job.left.uri = SourceUri::File(Location::Local(source));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_are_ours_are_refused_where_they_stand() {
    let fixture = Fixture::new(b"id,__kalla_row\na,7\n", b"ref\na\n", "SELECT l.id FROM l JOIN r ON l.id = r.ref", &[]);
    let error = fixture.refused().await.to_string();
    assert!(error.starts_with("source `l`: column `__kalla_row`: ") && error.contains("rename"), "{error}");
}
