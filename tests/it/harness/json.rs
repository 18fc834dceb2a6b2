//! JSON documents against the schemas that are published with them.

use serde_json::Value;

/// The document, every field of which is named in camelCase, however deep it lies.
#[track_caller]
pub fn camel_case(document: &str) -> Value {
    fn names(value: &Value, all: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| names(item, all)),
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                all.push(name.clone());
                names(value, all);
            }),
            _ => {}
        }
    }
    let value =
        serde_json::from_str(document).unwrap_or_else(|error| panic!("{error}: {document}"));
    let mut all = Vec::new();
    names(&value, &mut all);
    all.retain(|name| !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.contains('_'));
    assert!(all.is_empty(), "{all:?}");
    value
}

/// The document, valid by `docs/schemas/NAME.json`.
#[track_caller]
pub fn valid_json(name: &str, document: &[u8]) -> Value {
    let path = format!("{}/docs/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let schema = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let schema: Value = serde_json::from_slice(&schema).expect("a schema is JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let text = String::from_utf8_lossy(document);
    let value = serde_json::from_slice(document).unwrap_or_else(|error| panic!("{error}: {text}"));
    let wrong: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
    assert!(wrong.is_empty(), "{name}: {wrong:?}\n{text}");
    value
}
