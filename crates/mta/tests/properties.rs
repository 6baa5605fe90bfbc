//! Whatever octets come: header sections are read without panic, cut where they end, and never become what two
//! readers could read in two ways.

#![allow(clippy::unwrap_used, reason = "a test that fails has to say so")]

use mta::admission::Rights;
use mta::header::field::FieldsOf;
use mta::header::{
    EightBit, FromPolicy, HeaderCollector, Joint, MissingFrom, Progress, SubmissionFacts, addresses,
    joins_trace_fields, submission, without,
};
use mta::list;
use proptest::prelude::*;
use types::directory::{
    AccountSettings, Expandable, FromRewriting, ListBounces, MailingList, Posters, SendAs, key,
};
use types::{MailId, Mailbox, ReversePath, Timestamp};

/// Octets of which header sections are made, so that chance finds their forms.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "From",
        "Bcc",
        "Date",
        "Message-ID",
        "Sender",
        "Resent-Bcc",
        "Received",
        "X",
        ":",
        ": ",
        " :",
        "\r\n",
        "\r\n ",
        "\r\n\t",
        "\r\n\r\n",
        "\n",
        " ",
        "\t",
        "a@b.example",
        "<",
        ">",
        ",",
        ";",
        "\"",
        "(",
        ")",
        "\\",
        "@",
        ".",
        "\u{fc}",
        "word",
        "[",
        "]",
        "From ",
        ">",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

fn mailbox() -> impl Strategy<Value = Mailbox> {
    let local_part = prop_oneof!["[a-z0-9+=_-]{1,20}", "[a-z]{1,5}\\.[a-z=]{1,5}", "\"[a-z @=.]{0,10}\""];
    (local_part, "[a-z0-9]{1,10}\\.example")
        .prop_map(|(local_part, domain)| format!("{local_part}@{domain}").parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_header_section_ends_at_the_same_place_however_it_comes(
        message in octets(),
        cuts in prop::collection::vec(1_usize..20, 1..20),
    ) {
        let mut collector = HeaderCollector::new(10_000);
        let (mut taken, mut cuts) = (0, cuts.iter().cycle());
        while taken < message.len() {
            let end = message.len().min(taken + cuts.next().unwrap());
            match collector.push(&message[taken..end]) {
                Progress::More => taken = end,
                Progress::Whole(len) => {
                    taken += len;
                    break;
                }
                Progress::TooBig => prop_assert!(false, "below the limit"),
            }
        }
        let header = collector.into_octets();
        prop_assert_eq!(&header[..], &message[..taken]);
        // What the fields cover and one empty line at most is all there is.
        let fields_end = FieldsOf::new(&header).last().map_or(0, |field| field.range.end);
        prop_assert!(["", "\r\n", "\n"].iter().any(|end| end.as_bytes() == &header[fields_end..]));
    }

    #[test]
    fn trace_fields_end_where_they_were_written_to_end(message in octets()) {
        let trace = b"Received: from a by b;\r\n Sun, 22 Nov 2026 04:35:24 +0000\r\n";
        let joint = joins_trace_fields(&message, true);
        prop_assert_ne!(joint, Joint::Undecided);
        let whole = [trace, joint.octets(), &message].concat();
        let mut fields = FieldsOf::new(&whole);
        prop_assert_eq!(fields.next().unwrap().range, 0..trace.len());
        prop_assert!(fields.next().is_none_or(|field| field.name.is_some()));
    }

    #[test]
    fn what_submission_takes_has_what_it_must_and_stays_as_it_is_the_second_time(header in octets()) {
        let settings = AccountSettings { send_as: vec![SendAs::Anyone], ..AccountSettings::default() };
        let rights = Rights { account: "ada@example.org", settings: &settings, subaddress_separator: None };
        let now = Timestamp::from_millis(1_795_322_124_250);
        let facts = SubmissionFacts {
            now,
            mail_id: MailId::new(now, 7),
            host_name: "mail.example.org",
            smtputf8: true,
            eight_bit: EightBit::Refuse,
            from: FromPolicy::Owned(rights),
            missing_from: MissingFrom::Add(&"ada@example.org".parse().unwrap()),
            submitter: Some(&"ada@example.org".parse().unwrap()),
        };
        if let Ok(plan) = submission(&header, &facts) {
            let becomes = plan.apply(&header);
            for name in ["From", "Date", "Message-ID"] {
                prop_assert_eq!(FieldsOf::new(&becomes).filter(|f| f.is(&becomes, name)).count(), 1);
            }
            for field in FieldsOf::new(&becomes) {
                prop_assert!(!field.is(&becomes, "Bcc") && !field.is(&becomes, "Resent-Bcc"));
            }
            // Without line ends at its end a header section cannot be added to; a codec never gives one.
            let again = submission(&becomes, &facts).unwrap();
            prop_assert!(again.is_unchanged(&becomes));
        }
    }

    #[test]
    fn what_is_taken_off_is_all_that_is_gone(header in octets()) {
        let plan = without(&header, &["Bcc", "X"], String::new());
        let becomes = plan.apply(&header);
        prop_assert!(FieldsOf::new(&becomes).all(|f| !f.is(&becomes, "Bcc") && !f.is(&becomes, "X")));
        prop_assert!(plan.keep.windows(2).all(|two| two[0].end < two[1].start));
    }

    #[test]
    fn an_address_that_is_written_is_read_back(
        mailboxes in prop::collection::vec(mailbox(), 1..5),
        noise in octets(),
    ) {
        let bare: Vec<_> = mailboxes.iter().map(ToString::to_string).collect();
        prop_assert_eq!(addresses(bare.join(", ").as_bytes()), Ok(mailboxes.clone()));
        let named: Vec<_> = mailboxes.iter().map(|m| format!("\"A, <b@c>\" (x) <{m}>")).collect();
        prop_assert_eq!(addresses(named.join(",\r\n ").as_bytes()), Ok(mailboxes));
        let _ = addresses(&noise);
    }

    #[test]
    fn the_sender_of_a_copy_is_never_null_and_says_its_member_or_nobody(
        address in mailbox(),
        member in mailbox(),
        is_verp: bool,
    ) {
        let list = MailingList {
            owner: "owner@example.org".parse().unwrap(),
            members: Vec::new(),
            posters: Posters::Anyone,
            bounces: if is_verp { ListBounces::Verp } else { ListBounces::Owner },
            description: String::new(),
            expandable: Expandable::Never,
            from: FromRewriting::IfNeeded,
        };
        let ReversePath::Mailbox(path) = list::reverse_path(&address, &list, &member) else {
            panic!("a list sends with a sender")
        };
        if let Some((_, list::Helper::Bounces(Some(read)))) = list::helper(&path.local_part.unquoted()) {
            prop_assert_eq!(key(&read), key(&member));
        }
    }

    #[test]
    fn the_fields_of_a_list_are_fields_whatever_its_description_says(
        address in mailbox(),
        description in ".{0,300}",
    ) {
        let list = MailingList {
            owner: "owner@example.org".parse().unwrap(),
            members: Vec::new(),
            posters: Posters::Anyone,
            bounces: ListBounces::Owner,
            description,
            expandable: Expandable::Never,
            from: FromRewriting::IfNeeded,
        };
        let fields = list::fields(&address, &list);
        prop_assert!(fields.is_ascii() && fields.split("\r\n").all(|line| line.len() <= 998));
        let names: Vec<_> = FieldsOf::new(fields.as_bytes())
            .map(|field| String::from_utf8(field.name(fields.as_bytes()).to_vec()).unwrap())
            .collect();
        prop_assert_eq!(&names[..2], ["List-Id", "List-Post"]);
        prop_assert!(names.iter().all(|name| list::REPLACED_FIELDS.contains(&name.as_str())));
        prop_assert!(list::was_here(fields.as_bytes(), &address));
    }
}
