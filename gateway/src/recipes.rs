//! Recipes: what is wrong with one, how its addresses are kept, and the job that it stands for.

use std::collections::{BTreeMap, BTreeSet};

use kalla_proto::v1::{
    ColumnNames, Filter, JobPayload, ReadOptions, Recipe, RecipeSource, RegisteredSource, RunSource, Source,
    SourceOverride, SourceType, Violation,
};
use kalla_spelling::nearest;

use crate::address;
use crate::runs::policy;
use crate::store::StoredUpload;

const LONGEST_ID: usize = 100;

/// Where the sources of a recipe stand in it, and they.
pub fn sources(recipe: &Recipe) -> impl Iterator<Item = (String, &RecipeSource)> {
    recipe.sources.iter().flat_map(|parts| {
        let side = |name: &str, source: &'_ Option<RecipeSource>| source.is_some().then(|| name.to_owned());
        let sides = [side("left", &parts.left), side("right", &parts.right)];
        let sides = sides.into_iter().flatten().zip(parts.left.iter().chain(&parts.right));
        sides.chain(parts.extras.iter().enumerate().map(|(i, source)| (format!("extras[{i}]"), source)))
    })
}

fn sources_mut(recipe: &mut Recipe) -> impl Iterator<Item = &mut RecipeSource> {
    recipe
        .sources
        .iter_mut()
        .flat_map(|parts| parts.left.iter_mut().chain(parts.right.iter_mut()).chain(&mut parts.extras))
}

/// What is wrong with a recipe, as far as that shows without its sources. `field` is where it stands in the request.
pub fn check(recipe: &Recipe, field: &str) -> Vec<Violation> {
    let mut wrong = Vec::new();
    let mut tell = |name: &str, message: String| {
        wrong.push(Violation::new(if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") }, message));
    };
    if let Some(message) = wrong_id(&recipe.recipe_id) {
        tell("recipe_id", message);
    }
    if recipe.match_sql.trim().is_empty() {
        tell("match_sql", "it is missing: one SELECT that joins the two sides".to_owned());
    }
    for (name, text) in [
        ("name", &recipe.name),
        ("description", &recipe.description),
        ("match_sql", &recipe.match_sql),
        ("match_description", &recipe.match_description),
    ] {
        if text.contains('\0') {
            tell(name, "it holds a NUL character".to_owned());
        }
    }
    for violation in recipe.policy.iter().flat_map(policy::check) {
        tell(&format!("policy.{}", violation.field), violation.message);
    }
    for side in ["left", "right"] {
        if !sources(recipe).any(|(place, _)| place == side) {
            tell(&format!("sources.{side}"), "it is missing: a recipe matches two sides".to_owned());
        }
    }
    let mut aliases = BTreeSet::new();
    for (place, source) in sources(recipe) {
        let place = format!("sources.{place}");
        if let Some(message) = wrong_alias(&source.alias) {
            tell(&format!("{place}.alias"), message);
        } else if !aliases.insert(source.alias.to_lowercase()) {
            tell(&format!("{place}.alias"), format!("`{}` stands for another source already", source.alias));
        }
        if let Some(message) = wrong_uri(source.r#type(), source.uri.as_deref().unwrap_or_default()) {
            tell(&format!("{place}.uri"), message);
        }
    }
    wrong
}

fn wrong_id(id: &str) -> Option<String> {
    let right = !id.is_empty()
        && id.len() <= LONGEST_ID
        && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    (!right).then(|| format!("it is made of letters, digits, `-` and `_`, {LONGEST_ID} at most"))
}

/// What is wrong with the name of a source; it is the name of a table, too.
pub fn wrong_alias(alias: &str) -> Option<String> {
    let right = !alias.is_empty()
        && alias.len() <= LONGEST_ID
        && alias.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && alias.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (!right).then(|| format!("it is made of letters, digits and `_`, {LONGEST_ID} at most, and begins with no digit"))
}

/// An address that contradicts what is said of its kind; empty: there is none yet.
pub fn wrong_uri(kind: SourceType, uri: &str) -> Option<String> {
    if uri.contains('\0') {
        return Some("it holds a NUL character".to_owned());
    }
    let scheme = uri.split_once("://").map_or("", |(scheme, _)| scheme);
    let (expected, right) = match kind {
        SourceType::Unspecified => return None,
        SourceType::File => ("a path or file://", matches!(scheme, "" | "file")),
        SourceType::Postgres => ("postgres://", matches!(scheme, "postgres" | "postgresql")),
        SourceType::S3 => ("s3://", scheme == "s3"),
        SourceType::Gcs => ("gs://", scheme == "gs"),
    };
    (!uri.is_empty() && !right).then(|| format!("the type of the source wants {expected}"))
}

/// Gives back the addresses that came as they had been shown: those of `known`.
pub fn keep_credentials(recipe: &mut Recipe, known: &Recipe) {
    for source in sources_mut(recipe) {
        let before = sources(known).find(|(_, before)| before.alias == source.alias);
        if let (Some(given), Some((_, before))) = (&source.uri, before) {
            source.uri = Some(address::merged(given, before.uri.as_deref()));
        }
    }
}

/// As it may be shown.
pub fn shown(recipe: &Recipe) -> Recipe {
    let mut recipe = recipe.clone();
    for source in sources_mut(&mut recipe) {
        source.uri = source.uri.as_deref().map(|uri| address::shown(uri).0);
    }
    recipe
}

/// The job of a recipe, and what it reads as people see it.
pub struct Job {
    /// Without id, callback and attempt.
    pub payload: JobPayload,
    pub sources: Vec<RunSource>,
}

/// What a gateway knows of places that a recipe or a run names.
#[derive(Default)]
pub struct Known {
    /// By alias, with their credentials.
    pub registered: BTreeMap<String, RegisteredSource>,
    /// By id.
    pub uploads: BTreeMap<String, StoredUpload>,
}

/// `given`: what a run reads in place of what the recipe says, by side or alias.
pub fn job(recipe: &Recipe, known: &Known, given: &BTreeMap<String, SourceOverride>) -> Result<Job, Vec<Violation>> {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    let mut payload =
        JobPayload { match_sql: recipe.match_sql.clone(), compare: recipe.compare.clone(), ..Default::default() };
    let mut shown = Vec::new();
    for (place, source) in sources(recipe) {
        let key = [place.as_str(), source.alias.as_str()].into_iter().find(|key| given.contains_key(*key));
        used.extend(key.map(str::to_owned));
        let given = key.and_then(|key| given.get(key));
        let upload = given.and_then(|given| known.uploads.get(given.upload_id.as_ref()?));
        let known = known.registered.get(&source.alias);
        let Some(uri) = upload.map(|upload| upload.uri.clone()).or_else(|| uri(source, given, known)) else {
            let message = if source.r#type() == SourceType::File {
                format!("`{}` is a file that each run brings: give its upload_id or uri", source.alias)
            } else {
                format!("`{}` has no uri and is no registered source: give its uri", source.alias)
            };
            wrong.push(Violation::new(format!("sources.{place}"), message));
            continue;
        };
        if let Some(upload) = upload {
            let missing = missing_columns(&source.schema, upload);
            wrong.extend(missing.into_iter().map(|message| Violation::new(format!("sources.{place}"), message)));
        }
        let key = if source.primary_key.is_empty() { known.map(|k| &k.primary_key) } else { Some(&source.primary_key) };
        if let Some(columns) = key.filter(|columns| !columns.is_empty()) {
            payload.primary_keys.insert(source.alias.clone(), ColumnNames { columns: columns.clone() });
        }
        shown.push(RunSource {
            alias: source.alias.clone(),
            uri: upload.map_or_else(|| address::shown(&uri).0, |upload| upload.upload.name.clone()),
            upload_id: upload.map(|upload| upload.upload.upload_id.clone()),
        });
        payload.sources.push(Source {
            alias: source.alias.clone(),
            uri,
            filters: filters(source, given),
            options: options(source, given, known),
        });
    }
    for key in given.keys().filter(|key| !used.contains(*key)) {
        let known: Vec<String> = sources(recipe)
            .flat_map(|(place, source)| [place, source.alias.clone()])
            .map(|k| format!("`{k}`"))
            .collect();
        let message = format!("the recipe has no such source: it has {}", known.join(", "));
        wrong.push(Violation::new(format!("sources.{key}"), message));
    }
    if wrong.is_empty() { Ok(Job { payload, sources: shown }) } else { Err(wrong) }
}

fn uri(source: &RecipeSource, given: Option<&SourceOverride>, known: Option<&RegisteredSource>) -> Option<String> {
    [given.and_then(|g| g.uri.as_ref()), source.uri.as_ref(), known.map(|k| &k.uri)]
        .into_iter()
        .flatten()
        .find(|uri| !uri.is_empty())
        .cloned()
}

/// What a file lacks of the columns that a recipe wants of it, each with the nearest one that it has.
fn missing_columns(wanted: &[String], StoredUpload { upload, .. }: &StoredUpload) -> Vec<String> {
    let file = &upload.name;
    let (mut told, mut others) = (Vec::new(), Vec::new());
    for name in wanted.iter().filter(|name| !upload.columns.iter().any(|column| column.name == **name)) {
        let unused = upload.columns.iter().map(|column| column.name.as_str());
        let unused = unused.filter(|name| wanted.iter().all(|wanted| wanted != name));
        match nearest(name, unused) {
            Some(nearest) => told.push(format!("{file} has no column `{name}`: was `{nearest}` called so before?")),
            None => others.push(format!("`{name}`")),
        }
    }
    if !others.is_empty() {
        let columns = if others.len() == 1 { "column" } else { "columns" };
        let names: Vec<String> = upload.columns.iter().map(|column| format!("`{}`", column.name)).collect();
        told.push(format!("{file} has no {columns} {}: it has {}", others.join(", "), names.join(", ")));
    }
    told
}

fn filters(source: &RecipeSource, given: Option<&SourceOverride>) -> Vec<Filter> {
    given.map(|g| &g.filters).filter(|filters| !filters.is_empty()).unwrap_or(&source.filters).clone()
}

fn options(
    source: &RecipeSource,
    given: Option<&SourceOverride>,
    known: Option<&RegisteredSource>,
) -> Option<ReadOptions> {
    let given = given.and_then(|g| g.options.as_ref());
    given.or(source.options.as_ref()).or(known.and_then(|k| k.options.as_ref())).cloned()
}

#[cfg(test)]
mod tests;
