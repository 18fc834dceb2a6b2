//! GetBucketNotificationConfiguration: the targets of the bucket's events.

use crate::request::Call;
use crate::wire::notification;
use crate::wire::{Response, Result};

/// The rules as they were put; an empty document when there are none.
pub async fn handle(call: Call) -> Result<Response> {
    let rules = call.context.store.event_rules(&call.permit()?)?;
    Ok(Response::xml(notification::write(&rules)))
}
