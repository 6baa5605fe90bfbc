//! What servers say, as octets.
//!
//! Standards: RFC 9051 §7 and §9, RFC 3501 §7 and §9, RFC 5530 (response codes).
//!
//! Three layers: the primitives that write strings, names, flags, dates and sets; [`ResponseCode`], what stands in
//! brackets; and [`RESPONSES`], THE table of status responses. No other place in this crate spells `OK`, `NO`, `BAD` or
//! `BYE`.

mod code;
mod encode;
mod table;

pub use code::ResponseCode;
pub use encode::{
    LiteralForm, QUOTED_BYTES_MAX, astring, date_time_bytes, flag_list, internal_date, literal,
    literal_header, mailbox_name, nstring, number, number_set, object_id, quoted, string, uid_set,
};
pub(crate) use encode::{SYSTEM_FLAGS, is_astring_char, is_atom_char};
pub use table::{RESPONSES, Response, ResponseEntry, Status, continuation, tagged, untagged};
