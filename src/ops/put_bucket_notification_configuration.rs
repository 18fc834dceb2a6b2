//! PutBucketNotificationConfiguration: sets the targets of the bucket's events.

use crate::access::WriteNotification;
use crate::request::Call;
use crate::transfer::document;
use crate::wire::notification;
use crate::wire::{Response, Result};

/// Replaces all rules; each target gets `s3:TestEvent`, in the same transaction.
///
/// # Errors
/// Those of [`notification::read`].
pub async fn handle(call: Call) -> Result<Response> {
    let test = !notification::skips_test(&call.head)?;
    let (context, permit) = (call.context.clone(), call.permit::<WriteNotification>()?);
    let (document, _) = document::receive(call).await?;
    let config = &context.config;
    let targets = notification::NotificationTargets {
        region: &config.region,
        region_strict: config.region_strict,
        names: config.webhooks.iter().map(|webhook| webhook.name.as_str()).collect(),
    };
    let rules = notification::read(&document, &targets, context.store.random()?)?;
    if rules.is_empty() {
        context.store.delete_bucket_configuration(&permit).await?;
    } else {
        context.store.set_event_rules(&permit, rules, test).await?;
    }
    Ok(Response::ok())
}
