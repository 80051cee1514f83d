//! Runs that the gateway itself cannot deal with: they are told and put aside, and nobody else notices.

use serde_json::json;
use tokio_postgres::NoTls;

use crate::client::{Client, check_counts, recipe, run};
use crate::database;
use crate::process::{Served, free_port};
use crate::temporary;

#[tokio::test]
async fn one_run_in_trouble_stops_nobody() {
    let (_kept, dir) = temporary();
    let name = format!("kalla_{}", uuid::Uuid::new_v4().simple());
    let server = database::create(&name, "password").await;
    let url = format!("postgres://{name}:password@{server}/{name}");
    let (database, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let worker_port = free_port();
    let worker_url = format!("http://127.0.0.1:{worker_port}");
    let variables =
        [("KALLA_WORKER_TOKEN", "between"), ("DATABASE_URL", url.as_str()), ("WORKER_URL", worker_url.as_str())];
    let gateway = |port: &str| Served::start(&dir, &["gateway", "--port", port], &variables);
    let first = gateway("0");
    let port = first.port();
    let client = Client::new(&first.url);
    client.post("/api/recipes", &recipe()).await.body();

    // While no worker is there: one that a later version has left behind, one whose payload is of another installation.
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(client.run(&run()).await);
    }
    let (strange, sealed) = (runs.remove(0), runs.remove(0));
    let change = async |sql: &str, run_id: &str| {
        assert_eq!(database.execute(sql, &[&run_id]).await.unwrap(), 1);
    };
    change(
        r#"UPDATE runs SET life = jsonb_set(life, '{phase}', '"dreaming"') WHERE run_id = ($1::text)::uuid"#,
        &strange,
    )
    .await;
    change(r"UPDATE runs SET sealed = '\x00' WHERE run_id = ($1::text)::uuid", &sealed).await;
    let worker = ["worker", "--port", &worker_port];
    let _worker = Served::start(&dir, &worker, &[("KALLA_WORKER_TOKEN", "between")]);
    for run_id in &runs {
        check_counts(&client.ended(run_id).await);
    }
    let told = client.until(&sealed, |run| run["error"]["problem"]["code"] == "internal").await;
    assert_eq!(told["state"], "pending", "{told}");
    let parked = || async { client.get("/metrics").await.text.contains("kalla_runs_parked 1") };
    while !parked().await {
        tokio::task::yield_now().await;
    }
    // Others are listed all the same.
    assert_eq!(client.get("/api/runs").await.body()["runs"].as_array().unwrap().len(), 5);

    // The version that understands it comes back, and takes it up at once.
    change(
        r#"UPDATE runs SET life = jsonb_set(life, '{phase}', '"pending"') WHERE run_id = ($1::text)::uuid"#,
        &strange,
    )
    .await;
    first.kill();
    let _second = gateway(&port);
    check_counts(&client.ended(&strange).await);
    client.post(&format!("/api/runs/{sealed}/cancel"), &json!({})).await.body();
    assert_eq!(client.ended(&sealed).await["state"], "cancelled");

    // What a worker quotes may hold what Postgres does not keep.
    let mut nul = run();
    nul["sources"]["right"]["options"] = json!({"types": {"id": "x\u{0}y"}});
    let failed = client.ended(&client.run(&nul).await).await;
    assert!(failed["error"]["error"].as_str().unwrap().contains("x\u{fffd}y"), "{failed}");
}
