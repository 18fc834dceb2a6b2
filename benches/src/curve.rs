//! Curve: the cost of an operation by the size of something.

use serde::Serialize;

/// Cost of an operation by size.
#[derive(Debug, Serialize)]
pub struct Curve {
    /// Quantity that grows.
    pub along: &'static str,
    /// Measured quantity, with its unit.
    pub what: &'static str,
    /// Pairs of size and figure.
    pub points: Vec<(u64, f64)>,
}
