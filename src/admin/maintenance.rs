//! The check of every invariant, inside the process that holds the store.

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{AdminCall, Answer, Failure, json_response};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckRequest {
    /// Read and verify every byte of every file, too.
    #[serde(default)]
    blocks: bool,
}

/// `POST check`: one line for each violation.
pub(super) async fn check(call: &AdminCall) -> Answer {
    let CheckRequest { blocks } = call.json()?;
    let store = call.store.clone();
    let checked = tokio::task::spawn_blocking(move || match blocks {
        true => store.check_blocks(),
        false => store.check(),
    });
    let violations = checked.await.map_err(|panicked| {
        tracing::error!(%panicked, "the check broke off");
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "the check broke off")
    })??;
    Ok(json_response(StatusCode::OK, &json!({ "violations": violations })))
}
