//! PutBucketNotificationConfiguration: sets who is told of what happens in the bucket.

use super::shared::{document, notification};
use super::{Call, DOCUMENT_BYTES_MAX};
use crate::store::BucketConfigurationKind;
use crate::wire::{Response, Result};

/// Replaces all rules; each target gets `s3:TestEvent`, in the same transaction.
///
/// # Errors
/// Those of [`notification::read`].
pub async fn handle(call: Call) -> Result<Response> {
    let test = !notification::skips_test(&call)?;
    let (context, permit) = (call.context.clone(), call.permit().clone());
    let document = document::receive(&call.head, call.body, DOCUMENT_BYTES_MAX).await?;
    let rules = notification::read(&document, &context.config)?;
    if rules.is_empty() {
        let kind = BucketConfigurationKind::Notification;
        context.store.delete_bucket_configuration(&permit, kind).await?;
    } else {
        context.store.set_event_rules(&permit, rules, test).await?;
    }
    Ok(Response::ok())
}
