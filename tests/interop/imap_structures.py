"""Where ENVELOPE, BODY and BODYSTRUCTURE of Posta and Dovecot differ, and why.

`causes(item, name, ours, theirs)` names what explains a difference of one message; what is left of it unexplained is a
failure. docs/imap.md lists the causes with their counts over the MIME corpus.
"""

from collections import Counter

ENVELOPE_FIELDS = ("date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id")
MISSING = (b"MISSING_MAILBOX", b"MISSING_DOMAIN")

CHARSET = "a text without a charset: Dovecot adds us-ascii, Posta shows what was written"
LAST_LINE = "a last line without a line break: Posta counts it"
ENCODING = "an encoding that is not known: Posta shows it as it was written, Dovecot as 7bit"
ABSENT = "what an address does not have: an empty string, and MISSING_DOMAIN or MISSING_MAILBOX of Dovecot"
SPACE = "white space where a field was folded, and at its end: Posta unfolds (RFC 5322 §2.2.3)"
NO_MAIL = "results of mime4j as XML, which are no mail: headers of markup"
BROKEN_TYPE = "a type that cannot be read is text/plain (RFC 2045 §5.2)"
NO_BOUNDARY = "a multipart without a boundary is text/plain: its text would be seen by nobody"
BOUNDARY_READ = "a boundary that is written against its grammar (without quotes, or with spaces at its end) is read differently"
ENCODED_MESSAGE = "a message that is encoded within another one has no parts (RFC 2046 §5.2.1)"
GLOBAL = "message/global is shown as a message (RFC 9051 §9)"
RFC_2231 = "parameters of RFC 2231 are shown under their names with the asterisk"
TWICE = "a field that is there twice: RFC 5322 §4.5 leaves open which counts"
NO_ADDRESS = "what is no list of addresses is read differently"
DELIMITER = "the line break before a delimiter belongs to it (RFC 2046 §5.1.1), also where the part is a header alone"
DISPOSITION = "a disposition that is no word: none where it is empty, else as it was written; Dovecot shows an empty one"
UNQUOTED = "a value of two words without quotes: Posta shows both"

ENCLOSED = "MESSAGE/RFC822 is shown as it was written"

BODY_COUNTS = Counter({
    NO_MAIL: 32, CHARSET: 71, LAST_LINE: 37, BOUNDARY_READ: 7, ENCODING: 5, NO_BOUNDARY: 5, BROKEN_TYPE: 4, ENCODED_MESSAGE: 3,
    ABSENT: 2, SPACE: 2, RFC_2231: 2, GLOBAL: 1, ENCLOSED: 1, DELIMITER: 1, UNQUOTED: 1, TWICE: 1,
})  # fmt: skip

# Of how many files something differs for a cause: one more that does is a fault, though its cause is known.
COUNTS = {
    b"ENVELOPE": Counter({NO_MAIL: 98, ABSENT: 33, SPACE: 10, NO_ADDRESS: 4, TWICE: 2, BOUNDARY_READ: 1}),
    b"BODY": BODY_COUNTS,
    b"BODYSTRUCTURE": BODY_COUNTS + Counter({NO_MAIL: 63 - 32, DISPOSITION: 2}),
}

# Files whose differences have a cause of their own, or several.
ALONE = {
    "missing_body.eml": NO_ADDRESS,
    "mix_caps_content_type.eml": NO_ADDRESS,
    "raw_email_multiple_from.eml": NO_ADDRESS,
    "raw_email_with_at_display_name.eml": NO_ADDRESS,
    "raw_email_with_multipart_mixed_quoted_boundary.eml": TWICE,
    "raw_email_with_binary_encoded.eml": (TWICE, BOUNDARY_READ),
    "raw_email_with_illegal_boundary.eml": BOUNDARY_READ,
    "raw_email_bad_time.eml": BOUNDARY_READ,
    "weird-boundary.msg": BOUNDARY_READ,
    "weird-boundary.out": BOUNDARY_READ,
    "double-semicolon.msg": BOUNDARY_READ,
    "double-semicolon.out": BOUNDARY_READ,
    "mime_test.in": BROKEN_TYPE,
    "multi-digest.msg": BROKEN_TYPE,
    "multi-digest.out": BROKEN_TYPE,
    "msg_14.txt": BROKEN_TYPE,
    "msg_16.txt": ENCLOSED,
    "multi-igor_decoded_1_4.txt": NO_BOUNDARY,
    "multi-igor2_decoded_1_4.txt": NO_BOUNDARY,
    "msg_25.txt": NO_BOUNDARY,
    "msg_41.txt": NO_BOUNDARY,
    "mime_garb1.in": ENCODED_MESSAGE,
    "mime_garb3.in": ENCODED_MESSAGE,
    "mime_garb4.in": (ENCODED_MESSAGE, NO_BOUNDARY),
    "mime_global.in": GLOBAL,
    "msg_29.txt": RFC_2231,
    "msg_33.txt": RFC_2231,
    "attachment_message_rfc822_inline_image.eml": DELIMITER,
    "attachment_with_unquoted_name.eml": UNQUOTED,
    "missing_content_disposition.eml": DISPOSITION,
    "multiple_invalid_content_dispositions.eml": DISPOSITION,
}


def causes(item, name, ours, theirs):
    """Why the two differ; a cause that begins with `?` is none."""
    if ours == theirs:
        return set()
    if name.endswith(".xml"):
        return {NO_MAIL}
    found = set()
    envelope(ours, theirs, found) if item == b"ENVELOPE" else body(ours, theirs, found)
    stem = name.rsplit("/", 1)[-1]
    if stem in ALONE and any(cause.startswith("?") for cause in found):
        alone = ALONE[stem]
        found = {cause for cause in found if not cause.startswith("?")}
        found |= {alone} if isinstance(alone, str) else set(alone)
    return found


def envelope(ours, theirs, found):
    for field, one, other in zip(ENVELOPE_FIELDS, ours, theirs):
        if one == other:
            continue
        if isinstance(one, bytes) and isinstance(other, bytes) and one.split() == other.split():
            found.add(SPACE)
        elif isinstance(one, list) and isinstance(other, list) and addresses(one) == addresses(other):
            found.add(ABSENT)
        else:
            found.add(f"?{field}: {one!r:.200}, and {other!r:.200} of Dovecot")


def addresses(fields):
    """With nothing for what is missing; a list's empty elements are none."""
    shown = [[b"" if part in MISSING else part for part in fields_of] for fields_of in fields]
    return [one for one, other in zip(shown, fields) if other != [None, None, *MISSING]]


def body(ours, theirs, found):
    if is_single(ours) and is_single(theirs):
        return single(ours, theirs, found)
    if is_single(ours) or is_single(theirs) or len(ours) != len(theirs):
        return found.add(f"?other parts: {ours!r:.300}, and {theirs!r:.300} of Dovecot")
    for one, other in zip(ours, theirs):
        if isinstance(one, list) and one and isinstance(one[0], (bytes, list)) and is_body(one) and is_body(other):
            body(one, other, found)
        elif one != other:
            found.add(f"?of a multipart: {one!r:.200}, and {other!r:.200} of Dovecot")


def is_body(data):
    return isinstance(data, list) and bool(data) and (isinstance(data[0], list) or is_single(data))


def is_single(data):
    return isinstance(data, list) and len(data) >= 7 and isinstance(data[0], bytes) and isinstance(data[1], bytes)


def single(ours, theirs, found):
    if ours[:2] != theirs[:2] or ours[3:5] != theirs[3:5] or len(ours) != len(theirs):
        found.add(f"?{ours!r:.300}, and {theirs!r:.300} of Dovecot")
        return
    if ours[2] != theirs[2]:
        added = (ours[2] or []) + [b"charset", b"us-ascii"]
        found.add(CHARSET if theirs[2] == added else f"?parameters: {ours[2]!r:.200}, and {theirs[2]!r:.200} of Dovecot")
    if ours[5] != theirs[5]:
        found.add(ENCODING if theirs[5].lower() == b"7bit" else f"?encoding {ours[5]!r}, and {theirs[5]!r} of Dovecot")
    if ours[6] != theirs[6]:
        found.add(f"?{ours[6]!r} octets, and {theirs[6]!r} of Dovecot")
    at = 7
    if len(ours) > 8 and isinstance(ours[7], list) and isinstance(theirs[7], list) and ours[0].lower() == b"message":
        envelope(ours[7], theirs[7], found)
        body(ours[8], theirs[8], found)
        at = 9
    if at == 9 or ours[0].lower() == b"text":
        if ours[at] != theirs[at]:
            more = int(ours[at]) - int(theirs[at])
            found.add(LAST_LINE if more == 1 else f"?{ours[at]!r} lines, and {theirs[at]!r} of Dovecot")
        at += 1
    if ours[at:] != theirs[at:]:
        found.add(f"?extension data {ours[at:]!r:.200}, and {theirs[at:]!r:.200} of Dovecot")
