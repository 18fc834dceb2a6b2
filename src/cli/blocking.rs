//! Blocking work of async commands.

use super::failure::Failure;

/// Runs blocking work on the pool of the runtime.
///
/// # Errors
/// [`Failure::Failed`] if the work panics.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(Failure::failed)
}
