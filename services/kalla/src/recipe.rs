//! Recipe files: YAML or JSON in the shape of the contract.

use std::io::Read as _;

use kalla_engine::{Error, Violation};
use kalla_proto::json::{check_fields, from_json_strict};

pub use kalla_proto::v1::{Recipe, RecipeSource};

/// Reads the recipe at `path`.
pub fn load(path: &str) -> Result<Recipe, Error> {
    let wrong = |e: std::io::Error| Error::Invalid(vec![Violation::new(format!("recipe {path}"), e.to_string())]);
    parse(&read_text(path).map_err(wrong)?, path)
}

/// The recipe in a text. Unknown fields are errors, so that a misspelt one is not silently without effect.
pub fn parse(text: &str, path: &str) -> Result<Recipe, Error> {
    let at = |field: &str| if field.is_empty() { format!("recipe {path}") } else { format!("recipe {path}: {field}") };
    let wrong = |message: String| Error::Invalid(vec![Violation::new(at(""), message)]);
    let read = if text.trim_start().starts_with('{') {
        from_json_strict(text)
    } else {
        // Read twice, as names and as values: a number that passes through JSON's values may lose digits.
        let names = serde_saphyr::from_str(text).map_err(|e| wrong(first_line(&e.to_string())))?;
        let unknown = check_fields::<Recipe>(&names);
        let recipe = serde_saphyr::from_str(text).map_err(|e| wrong(first_line(&e.to_string())));
        if unknown.is_empty() { Ok(recipe?) } else { Err(unknown) }
    };
    read.map_err(|errors| Error::Invalid(errors.into_iter().map(|e| Violation::new(at(&e.path), e.message)).collect()))
}

/// A recipe as YAML, its SQL in lines as it was written.
pub fn text(recipe: &Recipe) -> Result<String, Error> {
    let text = serde_saphyr::to_string(recipe).ok();
    // Numbers of filters may have more digits than the numbers of YAML.
    text.filter(|text| parse(text, "").is_ok_and(|read| read == *recipe)).ok_or_else(|| {
        let message = "it holds a number that YAML does not keep to the last digit: ask for it with --json";
        Error::Invalid(vec![Violation::new(format!("recipe {}", recipe.recipe_id), message)])
    })
}

/// A file as text; `-` is the standard input.
pub fn read_text(path: &str) -> std::io::Result<String> {
    if path != "-" {
        return std::fs::read_to_string(path);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
