//! What holds for every address: those of the grammar are taken, whatever is taken is written back so that it reads
//! the same, and nothing panics.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use types::limits::{LOCAL_PART_BYTES_MAX, MAILBOX_BYTES_MAX, PATH_BYTES_MAX};
use types::{Domain, ForwardPath, Host, LocalPart, Mailbox, ReversePath};

/// `Atom` of RFC 5321 §4.1.2, with `atext` of RFC 5322 §3.2.3.
fn atom(octets_max: usize) -> impl Strategy<Value = String> {
    let atext = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]";
    proptest::string::string_regex(&format!("{atext}{{1,{octets_max}}}")).unwrap()
}

/// `Local-part = Dot-string / Quoted-string` (RFC 5321 §4.1.2).
fn local_part() -> impl Strategy<Value = String> {
    let dot_string = vec(atom(8), 1..7).prop_map(|atoms| atoms.join("."));
    // qtextSMTP = %d32-33 / %d35-91 / %d93-126; quoted-pairSMTP = %d92 %d32-126
    let content = prop_oneof![4 => "[ !#-\\[\\]-~]", 1 => r"\\[ -~]"];
    let quoted_string = vec(content, 0..31).prop_map(|content| format!("\"{}\"", content.concat()));
    prop_oneof![dot_string, quoted_string]
}

/// The same with UTF8-non-ascii (RFC 6531 §3.3).
fn utf8_local_part() -> impl Strategy<Value = String> {
    let atom = "[a-z0-9+äßłœИжλш用户あ한ا\u{1F600}]{1,4}";
    let dot_string = vec(atom, 1..4).prop_map(|atoms| atoms.join("."));
    let quoted_string = "\"[ a-z@äßИλ用ا]{0,12}\"";
    prop_oneof![dot_string, quoted_string]
}

/// `Domain = sub-domain *("." sub-domain)`, `sub-domain = Let-dig [Ldh-str]`.
fn domain() -> impl Strategy<Value = String> {
    let label = "[A-Za-z0-9]([A-Za-z0-9-]{0,10}[A-Za-z0-9])?"
        .prop_filter("an A-label", |label| !label.to_ascii_lowercase().starts_with("xn--"));
    vec(label, 1..8).prop_map(|labels| labels.join("."))
}

/// `sub-domain =/ U-label`: letters that stand for themselves, one script a label.
fn utf8_domain() -> impl Strategy<Value = String> {
    let label = prop_oneof![
        "[a-z]{1,8}",
        "[а-я]{1,8}",
        "[α-ω]{1,8}",
        "[äöüéèßłñ]{1,6}",
        "[一-丏]{1,4}",
        "[あ-お]{1,4}"
    ];
    vec(label, 1..4).prop_map(|labels| labels.join("."))
}

/// `address-literal` (RFC 5321 §4.1.3), each with the form in which it is written back.
fn literal() -> impl Strategy<Value = (String, String)> {
    let v4 = any::<Ipv4Addr>().prop_map(|ip| {
        let [a, b, c, d] = ip.octets();
        (format!("[{a:03}.{b:02}.{c}.{d:03}]"), format!("[{ip}]"))
    });
    let v6 = (vec(prop_oneof![Just(0), any::<u16>()], 8), any::<bool>()).prop_map(|(groups, full)| {
        let ip = Ipv6Addr::from(<[u16; 8]>::try_from(groups).unwrap());
        let text =
            if full { ip.segments().map(|group| format!("{group:04X}")).join(":") } else { ip.to_string() };
        (format!("[IPv6:{text}]"), format!("[IPv6:{ip}]"))
    });
    let general = ("[A-Za-z0-9-]{0,5}[A-HJ-Z0-9]", "[!-Z^-~]{1,20}").prop_filter_map(
        "an IPv6 address without its tag",
        |(tag, content)| {
            let inner = format!("{tag}:{content}");
            let is_ipv6 = inner.chars().all(|c| c.is_ascii_hexdigit() || c == ':' || c == '.');
            (!is_ipv6).then(|| (format!("[{inner}]"), format!("[{inner}]")))
        },
    );
    prop_oneof![v4, v6, general]
}

/// A mailbox of the grammar, and how it is written back.
fn mailbox() -> impl Strategy<Value = (String, String)> {
    let same = |domain: String| (domain.clone(), domain);
    let host = prop_oneof![3 => domain().prop_map(same), 1 => utf8_domain().prop_map(same), 1 => literal()];
    (prop_oneof![3 => local_part(), 1 => utf8_local_part()], host)
        .prop_map(|(local_part, (host, written))| {
            (format!("{local_part}@{host}"), format!("{local_part}@{written}"))
        })
        .prop_filter("within the limits", |(text, _)| {
            let at = text.rfind('@').unwrap_or_default();
            at <= LOCAL_PART_BYTES_MAX && text.len() <= MAILBOX_BYTES_MAX
        })
}

/// Text that is nearly an address.
fn nearly_an_address() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-z0-9.@<>\"\\\\\\[\\]:,_ -]",
        1 => any::<char>().prop_map(String::from),
        1 => prop::sample::select(vec![
            "IPv6:", "xn--", "::", "\r\n", "\0", "@[", "]>", "@example.org", "Postmaster", "\u{202E}", "ä", "\u{308}",
        ]).prop_map(str::to_owned),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn check_mailbox(mailbox: &Mailbox) -> Result<(), TestCaseError> {
    let (text, local_part) = (mailbox.to_string(), mailbox.local_part.as_str());
    prop_assert_eq!(text.parse::<Mailbox>(), Ok(mailbox.clone()), "{:?}", text);
    prop_assert!(text.len() <= MAILBOX_BYTES_MAX && local_part.len() <= LOCAL_PART_BYTES_MAX);
    prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
    prop_assert_eq!(mailbox.is_ascii(), text.is_ascii());
    prop_assert!(
        local_part.starts_with('"') || !local_part.contains([' ', '<', '>', '"', '\\', ',', ';', '(', ')']),
        "{:?}",
        text
    );
    if let Some(domain) = mailbox.host.domain() {
        check_domain(domain)?;
    }
    if let Some(ascii) = mailbox.to_ascii() {
        prop_assert!(ascii.is_ascii() && ascii == *mailbox);
    }
    Ok(())
}

fn check_domain(domain: &Domain) -> Result<(), TestCaseError> {
    let ascii = domain.ascii();
    let is_ldh = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    prop_assert!(ascii.bytes().all(is_ldh), "{:?}", ascii);
    prop_assert_eq!(ascii.parse::<Domain>(), Ok(domain.clone()));
    prop_assert_eq!(domain.as_str().parse::<Domain>(), Ok(domain.clone()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn addresses_of_the_grammar_are_taken_and_written_back((text, written) in mailbox()) {
        let mailbox: Mailbox = text.parse().map_err(|error| TestCaseError::fail(format!("{text:?}: {error}")))?;
        prop_assert_eq!(mailbox.to_string(), written);
        check_mailbox(&mailbox)?;
    }

    #[test]
    fn paths_of_the_grammar_are_taken_and_what_follows_is_handed_back(
        (text, written) in mailbox(),
        route in vec(domain(), 0..3),
        rest in prop_oneof![Just(String::new()), Just(" SIZE=1000".to_owned()), any::<String>()],
    ) {
        let route = match &route[..] {
            [] => String::new(),
            domains => format!("@{}:", domains.join(",@")),
        };
        let path = format!("<{route}{text}>");
        prop_assume!(path.len() <= PATH_BYTES_MAX);
        let line = format!("{path}{rest}");
        let (forward, after) = ForwardPath::split(&line).unwrap();
        prop_assert_eq!((forward.to_string(), after), (format!("<{written}>"), rest.as_str()));
        prop_assert_eq!(forward.to_string().parse::<ForwardPath>(), Ok(forward));
        let (reverse, after) = ReversePath::split(&line).unwrap();
        prop_assert_eq!((reverse.to_string(), after), (format!("<{written}>"), rest.as_str()));
        prop_assert_eq!(reverse.to_string().parse::<ReversePath>(), Ok(reverse));
    }

    #[test]
    fn domains_are_equal_in_every_case_and_as_a_labels(text in prop_oneof![domain(), utf8_domain()]) {
        let domain: Domain = text.parse().map_err(|error| TestCaseError::fail(format!("{text:?}: {error}")))?;
        check_domain(&domain)?;
        if text.is_ascii() {
            prop_assert_eq!(text.to_uppercase().parse::<Domain>(), Ok(domain.clone()));
        }
        prop_assert_eq!(domain.ascii().to_uppercase().parse::<Domain>(), Ok(domain));
    }

    #[test]
    fn whatever_is_taken_reads_the_same_when_written_and_nothing_panics(text in nearly_an_address()) {
        if let Ok(mailbox) = text.parse::<Mailbox>() {
            check_mailbox(&mailbox)?;
        }
        for text in [text.clone(), format!("<{text}>"), format!("<@a.example,@b.example:{text}>")] {
            if let Ok((path, rest)) = ReversePath::split(&text) {
                prop_assert!(text.ends_with(rest));
                prop_assert_eq!(path.to_string().parse::<ReversePath>(), Ok(path));
            }
            if let Ok((path, rest)) = ForwardPath::split(&text) {
                prop_assert!(text.ends_with(rest));
                prop_assert_eq!(path.to_string().parse::<ForwardPath>(), Ok(path));
            }
        }
        let _ = Domain::parse_host_name(&text).map(|domain| domain.ascii().len());
        if let Ok(host) = text.parse::<Host>() {
            prop_assert_eq!(host.to_string().parse::<Host>(), Ok(host));
        }
    }

    #[test]
    fn one_octet_more_or_less_or_other_is_read_safely((text, _) in mailbox(), at in any::<prop::sample::Index>(), other in any::<char>()) {
        let chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        let (before, after) = (&chars[..at], &chars[at..]);
        let changed = [[before, &[other], after].concat(), [before, &after[1..]].concat(), [before, &[other], &after[1..]].concat()];
        for text in changed.map(String::from_iter) {
            if let Ok(mailbox) = text.parse::<Mailbox>() {
                check_mailbox(&mailbox)?;
            }
        }
    }

    #[test]
    fn any_text_at_all_is_read_without_panic(text in any::<String>()) {
        let _ = (text.parse::<Mailbox>(), text.parse::<LocalPart>(), text.parse::<Host>());
        let _ = (ReversePath::split(&text), ForwardPath::split(&text), Domain::parse_host_name(&text));
    }

    #[test]
    fn quoting_a_word_does_not_change_its_meaning(word in atom(20)) {
        let plain: LocalPart = word.parse().unwrap();
        let quoted: LocalPart = format!("\"{word}\"").parse().unwrap();
        let escaped: String = word.chars().flat_map(|c| ['\\', c]).collect();
        let escaped: LocalPart = format!("\"{escaped}\"").parse().unwrap();
        prop_assert_eq!(plain.unquoted(), word.clone());
        prop_assert_eq!(quoted.unquoted(), word.clone());
        prop_assert_eq!(escaped.unquoted(), word);
    }
}
