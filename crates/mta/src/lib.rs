//! Pure decisions of the mail transfer agent: admission and trace fields.
