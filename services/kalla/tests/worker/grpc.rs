//! What only gRPC offers: a stream of events, a check before the run, a look into sources, reflection.

use std::process::Command;

use kalla_proto::v1::job_service_client::JobServiceClient;
use kalla_proto::v1::{self, JobPayload, job_event::Event};

use crate::behaviour::{payload, temporary};
use crate::door::{channel, problem, sources};
use crate::process::Worker;

#[tokio::test]
async fn a_job_is_watched_to_its_end() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let mut jobs = JobServiceClient::new(channel(&worker.url).await);
    // Nobody to call back: whoever watches learns of it.
    let job = payload(&dir, "");
    jobs.submit_job(v1::SubmitJobRequest { job: Some(job.clone()) }).await.unwrap();
    for _ in 0..2 {
        let request = v1::WatchJobRequest { run_id: job.run_id.clone() };
        let mut events = jobs.watch_job(request).await.unwrap().into_inner();
        let mut last = None;
        while let Some(event) = events.message().await.unwrap() {
            last = event.event;
        }
        match last.unwrap().event.unwrap() {
            Event::Complete(complete) => assert_eq!(complete.matched_count, 2),
            other => panic!("{other:?}"),
        }
    }
    let request = v1::WatchJobRequest { run_id: uuid::Uuid::new_v4().to_string() };
    assert_eq!(jobs.watch_job(request).await.unwrap_err().code(), tonic::Code::NotFound);
}

#[tokio::test]
async fn a_job_is_checked_without_running_it() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let mut jobs = JobServiceClient::new(channel(&worker.url).await);
    let job = JobPayload { run_id: String::new(), ..payload(&dir, "") };
    let report = jobs.check_job(v1::CheckJobRequest { job: Some(job.clone()) }).await.unwrap().into_inner();
    let names: Vec<&str> = report.output.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "paid", "_left_row", "_right_row"]);
    assert_eq!(report.lineage_left(), v1::LineageMode::Rows);
    assert_eq!(report.sources[0].columns[1].r#type, "decimal(18,2)");

    let request = v1::DryRunJobRequest { job: Some(job.clone()), sample_rows: 0 };
    let tried = jobs.dry_run_job(request).await.unwrap().into_inner();
    assert_eq!((tried.rows_left, tried.sample_left, tried.matched_count), (3, 3, 2));
    assert_eq!(tried.unmatched_left.unwrap().rows[0].cells[0].value.as_deref(), Some("1"));
    assert!(!tried.funnels[0].steps.is_empty());
    assert_eq!(std::fs::read_dir(dir.join("staging/results")).map_or(0, Iterator::count), 0);

    let job =
        JobPayload { match_sql: "SELECT l.idd FROM left_src l JOIN right_src r ON l.id = r.idx".to_owned(), ..job };
    let status = jobs.check_job(v1::CheckJobRequest { job: Some(job) }).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert!(problem(&status).violations.iter().all(|v| v.field == "match_sql"), "{status:?}");
}

#[tokio::test]
async fn sources_are_looked_into() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let mut client = sources(&worker.url).await;
    let source = v1::Source {
        uri: dir.join("b.csv").to_str().unwrap().to_owned(),
        filters: vec![v1::Filter {
            column: "paid".to_owned(),
            op: v1::FilterOp::Gte.into(),
            value: Some(v1::FilterValue { kind: Some(v1::filter_value::Kind::Number("30".to_owned())) }),
        }],
        ..Default::default()
    };
    let request = v1::PreviewSourceRequest { source: Some(source.clone()), limit: 2 };
    let head = client.preview_source(request).await.unwrap().into_inner();
    let cells = |row: &v1::Row| row.cells.iter().map(|cell| cell.value.clone().unwrap()).collect::<Vec<_>>();
    assert_eq!(head.rows.iter().map(cells).collect::<Vec<_>>(), [["3", "30.01"], ["4", "40.00"]]);
    assert_eq!(head.dialect.unwrap().delimiter.as_deref(), Some(","));

    let request = v1::InspectSourceRequest { source: Some(source), sample_rows: 0 };
    let found = client.inspect_source(request).await.unwrap().into_inner();
    assert_eq!((found.rows, found.columns.len(), found.sample.len()), (3, 2, 3));
    assert_eq!(found.candidate_keys[0].columns, ["id"]);

    let outside = v1::Source { uri: "/etc/passwd".to_owned(), ..Default::default() };
    let status = client.preview_source(v1::PreviewSourceRequest { source: Some(outside), limit: 1 }).await.unwrap_err();
    assert!(status.message().contains("outside of the directories"), "{status:?}");
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_source_is_told() {
    use v1::ConnectionPart::{Database, File, Login, Server, Table};
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let mut client = sources(&worker.url).await;
    let postgres = std::env::var("KALLA_TEST_POSTGRES").expect("KALLA_TEST_POSTGRES: scripts/test.sh sets it");
    let base = postgres.rsplit_once('/').unwrap().0;
    let address = base.rsplit_once('@').unwrap().1;
    let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    std::fs::write(dir.join("torn.parquet"), b"PAR1 and no more of it").unwrap();
    let cases = [
        (format!("{base}/postgres?table=pg_catalog.pg_class"), &[Server, Login, Database, Table] as &[_], None, ""),
        (format!("{base}/postgres?table=no_such_table"), &[Server, Login, Database], Some(Table), "no_such_table"),
        (format!("{base}/no_such_database?table=t"), &[Server, Login], Some(Database), "no_such_database"),
        (format!("postgres://nobody_here:secret@{address}/postgres?table=t"), &[Server], Some(Login), "nobody_here"),
        ("postgres://postgres@127.0.0.1:1/postgres?table=t".to_owned(), &[], Some(Server), "is Postgres running"),
        (file("a.csv"), &[File], None, ""),
        (file("none.csv"), &[], Some(File), "there is no file"),
        (file("torn.parquet"), &[], Some(File), "not a whole Parquet file"),
    ];
    for (uri, passed, failed, word) in cases {
        let source = Some(v1::Source { uri: uri.clone(), ..Default::default() });
        let answer = client.test_connection(v1::TestConnectionRequest { source }).await.unwrap().into_inner();
        let right: Vec<_> = answer.passed.iter().map(v1::ConnectionStep::part).collect();
        assert_eq!((right.as_slice(), answer.failed.as_ref().map(v1::ConnectionStep::part)), (passed, failed), "{uri}");
        assert_eq!((answer.ok, answer.columns.is_empty()), (failed.is_none(), failed.is_some()), "{uri}");
        let message = answer.failed.and_then(|step| step.problem).map(|problem| problem.message).unwrap_or_default();
        assert!(message.contains(word) && !message.contains("secret"), "{uri}: {message}");
    }
    let source = Some(v1::Source { uri: "/etc/passwd".to_owned(), ..Default::default() });
    let status = client.test_connection(v1::TestConnectionRequest { source }).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
}

/// A client that knows nothing but the address.
#[test]
fn services_are_found_by_reflection() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let python = std::env::var("KALLA_TEST_PYTHON").expect("KALLA_TEST_PYTHON: scripts/test.sh sets it");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/worker/reflection.py");
    let address = worker.url.strip_prefix("http://").unwrap();
    let done = Command::new(python).args([script, address]).current_dir(&dir).output().unwrap();
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}
