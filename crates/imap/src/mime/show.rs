//! ENVELOPE and BODYSTRUCTURE as octets (RFC 9051 §7.5.2 and §9).

use super::parameter::extended;
use super::record::{PartKind, Run, Span};
use super::structure::{Addresses, Envelope, Part, Structure};
use super::words;
use crate::response;

/// Whether a client reads UTF-8 in quoted strings: it enabled UTF8=ACCEPT (RFC 6855) or IMAP4rev2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StringForm {
    /// What is not ASCII is a literal.
    Ascii,
    /// UTF-8 stands in quotes.
    Utf8,
}

/// How much of the structure of a body is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyForm {
    /// BODY: without extension data.
    Body,
    /// BODYSTRUCTURE
    BodyStructure,
}

impl StringForm {
    /// A string.
    pub fn string(self, octets: &[u8], out: &mut Vec<u8>) {
        let is_quoted = self == Self::Utf8
            && octets.len() <= response::QUOTED_BYTES_MAX
            && !octets.is_ascii()
            && !octets.iter().any(|octet| matches!(octet, 0 | b'\r' | b'\n'))
            && std::str::from_utf8(octets).is_ok();
        if !is_quoted {
            response::string(octets, out);
            return;
        }
        out.push(b'"');
        for &octet in octets {
            if matches!(octet, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(octet);
        }
        out.push(b'"');
    }

    /// `NIL` or a string.
    pub fn nstring(self, octets: Option<&[u8]>, out: &mut Vec<u8>) {
        match octets {
            Some(octets) => self.string(octets, out),
            None => out.extend_from_slice(b"NIL"),
        }
    }
}

impl Structure {
    /// `("Sun, 22 Nov …" "Subject" …)`
    pub fn write_envelope(&self, form: StringForm, out: &mut Vec<u8>) {
        self.envelope().write(form, out);
    }

    /// `("text" "plain" …)`
    pub fn write_body_structure(&self, body: BodyForm, form: StringForm, out: &mut Vec<u8>) {
        Bodies { structure: self, body, form, out }.body(self.root());
    }
}

impl Envelope<'_> {
    /// ```text
    /// envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP env-bcc SP
    ///            env-in-reply-to SP env-message-id ")"
    /// ```
    fn write(&self, form: StringForm, out: &mut Vec<u8>) {
        out.push(b'(');
        form.nstring(self.date, out);
        out.push(b' ');
        form.nstring(self.subject, out);
        for list in [self.from, self.sender, self.reply_to, self.to, self.cc, self.bcc] {
            out.push(b' ');
            write_addresses(list, form, out);
        }
        out.push(b' ');
        form.nstring(self.in_reply_to, out);
        out.push(b' ');
        form.nstring(self.message_id, out);
        out.push(b')');
    }
}

fn write_addresses(list: Addresses<'_>, form: StringForm, out: &mut Vec<u8>) {
    if list.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for address in list.iter() {
        out.push(b'(');
        form.nstring(address.name, out);
        for field in [address.adl, address.mailbox, address.host] {
            out.push(b' ');
            form.nstring(field, out);
        }
        out.push(b')');
    }
    out.push(b')');
}

struct Bodies<'s, 'o> {
    structure: &'s Structure,
    body: BodyForm,
    form: StringForm,
    out: &'o mut Vec<u8>,
}

impl<'s> Bodies<'s, '_> {
    /// Calls itself as deep as parts are within parts, which [`super::StructureLimits::depth_max`] bounds.
    fn body(&mut self, part: Part<'s>) {
        self.out.push(b'(');
        if part.record().kind == PartKind::Multipart {
            self.multipart(part);
        } else {
            self.single(part);
        }
        self.out.push(b')');
    }

    /// ```text
    /// body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
    /// ```
    fn multipart(&mut self, part: Part<'s>) {
        let record = part.record();
        let mut is_empty = true;
        for at in self.structure.children(part.at) {
            is_empty = false;
            self.body(Part { structure: self.structure, at });
        }
        if is_empty {
            // There is to be one at least.
            self.out.extend_from_slice(match self.body {
                BodyForm::Body => EMPTY_BODY,
                BodyForm::BodyStructure => EMPTY_BODY_STRUCTURE,
            });
        }
        self.out.push(b' ');
        self.form.string(part.media_type().1, self.out);
        if self.body == BodyForm::BodyStructure {
            self.out.push(b' ');
            self.parameters(record.parameters);
            self.extension(part);
        }
    }

    /// ```text
    /// body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part]
    /// body-fields     = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP body-fld-octets
    /// ```
    fn single(&mut self, part: Part<'s>) {
        let record = part.record();
        let (media, subtype) = part.media_type();
        self.form.string(media, self.out);
        self.out.push(b' ');
        self.form.string(subtype, self.out);
        self.out.push(b' ');
        if record.media == Span::Absent && record.kind == PartKind::Leaf {
            // What is not said is text/plain; charset=us-ascii (RFC 2045 §5.2).
            self.out.extend_from_slice(b"(\"charset\" \"us-ascii\")");
        } else {
            self.parameters(record.parameters);
        }
        for field in [record.id, record.description] {
            self.out.push(b' ');
            self.form.nstring(self.structure.records.get(field), self.out);
        }
        self.out.push(b' ');
        self.form.string(self.structure.records.get(record.encoding_name).unwrap_or(b"7bit"), self.out);
        self.out.push(b' ');
        response::number(record.body_end - record.body_at, self.out);
        let is = |octets: &[u8], known: &[u8]| octets.eq_ignore_ascii_case(known);
        let is_message = is(media, b"message") && (is(subtype, b"rfc822") || is(subtype, b"global"));
        if is_message {
            self.message(part);
        }
        if is_message || is(media, b"text") {
            self.out.push(b' ');
            response::number(record.lines, self.out);
        }
        if self.body == BodyForm::BodyStructure {
            self.out.push(b' ');
            self.form.nstring(self.structure.records.get(record.md5), self.out);
            self.extension(part);
        }
    }

    /// Envelope and body of the message in a part; of one that is encoded, or too deep, what has nothing in it.
    fn message(&mut self, part: Part<'s>) {
        self.out.push(b' ');
        match part.message_part() {
            Some(message) => {
                message.own_envelope().write(self.form, self.out);
                self.out.push(b' ');
                self.body(message);
            }
            None => {
                Envelope::default().write(self.form, self.out);
                self.out.push(b' ');
                self.out.extend_from_slice(match self.body {
                    BodyForm::Body => EMPTY_BODY,
                    BodyForm::BodyStructure => EMPTY_BODY_STRUCTURE,
                });
            }
        }
    }

    /// Disposition, language and location.
    fn extension(&mut self, part: Part<'s>) {
        let (record, records) = (part.record(), &self.structure.records);
        match records.get(record.disposition) {
            None => self.out.extend_from_slice(b" NIL"),
            Some(disposition) => {
                self.out.extend_from_slice(b" (");
                self.form.string(disposition, self.out);
                self.out.push(b' ');
                self.parameters(record.disposition_parameters);
                self.out.push(b')');
            }
        }
        match records.get(record.languages) {
            None => self.out.extend_from_slice(b" NIL"),
            Some(languages) => {
                for (at, tag) in languages.split(|octet| *octet == b',').enumerate() {
                    self.out.extend_from_slice(if at == 0 { b" (" } else { b" " });
                    self.form.string(tag, self.out);
                }
                self.out.push(b')');
            }
        }
        self.out.push(b' ');
        self.form.nstring(records.get(record.location), self.out);
    }

    /// A value that is encoded by RFC 2231 is shown under `name*`, its pieces joined: to a client that reads UTF-8 as that
    /// (RFC 9051 §7.5.2), to another one as it was written.
    fn parameters(&mut self, run: Run) {
        let records = &self.structure.records;
        let parameters = &records.parameters[run.from as usize..run.to as usize];
        if parameters.is_empty() {
            self.out.extend_from_slice(b"NIL");
            return;
        }
        for (at, parameter) in parameters.iter().enumerate() {
            self.out.push(if at == 0 { b'(' } else { b' ' });
            let name = records.get(parameter.name).unwrap_or_default();
            let value = records.get(parameter.value).unwrap_or_default();
            if !parameter.is_extended {
                self.form.string(name, self.out);
                self.out.push(b' ');
                self.form.string(value, self.out);
                continue;
            }
            self.form.string(&[name, b"*"].concat(), self.out);
            self.out.push(b' ');
            if self.form == StringForm::Utf8 {
                let (charset, octets) = extended(value);
                self.form.string(words::to_utf8(charset, &octets).as_bytes(), self.out);
            } else {
                self.form.string(value, self.out);
            }
        }
        self.out.push(b')');
    }
}

const EMPTY_BODY: &[u8] = b"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)";
const EMPTY_BODY_STRUCTURE: &[u8] =
    b"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)";
