//! A Postgres database for one test.

/// Makes an empty one and gives its address.
pub async fn create() -> String {
    let server = std::env::var("KALLA_TEST_POSTGRES").expect("KALLA_TEST_POSTGRES: scripts/test.sh sets it");
    let name = format!("gateway_{}", uuid::Uuid::new_v4().simple());
    let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    let (address, _) = server.rsplit_once('/').unwrap();
    format!("{address}/{name}")
}
