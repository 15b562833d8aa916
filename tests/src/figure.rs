//! What can be measured: each figure is a function with a name.

mod admission;
mod calls;
mod creation;
mod delay;
mod memory;
mod rate;
mod release;
mod sidecar;
mod webhook;

use anyhow::{Context, Result};
use futures::future::LocalBoxFuture;

use crate::bench::Bench;
use crate::spread::Spread;

/// Something that can be measured.
pub struct Figure {
    /// What it is asked for by.
    pub name: &'static str,
    /// What it tells, in a few words.
    pub about: &'static str,
    take: for<'a> fn(&'a Bench) -> LocalBoxFuture<'a, Result<Vec<Row>>>,
}

/// One line of a figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// Precisely: from when to when, how it was read.
    pub how: &'static str,
    /// Of `value`.
    pub unit: Unit,
    /// What came of it.
    pub value: Value,
}

/// The unit of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// How many.
    Count,
    /// Seconds.
    Seconds,
}

/// What came of a measurement.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// It is not more than this; infinite: nobody knows.
    AtMost(f64),
    /// Measured once.
    Exactly(f64),
    /// Measured often.
    Spread(Spread),
    /// Not measured, for this reason.
    Skipped(&'static str),
}

// === impl Figure ===

impl Figure {
    /// Measures it.
    pub async fn take(&self, bench: &Bench) -> Result<Vec<Row>> {
        (self.take)(bench).await.with_context(|| format!("failed to take the figure {}", self.name))
    }
}

// === impl Value ===

impl Value {
    fn exactly(value: Option<f64>) -> Self {
        value.map_or(NOTHING, Self::Exactly)
    }

    fn at_most(value: Option<f64>) -> Self {
        value.map_or(NOTHING, Self::AtMost)
    }

    fn spread(value: Option<Spread>) -> Self {
        value.map_or(NOTHING, Self::Spread)
    }
}

/// All figures, in the order in which they are taken: the run that most of them share comes first, so that what it
/// finds of the webhook's memory is not of another figure's making.
pub const ALL: &[Figure] = &[
    creation::FIGURE,
    release::FIGURE,
    admission::FIGURE,
    calls::FIGURE,
    webhook::FIGURE,
    sidecar::FIGURE,
    delay::FIGURE,
    rate::FIGURE,
    memory::FIGURE,
];

const NOTHING: Value = Value::Skipped("nothing was there to measure");
/// What needs the node's clock or its processes.
const ELSEWHERE: Value = Value::Skipped("the node is not this machine");
