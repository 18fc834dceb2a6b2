//! Forms in the pipeline: their fields are read, then they are authenticated like any request. What
//! comes out is the head of a write, for which the pipeline goes on.
//!
//! **Invariant:** whom nobody knows yet is not waited for long: all fields come within the time
//! that a body may stall.

use std::time::Duration;

use super::{Gateway, Signed};
use crate::auth::{self, Mechanism};
use crate::clock;
use crate::request::body::Form;
use crate::transfer::form;
use crate::wire::{Error, ErrorCode, Result};

/// Reads the fields of a form and finds who sends it.
///
/// # Errors
/// Those of [`form::read`], [`auth::form::authenticate`] and [`form::head_of`]; InvalidRequest for
/// a form that is signed in another way: two signatures could allow two things.
pub(super) async fn open(gateway: &Gateway, request: Signed) -> Result<Signed> {
    if request.mechanism != Mechanism::Anonymous {
        let message = "A form is signed by a policy among its fields, and in no other way.";
        return Err(Error::because(ErrorCode::InvalidRequest, message));
    }
    let patience = Duration::from_millis(gateway.context.config.stall_timeout_ms);
    let reading = form::read(&request.head, request.body);
    let (fields, body) = tokio::time::timeout(patience, reading)
        .await
        .unwrap_or_else(|_| Err(ErrorCode::RequestTimeout.into()))?;
    let key = |id: &str| gateway.context.store.credential(id);
    let bucket = request.head.bucket();
    // The time after the fields came, however slowly.
    let now = clock::now();
    let (principal, bounds) =
        auth::form::authenticate(&fields, bucket, &key, now, &gateway.signatures)?;
    let head = form::head_of(request.head, &fields)?;
    let mechanism = Mechanism::Form;
    Ok(Signed { head, principal, mechanism, body, form: Some(Form { fields, bounds }) })
}
