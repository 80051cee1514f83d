//! TLS in every mode, and passwords.

use crate::Error;

use super::cluster::Cluster;
use super::server::read;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tls_mode_checks_what_it_says_and_passwords_are_kept_secret() {
    let mut cluster = Cluster::start();
    let admin = cluster.admin().await;
    admin
        .batch_execute(
            "CREATE ROLE clerk LOGIN PASSWORD 's3cret/@'; CREATE ROLE plain LOGIN PASSWORD 's3cret/@'; \
             CREATE ROLE wordless LOGIN; \
             CREATE TABLE t AS SELECT ssl::text AS ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid(); \
             CREATE VIEW mine AS SELECT ssl::text AS ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid(); \
             GRANT SELECT ON mine TO clerk, plain",
        )
        .await
        .unwrap();
    let port = cluster.port;
    let root = cluster.path("root.crt").display().to_string();
    let stranger = cluster.path("stranger.crt").display().to_string();
    let not_trusted = "is not accepted: ";
    // User and password, host, parameters, what `ssl` says or a part of the error.
    let cases = [
        ("clerk:s3cret%2F%40", "127.0.0.1", String::new(), Ok("true")),
        ("clerk:s3cret%2F%40", "127.0.0.1", "&sslmode=prefer".to_owned(), Ok("true")),
        ("clerk:s3cret%2F%40", "127.0.0.1", "&sslmode=require".to_owned(), Ok("true")),
        ("clerk:s3cret%2F%40", "127.0.0.1", format!("&sslmode=require&sslrootcert={root}"), Ok("true")),
        ("clerk:s3cret%2F%40", "127.0.0.1", format!("&sslmode=require&sslrootcert={stranger}"), Err(not_trusted)),
        ("clerk:s3cret%2F%40", "127.0.0.1", format!("&sslmode=verify-ca&sslrootcert={root}"), Ok("true")),
        ("clerk:s3cret%2F%40", "127.0.0.1", format!("&sslmode=verify-ca&sslrootcert={stranger}"), Err(not_trusted)),
        ("clerk:s3cret%2F%40", "localhost", format!("&sslmode=verify-full&sslrootcert={root}"), Ok("true")),
        ("clerk:s3cret%2F%40", "127.0.0.1", format!("&sslmode=verify-full&sslrootcert={root}"), Err(not_trusted)),
        ("clerk:s3cret%2F%40", "localhost", "&sslmode=verify-full".to_owned(), Err(not_trusted)),
        (
            "clerk:s3cret%2F%40",
            "127.0.0.1",
            "&sslmode=verify-ca&sslrootcert=/no/such/file".to_owned(),
            Err("sslrootcert /no/such/file cannot be read"),
        ),
        ("clerk:s3cret%2F%40", "127.0.0.1", "&sslmode=disable".to_owned(), Err("no pg_hba.conf entry for host")),
        ("plain:s3cret%2F%40", "127.0.0.1", "&sslmode=disable".to_owned(), Ok("false")),
        ("clerk:wr0ng", "127.0.0.1", String::new(), Err("password authentication failed for user \"clerk\"")),
        ("clerk", "127.0.0.1", String::new(), Err("asks for a password: put one into the URI")),
        ("wordless:wr0ng", "127.0.0.1", String::new(), Err("password authentication failed for user \"wordless\"")),
        ("nobody:wr0ng", "127.0.0.1", String::new(), Err("password authentication failed for user \"nobody\"")),
    ];
    for (user, host, parameters, expected) in cases {
        let uri = format!("postgres://{user}@{host}:{port}/postgres?table=mine{parameters}");
        match (read(&uri, &[], 2).await, expected) {
            (Ok(rows), Ok(ssl)) => assert_eq!(rows.rows, [[ssl]], "{uri}"),
            (Err(error), Err(part)) => {
                assert!(matches!(error, Error::Denied { .. }), "{uri}: {error:?}");
                let text = error.to_string();
                assert!(text.contains(part), "{uri}: {text}");
                assert!(!text.contains('\n') && !text.contains("s3cret") && !text.contains("wr0ng"), "{text}");
            }
            (found, _) => panic!("{uri}: {:?}", found.map(|rows| rows.rows)),
        }
    }
}
