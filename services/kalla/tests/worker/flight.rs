//! Results read back: over Arrow Flight with PyArrow, against DuckDB on the same files, and as pages over gRPC.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use kalla_proto::v1::job_service_client::JobServiceClient;
use kalla_proto::v1::result_service_client::ResultServiceClient;
use kalla_proto::v1::{self, FilterOp, JobPayload, ResultSet, job_event::Event};

use crate::behaviour::temporary;
use crate::bucket::Bucket;
use crate::door::{channel, problem};
use crate::process::{Home, Worker};

/// Several row groups, and more than one Flight endpoint.
const LEFT: usize = 420_000;
const QUERIES: &str = "300";
const FORMATS: [v1::ResultFormat; 2] = [v1::ResultFormat::Parquet, v1::ResultFormat::Csv];

/// Rows of every type, with NULLs, in no order but that of their numbers. Two of three left rows match.
fn write_sources(dir: &Path) {
    let mut left = String::from("id,ref,note,amount,day,at,ok\n");
    let mut right = String::from("id,paid\n");
    let mut state = 7_u64;
    let mut below = |end: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % end
    };
    let notes = ["Acme GmbH", "müller & söhne", "100% paid", "a_b", "O'Brien", "", "ÜBER", "zz top"];
    for id in 0..LEFT {
        let amount = below(200_000);
        let reference = if below(9) == 0 { String::new() } else { format!("INV-{}", below(90_000)) };
        let note = notes[usize::try_from(below(8)).unwrap()];
        let (day, hour, ok) = (below(28) + 1, below(24), ["true", "false", ""][usize::try_from(below(3)).unwrap()]);
        let amount = if below(20) == 0 { String::new() } else { format!("{}.{:02}", amount / 100, amount % 100) };
        writeln!(
            left,
            "{id},{reference},{note},{amount},2026-0{}-{day:02},2026-01-{day:02} {hour:02}:00:00,{ok}",
            below(9) + 1
        )
        .unwrap();
        if id % 3 != 0 {
            writeln!(right, "{id},{}.{:02}", below(1000), below(100)).unwrap();
        }
    }
    for id in 0..50_000 {
        writeln!(right, "{},1.00", LEFT + id).unwrap();
    }
    std::fs::write(dir.join("a.csv"), left).unwrap();
    std::fs::write(dir.join("b.csv"), right).unwrap();
}

fn job(format: v1::ResultFormat) -> JobPayload {
    let source = |name: &str| v1::Source { alias: name.to_owned(), uri: format!("{name}.csv"), ..Default::default() };
    JobPayload {
        run_id: uuid::Uuid::new_v4().to_string(),
        match_sql: "SELECT a.id, a.ref, b.paid, a.amount, a.day, a.at, a.ok, a.note FROM a JOIN b ON a.id = b.id"
            .to_owned(),
        sources: vec![source("a"), source("b")],
        format: format.into(),
        ..Default::default()
    }
}

async fn complete(worker: &Worker, job: JobPayload) -> v1::Complete {
    let mut jobs = JobServiceClient::new(channel(&worker.url).await);
    let run_id = job.run_id.clone();
    jobs.submit_job(v1::SubmitJobRequest { job: Some(job) }).await.unwrap();
    let mut events = jobs.watch_job(v1::WatchJobRequest { run_id }).await.unwrap().into_inner();
    let mut last = None;
    while let Some(event) = events.message().await.unwrap() {
        last = event.event.unwrap().event;
    }
    match last.unwrap() {
        Event::Complete(complete) => complete,
        other => panic!("{other:?}"),
    }
}

fn read_with_pyarrow(worker: &Worker, run_id: &str, directory: &Path) {
    let python = std::env::var("KALLA_TEST_PYTHON").expect("KALLA_TEST_PYTHON: scripts/test.sh sets it");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/worker/flight.py");
    let address = worker.url.strip_prefix("http://").unwrap();
    let directory = directory.to_str().unwrap();
    let done = Command::new(python).args([script, address, run_id, directory, QUERIES]).output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pyarrow_reads_what_duckdb_reads() {
    let (_kept, dir) = temporary();
    write_sources(&dir);
    let worker = Worker::start(&dir, &[]);
    let job = job(v1::ResultFormat::Parquet);
    let run_id = job.run_id.clone();
    let complete = complete(&worker, job).await;
    let directory = Path::new(&complete.output_paths.unwrap().matched).parent().unwrap().to_path_buf();
    tokio::task::spawn_blocking(move || read_with_pyarrow(&worker, &run_id, &directory)).await.unwrap();
}

fn ticket(run_id: &str, set: ResultSet) -> v1::ResultTicket {
    v1::ResultTicket { run_id: run_id.to_owned(), result_set: set.into(), ..Default::default() }
}

fn filter(column: &str, op: FilterOp, value: v1::filter_value::Kind) -> v1::Filter {
    let value = Some(v1::FilterValue { kind: Some(value) });
    v1::Filter { column: column.to_owned(), op: op.into(), value }
}

fn cells(rows: &[v1::Row]) -> Vec<Vec<Option<String>>> {
    rows.iter().map(|row| row.cells.iter().map(|cell| cell.value.clone()).collect()).collect()
}

/// The same job with Parquet and with CSV results, in a directory and in a bucket, read by a worker that did not run it: the
/// same pages, the same summary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_summaries_are_the_same_in_every_format() {
    let (_kept, dir) = temporary();
    write_sources(&dir);
    let homes = [Home::Directory, Home::Bucket(Bucket::create())];
    let mut seen = Vec::new();
    for (home, format) in homes.iter().flat_map(|home| FORMATS.map(|format| (home, format))) {
        let variables = home.variables();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (worker, reader) = (Worker::start(&dir, &variables), Worker::start(&dir, &variables));
        let mut client = ResultServiceClient::new(channel(&reader.url).await);
        let job = job(format);
        let run_id = job.run_id.clone();
        let completed = complete(&worker, job).await;
        assert_eq!(completed.unmatched_left_count, 140_000);

        let mut wanted = ticket(&run_id, ResultSet::UnmatchedLeft);
        wanted.columns = ["id", "amount", "note", "day"].map(str::to_owned).to_vec();
        wanted.filters = vec![
            filter("amount", FilterOp::Gte, v1::filter_value::Kind::Number("1500.005".to_owned())),
            filter("note", FilterOp::Contains, v1::filter_value::Kind::Text("MÜLLER".to_owned())),
        ];
        wanted.order = vec![v1::OrderBy { column: "amount".to_owned(), descending: true }];
        (wanted.offset, wanted.limit) = (10, Some(5));
        let page =
            client.read_result(v1::ReadResultRequest { ticket: Some(wanted.clone()) }).await.unwrap().into_inner();
        assert_eq!(page.rows.len(), 5);
        assert_eq!(page.columns[1].r#type, "decimal(18,2)");
        let rows = cells(&page.rows);
        assert!(rows.iter().all(|row| row[2].as_deref() == Some("müller & söhne")), "{rows:?}");
        assert!(page.total > 1000, "{}", page.total);

        let request = v1::SummarizeResultRequest { ticket: Some(ticket(&run_id, ResultSet::UnmatchedRight)) };
        let summary = client.summarize_result(request).await.unwrap().into_inner();
        assert_eq!(summary.rows, 50_000);
        let id = &summary.columns[0];
        let profile = id.profile.as_ref().unwrap();
        assert_eq!((profile.min.as_deref(), profile.max.as_deref()), (Some("420000"), Some("469999")));
        assert_eq!((profile.distinct, id.histogram.len()), (50_000, 20));
        assert!(id.histogram.iter().all(|bin| bin.rows == 2500), "{:?}", id.histogram);

        wanted.order.clear();
        (wanted.offset, wanted.limit) = (page.total - 3, None);
        let end =
            client.read_result(v1::ReadResultRequest { ticket: Some(wanted.clone()) }).await.unwrap().into_inner();
        assert_eq!(end.rows.len(), 3);
        let request = v1::SummarizeResultRequest { ticket: Some(wanted) };
        let filtered = client.summarize_result(request).await.unwrap().into_inner();
        assert_eq!(filtered.columns[2].top, [v1::ValueCount { value: "müller & söhne".to_owned(), rows: page.total }]);
        seen.push((rows, page.total, cells(&end.rows), summary, filtered));
    }
    assert!(seen.len() == 4 && seen.iter().all(|one| *one == seen[0]), "{seen:?}");
}

/// In a process of its own, of a worker that did not run the job.
#[tokio::test]
async fn why_a_row_matches_nothing_is_told_by_any_worker() {
    let (_kept, dir) = temporary();
    std::fs::write(dir.join("a.csv"), "id,ref,amount\n1,A-1,10.00\n2,B-7,99.50\n3,C-3,55.00\n").unwrap();
    std::fs::write(dir.join("b.csv"), "ref,paid\nA-1,10.00\nB-7,99.00\nC-3,55.00\n").unwrap();
    let first = Worker::start(&dir, &[]);
    let job = JobPayload {
        match_sql: "SELECT a.id FROM a JOIN b ON b.ref = a.ref AND tolerance_match(a.amount, b.paid, 0.02)".to_owned(),
        ..job(v1::ResultFormat::Parquet)
    };
    let run_id = job.run_id.clone();
    complete(&first, job).await;
    let second = Worker::start(&dir, &[]);
    let mut client = ResultServiceClient::new(channel(&second.url).await);
    let mut ask = async |row, side: v1::Side| {
        let request = v1::ExplainRowRequest { run_id: run_id.clone(), side: side.into(), row, output_path: None };
        client.explain_row(request).await.map(tonic::Response::into_inner)
    };
    let found = ask(1, v1::Side::Left).await.unwrap();
    assert!(found.verdict.ends_with("99.50 and 99.00 are 0.50 apart, 0.02 allowed"), "{}", found.verdict);
    assert_eq!(found.passes[0].candidates[0].rows, [1]);
    for (row, side, field, code) in [
        (0, v1::Side::Left, "row", tonic::Code::InvalidArgument),
        (7, v1::Side::Right, "row", tonic::Code::InvalidArgument),
        (1, v1::Side::Unspecified, "side", tonic::Code::InvalidArgument),
    ] {
        let status = ask(row, side).await.unwrap_err();
        assert_eq!(status.code(), code);
        assert_eq!(problem(&status).violations[0].field, field);
    }
}

/// By a worker that did not run the job, of rows that were staged and of a Parquet file where it lies.
#[tokio::test]
async fn rows_and_manifest_of_a_run_are_told_by_any_worker() {
    let (_kept, dir) = temporary();
    let many: String = (0..200_000).map(|n| format!("{n},{n}.50\n")).collect();
    std::fs::write(dir.join("a.csv"), format!("id,amount\n{many}")).unwrap();
    std::fs::write(dir.join("b.csv"), "id,paid,ccy\n7,7.25,EUR\n199999,,USD\n").unwrap();
    let first = Worker::start(&dir, &[]);
    let sql = "SELECT a.id FROM a JOIN b ON a.id = b.id";
    let job = JobPayload { match_sql: sql.to_owned(), ..job(v1::ResultFormat::Parquet) };
    let run_id = job.run_id.clone();
    complete(&first, job).await;
    let second = Worker::start(&dir, &[]);
    let mut client = ResultServiceClient::new(channel(&second.url).await);

    let request = v1::GetManifestRequest { run_id: run_id.clone(), output_path: None };
    let manifest = client.get_manifest(request).await.unwrap().into_inner().manifest.unwrap();
    assert_eq!((manifest.run_id, manifest.match_sql), (run_id.clone(), sql.to_owned()));
    let inputs: Vec<_> = manifest.inputs.iter().map(|input| (input.alias.as_str(), input.rows)).collect();
    assert_eq!(inputs, [("a", 200_000), ("b", 2)]);
    let paid = manifest.sums.iter().find(|sum| sum.column == "paid").unwrap();
    assert_eq!((paid.side(), paid.matched.as_str(), paid.unmatched.as_str()), (v1::Side::Right, "7.25", "0.00"));
    let of = |currency: &str, matched: &str| {
        let (currency, matched) = (currency.to_owned(), matched.to_owned());
        v1::CurrencySum { currency, matched, unmatched: "0.00".to_owned() }
    };
    assert_eq!(paid.by_currency, [of("EUR", "7.25"), of("USD", "0.00")]);
    let files: Vec<_> = manifest.files.iter().map(|file| (file.result_set(), file.rows)).collect();
    assert_eq!(files, [(ResultSet::Matched, 2), (ResultSet::UnmatchedLeft, 199_998), (ResultSet::UnmatchedRight, 0)]);
    assert!(manifest.created.is_some() && manifest.timings.unwrap().total_ms > 0.0);

    let mut read = async |side: v1::Side, rows: &[u64]| {
        let request = v1::ReadSourceRowsRequest {
            run_id: run_id.clone(),
            side: side.into(),
            rows: rows.to_vec(),
            output_path: None,
        };
        client.read_source_rows(request).await.map(|answer| cells(&answer.into_inner().rows))
    };
    let row = |id: &str, amount: &str| vec![Some(id.to_owned()), Some(amount.to_owned())];
    // In the order in which they are asked for, from both ends of the file, one of them twice.
    let wanted = [row("199999", "199999.50"), row("7", "7.50"), row("0", "0.50"), row("7", "7.50")];
    assert_eq!(read(v1::Side::Left, &[199_999, 7, 0, 7]).await.unwrap(), wanted);
    assert_eq!(read(v1::Side::Right, &[1]).await.unwrap(), [[Some("199999".to_owned()), None, Some("USD".to_owned())]]);
    assert!(read(v1::Side::Right, &[]).await.unwrap().is_empty());
    for (side, rows, field) in [
        (v1::Side::Right, vec![0, 2], "rows"),
        (v1::Side::Left, (0..1001).collect(), "rows"),
        (v1::Side::Unspecified, vec![0], "side"),
    ] {
        let status = read(side, &rows).await.unwrap_err();
        assert_eq!(problem(&status).violations[0].field, field);
    }
}

/// What is needed to compare rows may be gone by then.
#[tokio::test]
async fn rows_that_are_not_kept_are_told_so() {
    let (_kept, dir) = temporary();
    std::fs::write(dir.join("a.csv"), "id\n1\n").unwrap();
    std::fs::write(dir.join("b.csv"), "id\n1\n").unwrap();
    let worker = Worker::start(&dir, &[("KALLA_KEEP_STAGED", "0")]);
    let sql = "SELECT a.id FROM a JOIN b ON a.id = b.id";
    let job = JobPayload { match_sql: sql.to_owned(), ..job(v1::ResultFormat::Parquet) };
    let run_id = job.run_id.clone();
    complete(&worker, job).await;
    let mut client = ResultServiceClient::new(channel(&worker.url).await);
    let request = v1::ReadSourceRowsRequest { run_id, side: v1::Side::Left.into(), rows: vec![0], output_path: None };
    let status = client.read_source_rows(request).await.unwrap_err();
    assert!(status.code() == tonic::Code::NotFound && status.message().contains("not kept"), "{status:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_ticket_is_told_at_once() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let mut client = ResultServiceClient::new(channel(&worker.url).await);
    let unknown = ticket(&uuid::Uuid::new_v4().to_string(), ResultSet::Matched);
    let status = client.read_result(v1::ReadResultRequest { ticket: Some(unknown) }).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert!(status.message().contains("no run"), "{status:?}");
    let status = client.read_result(v1::ReadResultRequest { ticket: None }).await.unwrap_err();
    assert!(status.message().contains("ticket"), "{status:?}");

    let job = JobPayload {
        match_sql: "SELECT a.id FROM a JOIN b ON a.id = b.id".to_owned(),
        ..job(v1::ResultFormat::Parquet)
    };
    let run_id = job.run_id.clone();
    complete(&worker, job).await;
    let mut wrong = ticket(&run_id, ResultSet::Matched);
    wrong.columns = vec!["nothing".to_owned()];
    wrong.order = vec![v1::OrderBy { column: "idd".to_owned(), descending: false }];
    wrong.filters = vec![filter("id", FilterOp::Contains, v1::filter_value::Kind::Text("1".to_owned()))];
    let status = client.read_result(v1::ReadResultRequest { ticket: Some(wrong) }).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let fields: Vec<String> = problem(&status).violations.into_iter().map(|v| v.field).collect();
    assert_eq!(fields, ["columns[0]", "order[0].column", "filters[0]"]);
}
