//! What people look at: files they bring, sources, results, and why a row matches nothing.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::Product;
use crate::client::{check_counts, recipe};

pub async fn look(product: &Product) {
    let upload = files_are_brought(product).await;
    what_is_no_table_is_refused(product).await;
    columns_are_checked_before_anything_runs(product, &upload).await;
    recipes_are_checked_and_tried(product, &upload).await;
    let run_id = a_run_reads_what_was_brought(product, &upload).await;
    results_come_in_pages_and_files(product, &run_id).await;
    a_spreadsheet_runs_nothing(product, &upload).await;
    a_break_is_explained(product, &run_id).await;
    a_run_can_be_checked(product, &run_id, &upload).await;
    sources_are_looked_into(product).await;
}

async fn files_are_brought(Product { client, dir, .. }: &Product) -> String {
    let content = std::fs::read(dir.join("b.csv")).unwrap();
    let answer = client.upload("C:\\bank\\März \"1\".csv", &content).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let upload = answer.body();
    assert_eq!(
        (upload["name"].as_str(), upload["bytes"].as_u64()),
        (Some("März \"1\".csv"), Some(content.len() as u64))
    );
    let names: Vec<&str> = upload["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["id", "paid"]);
    let id = upload["upload_id"].as_str().unwrap().to_owned();
    assert_eq!(client.get(&format!("/api/uploads/{id}")).await.body(), upload);
    let preview = client.get(&format!("/api/uploads/{id}/preview?limit=2")).await.body();
    assert_eq!(preview["rows"], json!([["2", "20.00"], ["3", "30.01"]]));
    id
}

async fn what_is_no_table_is_refused(Product { client, .. }: &Product) {
    let empty = client.upload("empty.csv", b"").await;
    assert_eq!(empty.status, StatusCode::BAD_REQUEST, "{}", empty.text);
    client.post("/api/uploads", &json!({"file": "b.csv"})).await.refused(400);
    let nothing = format!("/api/uploads/{}", uuid::Uuid::new_v4());
    client.get(&nothing).await.refused(404);
    client.get("/api/uploads/..%2f..%2fetc%2fpasswd").await.refused(404);
    let missing = json!({"recipe_id": "invoice-payment", "sources": {"right": {"upload_id": "gone"}}});
    assert!(client.post("/api/runs", &missing).await.refused(404).contains("gone"));
}

async fn columns_are_checked_before_anything_runs(Product { client, .. }: &Product, upload: &str) {
    let mut wanting = recipe();
    wanting["sources"]["right"]["schema"] = json!(["Paid", "currency"]);
    let request = json!({"recipe": wanting, "sources": {"right": {"upload_id": upload}}});
    let told = client.post("/api/runs", &request).await.refused(400);
    assert!(told.contains("has no column `Paid`: was `paid` called so before?"), "{told}");
    assert!(told.contains("has no column `currency`: it has `id`, `paid`"), "{told}");
}

async fn recipes_are_checked_and_tried(Product { client, .. }: &Product, upload: &str) {
    let request = json!({"recipe": recipe(), "sources": {"right": {"upload_id": upload}}});
    let checked = client.post("/api/recipes/check", &request).await.body();
    assert_eq!(checked["lineage_left"], "rows");
    let output: Vec<&str> = checked["output"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(output, ["id", "paid", "_left_row", "_right_row"]);
    let mut wrong = request.clone();
    wrong["recipe"]["match_sql"] = "SELECT i.id FROM invoices i JOIN payments p ON i.id = p.reference".into();
    let told = client.post("/api/recipes/check", &wrong).await.refused(400);
    assert!(told.contains("reference"), "{told}");
    let tried = client.post("/api/recipes/dry-run", &request).await.body();
    assert_eq!((tried["matched_count"].as_u64(), tried["rows_right"].as_u64()), (Some(2), Some(4)), "{tried}");
    assert!(!tried["funnels"].as_array().unwrap().is_empty());
}

async fn a_run_reads_what_was_brought(Product { client, .. }: &Product, upload: &str) -> String {
    let request = json!({"recipe": recipe(), "sources": {"right": {"upload_id": upload}}});
    let run_id = client.run(&request).await;
    let done = client.ended(&run_id).await;
    check_counts(&done);
    assert_eq!(done["sources"][1], json!({"alias": "payments", "uri": "März \"1\".csv", "upload_id": upload}));
    run_id
}

async fn results_come_in_pages_and_files(Product { client, .. }: &Product, run_id: &str) {
    let rows = |query: &str| client.get_owned(format!("/api/runs/{run_id}/results/unmatched_right{query}"));
    let page = rows("").await.body();
    assert_eq!(page["rows"], json!([["4", "40.00", "2"], ["5", "50.00", "3"]]));
    assert_eq!((page["total"].as_u64(), page["columns"][1]["type"].as_str()), (Some(2), Some("decimal(18,2)")));
    let sorted = rows("?order=paid:desc&columns=paid&limit=1").await.body();
    assert_eq!((&sorted["rows"], sorted["total"].as_u64()), (&json!([["50.00"]]), Some(2)));
    let filter = r#"?filter=[{"column":"paid","op":"gt","value":40.00}]"#.replace('"', "%22");
    assert_eq!(rows(&filter).await.body()["rows"], json!([["5", "50.00", "3"]]));
    assert_eq!(rows("?offset=1").await.body()["rows"], json!([["5", "50.00", "3"]]));
    let csv = rows("?format=csv&columns=id,paid").await;
    assert_eq!((csv.status, csv.text.as_str()), (StatusCode::OK, "id,paid\n4,40.00\n5,50.00\n"));
    for (format, magic) in [("parquet", b"PAR1" as &[u8]), ("xlsx", b"PK"), ("arrow", &[0xff, 0xff, 0xff, 0xff])] {
        let bytes = client.bytes(&format!("/api/runs/{run_id}/results/matched?format={format}")).await;
        assert!(bytes.starts_with(magic), "{format}: {:?}", &bytes[..bytes.len().min(8)]);
    }
    let summary = client.get(&format!("/api/runs/{run_id}/results/matched/summary")).await.body();
    assert_eq!(summary["rows"], 2);

    assert!(rows("?format=pdf").await.refused(400).contains("xlsx"));
    assert!(rows("?order=colour").await.refused(400).contains("colour"));
    assert!(rows("?filter=[{%22colum%22:1}]").await.refused(400).contains("filter[0]"));
    client.get(&format!("/api/runs/{run_id}/results/everything")).await.refused(404);
    let failing = client.run(&json!({"recipe_id": "invoice-payment", "sources": {"right": {"uri": "none.csv"}}})).await;
    client.ended(&failing).await;
    assert!(client.get(&format!("/api/runs/{failing}/results/matched")).await.refused(409).contains("failed"));
}

async fn a_spreadsheet_runs_nothing(Product { client, .. }: &Product, upload: &str) {
    let mut noting = recipe();
    noting["match_sql"] =
        "SELECT '=2+' || p.id AS note, i.id FROM invoices i JOIN payments p ON i.id = p.id ORDER BY i.id".into();
    let request = json!({"recipe": noting, "sources": {"right": {"upload_id": upload}}});
    let run_id = client.run(&request).await;
    client.ended(&run_id).await;
    let file = |query: &str| client.get_owned(format!("/api/runs/{run_id}/results/matched?columns=note&{query}"));
    assert_eq!(file("format=csv").await.text, "note\n=2+2\n=2+3\n");
    assert_eq!(file("format=csv&spreadsheet=true").await.text, "note\n'=2+2\n'=2+3\n");
    assert!(file("format=parquet&spreadsheet=true").await.refused(400).contains("spreadsheet"));
}

async fn a_break_is_explained(Product { client, .. }: &Product, run_id: &str) {
    let why = client.get(&format!("/api/runs/{run_id}/why/right/2")).await.body();
    assert!(!why["verdict"].as_str().unwrap().is_empty(), "{why}");
    assert_eq!(why["row"], json!(["4", "40.00"]));
    client.get(&format!("/api/runs/{run_id}/why/right/0")).await.refused(400);
    client.get(&format!("/api/runs/{run_id}/why/middle/0")).await.refused(404);
}

async fn a_run_can_be_checked(Product { client, .. }: &Product, run_id: &str, upload: &str) {
    let manifest = client.get(&format!("/api/runs/{run_id}/manifest")).await.body();
    assert_eq!((&manifest["inputs"][1]["alias"], &manifest["lineage_right"]), (&json!("payments"), &json!("rows")));
    let sums = json!({"side": "right", "column": "paid", "matched": "50.01", "unmatched": "90.00", "by_currency": []});
    assert_eq!(manifest["sums"].as_array().unwrap().last(), Some(&sums));
    let sets: Vec<_> = manifest["files"].as_array().unwrap().iter().map(|file| &file["result_set"]).collect();
    assert_eq!(sets, ["matched", "unmatched_left", "unmatched_right"]);

    let rows = |query: &str| client.get_owned(format!("/api/runs/{run_id}/rows/{query}"));
    let two = rows("right?rows=3,0").await.body();
    assert_eq!((&two["columns"][1]["name"], &two["rows"]), (&json!("paid"), &json!([["5", "50.00"], ["2", "20.00"]])));
    assert!(rows("right?rows=4").await.refused(400).contains("there is no row 4"));
    assert!(rows("right?rows=x").await.refused(400).contains("`x` is no number"));
    rows("right").await.refused(400);
    rows("middle?rows=0").await.refused(404);

    let system = client.get("/api/system").await.body();
    assert!(system["worker"]["concurrency"].as_u64() > Some(0) && system.get("worker_problem").is_none(), "{system}");
    assert!(["sqlite", "postgres"].contains(&system["database"].as_str().unwrap()));

    // What stands for no value can be said where the file is looked at.
    let scope = json!({"limit": 2, "options": {"nulls": ["20.00"]}});
    let read = client.post(&format!("/api/uploads/{upload}/load-scoped"), &scope).await.body();
    assert_eq!(read["rows"], json!([["2", null], ["3", "30.01"]]));
    let scope = json!({"filters": [{"column": "paid", "op": "gt", "value": 45}]});
    let read = client.post(&format!("/api/uploads/{upload}/load-scoped"), &scope).await.body();
    assert_eq!(read["rows"], json!([["5", "50.00"]]));
}

async fn sources_are_looked_into(Product { client, .. }: &Product) {
    client.post("/api/sources", &json!({"alias": "payments", "uri": "b.csv"})).await.body();
    let preview = client.get("/api/sources/payments/preview?limit=1").await.body();
    assert_eq!((&preview["rows"], &preview["columns"][0]["name"]), (&json!([["2", "20.00"]]), &json!("id")));
    let scope = json!({"filters": [{"column": "paid", "op": "gte", "value": 40}], "limit": 10});
    let scoped = client.post("/api/sources/payments/load-scoped", &scope).await.body();
    assert_eq!(scoped["rows"], json!([["4", "40.00"], ["5", "50.00"]]));
    assert_eq!(client.post("/api/sources/payments/test", &Value::Null).await.body()["ok"], true);
    // A recipe that says no more than the alias reads it.
    let run_id = client.run(&json!({"recipe_id": "invoice-payment"})).await;
    check_counts(&client.ended(&run_id).await);
    client.post("/api/sources", &json!({"alias": "nowhere", "uri": "none.csv"})).await.body();
    client.get("/api/sources/nowhere/preview").await.refused(404);
    assert_eq!(client.post("/api/sources/nowhere/test", &Value::Null).await.body()["ok"], false);
}
