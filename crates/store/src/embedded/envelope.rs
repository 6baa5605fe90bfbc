//! An envelope and the origin of a message as octets in its record.
//!
//! The first octet says which form it is. 0 to 2 is the body type of the first form, which knew only that,
//! SMTPUTF8 and the paths; it is still read. [`FORM`] is what is written.

use types::{
    AuthParameter, BodyType, ByMode, DeliverBy, DsnReturn, Envelope, EnvelopeRecipient, ForwardPath, Hold,
    MailParameters, Notify, OriginalRecipient, RecipientDsn, ReversePath, Timestamp,
};

use super::codec::{Get, Malformed, Put, length};

/// The form with all parameters of MAIL and RCPT.
const FORM: u8 = 3;

/// Flags of an envelope. A flag that is not known is of a later program.
const SMTPUTF8: u8 = 1;
const REQUIRE_TLS: u8 = 2;

/// Flags of NOTIFY=, where it is not NEVER.
const SUCCESS: u8 = 1;
const FAILURE: u8 = 2;
const DELAY: u8 = 4;
/// Octets in the place of those flags.
const NOTIFY_NOT_SAID: u8 = 0;
const NOTIFY_NEVER: u8 = 8;

pub(super) fn encode(envelope: &Envelope, origin: &str) -> Vec<u8> {
    let Envelope { reverse_path, recipients, parameters } = envelope;
    let mut out = Vec::with_capacity(128);
    out.put_u8(FORM);
    put_parameters(&mut out, parameters);
    out.put_bytes(reverse_path.to_string().as_bytes());
    out.put_u32(length(recipients.len()));
    for EnvelopeRecipient { forward_path, dsn } in recipients {
        out.put_bytes(forward_path.to_string().as_bytes());
        put_dsn(&mut out, dsn);
    }
    out.put_bytes(origin.as_bytes());
    out
}

pub(super) fn decode(octets: &[u8]) -> Result<(Envelope, String), Malformed> {
    let mut get = Get(octets);
    let (envelope, origin) = match get.u8()? {
        FORM => {
            let parameters = parameters(&mut get)?;
            let (reverse_path, recipients) = paths(&mut get, dsn)?;
            (Envelope { reverse_path, recipients, parameters }, get.text()?.to_owned())
        }
        first => {
            let body_type = body_type(first)?;
            let parameters =
                MailParameters { body_type, smtputf8: get.u8()? == 1, ..MailParameters::default() };
            let (reverse_path, recipients) = paths(&mut get, |_| Ok(RecipientDsn::default()))?;
            (Envelope { reverse_path, recipients, parameters }, get.text()?.to_owned())
        }
    };
    get.end()?;
    Ok((envelope, origin))
}

fn paths(
    get: &mut Get<'_>,
    dsn: fn(&mut Get<'_>) -> Result<RecipientDsn, Malformed>,
) -> Result<(ReversePath, Vec<EnvelopeRecipient>), Malformed> {
    let reverse_path = get.text()?.parse().map_err(|_| Malformed)?;
    let recipients = (0..get.u32()?)
        .map(|_| {
            let forward_path: ForwardPath = get.text()?.parse().map_err(|_| Malformed)?;
            Ok(EnvelopeRecipient { forward_path, dsn: dsn(get)? })
        })
        .collect::<Result<_, Malformed>>()?;
    Ok((reverse_path, recipients))
}

fn put_parameters(out: &mut Vec<u8>, parameters: &MailParameters) {
    out.put_u8(match parameters.body_type {
        BodyType::SevenBit => 0,
        BodyType::EightBitMime => 1,
        BodyType::BinaryMime => 2,
    });
    out.put_u8(
        if parameters.smtputf8 { SMTPUTF8 } else { 0 } | if parameters.require_tls { REQUIRE_TLS } else { 0 },
    );
    out.put_u8(match parameters.ret {
        None => 0,
        Some(DsnReturn::Full) => 1,
        Some(DsnReturn::Headers) => 2,
    });
    put_text(out, parameters.envelope_id.as_deref());
    match &parameters.auth {
        None => out.put_u8(0),
        Some(AuthParameter::Unknown) => out.put_u8(1),
        Some(AuthParameter::Mailbox(mailbox)) => {
            out.put_u8(2);
            out.put_bytes(mailbox.to_string().as_bytes());
        }
    }
    match parameters.hold {
        None => out.put_u8(0),
        Some(Hold::For { seconds }) => {
            out.put_u8(1);
            out.put_u32(seconds);
        }
        Some(Hold::Until(at)) => {
            out.put_u8(2);
            out.put_u64(at.millis());
        }
    }
    match parameters.deliver_by {
        None => out.put_u8(0),
        Some(DeliverBy { by_s, mode, trace }) => {
            let mode = match mode {
                ByMode::Return => 1,
                ByMode::Notify => 2,
            };
            out.put_u8(mode | if trace { 4 } else { 0 });
            out.put_u64(u64::from_le_bytes(by_s.to_le_bytes()));
        }
    }
    match parameters.priority {
        None => out.put_u8(0),
        Some(priority) => {
            out.put_u8(1);
            out.put_u8(priority.cast_unsigned());
        }
    }
    put_text(out, parameters.idempotency_key.as_deref());
}

fn parameters(get: &mut Get<'_>) -> Result<MailParameters, Malformed> {
    let body_type = body_type(get.u8()?)?;
    let flags = get.u8()?;
    if flags & !(SMTPUTF8 | REQUIRE_TLS) != 0 {
        return Err(Malformed);
    }
    Ok(MailParameters {
        body_type,
        smtputf8: flags & SMTPUTF8 != 0,
        require_tls: flags & REQUIRE_TLS != 0,
        ret: match get.u8()? {
            0 => None,
            1 => Some(DsnReturn::Full),
            2 => Some(DsnReturn::Headers),
            _ => return Err(Malformed),
        },
        envelope_id: text(get)?,
        auth: match get.u8()? {
            0 => None,
            1 => Some(AuthParameter::Unknown),
            2 => Some(AuthParameter::Mailbox(get.text()?.parse().map_err(|_| Malformed)?)),
            _ => return Err(Malformed),
        },
        hold: match get.u8()? {
            0 => None,
            1 => Some(Hold::For { seconds: get.u32()? }),
            2 => Some(Hold::Until(Timestamp::from_millis(get.u64()?))),
            _ => return Err(Malformed),
        },
        deliver_by: deliver_by(get)?,
        priority: match get.u8()? {
            0 => None,
            1 => Some(get.u8()?.cast_signed()),
            _ => return Err(Malformed),
        },
        idempotency_key: text(get)?,
    })
}

fn deliver_by(get: &mut Get<'_>) -> Result<Option<DeliverBy>, Malformed> {
    let mode = get.u8()?;
    let by_mode = match mode & !4 {
        0 if mode == 0 => return Ok(None),
        1 => ByMode::Return,
        2 => ByMode::Notify,
        _ => return Err(Malformed),
    };
    let by_s = i64::from_le_bytes(get.u64()?.to_le_bytes());
    Ok(Some(DeliverBy { by_s, mode: by_mode, trace: mode & 4 != 0 }))
}

pub(super) fn put_dsn(out: &mut Vec<u8>, dsn: &RecipientDsn) {
    out.put_u8(match dsn.notify {
        None => NOTIFY_NOT_SAID,
        Some(Notify::Never) => NOTIFY_NEVER,
        Some(Notify::When { success, failure, delay }) => {
            [(success, SUCCESS), (failure, FAILURE), (delay, DELAY)]
                .iter()
                .filter(|(is_said, _)| *is_said)
                .fold(0, |flags, (_, flag)| flags | flag)
        }
    });
    let original = dsn.original_recipient.as_ref();
    put_text(out, original.map(|original| original.address_type.as_str()));
    if let Some(original) = original {
        out.put_bytes(original.address.as_bytes());
    }
}

pub(super) fn dsn(get: &mut Get<'_>) -> Result<RecipientDsn, Malformed> {
    let notify = match get.u8()? {
        NOTIFY_NOT_SAID => None,
        NOTIFY_NEVER => Some(Notify::Never),
        flags if flags & !(SUCCESS | FAILURE | DELAY) == 0 => Some(Notify::When {
            success: flags & SUCCESS != 0,
            failure: flags & FAILURE != 0,
            delay: flags & DELAY != 0,
        }),
        _ => return Err(Malformed),
    };
    let original_recipient = match text(get)? {
        None => None,
        Some(address_type) => Some(OriginalRecipient { address_type, address: get.text()?.to_owned() }),
    };
    Ok(RecipientDsn { notify, original_recipient })
}

fn body_type(octet: u8) -> Result<BodyType, Malformed> {
    match octet {
        0 => Ok(BodyType::SevenBit),
        1 => Ok(BodyType::EightBitMime),
        2 => Ok(BodyType::BinaryMime),
        _ => Err(Malformed),
    }
}

/// 0 where there is none, else 1 and the text.
pub(super) fn put_text(out: &mut Vec<u8>, text: Option<&str>) {
    out.put_u8(u8::from(text.is_some()));
    if let Some(text) = text {
        out.put_bytes(text.as_bytes());
    }
}

pub(super) fn text(get: &mut Get<'_>) -> Result<Option<String>, Malformed> {
    match get.u8()? {
        0 => Ok(None),
        1 => Ok(Some(get.text()?.to_owned())),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Envelope {
        let mut envelope = Envelope::new(
            "<ada@example.org>".parse().unwrap(),
            ["<grace@example.net>", "<Postmaster>", "<用户@example.net>"].map(|path| path.parse().unwrap()),
        );
        envelope.parameters = MailParameters {
            body_type: BodyType::BinaryMime,
            smtputf8: true,
            require_tls: true,
            ret: Some(DsnReturn::Headers),
            envelope_id: Some("QQ314159".to_owned()),
            auth: Some(AuthParameter::Mailbox("e=mc2@example.com".parse().unwrap())),
            hold: Some(Hold::Until(Timestamp::from_millis(1_795_322_124_250))),
            deliver_by: Some(DeliverBy { by_s: -120, mode: ByMode::Notify, trace: true }),
            priority: Some(-9),
            idempotency_key: Some("order 17".to_owned()),
        };
        envelope.recipients[0].dsn = RecipientDsn {
            notify: Some(Notify::When { success: true, failure: false, delay: true }),
            original_recipient: Some(OriginalRecipient {
                address_type: "rfc822".to_owned(),
                address: "Bob@Example.COM".to_owned(),
            }),
        };
        envelope.recipients[1].dsn.notify = Some(Notify::Never);
        envelope
    }

    #[test]
    fn an_envelope_with_every_parameter_is_read_as_written() {
        let mut others = full();
        others.reverse_path = ReversePath::Null;
        others.parameters.auth = Some(AuthParameter::Unknown);
        others.parameters.hold = Some(Hold::For { seconds: 999_999_999 });
        others.parameters.ret = Some(DsnReturn::Full);
        others.parameters.deliver_by = Some(DeliverBy { by_s: 0, mode: ByMode::Return, trace: false });
        for envelope in [full(), others, Envelope::new(ReversePath::Null, [])] {
            let octets = encode(&envelope, "[192.0.2.1] (client.example)");
            let (read, origin) = decode(&octets).unwrap();
            assert_eq!((read, origin.as_str()), (envelope, "[192.0.2.1] (client.example)"));
            for end in 0..octets.len() {
                assert_eq!(decode(&octets[..end]), Err(Malformed), "{end} of {}", octets.len());
            }
        }
    }

    #[test]
    fn what_the_first_form_held_is_still_read() {
        // Body type, SMTPUTF8, reverse-path, the number of forward-paths and they, origin.
        let octets = b"\x01\x01\x05\0\0\0<a@b>\x02\0\0\0\x05\0\0\0<c@d>\x0c\0\0\0<Postmaster>\x03\0\0\0abc";
        let (envelope, origin) = decode(octets).unwrap();
        let paths: Vec<String> = envelope.forward_paths().map(ToString::to_string).collect();
        assert_eq!((envelope.reverse_path.to_string().as_str(), origin.as_str()), ("<a@b>", "abc"));
        assert_eq!(paths, ["<c@d>", "<Postmaster>"]);
        let expected =
            MailParameters { body_type: BodyType::EightBitMime, smtputf8: true, ..MailParameters::default() };
        assert_eq!(envelope.parameters, expected);
        assert!(envelope.recipients.iter().all(|recipient| recipient.dsn == RecipientDsn::default()));
    }

    #[test]
    fn a_form_of_a_later_program_is_not_read() {
        let mut octets = encode(&full(), "");
        octets[0] = 4;
        assert_eq!(decode(&octets), Err(Malformed));
    }
}
