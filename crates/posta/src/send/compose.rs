//! The message: built of what was given (RFC 5322, MIME), or a file as it is.

use std::borrow::Cow;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use types::{BodyType, Envelope, ForwardPath, Host, MailId, ReversePath, Timestamp};

use super::SendArgs;
use super::input::{self, InputError, NamedMailbox};

const SUBJECT_DEFAULT: &str = "A test message";
const BODY_DEFAULT: &str = "Sent by posta send.\n";

/// A message ready to go.
#[derive(Debug)]
pub(crate) struct Composed {
    pub(crate) envelope: Envelope,
    pub(crate) octets: Vec<u8>,
}

/// Makes the message that `args` ask for.
pub(crate) fn compose(args: &SendArgs) -> Result<Composed, InputError> {
    let (name, reverse_path) = input::sender(&args.from)?;
    let [to, cc, bcc] =
        [input::addresses(&args.to)?, input::addresses(&args.cc)?, input::addresses(&args.bcc)?];
    let forward_paths: Vec<ForwardPath> =
        to.iter().chain(&cc).chain(&bcc).map(|mailbox| mailbox.path.clone()).collect();
    if forward_paths.is_empty() {
        return Err(InputError::NoRecipients);
    }
    let octets = match &args.file {
        Some(path) if args.binary => input::read(path)?,
        Some(path) => input::with_crlf(&input::read(path)?),
        None => build(args, (name, &reverse_path), &to, &cc)?,
    };
    let mut envelope = Envelope::new(reverse_path, forward_paths);
    envelope.parameters.body_type = body_type(args, &octets)?;
    envelope.parameters.smtputf8 = has_utf8_header(&octets);
    Ok(Composed { envelope, octets })
}

fn build(
    args: &SendArgs,
    (name, reverse_path): (Option<String>, &ReversePath),
    to: &[NamedMailbox],
    cc: &[NamedMailbox],
) -> Result<Vec<u8>, InputError> {
    let given = args.header.iter().map(|text| input::header(text)).collect::<Result<Vec<_>, _>>()?;
    let is_given = |name: &str| given.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let now = now();
    let mut message = MessageBuilder::new();
    if !is_given("Date") {
        message = message.header("Date", Raw::new(now.rfc5322()));
    }
    if !is_given("From") {
        // A report has no sender to name, but every message has a From (RFC 5322 §3.6).
        let address =
            reverse_path.mailbox().map_or("MAILER-DAEMON@localhost".to_owned(), ToString::to_string);
        message = message.from(Address::new_address(name, address));
    }
    for (field, mailboxes) in [("To", to), ("Cc", cc)] {
        if !mailboxes.is_empty() && !is_given(field) {
            message = message.header(field, address_list(mailboxes));
        }
    }
    let subject = args.subject.as_deref().unwrap_or(SUBJECT_DEFAULT);
    input::no_control(subject, || "the subject".to_owned())?;
    if !is_given("Subject") {
        message = message.subject(Text::new(subject));
    }
    if !is_given("Message-ID") {
        message = message.header("Message-ID", Raw::new(message_id(now, reverse_path)));
    }
    for (name, value) in &given {
        // What is ASCII may have a structure and goes as it is; the rest has to be encoded words (RFC 2047).
        message = if value.is_ascii() {
            message.header(canonical(name), Raw::new(value.clone()))
        } else {
            message.header(canonical(name), Text::new(value.clone()))
        };
    }
    message = message.text_body(body_text(args)?);
    for path in &args.attach {
        let file_name =
            path.file_name().map_or(Cow::Borrowed("file"), |name| name.to_string_lossy()).into_owned();
        input::no_control(&file_name, || "the name of an attached file".to_owned())?;
        message = message.attachment(media_type(path), file_name, input::read(path)?);
    }
    let mut octets = Vec::new();
    message.serialize(&mut octets);
    Ok(input::with_crlf(&octets))
}

fn body_text(args: &SendArgs) -> Result<String, InputError> {
    let text = match args.body.as_deref() {
        Some("-") => String::from_utf8_lossy(&input::read(Path::new("-"))?).into_owned(),
        Some(text) => text.to_owned(),
        None => BODY_DEFAULT.to_owned(),
    };
    // Line ends first, so that the builder sees the lines that will travel.
    let text = String::from_utf8_lossy(&input::with_crlf(text.as_bytes())).into_owned();
    if text.contains('\0') { Err(InputError::Nul) } else { Ok(text) }
}

/// The names under which the builder looks for what it would otherwise add.
fn canonical(name: &str) -> String {
    ["Date", "Message-ID", "MIME-Version"]
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .map_or_else(|| name.to_owned(), |known| (*known).to_owned())
}

fn address_list(mailboxes: &[NamedMailbox]) -> Address<'static> {
    let list = mailboxes
        .iter()
        .map(|mailbox| {
            let address = match &mailbox.path {
                ForwardPath::Postmaster => "postmaster@localhost".to_owned(),
                ForwardPath::Mailbox(mailbox) => mailbox.to_string(),
            };
            Address::new_address(mailbox.name.clone(), address)
        })
        .collect();
    Address::new_list(list)
}

/// Unique for ever by time and 52 random bits (RFC 5322 §3.6.4).
fn message_id(now: Timestamp, reverse_path: &ReversePath) -> String {
    let domain = match reverse_path.mailbox().map(|mailbox| &mailbox.host) {
        Some(Host::Domain(domain)) => domain.ascii().to_owned(),
        Some(Host::Literal(literal)) => literal.to_string(),
        None => "localhost".to_owned(),
    };
    format!("<{}@{domain}>", MailId::new(now, random()))
}

/// The standard library seeds each hasher from the system's randomness.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

fn body_type(args: &SendArgs, octets: &[u8]) -> Result<BodyType, InputError> {
    if args.binary {
        return Ok(BodyType::BinaryMime);
    }
    if octets.contains(&0) {
        return Err(InputError::Nul);
    }
    Ok(if octets.is_ascii() { BodyType::SevenBit } else { BodyType::EightBitMime })
}

/// Whether a header field is in UTF-8, so that the message may only go to hosts that take it (RFC 6531 §3.4).
/// Older 8-bit character sets in a header are no UTF-8 and no reason.
fn has_utf8_header(octets: &[u8]) -> bool {
    let end = octets.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(octets.len());
    let header = &octets[..end];
    !header.is_ascii() && std::str::from_utf8(header).is_ok()
}

/// A simple guess by the name; whoever knows better sends a file made elsewhere. `.eml` is no `message/rfc822`
/// here, because that must not be in base64 (RFC 2046 §5.2.1).
fn media_type(path: &Path) -> &'static str {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    MEDIA_TYPES
        .iter()
        .find(|(extensions, _)| extensions.contains(&extension.as_str()))
        .map_or("application/octet-stream", |(_, media_type)| media_type)
}

const MEDIA_TYPES: &[(&[&str], &str)] = &[
    (&["txt", "log", "md"], "text/plain"),
    (&["htm", "html"], "text/html"),
    (&["css"], "text/css"),
    (&["csv"], "text/csv"),
    (&["ics"], "text/calendar"),
    (&["vcf"], "text/vcard"),
    (&["jpg", "jpeg"], "image/jpeg"),
    (&["png"], "image/png"),
    (&["gif"], "image/gif"),
    (&["svg"], "image/svg+xml"),
    (&["webp"], "image/webp"),
    (&["mp3"], "audio/mpeg"),
    (&["ogg"], "audio/ogg"),
    (&["wav"], "audio/wav"),
    (&["mp4"], "video/mp4"),
    (&["pdf"], "application/pdf"),
    (&["json"], "application/json"),
    (&["xml"], "application/xml"),
    (&["zip"], "application/zip"),
    (&["gz", "tgz"], "application/gzip"),
    (&["doc"], "application/msword"),
    (&["xls"], "application/vnd.ms-excel"),
    (&["docx"], "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (&["xlsx"], "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (&["pptx"], "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    (&["odt"], "application/vnd.oasis.opendocument.text"),
];
