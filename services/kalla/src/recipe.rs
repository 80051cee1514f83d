//! Recipe files: YAML or JSON in the shape of the contract.

use std::io::Read as _;

use kalla_engine::{Error, Violation};
use kalla_proto::json::{check_fields, from_json_strict};

pub use kalla_proto::v1::{Recipe, RecipeSource};

/// Reads the recipe at `path`. Unknown fields are errors, so that a misspelt one is not silently without effect.
pub fn load(path: &str) -> Result<Recipe, Error> {
    let at = |field: &str| if field.is_empty() { format!("recipe {path}") } else { format!("recipe {path}: {field}") };
    let wrong = |message: String| Error::Invalid(vec![Violation::new(at(""), message)]);
    let text = read_text(path).map_err(|e| wrong(e.to_string()))?;
    let read = if text.trim_start().starts_with('{') {
        from_json_strict(&text)
    } else {
        // Read twice, as names and as values: a number that passes through JSON's values may lose digits.
        let names = serde_saphyr::from_str(&text).map_err(|e| wrong(first_line(&e.to_string())))?;
        let unknown = check_fields::<Recipe>(&names);
        let recipe = serde_saphyr::from_str(&text).map_err(|e| wrong(first_line(&e.to_string())));
        if unknown.is_empty() { Ok(recipe?) } else { Err(unknown) }
    };
    read.map_err(|errors| Error::Invalid(errors.into_iter().map(|e| Violation::new(at(&e.path), e.message)).collect()))
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
