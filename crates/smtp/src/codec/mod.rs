//! How octets of a message travel: transparency and chunks.
