//! Webhooks: their state, their last deliveries, and events to be sent again.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::AdminCall;
use super::failure::{Answer, Failure};
use super::json::{json_response, time};
use crate::store::{Delivery, TargetState};
use crate::types::MessageId;
use crate::wire::Response;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResendRequest {
    /// One event; without it, all dead events of the webhook.
    message_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeRequest {
    enabled: bool,
}

/// `GET webhooks`: state of all webhooks.
pub(super) async fn list(call: &AdminCall) -> Answer {
    let states = call.run(call.store.event_targets()).await?;
    let states: Vec<Value> = states.iter().map(state_document).collect();
    Ok(json_response(StatusCode::OK, &json!({ "webhooks": states })))
}

/// `GET webhooks/NAME/deliveries`: the last attempts, newest first.
pub(super) async fn deliveries(call: &AdminCall) -> Answer {
    let log = call.run(call.store.deliveries(&call.name)).await?;
    let log: Vec<Value> = log.iter().map(delivery_document).collect();
    Ok(json_response(StatusCode::OK, &json!({ "deliveries": log })))
}

/// `POST webhooks/NAME/resend`: queues one event again, or all dead ones.
pub(super) async fn resend(call: &AdminCall) -> Answer {
    let request: ResendRequest = call.json()?;
    let count = match &request.message_id {
        Some(text) => {
            let id = text.strip_prefix("msg_").and_then(MessageId::parse);
            let id = id.ok_or_else(|| Failure::invalid(format!("{text} is not a message id")))?;
            call.store.resend_event(&call.name, id).await?;
            1
        }
        None => {
            let mut count = 0;
            loop {
                match call.store.resend_dead_events(&call.name).await? {
                    0 => break count,
                    some => count += some,
                }
            }
        }
    };
    Ok(json_response(StatusCode::OK, &json!({ "resent": count })))
}

/// `POST webhooks/NAME/test`: queues a test event; 202. Its outcome is in the deliveries.
pub(super) async fn test(call: &AdminCall) -> Answer {
    let message = call.store.test_event_target(&call.name).await?;
    let document = json!({ "messageId": message_text(message) });
    Ok(json_response(StatusCode::ACCEPTED, &document))
}

/// `PUT webhooks/NAME`: enables or disables a webhook.
pub(super) async fn change(call: &AdminCall) -> Answer {
    let request: ChangeRequest = call.json()?;
    let why = (!request.enabled).then(|| "by the operator".to_owned());
    call.store.disable_event_target(&call.name, why).await?;
    Ok(Response::no_content())
}

fn message_text(message: MessageId) -> String {
    format!("msg_{message}")
}

fn state_document(state: &TargetState) -> Value {
    json!({
        "name": state.name,
        "configured": state.configured,
        "enabled": state.disabled.is_none(),
        "disabledReason": state.disabled,
        "backlog": state.backlog,
        "backlogMax": state.backlog_max,
        "dead": state.dead,
        "missing": state.dropped_count,
        "firstMissingAt": state.dropped_since.map(time),
        "nextAttemptAt": state.next_at.map(time),
        "lastAttemptAt": state.last.as_ref().map(|last| time(last.at)),
        "lastStatus": state.last.as_ref().and_then(|last| last.status),
        "alarm": state.alarm(),
    })
}

fn delivery_document(delivery: &Delivery) -> Value {
    // A test event has no key; a notice of missing events has no bucket either.
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "messageId": message_text(delivery.message),
        "event": delivery.event.as_str(),
        "bucket": given(&delivery.bucket),
        "key": given(&delivery.key),
        "attempt": delivery.attempt,
        "attemptedAt": time(delivery.at),
        "status": delivery.status,
        "milliseconds": delivery.millis,
        "reply": String::from_utf8_lossy(&delivery.reply),
    })
}
