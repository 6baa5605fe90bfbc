//! Spool, mailboxes and directory: the traits and the embedded store.
