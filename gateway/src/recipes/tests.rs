#![allow(clippy::unwrap_used)]

use kalla_proto::json::from_json_strict;

use super::*;

fn recipe(text: &str) -> Recipe {
    from_json_strict(text).unwrap()
}

fn whole() -> Recipe {
    recipe(
        r#"{"recipe_id":"invoice-payment","name":"Invoices","match_sql":"SELECT 1",
            "sources":{"left":{"alias":"invoices","type":"postgres","uri":"postgres://me:pass@db/shop?table=invoices",
                               "primary_key":["invoice_id"]},
                       "right":{"alias":"payments","type":"file","primary_key":["payment_id"]},
                       "extras":[{"alias":"rates","uri":"rates.csv"}]}}"#,
    )
}

fn told(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(|v| format!("{}: {}", v.field, v.message)).collect()
}

#[test]
fn all_that_is_wrong_with_a_recipe_is_told_with_its_place() {
    assert_eq!(told(&check(&whole(), "")), [""; 0]);
    let wrong = recipe(
        r#"{"recipe_id":"a b","match_sql":" ","name":"x\u0000",
            "sources":{"left":{"alias":"1st"},"extras":[{"alias":"rates","type":"s3","uri":"rates.csv"},{"alias":"Rates"}]}}"#,
    );
    assert_eq!(
        told(&check(&wrong, "recipe")),
        [
            "recipe.recipe_id: it is made of letters, digits, `-` and `_`, 100 at most",
            "recipe.match_sql: it is missing: one SELECT that joins the two sides",
            "recipe.name: it holds a NUL character",
            "recipe.sources.right: it is missing: a recipe matches two sides",
            "recipe.sources.left.alias: it is made of letters, digits and `_`, 100 at most, and begins with no digit",
            "recipe.sources.extras[0].uri: the type of the source wants s3://",
            "recipe.sources.extras[1].alias: `Rates` stands for another source already",
        ]
    );
}

#[test]
fn no_credential_is_shown_and_none_is_lost_on_the_way_back() {
    let shown = shown(&whole());
    assert_eq!(shown.sources.as_ref().unwrap().left.as_ref().unwrap().uri(), "postgres://db/shop?table=invoices");
    let mut back = shown;
    keep_credentials(&mut back, &whole());
    assert_eq!(back, whole());
}

#[test]
fn a_job_takes_what_the_run_gives_before_the_recipe_and_the_recipe_before_the_register() {
    let known = Known {
        registered: BTreeMap::from([
            ("invoices".to_owned(), RegisteredSource { uri: "other.csv".to_owned(), ..Default::default() }),
            ("payments".to_owned(), RegisteredSource { uri: "payments.csv".to_owned(), ..Default::default() }),
        ]),
        ..Known::default()
    };
    let uris = |job: &Job| job.payload.sources.iter().map(|s| s.uri.clone()).collect::<Vec<_>>();
    let as_saved = job(&whole(), &known, &BTreeMap::new()).ok().unwrap();
    assert_eq!(uris(&as_saved), ["postgres://me:pass@db/shop?table=invoices", "payments.csv", "rates.csv"]);
    assert_eq!(as_saved.sources[0].uri, "postgres://db/shop?table=invoices");
    assert_eq!(as_saved.payload.primary_keys["payments"].columns, ["payment_id"]);
    let given = |uri: &str| SourceOverride { uri: Some(uri.to_owned()), ..Default::default() };
    for key in ["right", "payments"] {
        let overridden = BTreeMap::from([(key.to_owned(), given("new.csv"))]);
        assert_eq!(uris(&job(&whole(), &known, &overridden).ok().unwrap())[1], "new.csv", "{key}");
    }
}

#[test]
fn a_job_that_lacks_something_says_what() {
    let missing = job(&whole(), &Known::default(), &BTreeMap::new()).err().unwrap();
    assert_eq!(told(&missing), ["sources.right: `payments` is a file that each run brings: give its upload_id or uri"]);
    let given = |uri: &str| SourceOverride { uri: Some(uri.to_owned()), ..Default::default() };
    let given = BTreeMap::from([("left".to_owned(), given("x.csv")), ("rigth".to_owned(), given("y.csv"))]);
    assert_eq!(
        told(&job(&whole(), &Known::default(), &given).err().unwrap()),
        [
            "sources.right: `payments` is a file that each run brings: give its upload_id or uri",
            "sources.rigth: the recipe has no such source: it has `left`, `invoices`, `right`, `payments`, `extras[0]`, `rates`",
        ]
    );
}

#[test]
fn a_file_is_held_against_the_columns_that_the_recipe_wants() {
    let column = |name: &str| kalla_proto::v1::Column { name: name.to_owned(), ..Default::default() };
    let upload = kalla_proto::v1::Upload {
        upload_id: "u".to_owned(),
        name: "march.csv".to_owned(),
        columns: ["Payment_ID", "reference", "value"].map(column).to_vec(),
        ..Default::default()
    };
    let mut recipe = whole();
    let right = recipe.sources.as_mut().unwrap().right.as_mut().unwrap();
    right.schema = ["payment_id", "reference", "amount"].map(str::to_owned).to_vec();
    let stored = StoredUpload { upload, uri: "/staging/files/u.csv".to_owned() };
    let known = Known { uploads: BTreeMap::from([("u".to_owned(), stored)]), ..Known::default() };
    let given = SourceOverride { upload_id: Some("u".to_owned()), ..Default::default() };
    let given = BTreeMap::from([("right".to_owned(), given)]);
    assert_eq!(
        told(&job(&recipe, &known, &given).err().unwrap()),
        [
            "sources.right: march.csv has no column `payment_id`: was `Payment_ID` called so before?",
            "sources.right: march.csv has no column `amount`: it has `Payment_ID`, `reference`, `value`",
        ]
    );
    let right = recipe.sources.as_mut().unwrap().right.as_mut().unwrap();
    right.schema.truncate(0);
    let job = job(&recipe, &known, &given).ok().unwrap();
    assert_eq!(
        (job.sources[1].uri.as_str(), job.payload.sources[1].uri.as_str()),
        ("march.csv", "/staging/files/u.csv")
    );
}
