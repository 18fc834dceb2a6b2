//! Check of all invariants of the store, inside the process that has opened it.

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::call::AdminCall;
use super::failure::{Answer, Failure};
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
    let store = call.store.clone();
    let checked = tokio::task::spawn_blocking(move || match blocks {
        true => store.check_blocks(),
        false => store.check(),
    });
    let violations = checked.await.map_err(|panicked| {
        tracing::error!(%panicked, "the check panicked");
        let message = "the check panicked; the log has the details";
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    })??;
    Ok(json_response(StatusCode::OK, &json!({ "violations": violations })))
}
