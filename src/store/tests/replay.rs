//! Replay: one seed gives the same run of the model test, to the byte of its rows.

use super::model;

const STEPS: usize = 1_500;

/// The first line in which two dumps differ.
fn first_difference<'a>(one: &'a str, other: &'a str) -> Option<(&'a str, &'a str)> {
    let lines = one.lines().zip(other.lines());
    let differs = |(one, other): &(&str, &str)| one != other;
    lines.into_iter().find(differs).or((one.len() != other.len()).then_some(("", "")))
}

#[test]
fn a_seed_gives_the_same_rows_byte_for_byte() {
    let (one, happened) = model::replay(7, STEPS);
    println!("{happened:?}, {} bytes of rows", one.len());
    for what in ["object taken", "part taken", "stored once", "upload completed", "upload expired"]
    {
        assert!(happened.contains_key(what), "no {what} among {happened:?}");
    }
    let (again, _) = model::replay(7, STEPS);
    assert_eq!(first_difference(&one, &again), None, "the same seed");
    assert!(one == again);
    let (other, _) = model::replay(8, STEPS);
    assert!(one != other, "another seed");
}
