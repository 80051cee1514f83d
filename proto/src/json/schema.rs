//! The JSON form of messages as JSON Schema, with the comments of the contract as descriptions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use serde_json::{Map, Value, json};

use super::fields::DESCRIPTORS;

const PACKAGE: &str = ".kalla.v1.";
const TIMESTAMP: &str = ".google.protobuf.Timestamp";
/// Numbers of `message_type` and `enum_type` in a file, and of `field` in a message and `value` in an enum, as source
/// locations count them.
const MESSAGES: i32 = 4;
const ENUMS: i32 = 5;
const FIELDS: i32 = 2;
/// The zero value of every enum.
const UNSPECIFIED: &str = "unspecified";

/// Schemas of the messages that are named, and of all that they hold, by name. A reference is `place` and the name:
/// `#/components/schemas/` in OpenAPI. Messages without a JSON form have none.
pub fn schemas<'a>(names: impl IntoIterator<Item = &'a str>, place: &str) -> BTreeMap<String, Value> {
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    let mut wanted: Vec<String> = names.into_iter().map(str::to_owned).collect();
    while let Some(name) = wanted.pop() {
        let Entry::Vacant(empty) = found.entry(name.clone()) else { continue };
        if let Some(schema) = (Writer { place, wanted: &mut wanted }).named(&name) {
            empty.insert(schema);
        }
    }
    found
}

struct Writer<'a> {
    place: &'a str,
    /// What is referred to.
    wanted: &'a mut Vec<String>,
}

impl Writer<'_> {
    fn named(&mut self, name: &str) -> Option<Value> {
        for file in DESCRIPTORS.file.iter().filter(|file| format!(".{}.", file.package()) == PACKAGE) {
            if let Some(index) = file.message_type.iter().position(|message| message.name() == name) {
                return Some(self.message(&Home { file, index: number(index) }, &file.message_type[index]));
            }
            if let Some(index) = file.enum_type.iter().position(|words| words.name() == name) {
                let text = comment(file, &[ENUMS, number(index)]);
                return Some(described(words(&file.enum_type[index]), text));
            }
        }
        None
    }

    fn message(&mut self, home: &Home, message: &DescriptorProto) -> Value {
        let text = home.comment(&[]);
        match message.name() {
            "FilterValue" => {
                let one = json!([{"type": "string"}, {"type": "number"}, {"type": "boolean"}]);
                let many = json!({"type": "array", "items": {"anyOf": one.clone()}});
                let mut kinds = one.as_array().cloned().unwrap_or_default();
                kinds.push(many);
                described(json!({"anyOf": kinds}), text)
            }
            // Or the short forms.
            "Compare" => {
                let whole = self.object(home, message);
                let columns = whole["properties"]["columns"].clone();
                described(json!({"anyOf": [whole, columns, {"type": "string", "enum": ["all"]}]}), text)
            }
            "ComparedColumn" => {
                let whole = self.object(home, message);
                described(json!({"anyOf": [whole, {"type": "string"}]}), text)
            }
            // Flat: the fields of what happened stand beside its own.
            "JobEvent" => {
                let mut properties = Map::new();
                let (members, own): (Vec<_>, Vec<_>) =
                    message.field.iter().enumerate().partition(|(_, field)| field.oneof_index.is_some());
                let parts = members.iter().filter_map(|(_, field)| self.named(last(field.type_name())));
                for part in parts.collect::<Vec<_>>() {
                    properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
                }
                properties.extend(own.into_iter().map(|(index, field)| self.property(home, index, message, field)));
                described(json!({"type": "object", "properties": properties}), text)
            }
            _ => match message.field.as_slice() {
                [only] if only.label() == Label::Repeated && map_value(message, only).is_none() => {
                    described(json!({"type": "array", "items": self.value(only)}), text)
                }
                [only] if only.proto3_optional() => {
                    described(json!({"anyOf": [self.value(only), {"type": "null"}]}), text)
                }
                _ => described(self.object(home, message), text),
            },
        }
    }

    fn object(&mut self, home: &Home, message: &DescriptorProto) -> Value {
        let fields = message.field.iter().enumerate();
        let properties: Map<String, Value> = fields.map(|(i, field)| self.property(home, i, message, field)).collect();
        json!({"type": "object", "properties": properties})
    }

    fn property(
        &mut self,
        home: &Home,
        index: usize,
        message: &DescriptorProto,
        field: &FieldDescriptorProto,
    ) -> (String, Value) {
        let (mut schema, zero) = match map_value(message, field) {
            Some(value) => (json!({"type": "object", "additionalProperties": self.value(value)}), Some(json!({}))),
            None if field.label() == Label::Repeated => {
                (json!({"type": "array", "items": self.value(field)}), Some(json!([])))
            }
            None => (self.value(field), zero(field)),
        };
        // What is left out of a request, and always there in an answer.
        if let (Some(object), Some(zero)) = (schema.as_object_mut(), zero) {
            object.insert("default".to_owned(), zero);
        }
        (field.name().to_owned(), described(schema, home.comment(&[FIELDS, number(index)])))
    }

    /// One value of the field.
    fn value(&mut self, field: &FieldDescriptorProto) -> Value {
        match field.r#type() {
            Type::Bool => json!({"type": "boolean"}),
            Type::String | Type::Bytes => json!({"type": "string"}),
            Type::Double | Type::Float => json!({"type": "number"}),
            Type::Uint32 | Type::Fixed32 => json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}),
            Type::Uint64 | Type::Fixed64 => json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}),
            Type::Message if field.type_name() == TIMESTAMP => json!({"type": "string", "format": "date-time"}),
            Type::Message | Type::Enum | Type::Group => {
                let name = last(field.type_name());
                self.wanted.push(name.to_owned());
                json!({"$ref": format!("{}{name}", self.place)})
            }
            _ => json!({"type": "integer"}),
        }
    }
}

/// Where a message stands.
struct Home<'a> {
    file: &'a FileDescriptorProto,
    index: i32,
}

impl Home<'_> {
    fn comment(&self, inside: &[i32]) -> Option<String> {
        comment(self.file, &[&[MESSAGES, self.index], inside].concat())
    }
}

fn comment(file: &FileDescriptorProto, path: &[i32]) -> Option<String> {
    let locations = &file.source_code_info.as_ref()?.location;
    let text = locations.iter().find(|location| location.path == path)?.leading_comments();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    (!lines.is_empty()).then(|| lines.join(" "))
}

fn described(mut schema: Value, text: Option<String>) -> Value {
    if let (Some(object), Some(text)) = (schema.as_object_mut(), text) {
        object.insert("description".to_owned(), text.into());
    }
    schema
}

fn words(enumeration: &EnumDescriptorProto) -> Value {
    let zero = enumeration.value.first().map(|value| value.name()).unwrap_or_default();
    let prefix = zero.strip_suffix(&UNSPECIFIED.to_uppercase()).unwrap_or_default();
    let word = |name: &str| name.strip_prefix(prefix).unwrap_or(name).to_lowercase();
    let words: Vec<String> = enumeration.value.iter().map(|value| word(value.name())).collect();
    json!({"type": "string", "enum": words})
}

/// What a field is that is not given. `None`: it may be absent.
fn zero(field: &FieldDescriptorProto) -> Option<Value> {
    if field.oneof_index.is_some() {
        return None;
    }
    match field.r#type() {
        Type::Message | Type::Group => None,
        Type::Bool => Some(json!(false)),
        Type::String | Type::Bytes => Some(json!("")),
        Type::Enum => Some(json!(UNSPECIFIED)),
        _ => Some(json!(0)),
    }
}

/// The values of a map.
fn map_value<'a>(message: &'a DescriptorProto, field: &FieldDescriptorProto) -> Option<&'a FieldDescriptorProto> {
    let entry = message.nested_type.iter().find(|nested| last(field.type_name()) == nested.name())?;
    entry.field.iter().find(|field| field.name() == "value")
}

fn last(type_name: &str) -> &str {
    type_name.rsplit('.').next().unwrap_or(type_name)
}

/// Source locations count in `int32`.
fn number(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_as_they_stand_in_json() {
        let found = schemas(["Filter", "Row", "JobEvent", "RecipeSource"], "#/");
        assert_eq!(found["Filter"]["properties"]["op"]["$ref"], "#/FilterOp");
        assert_eq!(found["FilterOp"]["enum"][1], "eq");
        assert_eq!(found["FilterValue"]["anyOf"][3]["type"], "array");
        assert_eq!(found["Row"]["items"]["$ref"], "#/Cell");
        assert_eq!(found["Cell"]["anyOf"], json!([{"type": "string"}, {"type": "null"}]));
        let event = &found["JobEvent"]["properties"];
        assert_eq!(event["seq"]["type"], "integer");
        assert_eq!(
            (&event["matched_count"]["type"], &event["output_paths"]["$ref"]),
            (&json!("integer"), &json!("#/OutputPaths"))
        );
        assert_eq!(event["seq"]["default"], 0);
        assert!(event["progress"].get("default").is_none(), "it may be absent");
        assert_eq!(found["Filter"]["properties"]["op"]["default"], "unspecified");
        assert_eq!(found["ReadOptions"]["properties"]["types"]["additionalProperties"], json!({"type": "string"}));
        assert_eq!(found["RecipeSource"]["properties"]["alias"]["description"], "Name of the table in match_sql.");
    }
}
