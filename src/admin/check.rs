//! Check of all invariants of the store, inside the process that has opened it.

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::call::AdminCall;
use super::failure::Answer;
use super::json::json_response;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckRequest {
    /// Also read and verify every byte of every file.
    #[serde(default)]
    blocks: bool,
}

/// `POST check`: lists violations, one line each.
pub(super) async fn check(call: &AdminCall) -> Answer {
    let CheckRequest { blocks } = call.json()?;
    let violations = call.run(if blocks { call.store.check_blocks() } else { call.store.check() });
    let violations = violations.await?;
    Ok(json_response(StatusCode::OK, &json!({ "violations": violations })))
}
