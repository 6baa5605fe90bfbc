//! Simulation for tests: what happens follows from a seed. Never shipped.
//!
//! - [`disk`]: a disk whose power can be cut.
//! - [`drive`]: runs a store step by step, without threads.
//! - [`nodes`]: several nodes, their peers and clients, and all that lies between them.
//! - [`power`]: a store under random work whose power is cut.
//! - [`random`]: the numbers that a seed decides.

pub mod disk;
pub mod drive;
pub mod nodes;
pub mod power;
pub mod random;
