//! A Postgres database for one test.

use url::Url;

/// Makes an empty one that belongs to a user of its own, of the same name; gives `host:port` of the server.
pub async fn create(name: &str, password: &str) -> String {
    let server = std::env::var("KALLA_TEST_POSTGRES").expect("KALLA_TEST_POSTGRES: scripts/test.sh sets it");
    let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(&format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'")).await.unwrap();
    client.batch_execute(&format!("CREATE DATABASE {name} OWNER {name}")).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    let server = Url::parse(&server).unwrap();
    format!("{}:{}", server.host_str().unwrap(), server.port().unwrap_or(5432))
}
