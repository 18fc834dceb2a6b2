//! The targets of events: how they are, what was tried, and what is to be sent again.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AdminCall, Answer, Failure, json_response, time};
use crate::store::{Delivery, TargetState};
use crate::types::MessageId;
use crate::wire::Response;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResendRequest {
    /// One message; all dead ones if none is named.
    message_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeRequest {
    enabled: bool,
}

/// `GET webhooks`.
pub(super) async fn list(call: &AdminCall) -> Answer {
    let states = call.store.event_targets()?;
    let states: Vec<Value> = states.iter().map(state_document).collect();
    Ok(json_response(StatusCode::OK, &json!({ "webhooks": states })))
}

/// `GET webhooks/NAME/deliveries`: the last tries, newest first.
pub(super) async fn deliveries(call: &AdminCall) -> Answer {
    let log = call.store.deliveries(&call.name)?;
    let log: Vec<Value> = log.iter().map(delivery_document).collect();
    Ok(json_response(StatusCode::OK, &json!({ "deliveries": log })))
}

/// `POST webhooks/NAME/resend`: one message, or all that are dead.
pub(super) async fn resend(call: &AdminCall) -> Answer {
    let request: ResendRequest = call.json()?;
    let count = match &request.message_id {
        Some(text) => {
            let id = text.strip_prefix("msg_").and_then(MessageId::parse);
            let id = id.ok_or_else(|| Failure::invalid(format!("{text} is no id of a message")))?;
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

/// `POST webhooks/NAME/test`: sends a test event; its fate is in the log.
pub(super) async fn test(call: &AdminCall) -> Answer {
    let message = call.store.test_event_target(&call.name).await?;
    let document = json!({ "messageId": message_text(message) });
    Ok(json_response(StatusCode::ACCEPTED, &document))
}

/// `PUT webhooks/NAME`: whether events are sent to it.
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
    // A test is of no key, and a gap of no bucket either.
    let told = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "messageId": message_text(delivery.message),
        "event": delivery.event.as_str(),
        "bucket": told(&delivery.bucket),
        "key": told(&delivery.key),
        "attempt": delivery.attempt,
        "attemptedAt": time(delivery.at),
        "status": delivery.status,
        "milliseconds": delivery.millis,
        "reply": String::from_utf8_lossy(&delivery.reply),
    })
}
