//! What can be wrong with a server, a name or a permission, in one sentence each.

use std::net::TcpListener;

use crate::Error;
use crate::job::PostgresTable;

use super::server::{Database, peek, read};

/// Stages and samples: both must say the same.
async fn failure(uri: &str) -> Error {
    let staged = read(uri, &[], 2).await.expect_err(uri);
    let sampled = peek(uri, &[], 5).await.expect_err(uri);
    assert_eq!(staged.to_string(), sampled.to_string());
    assert!(!staged.to_string().contains('\n'), "{staged}");
    staged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_cannot_be_reached() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = failure(&format!("postgres://u:s3cret@{unused}/db?table=t")).await;
    assert!(matches!(error, Error::Unavailable { .. }));
    assert_eq!(
        error.to_string(),
        format!("source `bank`: cannot connect to {unused}: connection refused; is Postgres running there?")
    );

    let error = failure("postgres://u:s3cret@no-such-host.invalid/db?table=t").await;
    assert!(matches!(error, Error::Unavailable { .. }));
    assert!(error.to_string().starts_with("source `bank`: cannot connect to no-such-host.invalid:5432: "), "{error}");

    // Takes the connection and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let error = failure(&format!("postgres://u:s3cret@{address}/db?table=t&connect_timeout=1")).await;
    assert_eq!(error.to_string(), format!("source `bank`: {address} did not answer within 1 s"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_do_not_exist() {
    let database = Database::with(
        "CREATE TABLE payments (i int); CREATE SCHEMA ledger; CREATE TABLE ledger.entries (i int); \
         CREATE TABLE \"Orders\" (i int)",
    )
    .await;
    let name = &database.name;
    let cases = [
        ("paymnts", format!("no table `paymnts` in database `{name}`; did you mean `payments`?")),
        ("orders", format!("no table `orders` in database `{name}`; did you mean `Orders`?")),
        ("ledger.entry", format!("no table `ledger.entry` in database `{name}`; did you mean `entries`?")),
        (
            "entries",
            format!("no table `entries` in database `{name}`; there is `ledger.entries`: write table=ledger.entries"),
        ),
        (
            "leger.entries",
            format!(
                "no table `leger.entries` in database `{name}`; there is `ledger.entries`: write table=ledger.entries"
            ),
        ),
        ("ledgre.other", format!("no table `ledgre.other` in database `{name}`; did you mean schema `ledger`?")),
        ("zzz", format!("no table `zzz` in database `{name}`")),
    ];
    for (table, message) in cases {
        let error = failure(&database.uri(table)).await;
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("source `bank`: {message}"));
    }
    let error = failure(&format!("postgres://postgres@{}/no_such_db?table=t", database.address())).await;
    assert!(matches!(error, Error::NotFound { .. }));
    assert_eq!(error.to_string(), "source `bank`: database \"no_such_db\" does not exist");
    let error = failure(&format!("postgres://no_such_role@{}/postgres?table=t", database.address())).await;
    assert!(matches!(error, Error::Denied { .. }));
    assert_eq!(error.to_string(), "source `bank`: role \"no_such_role\" does not exist");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn things_that_are_not_permitted() {
    let database = Database::create().await;
    let role = format!("{}_guest", database.name);
    database
        .run(&format!(
            "CREATE ROLE {role} LOGIN; CREATE TABLE secret (i int); CREATE VIEW secret_view AS SELECT * FROM secret; \
             CREATE SCHEMA closed; CREATE TABLE closed.t (i int); GRANT SELECT ON closed.t TO {role}"
        ))
        .await;
    let mut errors = Vec::new();
    for table in ["secret", "secret_view", "closed.t"] {
        errors.push(failure(&database.uri_as(&role, table)).await);
    }
    database.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    assert!(errors.iter().all(|error| matches!(error, Error::Denied { .. })), "{errors:?}");
    assert_eq!(
        errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "source `bank`: permission denied for table secret",
            "source `bank`: permission denied for view secret_view",
            "source `bank`: permission denied for schema closed",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_that_fail_and_statements_that_take_too_long() {
    let database = Database::with(
        "CREATE VIEW broken AS SELECT 10 / (5 - i) AS q FROM generate_series(1, 9) i; \
         CREATE VIEW slow AS SELECT pg_sleep(20)::text AS s",
    )
    .await;
    let error = failure(&database.uri("broken")).await;
    assert!(matches!(error, Error::Data { .. }), "{error:?}");
    assert!(error.to_string().ends_with("division by zero"), "{error}");
    let error = failure(&database.uri("slow&options=-c%20statement_timeout%3D300")).await;
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("canceling statement due to statement timeout"), "{error}");
}

#[test]
fn a_table_never_shows_its_password() {
    let table =
        PostgresTable::parse("postgres://ann:s3cret@db.example:5433/books?table=a.b&application_name=x").unwrap();
    assert_eq!(table.display(), "postgres://ann@db.example:5433/books?table=a.b");
    assert_eq!(format!("{table:?}"), "PostgresTable(\"postgres://ann@db.example:5433/books?table=a.b\")");
}
