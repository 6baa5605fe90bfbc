use proptest::prelude::*;

use super::show::{BodyForm, StringForm};
use super::{PartPath, Structure, StructureLimits, StructureParser};
use crate::command::{PartSection, Section, SectionText};
use crate::fetch::filter::{HeaderFilter, Taken};

fn in_pieces(message: &[u8], size: usize) -> Structure {
    let mut parser = StructureParser::new(StructureLimits::default());
    message.chunks(size).for_each(|piece| parser.feed(piece));
    parser.finish()
}

fn shown(message: &str, body: BodyForm) -> String {
    let mut out = Vec::new();
    Structure::of(message.as_bytes()).write_body_structure(body, StringForm::Ascii, &mut out);
    String::from_utf8(out).unwrap()
}

fn envelope(message: &str, form: StringForm) -> String {
    let mut out = Vec::new();
    Structure::of(message.as_bytes()).write_envelope(form, &mut out);
    String::from_utf8(out).unwrap()
}

const MIXED: &str = "Content-Type: multipart/mixed; boundary=a\r\n\
    \r\n\
    preamble\r\n\
    --a\r\n\
    \r\n\
    one\r\n\
    two\r\n\
    --a \r\n\
    Content-Type: message/rfc822\r\n\
    \r\n\
    Subject: within\r\n\
    Content-Type: multipart/alternative; boundary=ab\r\n\
    \r\n\
    --ab\r\n\
    Content-Type: text/html\r\n\
    Content-Transfer-Encoding: base64\r\n\
    \r\n\
    AGEA\r\n\
    --ab--\r\n\
    --a--\r\n\
    epilogue\r\n";

#[test]
fn parts_are_shown_as_bodystructure_has_them() {
    assert_eq!(
        shown(MIXED, BodyForm::Body),
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 8 2)\
         (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 149 \
         (NIL \"within\" NIL NIL NIL NIL NIL NIL NIL NIL) \
         ((\"text\" \"html\" NIL NIL NIL \"base64\" 4 1) \"alternative\") 9) \"mixed\")"
    );
}

#[test]
fn extension_data_is_in_bodystructure_only() {
    let message = "Content-Type: application/pdf; name=a.pdf\r\nContent-ID: <i>\r\nContent-Description: d\r\n\
        Content-MD5: m\r\nContent-Disposition: attachment; filename*0=a; filename*1=.pdf\r\n\
        Content-Language: de, en\r\nContent-Location: http://x/\r\nContent-Transfer-Encoding: BASE64\r\n\r\nAAAA";
    let fields = "\"application\" \"pdf\" (\"name\" \"a.pdf\") \"<i>\" \"d\" \"BASE64\" 4";
    assert_eq!(shown(message, BodyForm::Body), format!("({fields})"));
    assert_eq!(
        shown(message, BodyForm::BodyStructure),
        format!("({fields} \"m\" (\"attachment\" (\"filename\" \"a.pdf\")) (\"de\" \"en\") \"http://x/\")")
    );
}

#[test]
fn an_extended_parameter_is_shown_to_each_client_as_it_reads_it() {
    let message = "Content-Type: application/x; name*0*=utf-8''%C3%A4; name*1*=b\r\n\r\n";
    assert!(shown(message, BodyForm::Body).contains("(\"name*\" \"utf-8''%C3%A4b\")"));
    let mut out = Vec::new();
    Structure::of(message.as_bytes()).write_body_structure(BodyForm::Body, StringForm::Utf8, &mut out);
    assert!(String::from_utf8(out).unwrap().contains("(\"name*\" \"äb\")"));
}

#[test]
fn what_has_no_type_that_can_be_read_is_text() {
    for header in [
        "",
        "Content-Type: text",
        "Content-Type: multipart/mixed",
        "Content-Type: x/",
        "Content-Type: postscript; 2",
    ] {
        let shown = shown(&format!("{header}\r\n\r\nx"), BodyForm::Body);
        assert!(shown.starts_with("(\"text\" \"plain\" (\"charset\" \"us-ascii\")"), "{header}: {shown}");
    }
}

#[test]
fn a_multipart_without_parts_shows_an_empty_one() {
    let message = "Content-Type: multipart/mixed; boundary=a\r\n\r\nno delimiter\r\n";
    assert_eq!(
        shown(message, BodyForm::Body),
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"mixed\")"
    );
    let structure = Structure::of(message.as_bytes());
    let section =
        |path: &[u32]| structure.section(&Section::Part(PartPath(path.to_vec()), PartSection::Content), 0);
    assert_eq!(section(&[1]), Some(0..0));
    assert_eq!(section(&[2]), None);
}

/// The octets of parts that are no multiparts.
fn leaves(message: &str) -> Vec<&str> {
    let structure = Structure::of(message.as_bytes());
    for size in [1, 7, 1000, 5000] {
        assert_eq!(in_pieces(message.as_bytes(), size), structure, "in pieces of {size}");
    }
    structure.parts().map(|part| &message[part.body().start as usize..part.body().end as usize]).collect()
}

#[test]
fn a_line_that_begins_with_a_boundary_delimits_parts_whatever_follows() {
    let behind = "x".repeat(3000);
    for (first, last) in [("", ""), (" \t", " "), ("x", "x"), (" a: b", "--"), (&behind[..], &behind[..])] {
        let message = format!(
            "Content-Type: multipart/mixed; boundary=ab\r\n\r\n--ab{first}\r\n\r\none\r\n\
             --ab{first}\r\n\r\n--a\r\n --ab\r\n--ab--{last}\r\n--ab\r\n\r\nepilogue\r\n"
        );
        assert_eq!(leaves(&message), ["one", "--a\r\n --ab"], "{first:.10} {last:.10}");
    }
}

#[test]
fn of_boundaries_that_begin_alike_the_longest_is_meant() {
    let message = "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\
        Content-Type: multipart/mixed; boundary=a_b\r\n\r\n--a_b\r\n\r\none\r\n--a_b\r\n\r\ntwo\r\n--a_b--\r\n\
        --a_b\r\nepilogue\r\n--a\r\n\r\nthree\r\n--a--\r\n";
    assert_eq!(leaves(message), ["one", "two", "three"]);
    let shorter_within = "Content-Type: multipart/mixed; boundary=a_b\r\n\r\n--a_b\r\n\
        Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\none\r\n--a_b\r\n\r\ntwo\r\n--a_b--\r\n";
    assert_eq!(leaves(shorter_within), ["one", "two"]);
}

#[test]
fn boundaries_are_read_up_to_8_kib() {
    for (len, is_read) in [(1009, true), (8 << 10, true), ((8 << 10) + 1, false)] {
        let boundary = "b".repeat(len);
        let message = format!(
            "Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n--{boundary}\r\n\r\none\r\n\
             --{boundary}--\r\nepilogue\r\n"
        );
        assert_eq!(leaves(&message) == ["one"], is_read, "{len}");
        assert!(steps(message.as_bytes()) <= 3);
    }
}

#[test]
fn recipients_of_several_fields_are_one_list_and_of_others_the_first_counts() {
    let message = "To: a@b\r\nSubject: one\r\nCc: c@d\r\nFrom: x@y\r\nto: g@h\r\nTo: \r\nBcc: \r\nBcc: e@f\r\n\
        From: z@z\r\nSubject: two\r\n\r\n";
    assert_eq!(
        envelope(message, StringForm::Ascii),
        "(NIL \"one\" ((NIL NIL \"x\" \"y\")) ((NIL NIL \"x\" \"y\")) ((NIL NIL \"x\" \"y\")) \
         ((NIL NIL \"a\" \"b\")(NIL NIL \"g\" \"h\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"e\" \"f\")) NIL NIL)"
    );
}

#[test]
fn an_envelope_tells_absent_from_empty_and_fills_in_the_sender() {
    assert_eq!(
        envelope("From: A <a@b>\r\nSubject:\r\nTo:\r\nReply-To: \r\nDate: d\r\n\r\n", StringForm::Ascii),
        "(\"d\" \"\" ((\"A\" NIL \"a\" \"b\")) ((\"A\" NIL \"a\" \"b\")) ((\"A\" NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)"
    );
    assert_eq!(
        envelope("To: g: a@b;\r\nMessage-ID:\r\n <m>\r\nIn-Reply-To: <r>\r\n\r\n", StringForm::Ascii),
        "(NIL NIL NIL NIL NIL ((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) NIL NIL \"<r>\" \"<m>\")"
    );
    assert!(envelope("Subject: \u{e4}\r\n\r\n", StringForm::Ascii).contains("{2}\r\n\u{e4}"));
    assert!(envelope("Subject: \u{e4}\r\n\r\n", StringForm::Utf8).contains("\"\u{e4}\""));
}

#[test]
fn sections_are_the_octets_that_their_names_say() {
    let structure = Structure::of(MIXED.as_bytes());
    let text = |section: Section| {
        structure.section(&section, 0).map(|range| &MIXED[range.start as usize..range.end as usize])
    };
    let part = |path: &[u32], within| text(Section::Part(PartPath(path.to_vec()), within));
    assert_eq!(part(&[1], PartSection::Content), Some("one\r\ntwo"));
    assert_eq!(part(&[1], PartSection::Mime), Some("\r\n"));
    assert_eq!(part(&[1, 1], PartSection::Content), None);
    assert_eq!(part(&[2], PartSection::Mime), Some("Content-Type: message/rfc822\r\n\r\n"));
    let header = part(&[2], PartSection::Message(SectionText::Header)).unwrap();
    assert!(header.starts_with("Subject: within") && header.ends_with("boundary=ab\r\n\r\n"));
    let body = part(&[2], PartSection::Message(SectionText::Text)).unwrap();
    assert!(body.starts_with("--ab\r\n") && body.ends_with("--ab--"));
    assert_eq!(part(&[2], PartSection::Content).unwrap().len(), 149);
    assert_eq!(part(&[2, 1], PartSection::Content), Some("AGEA"));
    assert_eq!(part(&[2, 2], PartSection::Content), None);
    assert_eq!(part(&[3], PartSection::Content), None);
    assert_eq!(part(&[1], PartSection::Message(SectionText::Header)), None);
    let html = structure.part(&PartPath(vec![2, 1])).unwrap();
    assert_eq!((html.decoded_bytes(), html.has_nul()), (Some(3), true));
    let of_delivery = structure.section(&Section::Message(SectionText::Header), 100).unwrap();
    assert_eq!(of_delivery, 0..structure.header_bytes + 100);
    let paths: Vec<PartPath> = structure.parts().map(|part| part.path()).collect();
    assert_eq!(paths, [PartPath(vec![1]), PartPath(vec![2]), PartPath(vec![2, 1])]);
}

#[test]
fn a_message_without_parts_is_part_1() {
    let structure = Structure::of(b"A: b\r\n\r\nbody");
    assert_eq!(structure.section(&Section::Part(PartPath(vec![1]), PartSection::Content), 10), Some(18..22));
    assert!(structure.part(&PartPath(vec![1, 1])).is_none());
    assert!(structure.part(&PartPath(vec![0])).is_none());
}

#[test]
fn the_preview_is_of_the_first_text_and_plain_text_is_better() {
    assert_eq!(Structure::of(MIXED.as_bytes()).preview(), "one two");
    let alternatives = "Content-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\nContent-Type: text/html\r\n\r\n\
        <p>HTML\r\n--a\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
        h=C3=A4=\r\n\r\n--a--\r\n";
    assert_eq!(Structure::of(alternatives.as_bytes()).preview(), "h\u{e4}");
    let attached =
        alternatives.replace("quoted-printable", "quoted-printable\r\nContent-Disposition: attachment");
    assert_eq!(Structure::of(attached.as_bytes()).preview(), "HTML");
    assert_eq!(Structure::of(b"Content-Type: image/png\r\n\r\ntext").preview(), "");
}

#[test]
fn a_mail_of_4_kib_has_a_row_below_1_kib() {
    let message = format!(
        "Received: from a by b; Sun, 22 Nov 2026 04:35:24 +0000\r\nDate: Sun, 22 Nov 2026 04:35:24 +0000\r\n\
         From: Alice Example <alice@sender.example>\r\nTo: Bob Example <bob@receiver.example>\r\n\
         Subject: A subject of some words, as they are\r\nMessage-ID: <0123456789.abcdef@sender.example>\r\n\
         References: <1@x.example> <2@x.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=\"=_0123456789\"\r\n\r\n--=_0123456789\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{0}--=_0123456789\r\n\
         Content-Type: text/html; charset=utf-8\r\n\r\n{0}--=_0123456789--\r\n",
        "Twenty words of text.\r\n".repeat(80)
    );
    let bytes = Structure::of(message.as_bytes()).to_bytes();
    assert!(message.len() > 4000 && bytes.len() < 1024, "{}", bytes.len());
}

#[test]
fn fields_are_kept_as_they_were_written_unless_they_are_many() {
    let names = ["subject".to_owned(), "From".to_owned()];
    let fields = |message: &str| {
        Structure::of(message.as_bytes())
            .shown_fields(&names)
            .map(|kept| String::from_utf8_lossy(kept).into_owned())
    };
    let message = "X-A: b\r\nsUBject : a\r\n\tb\r\nno field\r\n c\nReceived: x\nFROM:\n\nTo: c\r\n";
    assert_eq!(fields(message).as_deref(), Some("sUBject : a\r\n\tb\r\nFROM:\n\n"));
    assert_eq!(fields("Subject: x").as_deref(), Some("Subject: x"));
    assert_eq!(fields("").as_deref(), Some(""));
    let long = |count| format!("References: {}\r\n\r\n", "<a@b>\r\n ".repeat(count));
    assert_eq!(fields(&long(100)), Some(long(100)));
    assert_eq!(fields(&long(1000)), None);
    let of = |names: &[String]| Structure::of(message.as_bytes()).shown_fields(names).is_some();
    assert!(!of(&["Subject".to_owned(), "Return-Path".to_owned()]) && !of(&["Received".to_owned()]));
}

/// Steps of reading, for each octet.
fn steps(message: &[u8]) -> u64 {
    let mut parser = StructureParser::new(StructureLimits::default());
    parser.feed(message);
    let steps = parser.steps;
    drop(parser.finish());
    steps / message.len() as u64
}

#[test]
fn parts_within_parts_end_at_a_depth_and_cost_what_their_octets_do() {
    let nested: String = (0..10_000)
        .map(|at| format!("Content-Type: multipart/mixed; boundary=b{at}b\r\n\r\n--b{at}b\r\n"))
        .collect();
    let structure = Structure::of(nested.as_bytes());
    assert_eq!(structure.records.parts.len(), StructureLimits::default().depth_max);
    assert!(steps(nested.as_bytes()) <= 10);
    let cyclic = "Content-Type: message/rfc822\r\n\r\n".repeat(10_000);
    assert_eq!(Structure::of(cyclic.as_bytes()).records.parts.len(), StructureLimits::default().depth_max);
    let mut out = Vec::new();
    structure.write_body_structure(BodyForm::BodyStructure, StringForm::Ascii, &mut out);
    assert!(out.ends_with(b")"));
}

#[test]
fn a_message_of_nothing_but_parts_has_a_bounded_number_of_them() {
    let many =
        format!("Content-Type: multipart/mixed; boundary=a\r\n\r\n{}", "--a\r\n\r\n\r\n".repeat(30_000));
    let structure = Structure::of(many.as_bytes());
    assert_eq!(structure.records.parts.len(), StructureLimits::default().parts_max);
    let last = structure.records.parts.last().unwrap();
    assert_eq!(last.body_end, structure.size_bytes);
    assert!(steps(many.as_bytes()) <= 3);
}

#[test]
fn floods_of_fields_addresses_and_lines_are_kept_within_limits() {
    let million = "X: y\r\n".repeat(1_000_000);
    assert!(Structure::of(million.as_bytes()).memory_bytes() < 2000);
    let long = format!("Subject: {}\r\n\r\n", "x".repeat(10 << 20));
    assert!(Structure::of(long.as_bytes()).memory_bytes() < 70 << 10);
    let addresses = format!("To: {}\r\n", "a@b,".repeat(1 << 20)).repeat(3);
    assert!(Structure::of(addresses.as_bytes()).memory_bytes() < 4 << 20);
    let words = format!("Subject: {}\r\n\r\n", "=?utf-8?q?=41?= ".repeat(100_000));
    assert!(
        super::words::decode(Structure::of(words.as_bytes()).envelope().subject.unwrap()).len() <= 64 << 10
    );
    let without_colon = "no field\r\n".repeat(1000) + "Subject: x\r\n\r\n";
    assert_eq!(Structure::of(without_colon.as_bytes()).envelope().subject, Some(&b"x"[..]));
}

#[test]
fn structures_of_all_outside_messages_hold_together_however_they_come() {
    let Some(folder) = testdata::folder("mime") else { return };
    let mut count = 0;
    for file in testdata::files_below(&folder) {
        let message = std::fs::read(&file).unwrap();
        let structure = Structure::of(&message);
        for size in [1, 2, 7, 1023, 1024, 1025] {
            assert_eq!(in_pieces(&message, size), structure, "{} in pieces of {size}", file.display());
        }
        check(&structure, &message);
        count += 1;
    }
    assert!(count > 500, "{count}");
}

/// What holds of every message.
fn check(structure: &Structure, message: &[u8]) {
    assert_eq!(Structure::from_bytes(&structure.to_bytes()).as_ref(), Some(structure));
    let names = ["Subject", "To", "date"].map(str::to_owned);
    if let Some(fields) = structure.shown_fields(&names) {
        let named = |octets: &[u8]| {
            let mut filter = HeaderFilter::new(&names[..], Taken::Named);
            let mut taken = Vec::new();
            filter.feed(octets, &mut taken);
            filter.finish(&mut taken);
            taken
        };
        let header = &message[..usize::try_from(structure.header_bytes).unwrap()];
        assert_eq!(String::from_utf8_lossy(&named(fields)), String::from_utf8_lossy(&named(header)));
    }
    let range = |section| structure.section(&Section::Message(section), 0).unwrap();
    let (header, text) = (range(SectionText::Header), range(SectionText::Text));
    assert_eq!((header.start, header.end, text.end), (0, text.start, message.len() as u64));
    for part in structure.parts() {
        assert_eq!(structure.part(&part.path()).unwrap().at, part.at);
        assert!(part.header().end <= part.body().start && part.body().end <= message.len() as u64);
    }
    for form in [StringForm::Ascii, StringForm::Utf8] {
        let mut out = Vec::new();
        structure.write_envelope(form, &mut out);
        structure.write_body_structure(BodyForm::BodyStructure, form, &mut out);
        assert!(!out.contains(&0));
    }
}

proptest! {
    #[test]
    fn any_octets_are_a_message(
        lines in prop::collection::vec(prop::sample::select(vec![
            "Content-Type: multipart/mixed; boundary=a", "Content-Type: multipart/digest; boundary=\"aa\"",
            "Content-Type: message/rfc822", "Content-Transfer-Encoding: base64", "--a", "--aa", "--a--", "--aa-- ", "", "",
            "Subject: x", "\tfolded", "From: a: <b@c>, \"", "Content-Disposition: x; y*1=z; y*0*=''%41", "QUJD", "=41=", "\r",
            "Content-Type: text/html; charset=x", "<p>&amp",
        ]), 0..40),
        ends in prop::collection::vec(any::<bool>(), 40),
        size in 1_usize..30,
    ) {
        let mut message = Vec::new();
        for (line, crlf) in lines.iter().zip(ends) {
            message.extend_from_slice(line.as_bytes());
            message.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        }
        let structure = Structure::of(&message);
        prop_assert_eq!(&in_pieces(&message, size), &structure);
        check(&structure, &message);
    }

    #[test]
    fn damaged_bytes_are_no_structure_or_one_that_holds(at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = Structure::of(MIXED.as_bytes()).to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Some(structure) = Structure::from_bytes(&bytes) {
            structure.parts().for_each(|part| drop((part.path(), part.media_type(), part.charset())));
            structure.write_body_structure(BodyForm::BodyStructure, StringForm::Utf8, &mut Vec::new());
            structure.write_envelope(StringForm::Utf8, &mut Vec::new());
        }
        prop_assert!(Structure::from_bytes(&bytes[..at]).is_none());
    }
}
