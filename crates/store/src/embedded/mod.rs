//! The embedded store: a log is the truth, a B-tree its view.

pub mod disk;
