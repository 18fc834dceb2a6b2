//! Tests that this machine cannot run: a line for a person, because cargo hides the output of tests
//! that pass.

use std::fs::File;
use std::io::Write as _;

/// Reports that the calling test cannot do its work here.
///
/// Prints a line that begins with `SKIPPED`. If `PARTITA_SKIPS` names a file, the line is appended
/// to it.
pub fn skip(reason: &str) {
    let line = format!("SKIPPED: {}: {reason}", test_name());
    println!("{line}");
    let Some(path) = std::env::var_os("PARTITA_SKIPS") else { return };
    let file = File::options().create(true).append(true).open(&path);
    // One write, so that the lines of tests that run at the same time are not mixed.
    let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Name of the test that runs on this thread: cargo's harness names the thread after it.
fn test_name() -> String {
    std::thread::current().name().unwrap_or("a test").to_owned()
}
