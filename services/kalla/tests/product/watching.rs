//! The files under `monitoring/`: they ask for what there is, Prometheus takes them, and the guide tells what to do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::bucket::Bucket;
use crate::client::{Client, recipe, run};
use crate::nats::Nats;
use crate::process::{Served, free_port};
use crate::scaled::{Fleet, TOKEN};
use crate::temporary;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../monitoring").join(name).canonicalize().unwrap()
}

fn read(name: &str) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(file(name)).unwrap()).unwrap()
}

fn rules() -> Vec<Value> {
    read("alerts.yaml")["groups"][0]["rules"].as_array().unwrap().clone()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// What the panels ask.
fn asked_by_panels() -> Vec<String> {
    let read = read("dashboard.json");
    let targets =
        read["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    targets.map(|target| text(&target["expr"]).replace("$__rate_interval", "5m")).collect()
}

#[test]
fn prometheus_takes_them() {
    let (_kept, dir) = temporary();
    let panels = asked_by_panels();
    assert!(panels.len() > 20, "{panels:?}");
    let panels: Vec<String> =
        panels.iter().map(|expr| format!("{{record: a, expr: {}}}", Value::from(expr.as_str()))).collect();
    let as_rules = dir.join("dashboard.yaml");
    std::fs::write(&as_rules, format!("groups: [{{name: a, rules: [{}]}}]", panels.join(","))).unwrap();
    promtool(&["check", "rules"], &file("alerts.yaml"));
    promtool(&["check", "rules"], &as_rules);
    promtool(&["test", "rules"], &file("alerts.test.yaml"));
}

fn promtool(arguments: &[&str], file: &Path) {
    let program = std::env::var("KALLA_TEST_PROMTOOL").expect("KALLA_TEST_PROMTOOL: scripts/test.sh sets it");
    let told = Command::new(program).args(arguments).arg(file).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{out}{err}");
}

/// Each rule is seen to fire, and the guide tells what it means.
#[test]
fn each_rule_is_tried_and_told_of() {
    let rules: BTreeSet<String> = rules().iter().map(|rule| text(&rule["alert"])).collect();
    let guide = include_str!("../../../../docs/guides/watching.md");
    let told = guide.lines().filter_map(|line| line.strip_prefix("| `Kalla")?.split('`').next());
    assert_eq!(told.map(|name| format!("Kalla{name}")).collect::<BTreeSet<_>>(), rules);
    let tests = read("alerts.test.yaml");
    let wrong = &tests["tests"].as_array().unwrap().last().unwrap()["promql_expr_test"][0];
    let fired = wrong["exp_samples"].as_array().unwrap().iter().map(|sample| text(&sample["labels"]));
    let fired: BTreeSet<String> = fired.map(|labels| labels.split('"').nth(1).unwrap().to_owned()).collect();
    assert_eq!(fired, rules);
}

#[tokio::test]
async fn they_ask_for_what_there_is() {
    let (_kept, dir) = temporary();
    let nats = Nats::start(&dir, &free_port());
    let fleet = Fleet::new(&dir, &nats.url(), &Bucket::create()).with("KALLA_SPILL_DIR", "spill");
    let (worker, gateway) = (fleet.worker(), fleet.gateway());
    let client = Client::new(&gateway.url);
    client.post("/api/recipes", &recipe()).await.body();
    client.ended(&client.run(&run()).await).await;
    let there = metrics(&gateway).await + &metrics(&worker).await;
    let rules = rules();
    let asked = rules.iter().map(|rule| text(&rule["expr"])).chain(asked_by_panels());
    for expr in asked {
        for Selector { metric, labels } in selectors(&expr) {
            let lines = || there.lines().filter(|line| line.split(['{', ' ']).next() == Some(&metric));
            assert!(lines().next().is_some(), "{metric} of {expr}");
            for label in labels {
                assert!(lines().any(|line| line.contains(&label)), "{label} of {expr}");
            }
        }
    }
}

async fn metrics(server: &Served) -> String {
    let request = reqwest::Client::new().get(format!("{}/metrics", server.url)).bearer_auth(TOKEN);
    request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
}

struct Selector {
    metric: String,
    /// As they stand in the text; of one that is matched by a pattern, its name.
    labels: Vec<String>,
}

/// The metrics of an expression that are Kalla's.
fn selectors(expr: &str) -> Vec<Selector> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = expr.match_indices("kalla_").map(|(at, _)| &expr[at..]);
    starts
        .map(|rest| {
            let (metric, rest) = rest.split_at(rest.find(|c| !word(c)).unwrap_or(rest.len()));
            let braces = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
            let matchers = braces.into_iter().flat_map(|inside| inside.split(','));
            let labels = matchers.map(|matcher| match matcher.trim().split_once("=~") {
                Some((name, _)) => format!("{name}=\""),
                None => matcher.trim().to_owned(),
            });
            Selector { metric: metric.to_owned(), labels: labels.collect() }
        })
        .collect()
}
