//! The rules of the repository that no compiler knows: who may depend on whom, and what may stand where.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which crate of ours may use which: these, and no others.
const ARROWS: [(&str, &str); 18] = [
    ("kalla", "kalla-broker"),
    ("kalla", "kalla-engine"),
    ("kalla", "kalla-gateway"),
    ("kalla", "kalla-proto"),
    ("kalla", "kalla-serving"),
    ("kalla", "kalla-worker"),
    ("kalla-broker", "kalla-proto"),
    ("kalla-engine", "kalla-spelling"),
    ("kalla-gateway", "kalla-broker"),
    ("kalla-gateway", "kalla-proto"),
    ("kalla-gateway", "kalla-serving"),
    ("kalla-gateway", "kalla-spelling"),
    ("kalla-proto", "kalla-spelling"),
    ("kalla-worker", "kalla-broker"),
    ("kalla-worker", "kalla-engine"),
    ("kalla-serving", "kalla-proto"),
    ("kalla-worker", "kalla-proto"),
    ("kalla-worker", "kalla-serving"),
];
/// Names that say nothing about what is inside; such a crate ends up holding everything.
const EMPTY_NAMES: [&str; 6] = ["common", "core", "shared", "types", "util", "utils"];
/// The only files that read the process environment; what others need is passed to them.
const READ_ENVIRONMENT: [&str; 2] = ["services/kalla/src/args/", "services/kalla/src/main.rs"];
const MAX_LINES: usize = 500;

#[test]
fn crates_depend_on_each_other_only_along_the_arrows() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(name).collect();
    let mut found = BTreeSet::new();
    for package in &packages {
        for dependency in dependencies(package).filter(|dependency| ours.contains(dependency)) {
            found.insert((name(package), dependency));
        }
    }
    let allowed = BTreeSet::from(ARROWS);
    if let Some((from, to)) = found.difference(&allowed).next() {
        panic!("{from} may not depend on {to}: pass values in, or move the code to the crate that owns it");
    }
    if let Some((from, to)) = allowed.difference(&found).next() {
        panic!("{from} no longer depends on {to}: remove the arrow from this test and from docs/ARCHITECTURE.md");
    }
}

#[test]
fn no_crate_has_an_empty_name() {
    for package in &packages() {
        let name = name(package);
        assert!(
            !name.split(['-', '_']).any(|part| EMPTY_NAMES.contains(&part)),
            "crate {name}: name it after what it does, or put the code where it is used"
        );
    }
}

#[test]
fn only_the_engine_uses_datafusion() {
    for package in packages().iter().filter(|package| name(package) != "kalla-engine") {
        let found = dependencies(package).find(|dependency| dependency.starts_with("datafusion"));
        assert!(
            found.is_none(),
            "{} depends on {}: give the engine a function that does what is needed",
            name(package),
            found.unwrap_or_default()
        );
    }
}

/// Statements that change or read the gateway's own state have one home.
#[test]
fn only_the_store_speaks_sql() {
    for file in tracked(&["gateway/*.rs"]) {
        if file.starts_with("gateway/src/store/") || file == "gateway/src/problem.rs" {
            continue;
        }
        assert!(!read(&file).contains("sqlx"), "{file}: only gateway/src/store/ may use sqlx: give it a function");
    }
}

#[test]
fn the_page_asks_for_things_in_one_place() {
    let files = tracked(&["web/src/*.ts", "web/src/*.tsx"]);
    assert!(files.len() > 10, "{files:?}");
    for file in files.iter().filter(|file| !file.starts_with("web/src/api/")) {
        let text = read(file);
        let asks = ["fetch(", "EventSource(", "XMLHttpRequest("].iter().any(|word| {
            text.match_indices(word).any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        });
        assert!(!asks, "{file}: only web/src/api/ asks the gateway for something: give it a function");
    }
}

#[test]
fn files_are_short() {
    let mut files = 0;
    for file in tracked(&["*.rs", "*.py", "*.sh", "*.ts", "*.tsx"]) {
        if is_test(&file) || is_generated(&file) {
            continue;
        }
        let lines = read(&file).lines().count();
        assert!(
            lines <= MAX_LINES,
            "{file} has {lines} lines, {MAX_LINES} are allowed: it does more than one job, give each its own file"
        );
        files += 1;
    }
    assert!(files > 10, "only {files} files were looked at: the list of files is wrong");
}

#[test]
fn only_config_reads_the_environment() {
    for file in tracked(&["*.rs"]) {
        if is_test(&file) || file.ends_with("build.rs") || READ_ENVIRONMENT.iter().any(|home| file.starts_with(home)) {
            continue;
        }
        for (index, line) in read(&file).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            assert!(
                !code.contains("std::env") && !code.contains("env::var"),
                "{file}:{}: only {} may use std::env: read it there and pass the value in",
                index + 1,
                READ_ENVIRONMENT.join(" and ")
            );
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = output(Command::new(cargo).args(["metadata", "--no-deps", "--format-version", "1", "--offline"]));
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

/// Of every kind: those of tests and build scripts are arrows, too.
fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    package["dependencies"].as_array().unwrap().iter().map(name)
}

/// Files that git knows or would add, as paths from the root.
fn tracked(patterns: &[&str]) -> Vec<String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "--"]).args(patterns);
    let root = root();
    output(&mut git).lines().filter(|file| root.join(file).is_file()).map(str::to_owned).collect()
}

fn is_test(file: &str) -> bool {
    let stem = file.rsplit('/').next().unwrap_or(file).split('.').next().unwrap_or_default();
    file.split('/').any(|folder| folder == "tests")
        || stem == "tests"
        || stem.ends_with("_test")
        || stem.starts_with("test_")
        || file.contains(".test.")
}

fn is_generated(file: &str) -> bool {
    file.split('/').any(|folder| folder == "generated") || file.contains(".gen.")
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn output(command: &mut Command) -> String {
    let output = command.current_dir(root()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
