//! Deterministic simulation of disks and networks for tests; never shipped.
