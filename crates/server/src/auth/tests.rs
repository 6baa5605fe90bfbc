//! Logins against a store.
