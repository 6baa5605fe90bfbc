//! The grammar of commands beside that of another parser, smtp-proto, over the transcripts and generated lines.
//!
//! They differ on purpose; [`DIFFERENCES`] names each way and its reason. A line on which they differ otherwise
//! fails, and so does a row that no line needs. What an address is, the rows judge by a recognizer of their own,
//! so that a row cannot explain away a fault of the product.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use smtp::grammar::command::{self, Command, HelloVerb};
use smtp_proto::{MAIL_BODY_7BIT, MAIL_BODY_8BITMIME, MAIL_BODY_BINARYMIME, MAIL_SMTPUTF8, Request};
use types::{BodyType, ReversePath};

const GENERATED_LINES: usize = 4000;

/// A line and what each parser makes of it; nothing where it refuses.
struct Case {
    line: Vec<u8>,
    ours: Option<String>,
    theirs: Option<String>,
}

struct Difference {
    name: &'static str,
    reason: &'static str,
    explains: fn(&Case) -> bool,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "octets that no command holds",
        reason: "RFC 5321 §4.1.2 allows printable octets, RFC 6531 §3.3 UTF-8; they take anything but LF",
        explains: |case| case.refused_by_us() && !is_printable(&case.line),
    },
    Difference {
        name: "white space that is not one SP after the verb",
        reason: "RFC 5321 §4.1.1: verb, SP, argument; they pass over SP before the verb and take TAB for SP",
        explains: |case| case.refused_by_us() && (case.line.starts_with(b" ") || case.line.contains(&b'\t')),
    },
    Difference {
        name: "SP within FROM: and TO:",
        reason: "RFC 5321 §3.3: no SP before the colon; they pass over it",
        explains: |case| case.refused_by_us() && case.is_path_command() && case.argument().contains(" :"),
    },
    Difference {
        name: "DATA, RSET, QUIT and STARTTLS with arguments",
        reason: "RFC 5321 §4.3.2 and RFC 3207 §4: 501; they pass over them",
        explains: |case| {
            case.refused_by_us()
                && matches!(&*case.verb(), "DATA" | "RSET" | "QUIT" | "STARTTLS")
                && !case.argument().is_empty()
        },
    },
    Difference {
        name: "EHLO and HELO name no domain and no literal",
        reason: "RFC 5321 §4.1.1.1: Domain or address-literal; they take the first word, whatever it is",
        explains: |case| {
            case.refused_by_us()
                && matches!(&*case.verb(), "EHLO" | "HELO")
                && !is_host(&case.argument().trim().replace('_', "x"))
        },
    },
    Difference {
        name: "an address that is none",
        reason: "RFC 5321 §4.1.2 and §4.5.3.1: syntax and lengths; they look for an @ only",
        explains: |case| case.refused_by_us() && case.is_path_command() && !case.holds_a_path(),
    },
    Difference {
        name: "a parameter that belongs to an extension that is not offered",
        reason: "RFC 5321 §4.1.1.11: 555; they read all that are registered",
        explains: |case| {
            let known: &[&str] = if case.verb() == "MAIL" { &["SIZE", "BODY", "SMTPUTF8"] } else { &[] };
            case.refused_by_us()
                && case.is_path_command()
                && case.parameters().iter().any(|p| !known.contains(&keyword(p).as_str()))
        },
    },
    Difference {
        name: "a parameter that comes twice",
        reason: "RFC 5321 §4.1.1.11 gives a parameter one value; they take the last",
        explains: |case| {
            let keywords: Vec<_> = case.parameters().iter().map(|p| keyword(p)).collect();
            case.refused_by_us() && (1..keywords.len()).any(|at| keywords[..at].contains(&keywords[at]))
        },
    },
    Difference {
        name: "parameters right after the angle bracket",
        reason: "RFC 5321 §4.1.1.2: SP between them; they need none",
        explains: |case| case.refused_by_us() && case.after_path().is_some_and(|rest| !rest.starts_with(' ')),
    },
    Difference {
        name: "a SIZE that is no number of 1 to 20 digits, or SP within a parameter",
        reason: "RFC 1870 §3: 1*20DIGIT; they pass over SP after = and take any number of digits",
        explains: |case| {
            case.refused_by_us()
                && case.parameters().iter().any(|p| {
                    let value = p.split_once('=').map_or("", |(_, value)| value);
                    keyword(p) == "SIZE" && !(1..=20).contains(&value.len()) || p.ends_with('=')
                })
        },
    },
    Difference {
        name: "a SIZE or a chunk size near or over 64 bits",
        reason: "RFC 1870 §3 has 20 digits, more than 64 bits hold: too big is 552; they refuse or wrap it",
        explains: |case| {
            // Ours must be the number, or the largest where it does not fit.
            let is_ours = |number: &str| {
                number.len() >= 20
                    && number.parse::<u128>().is_ok_and(|n| {
                        let n = n.min(u64::MAX.into()).to_string();
                        case.ours.as_ref().is_some_and(|ours| ours.split(' ').any(|word| word == n))
                    })
            };
            let is_size = |p: &String| p.split_once('=').is_some_and(|(_, value)| is_ours(value));
            case.parameters().iter().any(is_size)
                || case.verb() == "BDAT" && case.argument().split(' ').any(is_ours)
        },
    },
    Difference {
        name: "a chunk size over 64 bits, or arguments after it that are not LAST",
        reason: "RFC 3030 §2: bdat-cmd has nothing else; they wrap the number and pass over SP and what follows",
        explains: |case| case.refused_by_us() && case.verb() == "BDAT" && !is_bdat_argument(&case.argument()),
    },
    Difference {
        name: "address literals",
        reason: "RFC 5321 §4.1.3: user@[192.0.2.1] is an address; they refuse it",
        explains: |case| case.refused_by_them() && case.holds_a_path() && case.path().contains("@["),
    },
    Difference {
        name: "a source route with a literal, a quote or a colon in it",
        reason: "RFC 5321 §4.1.1.3: the route is dropped, the mailbox may be quoted; they look for characters",
        explains: |case| case.refused_by_them() && case.holds_a_path() && case.path().starts_with("<@"),
    },
    Difference {
        name: "<Postmaster>",
        reason: "RFC 5321 §4.5.1: a recipient of its own; they make it the empty path",
        explains: |case| {
            case.ours.as_deref() == Some("RCPT <Postmaster>") && case.theirs.as_deref() == Some("RCPT <>")
        },
    },
    Difference {
        name: "quoted local parts",
        reason: "RFC 5321 §4.1.2: kept as written, since without its quotes it may be another address or none",
        explains: |case| case.both_take() && case.holds_a_path() && case.path().contains('"'),
    },
    Difference {
        name: "an empty quoted local part",
        reason: "RFC 5321 §4.1.2: DQUOTE *QcontentSMTP DQUOTE may hold nothing; they refuse it",
        explains: |case| case.refused_by_them() && case.holds_a_path() && case.path().contains("\"\"@"),
    },
    Difference {
        name: "VRFY, EXPN and HELP of several words or with quotes",
        reason: "RFC 5321 §4.1.1.6 to §4.1.1.8: one String, here the rest of the line; they take a word unquoted",
        explains: |case| {
            matches!(&*case.verb(), "VRFY" | "EXPN" | "HELP") && case.argument().contains([' ', '"', '\\'])
        },
    },
    Difference {
        name: "verbs of extensions with arguments or without",
        reason: "RFC 5321 §4.2.4: 502 whatever the arguments, since the verb is not offered; they check them",
        explains: |case| case.refused_by_them() && case.ours.as_deref() == Some("not offered"),
    },
];

#[test]
fn each_difference_to_another_parser_has_a_reason() {
    let mut lines = lines_of_the_transcripts();
    assert!(lines.len() > 300, "only {} lines", lines.len());
    lines.extend(PICKED.iter().map(|line| line.as_bytes().to_vec()));
    lines.extend(generated_lines());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    let (mut same, mut taken_by_both) = (0, 0);
    for line in lines {
        let case = Case { ours: ours(&line), theirs: theirs(&line), line };
        taken_by_both += usize::from(case.both_take());
        if case.ours == case.theirs {
            same += 1;
            continue;
        }
        let rows: Vec<_> = DIFFERENCES.iter().filter(|row| (row.explains)(&case)).collect();
        if rows.is_empty() {
            let line = case.line.escape_ascii();
            unexplained.push(format!("{line}\n    ours:   {:?}\n    theirs: {:?}", case.ours, case.theirs));
        }
        rows.iter().for_each(|row| *counts.entry(row.name).or_default() += 1);
    }
    assert!(unexplained.is_empty(), "{} lines:\n{}", unexplained.len(), unexplained.join("\n"));
    for row in DIFFERENCES {
        assert!(counts.contains_key(row.name), "no line needs the row '{}': {}", row.name, row.reason);
    }
    // Otherwise there is nothing to compare.
    assert!(same > 1000 && taken_by_both > 1000, "{same} the same, {taken_by_both} taken by both");
}

fn ours(line: &[u8]) -> Option<String> {
    Some(match command::parse(line).ok()? {
        Command::Hello(HelloVerb::Ehlo, host) => format!("EHLO {host}"),
        Command::Hello(HelloVerb::Helo, host) => format!("HELO {host}"),
        Command::Hello(HelloVerb::Lhlo, host) => format!("LHLO {host}"),
        Command::Mail(mail) => {
            let path = match mail.reverse_path {
                ReversePath::Null => "<>".to_owned(),
                path @ ReversePath::Mailbox(_) => path.to_string(),
            };
            let body = match mail.parameters.body_type {
                BodyType::SevenBit => "7BIT",
                BodyType::EightBitMime => "8BITMIME",
                BodyType::BinaryMime => "BINARYMIME",
            };
            let size_bytes = mail.size_bytes.unwrap_or(0);
            format!("MAIL {path} {size_bytes} {body} {}", mail.parameters.smtputf8)
        }
        Command::Rcpt(rcpt) => format!("RCPT {}", rcpt.forward_path),
        Command::Data => "DATA".to_owned(),
        Command::Bdat(chunk) => format!("BDAT {} {}", chunk.size_bytes, chunk.last),
        Command::StartTls => "STARTTLS".to_owned(),
        Command::Rset => "RSET".to_owned(),
        Command::Noop => "NOOP".to_owned(),
        Command::Quit => "QUIT".to_owned(),
        Command::Vrfy(lookup) => format!("VRFY {} {}", lookup.argument, lookup.smtputf8),
        Command::Expn(lookup) => format!("EXPN {} {}", lookup.argument, lookup.smtputf8),
        Command::Help(about) => format!("HELP {}", about.unwrap_or_default()),
        Command::Auth(_) | Command::Xclient(_) | Command::NotOffered(_) => "not offered".to_owned(),
    })
}

fn theirs(line: &[u8]) -> Option<String> {
    let line = [line, b"\r\n"].concat();
    Some(match Request::parse(&mut line.iter()).ok()? {
        Request::Ehlo { host } => format!("EHLO {host}"),
        Request::Helo { host } => format!("HELO {host}"),
        Request::Mail { from } => {
            // The last one wins, in the order of the bits.
            let body = match from.flags & (MAIL_BODY_7BIT | MAIL_BODY_8BITMIME | MAIL_BODY_BINARYMIME) {
                0 | MAIL_BODY_7BIT => "7BIT",
                MAIL_BODY_8BITMIME => "8BITMIME",
                MAIL_BODY_BINARYMIME => "BINARYMIME",
                _ => "several",
            };
            let smtputf8 = from.flags & MAIL_SMTPUTF8 != 0;
            format!("MAIL <{}> {} {body} {smtputf8}", from.address, from.size)
        }
        Request::Rcpt { to } => format!("RCPT <{}>", to.address),
        Request::Data => "DATA".to_owned(),
        Request::Bdat { chunk_size, is_last } => format!("BDAT {chunk_size} {is_last}"),
        Request::Rset => "RSET".to_owned(),
        Request::Noop { .. } => "NOOP".to_owned(),
        Request::Quit => "QUIT".to_owned(),
        Request::Vrfy { value } => format!("VRFY {value}"),
        Request::Expn { value } => format!("EXPN {value}"),
        Request::Help { value } => format!("HELP {value}"),
        Request::StartTls => "STARTTLS".to_owned(),
        Request::Auth { .. }
        | Request::Lhlo { .. }
        | Request::Etrn { .. }
        | Request::Atrn { .. }
        | Request::Burl { .. } => "not offered".to_owned(),
    })
}

impl Case {
    const fn refused_by_us(&self) -> bool {
        self.ours.is_none() && self.theirs.is_some()
    }

    const fn refused_by_them(&self) -> bool {
        self.ours.is_some() && self.theirs.is_none()
    }

    const fn both_take(&self) -> bool {
        self.ours.is_some() && self.theirs.is_some()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.line).trim_end().to_owned()
    }

    fn verb(&self) -> String {
        self.text().split(' ').next().unwrap_or_default().to_ascii_uppercase()
    }

    fn argument(&self) -> String {
        self.text().split_once(' ').map(|(_, argument)| argument.to_owned()).unwrap_or_default()
    }

    fn is_path_command(&self) -> bool {
        matches!(&*self.verb(), "MAIL" | "RCPT")
    }

    /// From the angle bracket to the one that ends the path, as a reader of quoted strings finds it.
    fn path(&self) -> String {
        let argument = self.argument();
        let start = argument.find('<').unwrap_or(argument.len());
        let (mut quoted, mut end, mut octets) =
            (false, argument.len(), argument.bytes().enumerate().skip(start));
        while let Some((at, octet)) = octets.next() {
            match octet {
                b'"' => quoted = !quoted,
                b'\\' if quoted => drop(octets.next()),
                b'>' if !quoted => {
                    end = at + 1;
                    break;
                }
                _ => {}
            }
        }
        argument[start..end].to_owned()
    }

    fn after_path(&self) -> Option<String> {
        let argument = self.argument();
        let path = self.path();
        let rest = argument.split_once(&path).map(|(_, rest)| rest.to_owned())?;
        (self.is_path_command() && path.ends_with('>') && !rest.is_empty()).then_some(rest)
    }

    fn parameters(&self) -> Vec<String> {
        self.after_path().map(|rest| rest.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
    }

    /// Whether RFC 5321 §4.1.1.2 or §4.1.1.3 allows the path.
    fn holds_a_path(&self) -> bool {
        let path = self.path();
        let Some(inner) = path.strip_prefix('<').and_then(|p| p.strip_suffix('>')) else { return false };
        match (&*self.verb(), inner) {
            ("MAIL", "") => true,
            ("RCPT", name) if name.eq_ignore_ascii_case("Postmaster") => true,
            _ => path.len() <= 256 && is_routed_mailbox(inner),
        }
    }
}

fn is_printable(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|text| !text.contains(|c: char| c.is_control() && c != '\t'))
}

fn keyword(parameter: &str) -> String {
    parameter.split('=').next().unwrap_or_default().to_ascii_uppercase()
}

fn is_bdat_argument(argument: &str) -> bool {
    let mut words = argument.split(' ');
    let is_number = words.next().is_some_and(|word| word.parse::<u64>().is_ok() && !word.starts_with('+'));
    let marker = words.next();
    is_number && marker.is_none_or(|marker| marker.eq_ignore_ascii_case("LAST")) && words.next().is_none()
}

fn is_routed_mailbox(text: &str) -> bool {
    if !text.starts_with('@') {
        return is_mailbox(text);
    }
    text.split_once(':').is_some_and(|(route, mailbox)| {
        is_mailbox(mailbox) && route.split(',').all(|hop| hop.strip_prefix('@').is_some_and(is_domain))
    })
}

fn is_mailbox(text: &str) -> bool {
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom
                .chars()
                .all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c))
    };
    let (local_part, host) = match text.strip_prefix('"') {
        None => match text.split_once('@') {
            Some((local_part, host)) if local_part.split('.').all(is_atom) => (local_part, host),
            _ => return false,
        },
        Some(_) => {
            let mut escaped = false;
            let end = text.bytes().enumerate().skip(1).find(|(_, octet)| {
                let is_end = *octet == b'"' && !escaped;
                escaped = *octet == b'\\' && !escaped;
                is_end
            });
            match end.and_then(|(end, _)| text[end + 1..].strip_prefix('@').map(|host| (&text[..=end], host)))
            {
                Some(parts) => parts,
                None => return false,
            }
        }
    };
    local_part.len() <= 64 && is_host(host)
}

fn is_host(text: &str) -> bool {
    let Some(literal) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) else {
        return is_domain(text);
    };
    match literal.split_once(':') {
        None => is_ipv4(literal),
        Some((tag, content)) if tag.eq_ignore_ascii_case("IPv6") => content.parse::<Ipv6Addr>().is_ok(),
        Some((tag, content)) => {
            !tag.is_empty() && !content.is_empty() && literal.parse::<Ipv6Addr>().is_err()
        }
    }
}

/// `Snum 3("." Snum)`, `Snum = 1*3DIGIT`: leading zeros are allowed.
fn is_ipv4(text: &str) -> bool {
    let is_snum = |snum: &str| {
        (1..=3).contains(&snum.len())
            && snum.bytes().all(|b| b.is_ascii_digit())
            && snum.parse::<u8>().is_ok()
    };
    text.split('.').count() == 4 && text.split('.').all(is_snum)
}

/// ASCII labels; what is not ASCII is left to the tests of IDNA.
fn is_domain(text: &str) -> bool {
    text.len() <= 255
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || !c.is_ascii())
        })
}

/// What the clients of the transcripts say, and the server hears as a command.
fn lines_of_the_transcripts() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut files = testdata::files_below(&folder);
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
    texts
        .flat_map(|text| {
            text.lines()
                .filter_map(|line| line.strip_prefix("C: ").map(|said| said.as_bytes().to_vec()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Each row of the table, and what people and attackers write.
const PICKED: &[&str] = &[
    "MAIL FROM:<a@b.example> SIZE=18446744073709551615",
    "MAIL FROM:<a@b.example> SIZE=18446744073709551616",
    "MAIL FROM:<a@b.example> SIZE=99999999999999999999",
    "MAIL FROM:<a@b.example> SIZE=123456789012345678901",
    "MAIL FROM:<a@b.example> SIZE= 1",
    "MAIL FROM:<a@b.example>SIZE=1",
    "MAIL FROM:<a@b.example> SIZE=1 SIZE=2",
    "MAIL FROM:<a@b.example> BODY=7BIT BODY=8BITMIME",
    "MAIL FROM:<a@b.example> RET=HDRS ENVID=x",
    "MAIL FROM :<a@b.example>",
    "MAIL FROM:<Postmaster>",
    "MAIL FROM:<a b@c.example>",
    "MAIL FROM:<a.@b.example>",
    "MAIL FROM:<\"a b\"@c.example>",
    "MAIL FROM:<\"a\\\"b\"@c.example>",
    "RCPT TO:<>",
    "RCPT TO:<Postmaster>",
    "RCPT TO:<a@[192.0.2.1]>",
    "RCPT TO:<a@[IPv6:2001:db8::1]>",
    "RCPT TO:<@a.example,@b.example:c@d.example>",
    "RCPT TO:<@a.example:\"c:d\"@e.example>",
    "RCPT TO:<@a.example:c@[192.0.2.1]>",
    "RCPT TO:<a@b.example> NOTIFY=NEVER",
    "RCPT TO:<a@-b.example>",
    "RCPT TO:<a@b_c.example>",
    "BDAT 18446744073709551615 LAST",
    "BDAT 99999999999999999999",
    "BDAT 10 LAST again",
    "BDAT  10",
    "BDAT 10 FIRST",
    "EHLO a b",
    "EHLO -",
    "HELO [192.0.2.300]",
    "DATA now",
    "QUIT now",
    "RSET now",
    "VRFY Fred Bloggs",
    "EXPN \"a list\"",
    "HELP MAIL FROM",
    " NOOP",
    "MAIL\tFROM:<a@b.example>",
    "NOOP \u{1b}[2J",
    "TURN",
    "AUTH",
    "AUTH NONSENSE",
    "STARTTLS now",
];

/// The same every time.
fn generated_lines() -> Vec<Vec<u8>> {
    let mut runner = TestRunner::deterministic();
    let line = generated_line();
    (0..GENERATED_LINES).map(|_| line.new_tree(&mut runner).unwrap().current()).collect()
}

fn generated_line() -> impl Strategy<Value = Vec<u8>> {
    let local_part = prop_oneof![
        4 => "[a-z0-9]{1,8}([.+_/=-][a-z0-9]{1,8}){0,2}".prop_map(String::from),
        1 => "\"[ -!#-\\[\\]-~]{0,12}\"".prop_map(String::from),
        1 => "\"([a-z@>< ]|\\\\[ -~]){0,8}\"".prop_map(String::from),
        1 => "[ -~]{0,10}".prop_map(String::from),
        1 => "[a-z]{60,70}".prop_map(String::from),
        1 => Just("用户".to_owned()),
    ];
    let domain = prop_oneof![
        6 => "[a-z0-9]{1,8}(\\.[a-z0-9]{1,6}){0,3}".prop_map(String::from),
        1 => "\\[(25[0-9]|[0-9]{1,2})(\\.[0-9]{1,2}){3}\\]".prop_map(String::from),
        1 => "[a-zA-Z0-9._-]{0,16}".prop_map(String::from),
        1 => "([a-z]{50,70}\\.){3,5}example".prop_map(String::from),
    ];
    let route =
        prop_oneof![8 => Just(String::new()), 1 => "@[a-z]{1,5}(,@[a-z]{1,5}){0,2}:", 1 => "@[a-z,@:.]{0,8}"];
    let path = prop_oneof![
        8 => (route, local_part, domain).prop_map(|(route, local, domain)| format!("<{route}{local}@{domain}>")),
        1 => prop::sample::select(vec!["<>", "<Postmaster>", "<postmaster>", "a@b.example", "<a@b.example"])
            .prop_map(str::to_owned),
    ];
    let parameter = prop_oneof![
        Just(String::new()),
        "SIZE=[0-9]{1,21}",
        "(BODY|body)=(7BIT|8bitmime|BINARYMIME|9BIT)",
        Just("SMTPUTF8".to_owned()),
        "[A-Z0-9-]{1,10}(=[!-~]{0,6})?",
    ];
    let parameters = prop::collection::vec(parameter, 0..3)
        .prop_map(|all| all.iter().map(|one| format!(" {one}")).collect::<String>());
    let mail = (
        prop::sample::select(vec!["MAIL FROM:", "mail from:", "MAIL FROM: "]),
        path.clone(),
        parameters.clone(),
    )
        .prop_map(|(verb, path, parameters)| format!("{verb}{path}{parameters}"));
    let rcpt = (prop::sample::select(vec!["RCPT TO:", "Rcpt To:", "RCPT TO: "]), path, parameters)
        .prop_map(|(verb, path, parameters)| format!("{verb}{path}{parameters}"));
    let verb = prop::sample::select(vec![
        "EHLO", "HELO", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "VRFY", "EXPN", "HELP", "LHLO", "STARTTLS",
        "TURN", "FOO",
    ]);
    let argument = prop_oneof![
        Just(String::new()),
        " [a-z0-9.-]{1,20}",
        " [0-9]{1,21}( LAST| last)?",
        " [ -~]{0,20}",
        Just(" ".to_owned()),
    ];
    let other = (verb, argument).prop_map(|(verb, argument)| format!("{verb}{argument}"));
    let line = prop_oneof![4 => mail, 3 => rcpt, 3 => other].prop_map(String::into_bytes);
    // Some with one octet changed.
    (line, any::<prop::sample::Index>(), prop::option::weighted(0.1, any::<u8>())).prop_map(
        |(mut line, at, octet)| {
            if let Some(octet) = octet.filter(|octet| !line.is_empty() && !matches!(octet, b'\r' | b'\n')) {
                let at = at.index(line.len());
                line[at] = octet;
            }
            line
        },
    )
}
