//! The ways in which the two parsers differ.

use smtp::grammar::auth::{Response, response as auth_response};

use super::case::{Case, is_bdat_argument, is_host, is_mailbox, is_printable, is_printable_xtext, keyword};

pub(super) struct Difference {
    pub(super) name: &'static str,
    pub(super) reason: &'static str,
    pub(super) explains: fn(&Case) -> bool,
}

pub(super) const DIFFERENCES: &[Difference] = &[
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
                && matches!(&*case.verb(), "EHLO" | "HELO" | "LHLO")
                && !is_host(&case.argument().trim().replace('_', "x"))
        },
    },
    Difference {
        name: "ETRN and ATRN of what is no fully qualified name",
        reason: "RFC 1985 §5 and RFC 2645 §5.2.1: domains of two labels at least; they take any words, and what is behind",
        explains: |case| {
            let is_qualified = |name: &str| is_host(name) && name.contains('.') && !name.starts_with('[');
            let argument = case.argument();
            let is_fine = match &*case.verb() {
                "ETRN" if argument.starts_with('#') => argument.len() > 1 && !argument.contains(' '),
                "ETRN" => is_qualified(argument.strip_prefix('@').unwrap_or(&argument)),
                "ATRN" => argument.split(',').all(is_qualified),
                _ => true,
            };
            case.refused_by_us() && !is_fine
        },
    },
    Difference {
        name: "ATRN without domains, and TURN",
        reason: "RFC 2645 §5.2.1: domains are optional; RFC 821 §3.8; they know neither",
        explains: |case| {
            case.refused_by_them()
                && (case.verb() == "TURN" || case.verb() == "ATRN" && case.argument().is_empty())
        },
    },
    Difference {
        name: "an address that is none",
        reason: "RFC 5321 §4.1.2 and §4.5.3.1: syntax and lengths; they look for an @ only",
        explains: |case| case.refused_by_us() && case.is_path_command() && !case.holds_a_path(),
    },
    Difference {
        name: "a parameter that belongs to an extension that is not known",
        reason: "RFC 5321 §4.1.1.11: 555; they read MTRK, SOLICIT, TRANSID, CONPERM, RRVS and CONNEG too",
        explains: |case| {
            let known: &[&str] = if case.verb() == "MAIL" { MAIL_PARAMETERS } else { &["NOTIFY", "ORCPT"] };
            case.refused_by_us()
                && case.is_path_command()
                && case.parameters().iter().any(|p| !known.contains(&keyword(p).as_str()))
        },
    },
    Difference {
        name: "XIDEMPOTENCY and XCLIENT",
        reason: "private extensions of Posta and of Postfix; they do not know them",
        explains: |case| {
            case.refused_by_them() && (case.verb() == "XCLIENT" || case.has_parameter("XIDEMPOTENCY"))
        },
    },
    Difference {
        name: "xtext that is none, or that stands for control characters or what is not ASCII",
        reason: "RFC 3461 §4: + and two upper case digits, no =; the value is printable ASCII; they take anything",
        explains: |case| {
            let is_fine = |p: &String| {
                let value = p.split_once('=').map_or("", |(_, value)| value);
                is_printable_xtext(value.split_once(';').map_or(value, |(_, address)| address))
            };
            case.refused_by_us()
                && case.parameters_named(&["ENVID", "ORCPT", "AUTH"]).iter().any(|p| !is_fine(p))
        },
    },
    Difference {
        name: "hexchars in xtext",
        reason: "RFC 3461 §4: + and two digits are one octet; they keep one octet more, and that of a value of theirs",
        explains: |case| case.both_take() && case.line.contains(&b'+'),
    },
    Difference {
        name: "AUTH= that holds neither a mailbox nor <>",
        reason: "RFC 4954 §5: a mailbox; they take any text",
        explains: |case| {
            case.refused_by_us()
                && case.parameters_named(&["AUTH"]).iter().any(|p| {
                    let value = p.split_once('=').map_or("", |(_, value)| value);
                    value != "<>" && !is_mailbox(&value.replace("+3D", "=").replace("+2B", "+"))
                })
        },
    },
    Difference {
        name: "lengths of ENVID= and ORCPT=",
        reason: "RFC 3461 §4.2 and §4.4: 500 and 100 characters as written; they count what they stand for",
        explains: |case| {
            let is_over = |p: &String| p.len() > if keyword(p) == "ENVID" { 106 } else { 506 };
            let too_long = case.parameters_named(&["ENVID", "ORCPT"]).iter().any(is_over);
            case.refused_by_us() && too_long || case.refused_by_them() && case.line.len() > 256
        },
    },
    Difference {
        name: "an ORCPT= of another type than rfc822, or of no length",
        reason: "RFC 3461 §4.2: addr-type is an atom, xtext may be empty, RFC 6533 has utf-8; they know rfc822 only",
        explains: |case| {
            case.refused_by_them()
                && case.parameters_named(&["ORCPT"]).iter().any(|p| {
                    let value = p.split_once('=').map_or("", |(_, value)| value).to_ascii_lowercase();
                    !value.starts_with("rfc822;") || value == "rfc822;"
                })
        },
    },
    Difference {
        name: "NOTIFY=NEVER with others",
        reason: "RFC 3461 §4.1: NEVER appears by itself; they take SUCCESS and the like behind it",
        explains: |case| {
            let value = |p: &String| p.to_ascii_uppercase();
            case.refused_by_us()
                && case.parameters_named(&["NOTIFY"]).iter().any(|p| value(p).contains("NEVER,"))
        },
    },
    Difference {
        name: "BY= with no time left and mode R, more than nine digits, or a sign that is none",
        reason: "RFC 2852 §4: by-time is 1*9digit, with R more than 0; they take any number",
        explains: |case| {
            case.refused_by_us()
                && case.parameters_named(&["BY"]).iter().any(|p| {
                    let (time, mode) = p[3..].split_once(';').unwrap_or_default();
                    let digits = time.trim_start_matches(['-', '+']);
                    let is_none_left = time.starts_with('-') || digits.bytes().all(|digit| digit == b'0');
                    digits.len() > 9
                        || digits.len() + 1 < time.len()
                        || digits.is_empty()
                        || mode.to_ascii_uppercase().starts_with('R') && is_none_left
                })
        },
    },
    Difference {
        name: "MT-PRIORITY= that is no priority-value",
        reason: "RFC 6710 §7: -9 to 9 without + and leading zeros; they take any number",
        explains: |case| {
            case.refused_by_us()
                && case.parameters_named(&["MT-PRIORITY"]).iter().any(|p| {
                    let digits = p["MT-PRIORITY=".len()..].strip_prefix('-');
                    let digits = digits.unwrap_or(&p["MT-PRIORITY=".len()..]);
                    digits.len() != 1
                        || !digits.bytes().all(|digit| digit.is_ascii_digit())
                        || p.ends_with("-0")
                })
        },
    },
    Difference {
        name: "HOLDFOR= with leading zeros, HOLDUNTIL= outside UTC, or both",
        reason: "RFC 4865 §3: %x31-39 *8DIGIT, and a time normalized to UTC; one hold-param only",
        explains: |case| {
            let held = case.parameters_named(&["HOLDFOR", "HOLDUNTIL"]);
            case.refused_by_us()
                && (held.len() > 1
                    || held.iter().any(|p| {
                        let value = p.split_once('=').map_or("", |(_, value)| value);
                        value.starts_with(['0', '+'])
                            || !value.ends_with(['Z', 'z']) && keyword(p) == "HOLDUNTIL"
                    }))
        },
    },
    Difference {
        name: "AUTH with a response that is not base64, or more arguments",
        reason: "RFC 4954 §4: base64 or =; they take the first word, whatever it is",
        explains: |case| {
            let argument = case.argument();
            let mut words = argument.split(' ').skip(1);
            let response = words.next().unwrap_or_default();
            case.refused_by_us()
                && case.verb() == "AUTH"
                && (response != "=" && auth_response(response.as_bytes()) == Response::Malformed
                    || response.is_empty()
                    || words.next().is_some())
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
            let (ours, theirs) = (case.ours.as_deref(), case.theirs.as_deref());
            let parameters = ours.and_then(|ours| ours.strip_prefix("RCPT <Postmaster>"));
            parameters.is_some() && parameters == theirs.and_then(|theirs| theirs.strip_prefix("RCPT <>"))
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

/// Parameters of MAIL that are known.
const MAIL_PARAMETERS: &[&str] = &[
    "SIZE",
    "BODY",
    "SMTPUTF8",
    "REQUIRETLS",
    "RET",
    "ENVID",
    "AUTH",
    "HOLDFOR",
    "HOLDUNTIL",
    "BY",
    "MT-PRIORITY",
    "XIDEMPOTENCY",
];
