//! The management interface over a store of its own.

use serde_json::Value;

use super::*;
use crate::config::Config;

const CONTROL: Context = Context { control: true, draining: false };
const PUBLIC: Context = Context { control: false, draining: false };

/// A store in a folder that goes with it.
struct Bench {
    store: Store,
    gateway: ops::Context,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data: folder.path().join("data"), ..Config::default() };
        let store = Store::open(config.store_options()).unwrap();
        let gateway = ops::Context::new(std::sync::Arc::new(config), store.clone());
        Self { store, gateway, _folder: folder }
    }

    async fn handle(&self, context: Context, method: Method, path: &str, body: Bytes) -> Response {
        let route = match route(context, &method, path) {
            Ok(route) => route,
            Err(answer) => return *answer,
        };
        let principal = match context.control {
            true => Principal::operator(),
            false => Principal::Anonymous,
        };
        let (query, origin) = (Query::default(), Origin::default());
        let request = Request { principal, query, host: "h".into(), secure: false, body, origin };
        let response = route.answer(&self.gateway, request).await;
        if method == Method::HEAD { head_only(response) } else { response }
    }

    /// Asks, and gives the status and the document.
    async fn ask(&self, context: Context, request: &str, body: Value) -> (u16, Value) {
        let (method, path) = request.split_once(' ').unwrap();
        let method = method.parse().unwrap();
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let path = format!("{PREFIX}{path}");
        let response = self.handle(context, method, &path, body).await;
        let document = match &response.body {
            Body::Full(bytes) => serde_json::from_slice(bytes).unwrap(),
            _ => Value::Null,
        };
        assert_camel_case(&document);
        (response.status.as_u16(), document)
    }
}

/// Every name of a field, however deep, is in camelCase.
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
        match row.access {
            Anybody => assert_eq!(status, 200, "{request}: {document}"),
            Control => {
                assert_eq!(status, 403, "{request}: {document}");
                assert_eq!(document["error"], "Forbidden");
            }
            // The gateway sees to it that somebody has signed; nothing is decided for nobody.
            Signed => {
                let path = format!("{PREFIX}{}", request.split_once(' ').unwrap().1);
                assert!(route(PUBLIC, &row.method, &path).ok().unwrap().wants_signature());
                assert!(!route(CONTROL, &row.method, &path).ok().unwrap().wants_signature());
                assert!(status >= 400 || document["uploads"] == json!([]), "{document}");
            }
        }
    }
    let open: Vec<_> = ROWS.iter().filter(|row| row.access == Anybody).collect();
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

    let draining = Context { control: false, draining: true };
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
        ("POST check", json!({ "blocks": 1 }), "invalid type"),
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
