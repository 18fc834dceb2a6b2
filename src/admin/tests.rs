//! Management interface over a store of its own.

use serde_json::{Value, json};

use super::json::time;
use super::*;
use crate::config::{self, Config};
use crate::store::Store;
use crate::types::Timestamp;

const CONTROL: Channel = Channel { control: true, draining: false };
const PUBLIC: Channel = Channel { control: false, draining: false };

/// Store in a temporary folder.
struct Bench {
    store: Store,
    gateway: Context,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("partita.toml");
        let secret = "b2xk".repeat(8);
        let table = format!("[webhook.app]\nurl = 'http://a/'\nsecrets = 'whsec_{secret}'\n");
        std::fs::write(&file, table).unwrap();
        let flag = |setting: &config::Setting| match setting.name {
            "config" => Some(vec![file.display().to_string()]),
            "data" => Some(vec![folder.path().join("data").display().to_string()]),
            _ => None,
        };
        let config: Config = config::load(&flag, &|_| None).unwrap();
        let store = Store::open(config.store_options()).unwrap();
        let gateway = Context::new(std::sync::Arc::new(config), store.clone());
        Self { store, gateway, _folder: folder }
    }

    async fn handle(&self, channel: Channel, method: Method, path: &str, body: Bytes) -> Response {
        let route = match route(channel, &method, path) {
            Ok(route) => route,
            Err(answer) => return *answer,
        };
        let principal = match channel.control {
            true => Principal::operator(),
            false => Principal::Anonymous,
        };
        let (query, origin) = (Query::default(), Origin::default());
        let request = Request { principal, query, host: "h".into(), secure: false, body, origin };
        let response = route.answer(&self.gateway, request).await;
        if method == Method::HEAD { head_only(response) } else { response }
    }

    /// Sends a request. Gives the status and the document. Validates both documents against their
    /// schemas.
    async fn ask(&self, channel: Channel, request: &str, body: Value) -> (u16, Value) {
        let (method, path) = request.split_once(' ').unwrap();
        let (asked, answered) = schemas(method, path);
        let method = method.parse().unwrap();
        let bytes = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let full_path = format!("{PREFIX}{path}");
        let response = self.handle(channel, method, &full_path, bytes).await;
        let document = match &response.body {
            Body::Full(bytes) => serde_json::from_slice(bytes).unwrap(),
            _ => Value::Null,
        };
        assert_camel_case(&document);
        let status = response.status.as_u16();
        let schema = match status {
            204 => None,
            // A 503 of health has the document of a 200.
            400.. if status != 503 => Some("error"),
            _ => answered,
        };
        match schema {
            Some(name) => assert_eq!(violations(name, &document), [""; 0], "{name}: {document}"),
            None => assert_eq!((status, &document), (204, &Value::Null), "{request}"),
        }
        if let Some(name) = asked.filter(|_| !body.is_null()) {
            let is_valid = violations(name, &body).is_empty();
            assert!(is_valid || status == 400, "{name} refuses what is taken: {body}");
            assert!(!is_valid || status != 400, "{name} takes what is refused: {body}");
        }
        (status, document)
    }
}

/// Schemas of a request and of its response.
fn schemas(method: &str, path: &str) -> (Option<&'static str>, Option<&'static str>) {
    let pieces: Vec<&str> = path.split('/').collect();
    match (method, pieces.as_slice()) {
        ("GET", ["health"]) => (None, Some("health")),
        ("GET", ["health", _]) => (None, Some("ready")),
        ("GET", ["users"]) => (None, Some("users")),
        ("POST", ["users"]) => (Some("user-request"), Some("new-user")),
        ("GET", ["keys"] | ["users", _, "keys"]) => (None, Some("keys")),
        ("POST", ["users", _, "keys"]) => (Some("key-request"), Some("new-key")),
        ("PUT", ["keys" | "webhooks", _]) => (Some("enabled"), None),
        ("GET", ["uploads"]) => (None, Some("uploads")),
        ("POST", ["uploads", "clean"]) => (Some("clean-request"), Some("clean")),
        ("GET", ["webhooks"]) => (None, Some("webhooks")),
        ("GET", ["webhooks", _, "deliveries"]) => (None, Some("deliveries")),
        ("POST", ["webhooks", _, "resend"]) => (Some("resend-request"), Some("resent")),
        ("POST", ["webhooks", _, "test"]) => (None, Some("webhook-test")),
        ("POST", ["check"]) => (Some("check-request"), Some("check")),
        _ => (None, None),
    }
}

/// Violations of `docs/schemas/NAME.json` in a document.
fn violations(name: &str, document: &Value) -> Vec<String> {
    let path = format!("{}/docs/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.iter_errors(document).map(|error| error.to_string()).collect()
}

/// Asserts that all names of fields, at any depth, are in camelCase.
fn assert_camel_case(document: &Value) {
    match document {
        Value::Array(items) => items.iter().for_each(assert_camel_case),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            let is_camel_case = name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.chars().all(|c| c.is_ascii_alphanumeric());
            assert!(is_camel_case, "{name}");
            assert_camel_case(value);
        }),
        _ => {}
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.store.close();
    }
}

#[tokio::test]
async fn only_health_answers_without_the_control_socket() {
    let bench = Bench::new();
    for row in ROWS {
        let request = format!("{} {}", row.method, row.path.replace("{}", "x"));
        let (status, document) = bench.ask(PUBLIC, &request, Value::Null).await;
        match row.audience {
            Anybody => assert_eq!(status, 200, "{request}: {document}"),
            Control => {
                assert_eq!(status, 403, "{request}: {document}");
                assert_eq!(document["error"], "Forbidden");
            }
            // The gateway checks signatures. Without one, nothing is allowed here.
            Signed => {
                let path = format!("{PREFIX}{}", request.split_once(' ').unwrap().1);
                assert!(route(PUBLIC, &row.method, &path).ok().unwrap().wants_signature());
                assert!(!route(CONTROL, &row.method, &path).ok().unwrap().wants_signature());
                assert!(status >= 400 || document["uploads"] == json!([]), "{document}");
            }
        }
    }
    let open: Vec<_> = ROWS.iter().filter(|row| row.audience == Anybody).collect();
    assert!(open.iter().all(|row| row.path.starts_with("health")), "a new row is open to all");
    assert_eq!(bench.ask(PUBLIC, "POST health", Value::Null).await.0, 405);
    assert_eq!(bench.ask(PUBLIC, "GET nothing", Value::Null).await.0, 404);
    assert_eq!(bench.ask(CONTROL, "PATCH users", Value::Null).await.0, 405);
    assert_eq!(bench.ask(CONTROL, "DELETE users/", Value::Null).await.0, 404);
    assert_eq!(bench.ask(CONTROL, "DELETE users/a/b", Value::Null).await.0, 404);
}

#[tokio::test]
async fn health_tells_the_state_and_draining_is_not_ready() {
    let bench = Bench::new();
    let (status, document) = bench.ask(PUBLIC, "GET health", Value::Null).await;
    assert_eq!((status, document["status"].as_str()), (200, Some("ready")));
    assert_eq!(document["durability"], "durable: fsync before every answer");
    assert_eq!(document["writable"], true);
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["freeBytes"], Value::Null, "details are for the operator");
    let (_, details) = bench.ask(CONTROL, "GET health", Value::Null).await;
    assert!(details["freeBytes"].is_u64());
    assert_eq!(details["alarms"], json!([]));
    assert_eq!(bench.ask(CONTROL, "PUT webhooks/app", json!({ "enabled": false })).await.0, 204);
    let (_, details) = bench.ask(CONTROL, "GET health", Value::Null).await;
    assert_eq!(details["alarms"], json!(["webhook app is disabled: by the operator"]));

    let draining = Channel { control: false, draining: true };
    for path in ["health", "health/ready"] {
        let (status, document) = bench.ask(draining, &format!("GET {path}"), Value::Null).await;
        assert_eq!((status, document["status"].as_str()), (503, Some("draining")), "{path}");
    }
    assert_eq!(bench.ask(draining, "GET health/live", Value::Null).await.0, 200);

    let path = format!("{PREFIX}health");
    let head = bench.handle(PUBLIC, Method::HEAD, &path, Bytes::new()).await;
    assert!(matches!(head.body, Body::Empty));
    assert_ne!(head.headers["content-length"], "0");
}

#[tokio::test]
async fn users_and_keys_come_and_go() {
    let bench = Bench::new();
    let ask = async |request: &str, body: Value| bench.ask(CONTROL, request, body).await;
    let (status, made) = ask("POST users", json!({ "name": "ann", "email": "ann@a" })).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["user"]["name"], "ann");
    let id = made["key"]["accessKeyId"].as_str().unwrap().to_owned();
    let secret = made["key"]["secretAccessKey"].as_str().unwrap().to_owned();
    let stored = bench.store.credential(&id).unwrap();
    assert_eq!(stored.secret_access_key, secret);
    assert!(!stored.user.root, "nobody becomes root here");

    let chosen = json!({ "accessKeyId": "chosen", "secretAccessKey": "chosen-secret" });
    assert_eq!(ask("POST users/ann/keys", chosen.clone()).await.0, 201);
    assert_eq!(ask("POST users/ann/keys", chosen).await.0, 409);
    assert_eq!(ask("POST users/bob/keys", Value::Null).await.0, 404);

    let (_, list) = ask("GET keys", Value::Null).await;
    assert_eq!(list["keys"].as_array().unwrap().len(), 2);
    assert!(!list.to_string().contains("secret"), "a list shows no secret: {list}");
    let (_, users) = ask("GET users", Value::Null).await;
    assert!(!users.to_string().contains("secret"), "{users}");

    assert_eq!(ask("PUT keys/chosen", json!({ "enabled": false })).await.0, 204);
    assert!(!bench.store.credential("chosen").unwrap().enabled);
    assert_eq!(ask("PUT keys/chosen", json!({ "enabled": true })).await.0, 204);
    assert!(bench.store.credential("chosen").unwrap().enabled);
    assert_eq!(ask("DELETE keys/chosen", Value::Null).await.0, 204);
    assert!(bench.store.credential("chosen").is_none());
    assert_eq!(ask("DELETE keys/chosen", Value::Null).await.0, 404);

    assert_eq!(ask("POST users", json!({ "name": "ann" })).await.0, 409);
    assert_eq!(ask("DELETE users/ann", Value::Null).await.0, 204);
    assert!(bench.store.credential(&id).is_none(), "its keys go with it");
    assert_eq!(ask("GET users/ann/keys", Value::Null).await.0, 404);
}

#[test]
fn a_time_has_three_digits_of_milliseconds_whatever_they_are() {
    for (millis, text) in [(0, "000"), (1, "001"), (120, "120")] {
        let told = time(Timestamp::from_millis(1_795_248_000_000 + millis));
        assert_eq!(told, format!("2026-11-21T08:00:00.{text}Z"));
    }
}

#[tokio::test]
async fn a_webhook_is_tested_sent_to_again_and_disabled() {
    let bench = Bench::new();
    let ask = async |request: &str, body: Value| bench.ask(CONTROL, request, body).await;
    let (_, list) = ask("GET webhooks", Value::Null).await;
    let app = &list["webhooks"][0];
    assert_eq!(
        (&app["name"], &app["enabled"], &app["backlog"]),
        (&json!("app"), &json!(true), &json!(0))
    );
    assert_eq!(
        ask("GET webhooks/app/deliveries", Value::Null).await.1,
        json!({ "deliveries": [] })
    );

    // There is no webhook thread, so the test event stays queued.
    let (status, made) = ask("POST webhooks/app/test", Value::Null).await;
    assert_eq!(status, 202);
    let (_, list) = ask("GET webhooks", Value::Null).await;
    assert_eq!(list["webhooks"][0]["backlog"], 1);
    assert!(list["webhooks"][0]["nextAttemptAt"].is_string());
    let (status, resent) = ask("POST webhooks/app/resend", made).await;
    assert_eq!((status, resent), (200, json!({ "resent": 1 })));
    let (status, resent) = ask("POST webhooks/app/resend", json!({ "messageId": null })).await;
    assert_eq!((status, resent), (200, json!({ "resent": 0 })), "none was given up");

    assert_eq!(ask("PUT webhooks/app", json!({ "enabled": false })).await.0, 204);
    let (_, list) = ask("GET webhooks", Value::Null).await;
    let app = &list["webhooks"][0];
    assert_eq!(
        (&app["enabled"], &app["disabledReason"]),
        (&json!(false), &json!("by the operator"))
    );
    let (status, refused) = ask("POST webhooks/app/test", Value::Null).await;
    assert_eq!((status, &refused["error"]), (409, &json!("Refused")));
    assert_eq!(ask("PUT webhooks/app", json!({ "enabled": true })).await.0, 204);
    assert_eq!(ask("PUT webhooks/nobody", json!({ "enabled": true })).await.0, 404);
}

#[tokio::test]
async fn what_is_not_valid_is_refused_by_name() {
    let bench = Bench::new();
    let long = "x".repeat(129);
    let refused = [
        ("POST users", json!({}), "name"),
        ("POST users", json!({ "name": "" }), "name"),
        ("POST users", json!({ "name": "a b" }), "name"),
        ("POST users", json!({ "name": "-a" }), "name"),
        ("POST users", json!({ "name": long }), "name"),
        ("POST users", json!({ "name": "a", "root": true }), "root"),
        ("POST users", json!({ "name": "a", "id": "x\ny" }), "id"),
        ("POST users", json!({ "name": "a", "displayName": "x\u{7}" }), "displayName"),
        ("POST users", json!({ "name": "a", "accessKeyId": "abc" }), "secretAccessKey"),
        (
            "POST users",
            json!({ "name": "a", "accessKeyId": "a/c", "secretAccessKey": "12345678" }),
            "accessKeyId",
        ),
        (
            "POST users",
            json!({ "name": "a", "accessKeyId": "abc", "secretAccessKey": "1234567" }),
            "secretAccessKey",
        ),
        ("PUT keys/a", json!({}), "enabled"),
        ("PUT keys/a", json!({ "enabled": 1 }), "invalid type"),
        ("POST users/a/keys", json!({ "accessKeyId": "abc", "secretAccessKey": null }), "neither"),
        ("POST users/a/keys", json!({ "id": "abc" }), "id"),
        ("POST check", json!({ "blocks": 1 }), "invalid type"),
        ("POST check", json!({ "files": true }), "files"),
        ("PUT webhooks/app", json!({}), "enabled"),
        ("POST webhooks/app/resend", json!({ "messageId": "msg_1" }), "msg_1"),
        ("POST webhooks/app/resend", json!({ "message": "msg_1" }), "message"),
    ];
    for (request, body, word) in refused {
        let (status, document) = bench.ask(CONTROL, request, body.clone()).await;
        assert_eq!(status, 400, "{request} {body}: {document}");
        assert!(document["message"].as_str().unwrap().contains(word), "{document}");
    }
    assert!(bench.store.users().is_empty());
    let path = format!("{PREFIX}users");
    let body = Bytes::from(vec![b' '; BODY_BYTES_MAX + 1]);
    let response = bench.handle(CONTROL, Method::POST, &path, body).await;
    assert_eq!(response.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_check_of_a_new_store_finds_nothing() {
    let bench = Bench::new();
    for body in [Value::Null, json!({ "blocks": true })] {
        let (status, document) = bench.ask(CONTROL, "POST check", body).await;
        assert_eq!((status, document), (200, json!({ "violations": [] })));
    }
}

#[test]
fn a_path_is_ours_only_below_the_prefix() {
    assert!(matches("/_partita/v1/health"));
    for path in ["/_partita/v1", "/_partita", "/_partita/v2/health", "//_partita/v1/health", "/"] {
        assert!(!matches(path), "{path}");
    }
    assert_eq!(captured("users/{}", "users/a%2Fb"), Some(Some("a/b".into())));
    assert_eq!(captured("users/{}", "users/%ff"), None);
    assert_eq!(captured("users", "users"), Some(None));
}
