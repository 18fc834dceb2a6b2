//! JSON documents, checked against their published schemas.

use serde_json::{Value, json};

/// Asserts that every field of a document is named in camelCase, however deep it lies.
#[track_caller]
fn assert_camel_case(document: &Value) {
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
    let mut all = Vec::new();
    names(document, &mut all);
    all.retain(|name| !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.contains('_'));
    assert!(all.is_empty(), "{all:?}");
}

/// Output of the command with these words and `--json`, valid by the schema of its document.
#[track_caller]
pub fn command_json(words: &[&str], printed: &str) -> Value {
    let schema = match words {
        ["user", "create", ..] => "new-user",
        ["user", ..] => "users",
        ["key", "create", ..] => "new-key",
        ["key", ..] => "keys",
        ["uploads", "list" | "watch", ..] => "uploads",
        ["uploads", "clean", ..] => "clean",
        ["uploads", "abort", ..] => "ended",
        ["uploads", ..] => "upload",
        ["webhook", "deliveries" | "test", ..] => "deliveries",
        ["webhook", "resend", ..] => "resent",
        ["webhook", ..] => "webhooks",
        ["check", ..] => "check",
        ["health", ..] => "ready",
        ["version", ..] => "version",
        _ => panic!("{words:?} print no document"),
    };
    let document = match words {
        // Each line is an upload, as in a page of the list.
        ["uploads", "watch", ..] => {
            let lines = printed.lines().map(|line| serde_json::from_str(line).expect("JSON"));
            json!({ "uploads": lines.collect::<Vec<Value>>(), "nextMarker": null }).to_string()
        }
        _ => printed.to_owned(),
    };
    let value = valid_json(schema, document.as_bytes());
    assert_camel_case(&value);
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
