//! Compiles `kalla/v1/*.proto` without protoc, and puts serde attributes on the generated types so that their JSON is
//! the form that `job.proto` describes. Nothing about a message is written twice: every attribute follows from its
//! descriptor.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use prost_build::Config;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// Messages with a oneof: their JSON is written by hand in `src/json/`, or there is none (those of `process.proto`).
const BY_HAND: [&str; 4] = ["FilterValue", "JobEvent", "Order", "Report"];
/// Messages that JSON may give in a shorter form, which is read by hand.
const READ_BY_HAND: [&str; 2] = ["Compare", "ComparedColumn"];
/// Messages that carry secrets; `src/redacted.rs` says what of them may be shown.
const SECRET: [&str; 5] = ["JobPayload", "RecipeSource", "RegisteredSource", "Source", "SourceOverride"];

const PACKAGE: &str = "kalla.v1";
const FILES: [&str; 13] = [
    "kalla/v1/problem.proto",
    "kalla/v1/job.proto",
    "kalla/v1/event.proto",
    "kalla/v1/verdict.proto",
    "kalla/v1/recipe.proto",
    "kalla/v1/source.proto",
    "kalla/v1/run.proto",
    "kalla/v1/upload.proto",
    "kalla/v1/worker.proto",
    "kalla/v1/manifest.proto",
    "kalla/v1/result.proto",
    "kalla/v1/system.proto",
    "kalla/v1/process.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=kalla");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);

    let set = protox::compile(FILES, ["."])?;
    let mut config = Config::new();
    config.btree_map(["."]).enable_type_names().skip_debug(SECRET.map(|name| format!(".{PACKAGE}.{name}")));
    // Problems are handed up through everything, and hardly one has a place.
    config.boxed(format!(".{PACKAGE}.Problem.place"));
    let mut words = String::new();
    for file in set.file.iter().filter(|file| file.package() == PACKAGE) {
        for message in &file.message_type {
            attribute_message(&mut config, message)?;
        }
        for enumeration in &file.enum_type {
            write_words(&mut words, enumeration)?;
        }
    }
    std::fs::write(out.join("words.rs"), words)?;
    write_descriptors(&out.join("descriptors.bin"), &set)?;
    tonic_prost_build::configure().build_transport(false).compile_fds_with_config(set, config)?;
    Ok(())
}

fn attribute_message(config: &mut Config, message: &DescriptorProto) -> Result<(), Box<dyn Error>> {
    let name = message.name();
    if message.nested_type.iter().any(|nested| !is_map_entry(nested)) || !message.enum_type.is_empty() {
        return Err(format!("{name}: types stand at the top of a file, where their attributes are their own").into());
    }
    let has_oneof = message.field.iter().any(|field| field.oneof_index.is_some() && !field.proto3_optional());
    if has_oneof != BY_HAND.contains(&name) {
        return Err(format!("{name}: a message has either a oneof and its JSON by hand, or neither").into());
    }
    // The pieces of a file have no JSON either.
    if has_oneof || message.field.iter().any(|field| field.r#type() == Type::Bytes) {
        return Ok(());
    }
    let path = format!(".{PACKAGE}.{name}");
    let serde = if is_bare(message) { "transparent" } else { "default" };
    if READ_BY_HAND.contains(&name) {
        config.message_attribute(&path, "#[derive(serde::Serialize)]");
        for field in message.field.iter().filter(|field| field.proto3_optional()) {
            let absent = "#[serde(skip_serializing_if = \"Option::is_none\")]";
            config.field_attribute(format!("{path}.{}", field.name()), absent);
        }
        return Ok(());
    }
    config.message_attribute(&path, "#[derive(serde::Serialize, serde::Deserialize)]");
    config.message_attribute(&path, format!("#[serde({serde})]"));
    for field in &message.field {
        config.field_attribute(
            format!("{path}.{}", field.name()),
            format!("#[serde({})]", field_attribute(message, field)?),
        );
    }
    Ok(())
}

/// The attribute that makes serde's form of a field the contract's form.
fn field_attribute(message: &DescriptorProto, field: &FieldDescriptorProto) -> Result<String, Box<dyn Error>> {
    let name = field.name();
    let repeated = field.label() == Label::Repeated;
    let optional = field.proto3_optional();
    Ok(match field.r#type() {
        Type::Enum if optional => {
            return Err(
                format!("{}.{name}: an enum field is plain: its zero value is `unspecified`", message.name()).into()
            );
        }
        Type::Enum if repeated => {
            format!("with = \"crate::json::words::ListOfWords::<{}>\"", last_segment(field.type_name()))
        }
        Type::Enum => format!("with = \"crate::json::words::Words::<{}>\"", last_segment(field.type_name())),
        Type::Message if repeated && is_map(message, field) => "with = \"crate::json::object\"".to_owned(),
        Type::Message if repeated => "deserialize_with = \"crate::json::or_default\"".to_owned(),
        Type::Message if field.type_name() == ".google.protobuf.Timestamp" => {
            "with = \"crate::json::time\", skip_serializing_if = \"Option::is_none\"".to_owned()
        }
        Type::Message => "skip_serializing_if = \"Option::is_none\"".to_owned(),
        Type::Float | Type::Group => {
            return Err(format!("{}.{name}: the contract has no JSON form for this type", message.name()).into());
        }
        _ if optional && !is_bare(message) => "skip_serializing_if = \"Option::is_none\"".to_owned(),
        _ => "deserialize_with = \"crate::json::or_default\"".to_owned(),
    })
}

/// The words of an enum in JSON: the names of its values in lower case, without the prefix that protobuf asks for.
fn write_words(out: &mut String, enumeration: &EnumDescriptorProto) -> Result<(), Box<dyn Error>> {
    let name = enumeration.name();
    let zero = enumeration.value.first().map(prost_types::EnumValueDescriptorProto::name).unwrap_or_default();
    let prefix =
        zero.strip_suffix("UNSPECIFIED").ok_or_else(|| format!("{name}: the first value ends in UNSPECIFIED"))?;
    writeln!(out, "impl crate::json::words::HasWords for {name} {{")?;
    writeln!(out, "    const WORDS: &'static [(&'static str, i32)] = &[")?;
    for value in &enumeration.value {
        let word = value.name().strip_prefix(prefix).ok_or_else(|| format!("{}: no prefix {prefix}", value.name()))?;
        writeln!(out, "        ({:?}, {}),", word.to_lowercase(), value.number())?;
    }
    writeln!(out, "    ];\n}}")?;
    Ok(())
}

/// Keeps what programs need at run time: names and types of fields, and the comments of what is ours.
fn write_descriptors(path: &Path, set: &FileDescriptorSet) -> Result<(), Box<dyn Error>> {
    let mut set = set.clone();
    for file in set.file.iter_mut().filter(|file| file.package() != PACKAGE) {
        file.source_code_info = None;
    }
    std::fs::write(path, prost::Message::encode_to_vec(&set))?;
    Ok(())
}

/// A message that is nothing but a list is in JSON the plain array; one that is nothing but a value that may be absent is the
/// value or null.
fn is_bare(message: &DescriptorProto) -> bool {
    matches!(message.field.as_slice(), [only] if only.label() == Label::Repeated || only.proto3_optional())
}

fn is_map(message: &DescriptorProto, field: &FieldDescriptorProto) -> bool {
    let entry = last_segment(field.type_name());
    message.nested_type.iter().any(|nested| nested.name() == entry && is_map_entry(nested))
}

fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(|options| options.map_entry())
}

fn last_segment(type_name: &str) -> &str {
    type_name.rsplit('.').next().unwrap_or(type_name)
}
