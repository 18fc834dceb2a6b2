//! Owner of a data folder.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::failure::{Failure, Outcome};

/// Checks that the data folder belongs to the user of this process. Its owner could not read files
/// that another user writes there. A folder that does not exist passes.
///
/// # Errors
/// [`Failure::Failed`] that names both users.
pub(super) fn check_owner(data: &Path) -> Outcome {
    let Ok(metadata) = std::fs::metadata(data) else { return Ok(()) };
    let (owner, ours) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner == ours {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "the data folder {} belongs to user {owner}, and this is user {ours}: \
         run the command as its owner",
        data.display()
    )))
}
