//! Whether the server lives, takes requests, and how it keeps its promise.

use http::StatusCode;
use serde_json::json;

use super::{AdminCall, Answer, json_response};
use crate::store::TargetState;

/// The durability mode, as the start and the health page say it.
pub const DURABILITY: &str = "durable: fsync before every answer";

/// `GET health/live`: 200 as long as the process answers.
pub(super) async fn live(_: &AdminCall) -> Answer {
    Ok(json_response(StatusCode::OK, &json!({ "status": "live" })))
}

/// `GET health/ready`: 503 when new requests should go elsewhere.
pub(super) async fn ready(call: &AdminCall) -> Answer {
    let (status, word) = state(call);
    Ok(json_response(status, &json!({ "status": word })))
}

/// `GET health`: as `ready`, with the details.
pub(super) async fn summary(call: &AdminCall) -> Answer {
    let (status, word) = state(call);
    let health = call.store.health();
    let mut document = json!({
        "status": word,
        "version": env!("CARGO_PKG_VERSION"),
        "durability": DURABILITY,
        "writable": health.writable,
    });
    if call.connection.control {
        document["poisonedReason"] = json!(health.poisoned);
        document["walBytes"] = json!(health.wal_bytes);
        document["freeBytes"] = json!(health.free_bytes);
        document["queueLength"] = json!(health.queue_length);
        // A webhook in trouble is no reason to send anybody away.
        let states = call.store.event_targets().unwrap_or_default();
        document["alarms"] = states.iter().filter_map(TargetState::alarm).collect();
    }
    Ok(json_response(status, &document))
}

/// A full disk is no reason to send readers away, so only the end and a failed write are.
fn state(call: &AdminCall) -> (StatusCode, &'static str) {
    if call.store.health().poisoned.is_some() {
        (StatusCode::SERVICE_UNAVAILABLE, "poisoned")
    } else if call.connection.draining {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else {
        (StatusCode::OK, "ready")
    }
}
