//! Checks every invariant over rows and files, on a live store.
//!
//! It reads in pages, each a short snapshot, so that checkpoints go on. What it finds while others
//! write may only look wrong, because one page was read before a change and the next one after it.
//! So the rows are gone through again: what was found in a pass without any commit is true, else
//! only what several passes in a row say with the same words.

mod declarations;
mod events;
mod files;
mod references;
mod rows;

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use rusqlite::Connection;

use super::sweep::sweep;
use crate::store::engine::{Engine, commits};
use crate::store::error::Result;

/// How often the rows are gone through when others keep writing.
const PASSES_MAX: usize = 4;
/// Rows in one page.
const PAGE_ROWS: usize = 1000;

/// How deep files are looked into.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Existence, length and trailer.
    Trailers,
    /// Every block.
    Blocks,
}

/// One line for each violation.
pub(crate) fn check(engine: &Engine, depth: Depth) -> Result<Vec<String>> {
    engine.alive()?;
    // Files that a crash left behind are dealt with after each start; they are no violation.
    if !engine.swept.load(Ordering::Acquire) {
        sweep(engine)?;
    }
    let mut found = check_rows(engine, depth)?;
    files::check(engine, depth, &mut found)?;
    Ok(found)
}

fn check_rows(engine: &Engine, depth: Depth) -> Result<Vec<String>> {
    let mut suspected: Option<HashSet<String>> = None;
    for _ in 0..PASSES_MAX {
        let before = commits(engine);
        let mut found = Vec::new();
        rows::check(engine, &mut found)?;
        declarations::check(engine, &mut found)?;
        references::check(engine, depth, &mut found)?;
        events::check(engine, &mut found)?;
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

/// Reads pages, each in a snapshot of its own, until `read` knows no next key.
fn pages<K>(
    engine: &Engine,
    first: K,
    mut read: impl FnMut(&Connection, &K) -> Result<Option<K>>,
) -> Result<()> {
    let mut key = Some(first);
    while let Some(from) = key {
        engine.alive()?;
        key = engine.db.readers.snapshot(|connection| read(connection, &from))?;
    }
    Ok(())
}
