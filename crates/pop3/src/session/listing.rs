//! Multi-line responses that the machine makes itself: LIST, UIDL (RFC 1939 §5, §7), CAPA (RFC 2449 §5), and AUTH
//! without a mechanism. No line of theirs begins with a dot, so nothing is to be stuffed.

use std::io::Write;

use super::{Config, Expire, OUTPUT_BYTES_SOFT_MAX, sasl_exchange};
use crate::maildrop::MarkedMaildrop;
use crate::{Flow, Response, Security, TlsOffer};

/// A listing that is written a part at a time, so that a large maildrop needs no large buffer.
pub(super) struct Listing {
    column: Column,
    next: usize,
}

enum Column {
    Size,
    UniqueId,
}

impl Listing {
    /// LIST.
    pub(super) const fn sizes() -> Self {
        Self { column: Column::Size, next: 0 }
    }

    /// UIDL.
    pub(super) const fn unique_ids() -> Self {
        Self { column: Column::UniqueId, next: 0 }
    }

    /// Writes until the output is full enough or the listing at its end, which is [`Flow::Enough`].
    pub(super) fn write(&mut self, maildrop: &MarkedMaildrop, out: &mut Vec<u8>) -> Flow {
        while self.next < maildrop.len() {
            if out.len() >= OUTPUT_BYTES_SOFT_MAX {
                return Flow::More;
            }
            let index = self.next;
            self.next += 1;
            let Some(message) = maildrop.unmarked(index) else { continue };
            let number = index + 1;
            // Writing to memory does not fail.
            let _ = match self.column {
                Column::Size => write!(out, "{number} {}\r\n", message.size_bytes),
                Column::UniqueId => write!(out, "{number} {}\r\n", message.unique_id),
            };
        }
        out.extend_from_slice(b".\r\n");
        Flow::Enough
    }
}

/// What is offered, in both states alike but for STLS, which is listed where it is permitted (RFC 2595 §4): `tls`
/// is what the state offers. LOGIN-DELAY is absent where no delay is wanted (RFC 2449 §6.5); EXPIRE NEVER says that
/// nothing but DELE deletes mail (RFC 2449 §6.7).
pub(super) fn write_capabilities(config: &Config, tls: TlsOffer, security: Security, out: &mut Vec<u8>) {
    Response::Capabilities.write_to(out);
    if tls.is_open(security) {
        out.extend_from_slice(b"STLS\r\n");
    }
    if config.plaintext.permits(security) {
        out.extend_from_slice(b"USER\r\n");
    }
    let mechanisms: Vec<&str> = sasl_exchange::offered(config, security).collect();
    if !mechanisms.is_empty() {
        out.extend_from_slice(format!("SASL {}\r\n", mechanisms.join(" ")).as_bytes());
    }
    out.extend_from_slice(b"TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n");
    if config.login_delay_s > 0 {
        out.extend_from_slice(format!("LOGIN-DELAY {}\r\n", config.login_delay_s).as_bytes());
    }
    let expire = match config.expire {
        Expire::Never => "EXPIRE NEVER\r\n".to_owned(),
        Expire::AfterDays(days) => format!("EXPIRE {days}\r\n"),
    };
    out.extend_from_slice(expire.as_bytes());
    out.extend_from_slice(b"UTF8 USER\r\nLANG\r\nIMPLEMENTATION Posta\r\n.\r\n");
}

/// What AUTH without a mechanism is answered, one name a line.
pub(super) fn write_mechanisms(config: &Config, security: Security, out: &mut Vec<u8>) {
    Response::Mechanisms.write_to(out);
    for name in sasl_exchange::offered(config, security) {
        out.extend_from_slice(format!("{name}\r\n").as_bytes());
    }
    out.extend_from_slice(b".\r\n");
}
