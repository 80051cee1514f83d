//! The files under `compose/`: what they promise, what their own tools say of them, and the product that they describe. There
//! may be no Docker where this runs: the commands and environments of the services make plain processes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::database;
use crate::nats::Nats;
use crate::process::{Served, free_port};
use crate::stores::Store;

type Variables = BTreeMap<String, String>;

const SINGLE: &str = "docker-compose.single.yml";
const SCALED: &str = "docker-compose.scaled.yml";

fn compose() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose").canonicalize().unwrap()
}

fn text(file: &str) -> String {
    std::fs::read_to_string(compose().join(file)).unwrap()
}

/// The gateway and the worker of the single server, each as its service says.
pub async fn single(dir: &Path) -> Vec<Served> {
    let (services, database) = Services::of(SINGLE, dir, &[]).await;
    let app = format!("127.0.0.1:{}", free_port());
    let url = format!("http://{app}");
    assert_eq!(services.check("app", ("http://127.0.0.1:3000", &url)), Some(1), "before it is started");
    let worker = services.start("worker", &[("app:3000", &app)], &[("KALLA_WORKER_PORT", "0")]);
    let worker_address = worker.url.trim_start_matches("http://").to_owned();
    let places = [("postgres:5432", database.as_str()), ("worker:9090", &worker_address), ("app:3000", &app)];
    let gateway = services.start("app", &places, &[("KALLA_PORT", port(&app))]);
    assert_eq!(services.check("worker", ("http://127.0.0.1:9090", &worker.url)), Some(0));
    assert_eq!(services.check("app", ("http://127.0.0.1:3000", &url)), Some(0));
    // Its container cannot be written to.
    assert!(!dir.join("secret.key").exists() && !dir.join("kalla.db").exists());
    vec![gateway, worker]
}

/// Two gateways and two workers of the fleet, the broker and the bucket between them, each as its service says. The bucket lets workers do what
/// its policy allows.
pub async fn scaled(dir: &Path) -> (Nats, Store, Vec<Served>) {
    let (services, database) = Services::of(SCALED, dir, &[]).await;
    let worker = named(&services.read["worker"]["environment"]);
    let [bucket, key, secret] =
        ["STAGING_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| worker[name].as_str());
    let policy = serde_json::from_str(services.configs["bucket_policy"]["content"].as_str().unwrap()).unwrap();
    let guarded = Store::guarded_s3(bucket, key, secret, &policy);
    let (app, broker) = (format!("127.0.0.1:{}", free_port()), free_port());
    // Ours is told where it listens, and has no port for monitoring.
    let command = strings(&services.read["nats"]["command"]).into_iter().filter(|word| word != "-m" && word != "8222");
    let nats = Nats::start_with(dir, &broker, command.skip_while(|word| word != "--user"));
    let (broker, store) = (format!("127.0.0.1:{broker}"), guarded.endpoint.replace("http://", ""));
    let places = [
        ("postgres:5432", database.as_str()),
        ("nats:4222", broker.as_str()),
        ("minio:9000", store.as_str()),
        ("app:3000", app.as_str()),
    ];
    // Here the name of the machine need not lead anywhere.
    let own = [("KALLA_WORKER_PORT", "0"), ("KALLA_HOST", "127.0.0.1")];
    let workers = [(); 2].map(|()| services.start("worker", &places, &own));
    let gateways = [port(&app), "0"].map(|port| services.start("app", &places, &[("KALLA_PORT", port)]));
    (nats, guarded, gateways.into_iter().chain(workers).collect())
}

fn port(address: &str) -> &str {
    address.rsplit(':').next().unwrap()
}

/// The services of a file, with everything filled in.
struct Services<'a> {
    dir: &'a Path,
    read: Value,
    /// Files of containers.
    configs: Value,
}

impl<'a> Services<'a> {
    /// Gives the address of their database too.
    async fn of(file: &str, dir: &'a Path, more: &[(&str, &str)]) -> (Self, String) {
        let mut variables = filled_in(file, dir);
        let user = format!("kalla_{}", uuid::Uuid::new_v4().simple());
        for (name, value) in [("POSTGRES_USER", user.as_str()), ("POSTGRES_DB", &user)].iter().chain(more) {
            variables.insert((*name).to_owned(), (*value).to_owned());
        }
        let database = database::create(&user, &variables["POSTGRES_PASSWORD"]).await;
        let mut read = read(file, &variables).unwrap();
        (Self { dir, read: read["services"].take(), configs: read["configs"].take() }, database)
    }

    /// One of them as a process, with addresses in place of the names of containers.
    fn start(&self, name: &str, places: &[(&str, &str)], more: &[(&str, &str)]) -> Served {
        let service = &self.read[name];
        let arguments = strings(&service["command"]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut environment = image();
        environment.extend(named(&service["environment"]));
        for value in environment.values_mut() {
            // What the image calls /data is the directory of this test.
            *value = value.replacen("/data", self.dir.to_str().unwrap(), usize::from(value.starts_with("/data")));
            for (name, address) in places {
                *value = value.replace(name, address);
            }
        }
        environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (&**name, &**value)).collect();
        Served::start(self.dir, &arguments, &environment)
    }

    /// What its health check says.
    fn check(&self, name: &str, place: (&str, &str)) -> Option<i32> {
        let test = strings(&self.read[name]["healthcheck"]["test"]);
        assert_eq!(test[..2], ["CMD", "kalla"]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_kalla"));
        command.args(test[2..].iter().map(|argument| argument.replace(place.0, place.1)));
        command.env("KALLA_URL", place.1).output().unwrap().status.code()
    }
}

/// `.env`, made by the commands of the guide in a copy of the directory.
fn filled_in(file: &str, dir: &Path) -> Variables {
    let copy = dir.join("compose");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(compose().join(".env.example"), copy.join(".env.example")).unwrap();
    let guide = match file {
        SCALED => include_str!("../../../../docs/guides/scaling.md"),
        _ => include_str!("../../../../docs/guides/deployment.md"),
    };
    let block = guide.split("```sh\n").find(|block| block.contains("cp .env.example .env")).unwrap();
    let block = block.split("```").next().unwrap();
    let commands: Vec<&str> =
        block.lines().filter(|line| !line.starts_with("docker ") && !line.starts_with("cd ")).collect();
    let made = Command::new("sh").args(["-euc", &commands.join("\n")]).current_dir(&copy).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let found = variables(&std::fs::read_to_string(copy.join(".env")).unwrap());
    std::fs::remove_dir_all(&copy).unwrap();
    found
}

fn variables(env: &str) -> Variables {
    let lines = env.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A file, with its variables filled in.
fn read(file: &str, variables: &Variables) -> Result<Value, String> {
    Ok(serde_saphyr::from_str(&interpolated(&text(file), variables)?).unwrap())
}

/// `${NAME}`, `${NAME:-default}`, `${NAME:?reason}` and `$$`, as Compose understands them.
fn interpolated(text: &str, variables: &Variables) -> Result<String, String> {
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        done += before;
        if let Some(after) = after.strip_prefix('$') {
            (done, rest) = (done + "$", after);
            continue;
        }
        let (inside, after) = after.strip_prefix('{').unwrap().split_once('}').unwrap();
        let (name, otherwise) = inside.split_once(':').unwrap_or((inside, "-"));
        let value = variables.get(name).filter(|value| !value.is_empty());
        match (value, otherwise.split_at(1)) {
            (Some(value), _) => done += value,
            (None, ("-", default)) => done += default,
            (None, (_, reason)) => return Err(format!("{name}: {reason}")),
        }
        rest = after;
    }
    Ok(done + rest)
}

/// What the image sets.
fn image() -> Variables {
    let file = text("Dockerfile").replace("\\\n", " ");
    let set = file.lines().filter_map(|line| line.strip_prefix("ENV ")).flat_map(str::split_whitespace);
    set.map(|pair| pair.split_once('=').unwrap()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn named(map: &Value) -> Variables {
    let map = map.as_object().unwrap();
    map.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

#[test]
fn their_own_tools_take_the_files() {
    let python = std::env::var("KALLA_TEST_PYTHON").expect("KALLA_TEST_PYTHON: scripts/test.sh sets it");
    let tool = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(Path::new(&python).with_file_name(name));
        let told = command.args(arguments).current_dir(compose()).output().unwrap();
        assert!(told.status.success(), "{name}: {}", String::from_utf8_lossy(&told.stdout));
    };
    tool("check-jsonschema", &["--builtin-schema", "vendor.compose-spec", "docker-compose.yml", SINGLE, SCALED]);
    tool("hadolint", &["Dockerfile"]);
}

#[test]
fn nothing_starts_before_its_secrets_are_set() {
    const BOTH: [&str; 3] = ["POSTGRES_PASSWORD", "KALLA_SECRET_KEY", "KALLA_WORKER_TOKEN"];
    const FLEET: [&str; 3] = ["NATS_PASSWORD", "MINIO_ROOT_PASSWORD", "MINIO_KALLA_PASSWORD"];
    let dir = tempfile::tempdir().unwrap();
    let example = variables(&text(".env.example"));
    for (file, more) in [(SINGLE, &[] as &[&str]), (SCALED, &FLEET)] {
        let whole = filled_in(file, dir.path());
        read(file, &whole).unwrap();
        for name in BOTH.iter().chain(more).copied() {
            assert_eq!(example[name], "", "an example of a secret is used as one");
            assert!(whole[name].len() == 64 && whole.values().filter(|value| **value == whole[name]).count() == 1);
            let mut without = whole.clone();
            without.remove(name);
            assert_eq!(read(file, &without), Err(format!("{name}: set it in .env, as .env.example tells")));
        }
        let mut silent = whole.clone();
        silent.remove("KALLA_AUTH");
        assert!(read(file, &silent).unwrap_err().contains("there is no sign-in yet"));
    }
}

#[test]
fn the_files_keep_what_they_promise() {
    let dir = tempfile::tempdir().unwrap();
    let whole = filled_in(SCALED, dir.path());
    for file in ["docker-compose.yml", SINGLE, SCALED] {
        let read = read(file, &whole).unwrap();
        for (name, service) in read["services"].as_object().unwrap() {
            let place = format!("{file}: {name}");
            let image = service["image"].as_str().unwrap();
            let tag = image.rsplit_once(':').map_or("latest", |(_, tag)| tag);
            let tag = tag.trim_start_matches("RELEASE.");
            assert!(
                tag.matches(['.', '-']).count() >= 1 && tag.starts_with(|c: char| c.is_ascii_digit()),
                "{place}: {image}"
            );
            // Everything but Caddy, which asks for a password, is published on this machine alone.
            for port in service["ports"].as_array().into_iter().flatten() {
                assert!(name == "caddy" || port.as_str().unwrap().starts_with("127.0.0.1:"), "{place}: {port}");
            }
            let once = name == "bucket";
            if file != "docker-compose.yml" {
                assert_eq!(service["restart"], if once { "no" } else { "unless-stopped" }, "{place}");
                assert_eq!(service["cap_drop"][0], "ALL", "{place}");
            }
            assert!(name == "caddy" || once || service["healthcheck"]["test"].is_array(), "{place}");
        }
        let kept = read["volumes"].as_object().unwrap();
        let mounted = read["services"].as_object().unwrap().values().flat_map(|service| service["volumes"].as_array());
        for volume in mounted.flatten() {
            let (volume, _) = volume.as_str().unwrap().split_once(':').unwrap();
            assert!(volume.starts_with('.') || kept.contains_key(volume), "{file}: {volume}");
        }
    }
    let volumes = read(SINGLE, &whole).unwrap()["volumes"].clone();
    for name in ["postgres_data", "staging_data", "results_data"] {
        assert!(volumes.as_object().unwrap().contains_key(name), "{name}");
    }
    // The image is of this version, and its user is not root.
    let version = format!("kalla:{}", env!("CARGO_PKG_VERSION"));
    assert!([SINGLE, SCALED, "Dockerfile"].iter().all(|file| text(file).contains(&version)));
    assert!(text("Dockerfile").contains("\nUSER 65532:65532\n"));
}
