//! POP3 as a sans-IO machine: grammar and session.
