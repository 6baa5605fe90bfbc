//! What is signed: header fields and bodies in their canonical forms (RFC 6376 §3.4).

use aws_lc_rs::digest::{Context, Digest, SHA256};

use crate::fields::Field;

/// How much a message may change on its way without harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Canonicalization {
    /// Hardly at all (§3.4.1, §3.4.3).
    Simple,
    /// White space may (§3.4.2, §3.4.4).
    Relaxed,
}

/// Which hash of the body is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BodyForm {
    /// Of the body.
    pub canonicalization: Canonicalization,
    /// Only so many octets of the canonical body (`l=`).
    pub octets_max: Option<u64>,
}

/// Hashes a body in all the forms that are wanted, in one pass.
pub struct BodyHasher {
    simple: Option<Former>,
    relaxed: Option<Former>,
}

/// The hashes of a body.
#[derive(Debug, Clone)]
pub struct Bodies {
    found: Vec<(BodyForm, BodyDigest)>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyDigest {
    pub(crate) sha256: Digest,
    /// Of the canonical body, whatever was hashed of it.
    pub(crate) octets: u64,
}

impl Canonicalization {
    /// Appends a field in its canonical form, with the line end.
    pub(crate) fn append(self, field: &Field<'_>, to: &mut Vec<u8>) {
        match self {
            Self::Simple => {
                to.extend_from_slice(field.raw);
                if !field.raw.ends_with(b"\r\n") {
                    to.extend_from_slice(b"\r\n");
                }
            }
            Self::Relaxed => {
                to.extend(field.name.iter().map(u8::to_ascii_lowercase));
                to.push(b':');
                append_words(field.value, to);
                to.extend_from_slice(b"\r\n");
            }
        }
    }
}

/// Unfolded, each run of white space a single space, none at the ends (§3.4.2).
fn append_words(value: &[u8], to: &mut Vec<u8>) {
    let mut is_first = true;
    for word in
        value.split(|octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n')).filter(|word| !word.is_empty())
    {
        if !is_first {
            to.push(b' ');
        }
        is_first = false;
        to.extend_from_slice(word);
    }
}

impl BodyHasher {
    /// For the forms that are wanted. None wanted costs nothing.
    #[must_use]
    pub fn new(forms: impl IntoIterator<Item = BodyForm>) -> Self {
        let mut hasher = Self { simple: None, relaxed: None };
        for form in forms {
            let former = match form.canonicalization {
                Canonicalization::Simple => &mut hasher.simple,
                Canonicalization::Relaxed => &mut hasher.relaxed,
            };
            former.get_or_insert_with(|| Former::new(form.canonicalization)).add(form.octets_max);
        }
        hasher
    }

    /// The next octets of the body: what follows the empty line, dots not stuffed. A piece may end anywhere.
    pub fn push(&mut self, piece: &[u8]) {
        for former in [&mut self.simple, &mut self.relaxed].into_iter().flatten() {
            former.push(piece);
        }
    }

    /// The body is over.
    #[must_use]
    pub fn finish(self) -> Bodies {
        let formers = [self.simple, self.relaxed].into_iter().flatten();
        Bodies { found: formers.flat_map(Former::finish).collect() }
    }
}

impl Bodies {
    pub(crate) fn digest(&self, form: BodyForm) -> Option<&BodyDigest> {
        self.found.iter().find(|(other, _)| *other == form).map(|(_, digest)| digest)
    }
}

/// Makes one canonical form. Line ends and white space wait until something follows that makes them count.
struct Former {
    canonicalization: Canonicalization,
    sinks: Vec<Sink>,
    line_ends: u64,
    has_space: bool,
    has_cr: bool,
    is_empty: bool,
    octets: u64,
    buffer: Vec<u8>,
}

/// A hash of all, or of the first octets.
struct Sink {
    octets_max: Option<u64>,
    context: Context,
}

impl Former {
    fn new(canonicalization: Canonicalization) -> Self {
        Self {
            canonicalization,
            sinks: Vec::new(),
            line_ends: 0,
            has_space: false,
            has_cr: false,
            is_empty: true,
            octets: 0,
            buffer: Vec::with_capacity(BUFFER_BYTES),
        }
    }

    fn add(&mut self, octets_max: Option<u64>) {
        if !self.sinks.iter().any(|sink| sink.octets_max == octets_max) {
            self.sinks.push(Sink { octets_max, context: Context::new(&SHA256) });
        }
    }

    fn push(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some(first) = rest.first() {
            match first {
                b'\n' if self.has_cr => {
                    self.has_cr = false;
                    self.has_space = false;
                    self.line_ends += 1;
                }
                b'\r' => {
                    self.release_cr();
                    self.has_cr = true;
                }
                b' ' | b'\t' if self.canonicalization == Canonicalization::Relaxed => {
                    self.release_cr();
                    self.has_space = true;
                }
                _ => {
                    self.release_cr();
                    let (text, after) = rest.split_at(self.text_length(rest));
                    self.text(text);
                    rest = after;
                    continue;
                }
            }
            rest = &rest[1..];
        }
    }

    /// Octets from here that mean nothing but themselves; at least one.
    fn text_length(&self, rest: &[u8]) -> usize {
        let ends = |octet: &u8| match self.canonicalization {
            Canonicalization::Simple => *octet == b'\r',
            Canonicalization::Relaxed => matches!(octet, b'\r' | b' ' | b'\t'),
        };
        rest[1..].iter().position(ends).map_or(rest.len(), |at| at + 1)
    }

    /// A CR that no LF followed is text.
    fn release_cr(&mut self) {
        if std::mem::take(&mut self.has_cr) {
            self.text(b"\r");
        }
    }

    fn text(&mut self, text: &[u8]) {
        for _ in 0..std::mem::take(&mut self.line_ends) {
            self.append(b"\r\n");
        }
        if std::mem::take(&mut self.has_space) {
            self.append(b" ");
        }
        self.is_empty = false;
        self.append(text);
    }

    fn append(&mut self, octets: &[u8]) {
        if self.buffer.len() + octets.len() > BUFFER_BYTES {
            self.flush();
        }
        if octets.len() > BUFFER_BYTES {
            Self::feed(&mut self.sinks, &mut self.octets, octets);
        } else {
            self.buffer.extend_from_slice(octets);
        }
    }

    fn flush(&mut self) {
        Self::feed(&mut self.sinks, &mut self.octets, &self.buffer);
        self.buffer.clear();
    }

    fn feed(sinks: &mut [Sink], octets: &mut u64, piece: &[u8]) {
        for sink in sinks {
            let room = sink.octets_max.map_or(u64::MAX, |max| max.saturating_sub(*octets));
            let taken = usize::try_from(room).map_or(piece.len(), |room| room.min(piece.len()));
            sink.context.update(&piece[..taken]);
        }
        *octets += piece.len() as u64;
    }

    /// Empty lines at the end count as none; a line end is added where there is text without one, and to a simple body that
    /// is empty (§3.4.3, §3.4.4).
    fn finish(mut self) -> Vec<(BodyForm, BodyDigest)> {
        self.release_cr();
        if !self.is_empty || self.canonicalization == Canonicalization::Simple {
            self.append(b"\r\n");
        }
        self.flush();
        let Self { canonicalization, sinks, octets, .. } = self;
        let digest = |sink: Sink| {
            let form = BodyForm { canonicalization, octets_max: sink.octets_max };
            (form, BodyDigest { sha256: sink.context.finish(), octets })
        };
        sinks.into_iter().map(digest).collect()
    }
}

const BUFFER_BYTES: usize = 4096;
