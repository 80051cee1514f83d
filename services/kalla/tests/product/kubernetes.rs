//! The files under `kubernetes/`: what the schemas of Kubernetes say of them, and whether they name what there is. The
//! environments of their containers are those of `compose/`, which run in other tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The oldest version that is still kept, and is to take them.
const VERSION: &str = "1.33.0";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kubernetes").join(name).canonicalize().unwrap()
}

/// The documents of a file.
fn documents(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

/// The files that a kustomization names under `list`.
fn named(folder: &Path, list: &str) -> Vec<PathBuf> {
    let read = documents(&folder.join("kustomization.yaml")).remove(0);
    let names = read[list].as_array().into_iter().flatten();
    names.map(|name| folder.join(name.as_str().unwrap()).canonicalize().unwrap()).collect()
}

#[test]
fn the_schemas_of_kubernetes_take_the_files() {
    let python = std::env::var("KALLA_TEST_PYTHON").expect("KALLA_TEST_PYTHON: scripts/test.sh sets it");
    let mut command = Command::new(Path::new(&python).with_file_name("kubernetes-validate"));
    command.args(["--strict", "-k", VERSION]).args(named(&folder("base"), "resources"));
    let told = command.output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}

#[test]
fn every_file_is_named_by_its_folder() {
    for place in ["base", "components/keda"] {
        let place = folder(place);
        let files = std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path());
        let files: BTreeSet<PathBuf> = files.filter(|file| !file.ends_with("kustomization.yaml")).collect();
        assert_eq!(named(&place, "resources").into_iter().collect::<BTreeSet<_>>(), files);
    }
    let example = folder("overlays/example");
    assert_eq!(named(&example, "resources"), [folder("base")]);
    assert_eq!(named(&example, "components"), [folder("components/keda")]);
}

/// Settings are those of the references, containers have what they are told of, and what scales workers looks at their queue.
#[test]
fn they_name_what_there_is() {
    let reference = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name);
        std::fs::read_to_string(path).unwrap()
    };
    let known = reference("gateway.md") + &reference("worker.md");
    let all: Vec<Value> = named(&folder("base"), "resources").iter().flat_map(|file| documents(file)).collect();
    let of = |kind: &str| all.iter().filter(|one| one["kind"] == kind).collect::<Vec<_>>();
    let mut settings = BTreeSet::new();
    for map in of("ConfigMap") {
        settings.insert(map["metadata"]["name"].as_str().unwrap());
        for name in map["data"].as_object().unwrap().keys() {
            assert!(known.contains(&format!("`{name}`")), "{name} is in no reference");
        }
    }
    assert_eq!(of("Deployment").len(), 2);
    for workload in of("Deployment").into_iter().chain(of("Job")) {
        let container = &workload["spec"]["template"]["spec"]["containers"][0];
        let place = &workload["metadata"]["name"];
        assert_eq!(container["image"], format!("kalla:{}", env!("CARGO_PKG_VERSION")), "{place}");
        for from in container["envFrom"].as_array().into_iter().flatten() {
            let name = from["configMapRef"]["name"].as_str().or(from["secretRef"]["name"].as_str()).unwrap();
            assert!(settings.contains(name), "{place}: {name}");
        }
        for variable in container["env"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().unwrap();
            assert!(name == "POD_IP" || known.contains(&format!("`{name}`")), "{place}: {name}");
        }
        let context = &container["securityContext"];
        assert_eq!(
            (&context["readOnlyRootFilesystem"], &context["capabilities"]["drop"][0]),
            (&true.into(), &"ALL".into())
        );
    }
    let scaled = documents(&folder("components/keda/scaled-object.yaml")).remove(0);
    let queue = &scaled["spec"]["triggers"][0]["metadata"];
    for name in [&queue["stream"], &queue["consumer"]] {
        assert!(known.contains(&format!("`{}`", name.as_str().unwrap())), "{name}");
    }
    let target = &scaled["spec"]["scaleTargetRef"]["name"];
    assert!(of("Deployment").iter().any(|one| one["metadata"]["name"] == *target), "{target}");
}
