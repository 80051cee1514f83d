//! Compares the fields of a text with those of the contract.

use std::sync::LazyLock;

use kalla_spelling::nearest;
use prost::Message as _;
use prost_types::field_descriptor_proto::Label;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use serde_json::{Map, Value};

use super::FieldError;
use crate::FILE_DESCRIPTOR_SET;

pub(super) static DESCRIPTORS: LazyLock<FileDescriptorSet> = LazyLock::new(|| {
    FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the build script writes what it has just compiled")
});

/// A field that the contract does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownField {
    pub path: String,
    /// The known name that it is most likely a misspelling of.
    pub meant: Option<String>,
    message: String,
}

impl From<UnknownField> for FieldError {
    fn from(UnknownField { path, message, .. }: UnknownField) -> Self {
        Self { path, message }
    }
}

/// What is wrong with the fields of a text, apart from the types of their values.
#[derive(Default)]
pub(super) struct Findings {
    pub unknown: Vec<UnknownField>,
    /// Arrays where a message belongs: serde would take them for the message's fields in their order.
    pub arrays: Vec<FieldError>,
}

impl Findings {
    pub fn of<T: prost::Name>(tree: &Value) -> Self {
        let mut findings = Self::default();
        findings.visit(&format!(".{}", T::full_name()), tree, "");
        findings
    }

    fn visit(&mut self, type_name: &str, value: &Value, path: &str) {
        let Some(message) = message(type_name) else { return };
        match value {
            Value::Object(object) => self.visit_object(message, object, path),
            Value::Array(columns) if message.name() == "Compare" => {
                for (index, column) in columns.iter().enumerate() {
                    self.visit(".kalla.v1.ComparedColumn", column, &format!("{path}[{index}]"));
                }
            }
            Value::Array(_) if !may_be_array(message) => {
                self.arrays.push(FieldError { path: path.to_owned(), message: "expected an object".to_owned() });
            }
            _ => {}
        }
    }

    fn visit_object(&mut self, message: &DescriptorProto, object: &Map<String, Value>, path: &str) {
        let fields = fields(message, object);
        for (name, value) in object {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match fields.iter().find(|field| field.name() == name) {
                Some(field) => self.visit_field(message, field, value, &path),
                None => self.unknown.push(unknown(path, name, &fields)),
            }
        }
    }

    fn visit_field(&mut self, message: &DescriptorProto, field: &FieldDescriptorProto, value: &Value, path: &str) {
        let mut nested = message.nested_type.iter();
        let entry = nested.find(|entry| field.type_name().ends_with(&format!(".{}", entry.name())));
        match (entry, value) {
            (Some(entry), Value::Object(map)) => {
                let value_field = entry.field.iter().find(|field| field.name() == "value");
                let type_name = value_field.map_or("", |field| field.type_name());
                for (key, value) in map {
                    self.visit(type_name, value, &format!("{path}.{key}"));
                }
            }
            (None, Value::Array(items)) if field.label() == Label::Repeated => {
                for (index, item) in items.iter().enumerate() {
                    self.visit(field.type_name(), item, &format!("{path}[{index}]"));
                }
            }
            _ => self.visit(field.type_name(), value, path),
        }
    }
}

/// A message that is nothing but a list is an array in JSON; a message with a oneof looks after itself.
fn may_be_array(message: &DescriptorProto) -> bool {
    matches!(message.field.as_slice(), [only] if only.label() == Label::Repeated)
        || message.field.iter().any(|field| field.oneof_index.is_some() && !field.proto3_optional())
}

/// The fields that a message has in JSON; those of an event are its own and those of what happened.
fn fields<'a>(message: &'a DescriptorProto, object: &Map<String, Value>) -> Vec<&'a FieldDescriptorProto> {
    let (members, mut fields): (Vec<_>, Vec<_>) =
        message.field.iter().partition(|field| field.oneof_index.is_some() && !field.proto3_optional());
    let happened = super::event::kind(object);
    for member in members.iter().filter(|member| Some(member.name()) == happened) {
        fields.extend(self::message(member.type_name()).into_iter().flat_map(|message| &message.field));
    }
    fields
}

fn message(type_name: &str) -> Option<&'static DescriptorProto> {
    let (package, name) = type_name.strip_prefix('.')?.rsplit_once('.')?;
    let mut files = DESCRIPTORS.file.iter().filter(|file| file.package() == package);
    files.find_map(|file| file.message_type.iter().find(|message| message.name() == name))
}

fn unknown(path: String, name: &str, fields: &[&FieldDescriptorProto]) -> UnknownField {
    let known: Vec<&str> = fields.iter().map(|field| field.name()).collect();
    let meant = nearest(name, known.iter().copied());
    let message = match meant {
        Some(meant) => format!("there is no such field: did you mean `{meant}`?"),
        None => format!("there is no such field: known are {}", known.join(", ")),
    };
    UnknownField { path, meant: meant.map(str::to_owned), message }
}
