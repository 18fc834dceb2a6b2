//! JSON documents against the schemas that are published with them.

use serde_json::Value;

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
