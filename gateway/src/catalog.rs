//! What is saved to be used again: sources and recipes. Credentials go in and do not come out.

use kalla_proto::v1::{Code, ListRecipesResponse, ListSourcesResponse, Problem, Recipe, RegisteredSource, Violation};
use prost::Message as _;

use crate::keys::Keys;
use crate::problem::Failure;
use crate::store::{Page, Store, StoredRecipe, StoredSource};
use crate::time::{instant, now, timestamp};
use crate::{address, recipes};

/// Clones are the same catalog.
#[derive(Clone)]
pub struct Catalog {
    store: Store,
    keys: Keys,
}

/// Which version of a thing a change is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there.
    Any,
    /// There is none.
    Absent,
    Version(u64),
}

impl Expected {
    fn check(self, found: Option<u64>, what: &str) -> Result<(), Failure> {
        match (self, found) {
            (Self::Any, _) | (Self::Absent, None) => Ok(()),
            (Self::Version(wanted), Some(found)) if wanted == found => Ok(()),
            (Self::Absent, Some(_)) => Err(Failure::outdated(format!("{what} is there already"))),
            (Self::Version(wanted), Some(found)) => {
                let message = format!("{what} is at version {found}, not {wanted}: read it again, then change it");
                Err(Failure::outdated(message))
            }
            (Self::Version(_), None) => Err(Failure::outdated(format!("{what} is not there any more"))),
        }
    }
}

impl Catalog {
    pub fn new(store: Store, keys: Keys) -> Self {
        Self { store, keys }
    }

    pub async fn source(&self, alias: &str) -> Result<RegisteredSource, Failure> {
        let stored = self.store.source(alias).await?;
        Ok(stored.ok_or_else(|| no_source(alias))?.source)
    }

    /// With its credentials, where it is registered.
    pub async fn find_source(&self, alias: &str) -> Result<Option<RegisteredSource>, Failure> {
        let Some(stored) = self.store.source(alias).await? else { return Ok(None) };
        Ok(Some(RegisteredSource { uri: self.uri(&stored)?, ..stored.source }))
    }

    /// With its credentials.
    pub async fn whole_source(&self, alias: &str) -> Result<RegisteredSource, Failure> {
        Ok(self.find_source(alias).await?.ok_or_else(|| no_source(alias))?)
    }

    pub async fn sources(&self, after: &str, limit: u32) -> Result<ListSourcesResponse, Failure> {
        let Page { items: sources, more } = self.store.sources(after, limit).await?;
        let next_cursor = sources.last().filter(|_| more).map(|last| last.alias.clone());
        Ok(ListSourcesResponse { sources, next_cursor })
    }

    /// Whether it is new, and what it is now.
    pub async fn save_source(
        &self,
        source: RegisteredSource,
        expected: Expected,
    ) -> Result<(bool, RegisteredSource), Failure> {
        let mut wrong = Vec::new();
        wrong.extend(recipes::wrong_alias(&source.alias).map(|message| Violation::new("alias", message)));
        wrong.extend(recipes::wrong_uri(source.r#type(), &source.uri).map(|message| Violation::new("uri", message)));
        if source.uri.trim().is_empty() {
            wrong.push(Violation::new("uri", "it is missing: a path, s3://…, gs://… or postgres://…?table=…"));
        }
        if source.description.contains('\0') {
            wrong.push(Violation::new("description", "it holds a NUL character"));
        }
        if !wrong.is_empty() {
            return Err(Problem::invalid(wrong).into());
        }
        let known = self.store.source(&source.alias).await?;
        let seen = known.as_ref().map(|known| u64::from(known.source.version));
        expected.check(seen, &format!("source `{}`", source.alias))?;
        let before = known.as_ref().map(|known| self.uri(known)).transpose()?;
        let uri = address::merged(&source.uri, before.as_deref());
        let (shown, has_credentials) = address::shown(&uri);
        let now = now();
        let created = known.as_ref().and_then(|known| known.source.created).and_then(instant).unwrap_or(now);
        let mut next = RegisteredSource {
            uri: shown,
            has_credentials,
            version: known.as_ref().map_or(0, |known| known.source.version),
            created: Some(timestamp(created)),
            updated: known.as_ref().and_then(|known| known.source.updated),
            ..source
        };
        if known.as_ref().is_some_and(|known| known.source == next) && before.as_ref() == Some(&uri) {
            return Ok((false, next));
        }
        next.version += 1;
        next.updated = Some(timestamp(now));
        let sealed = self.keys.seal(&source_place(&next.alias), uri.as_bytes())?;
        let stored = StoredSource { source: next, sealed };
        self.store.save_source(&stored, seen.unwrap_or(0), created, now).await?;
        Ok((known.is_none(), stored.source))
    }

    pub async fn delete_source(&self, alias: &str, expected: Expected) -> Result<(), Failure> {
        let known = self.store.source(alias).await?.ok_or_else(|| no_source(alias))?;
        let seen = u64::from(known.source.version);
        expected.check(Some(seen), &format!("source `{alias}`"))?;
        self.store.delete_source(alias, seen).await?;
        Ok(())
    }

    /// A version of a recipe, or its latest.
    pub async fn recipe(&self, recipe_id: &str, version: Option<u32>) -> Result<Recipe, Failure> {
        Ok(self.stored_recipe(recipe_id, version).await?.recipe)
    }

    /// With its credentials.
    pub async fn whole_recipe(&self, recipe_id: &str, version: Option<u32>) -> Result<Recipe, Failure> {
        let stored = self.stored_recipe(recipe_id, version).await?;
        Ok(Recipe { version: stored.recipe.version, ..self.whole(&stored)? })
    }

    pub async fn recipes(&self, after: &str, limit: u32) -> Result<ListRecipesResponse, Failure> {
        let Page { items: recipes, more } = self.store.recipes(after, limit).await?;
        let next_cursor = recipes.last().filter(|_| more).map(|last| last.recipe_id.clone());
        Ok(ListRecipesResponse { recipes, next_cursor })
    }

    pub async fn recipe_versions(&self, recipe_id: &str) -> Result<Vec<Recipe>, Failure> {
        let found = self.store.recipe_versions(recipe_id).await?;
        if found.is_empty() {
            return Err(no_recipe(recipe_id).into());
        }
        Ok(found)
    }

    /// Adds a version, unless the latest says the same. Whether the recipe is new, and what it is now.
    pub async fn save_recipe(&self, recipe: Recipe, expected: Expected) -> Result<(bool, Recipe), Failure> {
        let wrong = recipes::check(&recipe, "");
        if !wrong.is_empty() {
            return Err(Problem::invalid(wrong).into());
        }
        let recipe_id = recipe.recipe_id.clone();
        let head = self.store.recipe_head(&recipe_id).await?;
        let (seen, deleted) = head.map_or((0, true), |(version, deleted, _)| (version, deleted));
        expected.check(Some(seen).filter(|_| !deleted), &format!("recipe `{recipe_id}`"))?;
        let now = now();
        let created = head.map_or(now, |(_, _, created)| created);
        let mut whole = Recipe { version: None, created: None, updated: None, described_version: None, ..recipe };
        let mut described_version = None;
        if whole.name.is_empty() {
            whole.name.clone_from(&whole.recipe_id);
        }
        if seen > 0 && !deleted {
            let before = self.stored_recipe(&recipe_id, None).await?;
            let known = self.whole(&before)?;
            recipes::keep_credentials(&mut whole, &known);
            if known == whole {
                return Ok((false, before.recipe));
            }
            described_version = described(&before.recipe, &whole);
        }
        let sealed = self.keys.seal(&recipe_place(&recipe_id), &whole.encode_to_vec())?;
        let shown = Recipe {
            version: u32::try_from(seen + 1).ok(),
            created: Some(timestamp(created)),
            updated: Some(timestamp(now)),
            described_version,
            ..recipes::shown(&whole)
        };
        let stored = StoredRecipe { recipe: shown, sealed };
        self.store.save_recipe(&stored, seen, now).await?;
        Ok((deleted, stored.recipe))
    }

    pub async fn delete_recipe(&self, recipe_id: &str, expected: Expected) -> Result<(), Failure> {
        let (seen, deleted, _) = self.store.recipe_head(recipe_id).await?.ok_or_else(|| no_recipe(recipe_id))?;
        if deleted {
            return Err(no_recipe(recipe_id).into());
        }
        expected.check(Some(seen), &format!("recipe `{recipe_id}`"))?;
        self.store.delete_recipe(recipe_id, seen).await?;
        Ok(())
    }

    async fn stored_recipe(&self, recipe_id: &str, version: Option<u32>) -> Result<StoredRecipe, Failure> {
        let found = self.store.recipe(recipe_id, version).await?;
        Ok(found.ok_or_else(|| match version {
            Some(version) => {
                Problem::refused(Code::NotFound, format!("there is no version {version} of recipe `{recipe_id}`"))
            }
            None => no_recipe(recipe_id),
        })?)
    }

    fn whole(&self, stored: &StoredRecipe) -> Result<Recipe, Failure> {
        let place = recipe_place(&stored.recipe.recipe_id);
        let plain = self.keys.open(&place, &stored.sealed)?;
        Recipe::decode(plain.as_slice()).map_err(|e| Failure::defect(format!("{place}: {e}")))
    }

    fn uri(&self, stored: &StoredSource) -> Result<String, Failure> {
        let place = source_place(&stored.source.alias);
        let plain = self.keys.open(&place, &stored.sealed)?;
        String::from_utf8(plain).map_err(|e| Failure::defect(format!("{place}: {e}")))
    }
}

/// The version for which the words of the next one were written, where that is another.
fn described(known: &Recipe, next: &Recipe) -> Option<u32> {
    if next.match_description.is_empty() || known.match_description != next.match_description {
        return None;
    }
    known.described_version.or(known.version.filter(|_| known.match_sql != next.match_sql))
}

fn source_place(alias: &str) -> String {
    format!("source/{alias}")
}

fn recipe_place(recipe_id: &str) -> String {
    format!("recipe/{recipe_id}")
}

fn no_source(alias: &str) -> Problem {
    Problem::refused(Code::NotFound, format!("there is no source `{alias}`"))
}

fn no_recipe(recipe_id: &str) -> Problem {
    Problem::refused(Code::NotFound, format!("there is no recipe `{recipe_id}`"))
}
