//! Parameters of MAIL and RCPT (RFC 5321 §4.1.2), each by the RFC of its extension.
//!
//! ```text
//! esmtp-param   = esmtp-keyword ["=" esmtp-value]
//! esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
//! esmtp-value   = 1*(%d33-60 / %d62-126 / UTF8-non-ascii)
//! ```

use types::{
    AuthParameter, BodyType, ByMode, DeliverBy, DsnReturn, Hold, MailParameters, Notify, OriginalRecipient,
    RecipientDsn,
};

use super::command::CommandError;
use super::{date_time, xtext};

/// `esmtp-param *(SP esmtp-param)`; more than one space between them is passed over. No keyword may come twice:
/// RFC 3461 §4.5, RFC 4865 §4.2 and RFC 6710 §4.1 say 501, and no other RFC says what a second one would mean.
pub(super) fn split<'a>(
    rest: &'a str,
    syntax: &'static str,
) -> Result<Vec<(&'a str, Option<&'a str>)>, CommandError> {
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(CommandError::Syntax(syntax));
    }
    let mut parameters: Vec<(&str, Option<&str>)> = Vec::new();
    for parameter in rest.split(' ').filter(|parameter| !parameter.is_empty()) {
        let (keyword, value) =
            parameter.split_once('=').map_or((parameter, None), |(keyword, value)| (keyword, Some(value)));
        let is_keyword = keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
            && keyword.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let is_value = value.is_none_or(|v| !v.is_empty() && v.bytes().all(is_value_octet));
        let is_said = parameters.iter().any(|(said, _)| said.eq_ignore_ascii_case(keyword));
        if !is_keyword || !is_value || is_said {
            return Err(CommandError::Syntax(syntax));
        }
        parameters.push((keyword, value));
    }
    Ok(parameters)
}

/// `%d33-60 / %d62-126`, and with SMTPUTF8 what is not ASCII (RFC 6531 §3.3).
const fn is_value_octet(octet: u8) -> bool {
    matches!(octet, 33..=60 | 62..=126 | 128..)
}

/// Reads a parameter of MAIL but SIZE; `keyword` is in upper case.
pub(super) fn read_mail(
    parameters: &mut MailParameters,
    keyword: &str,
    value: Option<&str>,
) -> Result<(), CommandError> {
    match keyword {
        "BODY" => parameters.body_type = body_type(required(value, BODY)?)?,
        "SMTPUTF8" => {
            none(value, "SMTPUTF8 has no value")?;
            parameters.smtputf8 = true;
        }
        "REQUIRETLS" => {
            // RFC 8689 §2: there is no esmtp-value.
            none(value, "REQUIRETLS has no value")?;
            parameters.require_tls = true;
        }
        "RET" => parameters.ret = Some(ret(value).ok_or(CommandError::Syntax(RET))?),
        "ENVID" => parameters.envelope_id = Some(envelope_id(value).ok_or(CommandError::Syntax(ENVID))?),
        "AUTH" => parameters.auth = Some(auth(value).ok_or(CommandError::Syntax(AUTH))?),
        "HOLDFOR" | "HOLDUNTIL" => {
            // RFC 4865 §4.2: more than one hold-param is refused.
            if parameters.hold.is_some() {
                return Err(CommandError::Syntax("either HOLDFOR or HOLDUNTIL, not both"));
            }
            let hold = if keyword == "HOLDFOR" { hold_for(value) } else { hold_until(value) };
            parameters.hold = Some(hold.ok_or(CommandError::Syntax(HOLD))?);
        }
        "BY" => parameters.deliver_by = Some(deliver_by(value).ok_or(CommandError::Syntax(BY))?),
        "MT-PRIORITY" => parameters.priority = Some(priority(value).ok_or(CommandError::Syntax(PRIORITY))?),
        "XIDEMPOTENCY" => {
            parameters.idempotency_key =
                Some(idempotency_key(value).ok_or(CommandError::Syntax(IDEMPOTENCY))?);
        }
        _ => return Err(CommandError::UnknownParameter(keyword.to_owned())),
    }
    Ok(())
}

/// Reads a parameter of RCPT; `keyword` is in upper case.
pub(super) fn read_rcpt(
    dsn: &mut RecipientDsn,
    keyword: &str,
    value: Option<&str>,
) -> Result<(), CommandError> {
    match keyword {
        "NOTIFY" => dsn.notify = Some(notify(value).ok_or(CommandError::Syntax(NOTIFY))?),
        "ORCPT" => {
            dsn.original_recipient = Some(original_recipient(value).ok_or(CommandError::Syntax(ORCPT))?);
        }
        _ => return Err(CommandError::UnknownParameter(keyword.to_owned())),
    }
    Ok(())
}

const BODY: &str = "BODY=7BIT, BODY=8BITMIME or BODY=BINARYMIME";
const RET: &str = "RET=FULL or RET=HDRS";
const ENVID: &str = "ENVID= and up to 100 characters of xtext (RFC 3461)";
const AUTH: &str = "AUTH=<> or AUTH= and a mailbox in xtext (RFC 4954)";
const HOLD: &str = "HOLDFOR= and 1 to 999999999 seconds, or HOLDUNTIL= and a time like 2027-01-31T12:00:00Z";
const BY: &str = "BY=seconds;R or BY=seconds;N, and perhaps T; with R the seconds are more than 0 (RFC 2852)";
const PRIORITY: &str = "MT-PRIORITY= and a number from -9 to 9 (RFC 6710)";
const IDEMPOTENCY: &str = "XIDEMPOTENCY= and 1 to 64 printable characters in xtext";
const NOTIFY: &str = "NOTIFY=NEVER, or SUCCESS, FAILURE and DELAY with commas between them";
const ORCPT: &str = "ORCPT=type;address, up to 500 characters of xtext (RFC 3461)";

/// Octets of the value of ENVID= (RFC 3461 §4.4).
const ENVID_BYTES_MAX: usize = 100;
/// Octets of the value of ORCPT= (RFC 3461 §4.2).
const ORCPT_BYTES_MAX: usize = 500;
/// Octets of a key of XIDEMPOTENCY=, decoded.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 64;

fn required<'a>(value: Option<&'a str>, syntax: &'static str) -> Result<&'a str, CommandError> {
    value.ok_or(CommandError::Syntax(syntax))
}

fn none(value: Option<&str>, syntax: &'static str) -> Result<(), CommandError> {
    value.map_or(Ok(()), |_| Err(CommandError::Syntax(syntax)))
}

fn body_type(value: &str) -> Result<BodyType, CommandError> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(BodyType::SevenBit),
        "8BITMIME" => Ok(BodyType::EightBitMime),
        "BINARYMIME" => Ok(BodyType::BinaryMime),
        _ => Err(CommandError::ParameterValue("BODY is 7BIT, 8BITMIME or BINARYMIME".to_owned())),
    }
}

fn ret(value: Option<&str>) -> Option<DsnReturn> {
    match value?.to_ascii_uppercase().as_str() {
        "FULL" => Some(DsnReturn::Full),
        "HDRS" => Some(DsnReturn::Headers),
        _ => None,
    }
}

fn envelope_id(value: Option<&str>) -> Option<String> {
    value.filter(|value| value.len() <= ENVID_BYTES_MAX).and_then(xtext::decode_printable)
}

/// `AUTH=mailbox`, the mailbox within xtext, or `<>` (RFC 4954 §5).
fn auth(value: Option<&str>) -> Option<AuthParameter> {
    match xtext::decode_text(value?)?.as_str() {
        "<>" => Some(AuthParameter::Unknown),
        mailbox => mailbox.parse().ok().map(AuthParameter::Mailbox),
    }
}

/// `future-release-integer = %x31-39 *8DIGIT` (RFC 4865 §3)
fn hold_for(value: Option<&str>) -> Option<Hold> {
    let digits = value?;
    let is_integer = (1..=9).contains(&digits.len())
        && digits.bytes().all(|octet| octet.is_ascii_digit())
        && !digits.starts_with('0');
    if is_integer { digits.parse().ok().map(|seconds| Hold::For { seconds }) } else { None }
}

fn hold_until(value: Option<&str>) -> Option<Hold> {
    date_time::parse_utc(value?).map(Hold::Until)
}

/// ```text
/// by-value = by-time";"by-mode[by-trace]
/// by-time  = ["-" / "+"]1*9digit ; a negative or zero value is not allowed with a by-mode of "R"
/// by-mode  = "N" / "R"
/// by-trace = "T"
/// ```
fn deliver_by(value: Option<&str>) -> Option<DeliverBy> {
    let (time, mode) = value?.split_once(';')?;
    let digits = time.strip_prefix(['-', '+']).unwrap_or(time);
    if !(1..=9).contains(&digits.len()) || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = digits.parse().ok()?;
    let by_s = if time.starts_with('-') { -seconds } else { seconds };
    let (mode, trace) = match mode.to_ascii_uppercase().as_str() {
        "R" => (ByMode::Return, false),
        "RT" => (ByMode::Return, true),
        "N" => (ByMode::Notify, false),
        "NT" => (ByMode::Notify, true),
        _ => return None,
    };
    if mode == ByMode::Return && by_s <= 0 { None } else { Some(DeliverBy { by_s, mode, trace }) }
}

/// `priority-value = (["-"] NZDIGIT) / "0"` (RFC 6710 §7)
fn priority(value: Option<&str>) -> Option<i8> {
    let value = value?;
    match (value, value.strip_prefix('-').unwrap_or(value).as_bytes()) {
        ("0", _) | (_, [b'1'..=b'9']) => value.parse().ok(),
        _ => None,
    }
}

fn idempotency_key(value: Option<&str>) -> Option<String> {
    xtext::decode_printable(value?).filter(|key| (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()))
}

/// `notify-esmtp-value = "NEVER" / 1#notify-list-element`, in any case (RFC 3461 §4.1)
fn notify(value: Option<&str>) -> Option<Notify> {
    let value = value?;
    if value.eq_ignore_ascii_case("NEVER") {
        return Some(Notify::Never);
    }
    let (mut success, mut failure, mut delay) = (false, false, false);
    for element in value.split(',') {
        *match element.to_ascii_uppercase().as_str() {
            "SUCCESS" => &mut success,
            "FAILURE" => &mut failure,
            "DELAY" => &mut delay,
            _ => return None,
        } = true;
    }
    Some(Notify::When { success, failure, delay })
}

/// `original-recipient-address = addr-type ";" xtext`, `addr-type = atom` (RFC 3461 §4.2). An address of the type
/// `utf-8` stays as it is written: its own encoding is no xtext, and who relays it must not change it (RFC 6533 §3).
fn original_recipient(value: Option<&str>) -> Option<OriginalRecipient> {
    let (address_type, address) = value.filter(|value| value.len() <= ORCPT_BYTES_MAX)?.split_once(';')?;
    if address_type.is_empty() || !address_type.bytes().all(is_atom_octet) {
        return None;
    }
    let address = if address_type.eq_ignore_ascii_case("utf-8") {
        xtext::decode_text(address)
    } else {
        xtext::decode_printable(address)
    };
    Some(OriginalRecipient { address_type: address_type.to_owned(), address: address? })
}

/// `atom = 1*<any CHAR except specials, SPACE and CTLs>` (RFC 822 §3.3)
const fn is_atom_octet(octet: u8) -> bool {
    matches!(octet, 33..=126)
        && !matches!(
            octet,
            b'(' | b')' | b'<' | b'>' | b'@' | b',' | b';' | b':' | b'\\' | b'"' | b'.' | b'[' | b']'
        )
}

#[cfg(test)]
#[path = "parameters_tests.rs"]
mod tests;
