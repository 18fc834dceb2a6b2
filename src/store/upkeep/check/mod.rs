//! Check of every invariant over rows and files, on an open store.
//!
//! Rows are read in pages, each a short snapshot, so that checkpoints proceed. A line found during
//! writes may be wrong, because one page was read before a change and the next one after it. So the
//! passes are repeated: the lines of a pass without any commit are true, else only lines that
//! several passes in a row have found.

mod files;

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use super::sweep::sweep;
use crate::store::db::sqlite::check::{declarations, outbox, references, rows};
use crate::store::engine::{Engine, commits};
use crate::store::error::Result;
use crate::store::memory::pending::Cancellation;
use crate::store::records::check::Depth;

/// Passes over the rows while writes continue.
const PASSES_MAX: usize = 4;

/// Checks rows and files; one line for each violation.
/// [`Error::Cancelled`](crate::store::error::Error::Cancelled) when nobody waits for the answer.
pub(crate) fn check(
    engine: &Engine,
    depth: Depth,
    cancellation: &Cancellation,
) -> Result<Vec<String>> {
    engine.alive()?;
    // Files of a crash are swept after each start; they are no violation.
    if !engine.swept.load(Ordering::Acquire) {
        sweep(engine, false)?;
    }
    let mut found = check_rows(engine, depth, cancellation)?;
    files::check(engine, depth, cancellation, &mut found)?;
    Ok(found)
}

fn check_rows(engine: &Engine, depth: Depth, cancellation: &Cancellation) -> Result<Vec<String>> {
    let mut suspected: Option<HashSet<String>> = None;
    for _ in 0..PASSES_MAX {
        let before = commits(engine);
        let mut found = Vec::new();
        rows::check(&engine.db, &mut found)?;
        cancellation.check()?;
        declarations::check(&engine.db, &mut found)?;
        cancellation.check()?;
        references::check(&engine.db, depth, &mut found)?;
        cancellation.check()?;
        outbox::check(&engine.db, &mut found)?;
        if let Some(suspected) = &suspected {
            found.retain(|line| suspected.contains(line));
        }
        if found.is_empty() || commits(engine) == before {
            return Ok(found);
        }
        suspected = Some(found.into_iter().collect());
    }
    let mut found: Vec<String> = suspected.unwrap_or_default().into_iter().collect();
    found.sort();
    Ok(found)
}
