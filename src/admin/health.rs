//! Health of the server: liveness, readiness and details.
//!
//! **Invariant:** readiness fails only while the server drains, after a failed write, and when the
//! data folder was changed. A full disk still serves readers; damaged objects and failing webhooks
//! are alarms.

use http::StatusCode;
use serde_json::json;

use super::call::AdminCall;
use super::failure::Answer;
use super::json::json_response;
use crate::store::{Health, TargetState};

/// Durability mode, for the start lines of the server and for `GET health`.
pub const DURABILITY: &str = "durable: fsync before every answer";

/// `GET health/live`: always 200.
pub(super) async fn live(_: &AdminCall) -> Answer {
    Ok(json_response(StatusCode::OK, &json!({ "status": "live" })))
}

/// `GET health/ready`: 200, or 503 if new requests should go elsewhere.
pub(super) async fn ready(call: &AdminCall) -> Answer {
    let (status, word) = state(call, &call.store.health());
    Ok(json_response(status, &json!({ "status": word })))
}

/// `GET health`: status of `ready`, with details. Some of them only over the control socket.
pub(super) async fn summary(call: &AdminCall) -> Answer {
    let health = call.store.health();
    let (status, word) = state(call, &health);
    let mut document = json!({
        "status": word,
        "version": env!("CARGO_PKG_VERSION"),
        "durability": DURABILITY,
        "writable": health.writable,
    });
    if call.channel.control {
        document["poisonedReason"] = json!(health.poisoned);
        document["walBytes"] = json!(health.wal_bytes);
        document["freeBytes"] = json!(health.free_bytes);
        document["queueLength"] = json!(health.queue_length);
        let states = call.run(call.store.event_targets()).await.unwrap_or_default();
        let of_webhooks = states.iter().filter_map(TargetState::alarm);
        document["alarms"] = health.damaged.into_iter().chain(of_webhooks).collect();
    }
    Ok(json_response(status, &document))
}

/// Status and word for readiness.
fn state(call: &AdminCall, health: &Health) -> (StatusCode, &'static str) {
    if health.poisoned.is_some() {
        (StatusCode::SERVICE_UNAVAILABLE, "poisoned")
    } else if call.channel.draining {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else {
        (StatusCode::OK, "ready")
    }
}
