//! DeleteObject: removes a key; one that is not there is removed already.

use crate::access::Action;
use crate::access::DeleteObject;
use crate::access::Permit;
use crate::request::Call;
use crate::transfer::send;
use crate::types::WriteCondition;
use crate::wire::{Error, ErrorCode, Response, Result, conditions};

/// Answers 204.
///
/// # Errors
/// PreconditionFailed with If-Match; NoSuchVersion for a version other than `null`; NotImplemented
/// for the conditions of directory buckets.
pub async fn handle(call: Call) -> Result<Response> {
    for name in ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"] {
        if call.head.header_or_query(name)?.is_some() {
            let message = format!("The header {name} is for directory buckets.");
            return Err(Error::because(ErrorCode::NotImplemented, message));
        }
    }
    send::only_null_version(&call.head)?;
    let if_match = call.head.header("if-match")?.map(conditions::etag_match);
    let condition = WriteCondition { if_match, if_none_match: None };
    let store = &call.context.store;
    let delete = |permit: &Permit<DeleteObject>| store.delete_object(permit, condition.clone());
    call.write(Action::DeleteObject, delete).await?;
    Ok(Response::no_content())
}
