//! Comparisons of columns, which may be given in a shorter form: `"all"`, an array, or just the name of a column.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::or_default;
use crate::v1::filter_value::Kind;
use crate::v1::{Compare, ComparedColumn, FilterValue};

impl<'de> Deserialize<'de> for Compare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CompareVisitor)
    }
}

struct CompareVisitor;

impl<'de> Visitor<'de> for CompareVisitor {
    type Value = Compare;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`all`, an array of columns or an object")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Compare, E> {
        match text {
            "all" => Ok(Compare { columns: vec![named(ComparedColumn::ALL)], except: Vec::new() }),
            _ => Err(E::custom("it is `all`, or an array of columns")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Compare, A::Error> {
        let columns = Vec::deserialize(SeqAccessDeserializer::new(seq))?;
        Ok(Compare { columns, except: Vec::new() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Compare, A::Error> {
        #[derive(Deserialize)]
        struct Whole {
            #[serde(default, deserialize_with = "or_default")]
            columns: Vec<ComparedColumn>,
            #[serde(default, deserialize_with = "or_default")]
            except: Vec<String>,
        }
        let Whole { columns, except } = Whole::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Compare { columns, except })
    }
}

impl<'de> Deserialize<'de> for ComparedColumn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ColumnVisitor)
    }
}

struct ColumnVisitor;

impl<'de> Visitor<'de> for ColumnVisitor {
    type Value = ComparedColumn;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a column or an object")
    }

    fn visit_str<E>(self, name: &str) -> Result<ComparedColumn, E> {
        Ok(named(name))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ComparedColumn, A::Error> {
        #[derive(Deserialize)]
        struct Whole {
            #[serde(default, deserialize_with = "or_default")]
            left: String,
            #[serde(default, deserialize_with = "or_default")]
            right: String,
            tolerance: Option<FilterValue>,
            percent: Option<FilterValue>,
            days: Option<u32>,
            rules: Option<String>,
        }
        let Whole { left, right, tolerance, percent, days, rules } =
            Whole::deserialize(MapAccessDeserializer::new(map))?;
        let digits = |given: Option<FilterValue>| match given.and_then(|value| value.kind) {
            None => Ok(None),
            Some(Kind::Text(digits) | Kind::Number(digits)) => Ok(Some(digits)),
            Some(_) => Err(de::Error::custom("a tolerance is a number")),
        };
        Ok(ComparedColumn { left, right, tolerance: digits(tolerance)?, percent: digits(percent)?, days, rules })
    }
}

fn named(name: &str) -> ComparedColumn {
    ComparedColumn { left: name.to_owned(), ..ComparedColumn::default() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::json::from_json_strict;
    use crate::v1::Recipe;

    #[test]
    fn short_forms_are_read() {
        let all = Compare { columns: vec![named("*")], except: Vec::new() };
        let near = ComparedColumn {
            right: "paid".to_owned(),
            tolerance: Some("0.020".to_owned()),
            percent: Some("2".to_owned()),
            ..named("amount")
        };
        let rules = ComparedColumn { rules: Some("trim,case".to_owned()), days: Some(3), ..named("name") };
        for (json, expected) in [
            (r#""all""#, all.clone()),
            (r#"["*"]"#, all.clone()),
            (r#"{"columns": ["*"], "except": ["at"]}"#, Compare { except: vec!["at".to_owned()], ..all.clone() }),
            (
                r#"["day", {"left": "amount", "right": "paid", "tolerance": 0.020, "percent": "2"}]"#,
                Compare { columns: vec![named("day"), near], except: Vec::new() },
            ),
            (
                r#"[{"left": "name", "rules": "trim,case", "days": 3, "tolerance": null}]"#,
                Compare { columns: vec![rules], except: Vec::new() },
            ),
        ] {
            let recipe: Recipe = from_json_strict(&format!(r#"{{"compare": {json}}}"#)).unwrap();
            assert_eq!(recipe.compare, Some(expected), "{json}");
            let again: Recipe = from_json_strict(&serde_json::to_string(&recipe).unwrap()).unwrap();
            assert_eq!(again, recipe, "{json}");
            // As YAML gives it: numbers have lost their text.
            let tree: serde_json::Value = serde_json::from_str(json).unwrap();
            assert!(serde_json::from_value::<Compare>(tree).is_ok(), "{json}");
        }
        assert_eq!(from_json_strict::<Recipe>(r#"{"compare": null}"#).unwrap().compare, None);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (json, path, message) in [
            (r#""some""#, "compare", "it is `all`, or an array of columns"),
            ("7", "compare", "expected `all`, an array of columns or an object"),
            (r#"[{"left": "a", "tolerence": 1}]"#, "compare[0].tolerence", "did you mean `tolerance`?"),
            (r#"{"column": ["a"]}"#, "compare.column", "did you mean `columns`?"),
            (r#"[{"left": "a", "tolerance": true}]"#, "compare", "a tolerance is a number"),
        ] {
            let errors = from_json_strict::<Recipe>(&format!(r#"{{"compare": {json}}}"#)).unwrap_err();
            let told = errors.iter().any(|error| error.path.starts_with(path) && error.message.contains(message));
            assert!(told, "{json}: {errors:?}");
        }
    }
}
