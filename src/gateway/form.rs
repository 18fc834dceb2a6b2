//! Authentication of form uploads: reads the fields, checks the policy, and gives the head of an
//! equivalent PUT with which the pipeline continues.
//!
//! **Invariant:** all fields of a form, whose sender is unknown until they are read, arrive within
//! `stall-timeout-ms`.

use std::time::Duration;

use super::signed::SignedRequest;
use crate::auth::{self, Mechanism};
use crate::request::Context;
use crate::request::body::Form;
use crate::transfer::form;
use crate::wire::{Error, ErrorCode, Result};

/// Reads the fields of a form and authenticates its sender.
///
/// # Errors
/// RequestTimeout; those of [`form::read`], [`auth::form::authenticate`] and [`form::head_of`];
/// InvalidRequest for a form that has another signature too, since the two may allow different
/// things.
pub(super) async fn open(
    context: &Context,
    signatures: &auth::SignatureSettings,
    request: SignedRequest,
) -> Result<SignedRequest> {
    if request.mechanism != Mechanism::Anonymous {
        let message = "A form is signed by a policy among its fields, and in no other way.";
        return Err(Error::because(ErrorCode::InvalidRequest, message));
    }
    let limit = Duration::from_millis(context.config.stall_timeout_ms);
    let reading = form::read(&request.head, request.body);
    let (fields, body) = tokio::time::timeout(limit, reading)
        .await
        .unwrap_or_else(|_| Err(ErrorCode::RequestTimeout.into()))?;
    let key = |id: &str| context.store.credential(id);
    let bucket = request.head.bucket();
    // The clock is read after the fields arrived, which may take the whole limit.
    let now = context.store.now();
    let (principal, bounds) = auth::form::authenticate(&fields, bucket, &key, now, signatures)?;
    let head = form::head_of(request.head, &fields)?;
    let mechanism = Mechanism::Form;
    let form = Some(Form { fields, bounds });
    Ok(SignedRequest { head, principal, mechanism, body, form })
}
