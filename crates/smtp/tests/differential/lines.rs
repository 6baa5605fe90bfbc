//! Lines that both parsers read.

use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const GENERATED_LINES: usize = 4000;

/// What the clients of the transcripts say, and the server hears as a command.
pub(super) fn lines_of_the_transcripts() -> Vec<Vec<u8>> {
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
pub(super) const PICKED: &[&str] = &[
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
    "BURL",
    "SOML FROM:<a@b.example>",
    "AUTH",
    "AUTH NONSENSE",
    "AUTH PLAIN",
    "AUTH PLAIN =",
    "AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=",
    "AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ",
    "AUTH PLAIN =AAA",
    "AUTH PLAIN AAA=BBB",
    "AUTH PLAIN AAAA AAAA",
    "AUTH SCRAM-SHA-256-PLUS AAAA",
    "AUTH cram-md5",
    "LHLO client.example",
    "LHLO a b",
    "VRFY Fred SMTPUTF8",
    "XCLIENT ADDR=192.0.2.1",
    "MAIL FROM:<a@b.example> RET=HDRS ENVID=QQ314159",
    "MAIL FROM:<a@b.example> RET=full",
    "MAIL FROM:<a@b.example> RET=FULL RET=HDRS",
    "MAIL FROM:<a@b.example> ENVID=a+2Bb",
    "MAIL FROM:<a@b.example> ENVID=a+2bb",
    "MAIL FROM:<a@b.example> ENVID=a+0Ab",
    "MAIL FROM:<a@b.example> ENVID=iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii\
     iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii",
    "MAIL FROM:<a@b.example> ENVID=iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii\
     iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii+41",
    "MAIL FROM:<a@b.example> AUTH=<>",
    "MAIL FROM:<a@b.example> AUTH=c@d.example",
    "MAIL FROM:<a@b.example> AUTH=e+3Dmc2@example.com",
    "MAIL FROM:<a@b.example> AUTH=<c@d.example>",
    "MAIL FROM:<a@b.example> HOLDFOR=60",
    "MAIL FROM:<a@b.example> HOLDFOR=060",
    "MAIL FROM:<a@b.example> HOLDFOR=1000000000",
    "MAIL FROM:<a@b.example> HOLDUNTIL=2027-01-31T12:00:00Z",
    "MAIL FROM:<a@b.example> HOLDUNTIL=2027-01-31T12:00:00+01:00",
    "MAIL FROM:<a@b.example> HOLDUNTIL=2027-01-31T12:00:00.5Z",
    "MAIL FROM:<a@b.example> HOLDFOR=60 HOLDUNTIL=2027-01-31T12:00:00Z",
    "MAIL FROM:<a@b.example> BY=120;R",
    "MAIL FROM:<a@b.example> BY=-120;NT",
    "MAIL FROM:<a@b.example> BY=-120;R",
    "MAIL FROM:<a@b.example> BY=0;R",
    "MAIL FROM:<a@b.example> BY=1234567890;N",
    "MAIL FROM:<a@b.example> MT-PRIORITY=-9",
    "MAIL FROM:<a@b.example> MT-PRIORITY=10",
    "MAIL FROM:<a@b.example> MT-PRIORITY=+1",
    "MAIL FROM:<a@b.example> REQUIRETLS",
    "MAIL FROM:<a@b.example> XIDEMPOTENCY=17",
    "MAIL FROM:<a@b.example> SOLICIT=net.example:ADV",
    "RCPT TO:<a@b.example> NOTIFY=SUCCESS,delay",
    "RCPT TO:<a@b.example> NOTIFY=NEVER,SUCCESS",
    "RCPT TO:<a@b.example> NOTIFY=SUCCESS,NEVER",
    "RCPT TO:<a@b.example> ORCPT=rfc822;a@b.example",
    "RCPT TO:<a@b.example> ORCPT=rfc822;a+3D@b.example",
    "RCPT TO:<a@b.example> ORCPT=rfc822;",
    "RCPT TO:<a@b.example> ORCPT=x400;/c",
    "RCPT TO:<a@b.example> ORCPT=utf-8;a@b.example",
    "RCPT TO:<a@b.example> CONNEG",
    "STARTTLS now",
];

/// The same every time.
pub(super) fn generated_lines() -> Vec<Vec<u8>> {
    let mut runner = TestRunner::deterministic();
    let line = generated_line();
    (0..GENERATED_LINES).map(|_| line.new_tree(&mut runner).unwrap().current()).collect()
}

fn generated_line() -> impl Strategy<Value = Vec<u8>> {
    let path = path().boxed();
    let parameters = parameters().boxed();
    let mail = (
        prop::sample::select(vec!["MAIL FROM:", "mail from:", "MAIL FROM: "]),
        path.clone(),
        parameters.clone(),
    )
        .prop_map(|(verb, path, parameters)| format!("{verb}{path}{parameters}"));
    let rcpt = (prop::sample::select(vec!["RCPT TO:", "Rcpt To:", "RCPT TO: "]), path, parameters)
        .prop_map(|(verb, path, parameters)| format!("{verb}{path}{parameters}"));
    let line = prop_oneof![4 => mail, 3 => rcpt, 3 => other_command()].prop_map(String::into_bytes);
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

fn path() -> impl Strategy<Value = String> {
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
    prop_oneof![
        8 => (route, local_part, domain).prop_map(|(route, local, domain)| format!("<{route}{local}@{domain}>")),
        1 => prop::sample::select(vec!["<>", "<Postmaster>", "<postmaster>", "a@b.example", "<a@b.example"])
            .prop_map(str::to_owned),
    ]
}

/// None, or some, each behind a space.
fn parameters() -> impl Strategy<Value = String> {
    let parameter = prop_oneof![
        Just(String::new()),
        "SIZE=[0-9]{1,21}",
        "(BODY|body)=(7BIT|8bitmime|BINARYMIME|9BIT)",
        Just("SMTPUTF8".to_owned()),
        "[A-Z0-9-]{1,10}(=[!-~]{0,6})?",
        "(RET|ret)=(FULL|hdrs|BODY)",
        "ENVID=([a-z0-9@.]|\\+[0-9A-Fa-f]{2}){1,12}",
        "ENVID=[!-~]{1,8}",
        "AUTH=(<>|[a-z]{1,5}@[a-z]{1,5}|[a-z@+=<>]{1,8})",
        "HOLDFOR=[0-9]{1,10}",
        "HOLDUNTIL=20[2-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z",
        "BY=[+-]?[0-9]{1,10};[NnRr][Tt]?",
        "MT-PRIORITY=[+-]?[0-9]{1,2}",
        "(REQUIRETLS|XIDEMPOTENCY=[a-z]{1,4})",
        "NOTIFY=(NEVER|(SUCCESS|failure|DELAY|NEVER)(,(SUCCESS|FAILURE|delay)){0,3})",
        "ORCPT=(rfc822|utf-8|x.400);[a-z@.+]{0,12}",
    ];
    prop::collection::vec(parameter, 0..3)
        .prop_map(|all| all.iter().map(|one| format!(" {one}")).collect::<String>())
}

fn other_command() -> impl Strategy<Value = String> {
    let verb = prop::sample::select(vec![
        "EHLO",
        "HELO",
        "DATA",
        "BDAT",
        "RSET",
        "NOOP",
        "QUIT",
        "VRFY",
        "EXPN",
        "HELP",
        "LHLO",
        "STARTTLS",
        "TURN",
        "FOO",
        "AUTH",
        "AUTH PLAIN",
        "XCLIENT",
    ]);
    let argument = prop_oneof![
        Just(String::new()),
        " [a-z0-9.-]{1,20}",
        " [0-9]{1,21}( LAST| last)?",
        " [A-Za-z0-9+/]{4,12}={0,2}",
        " (PLAIN|LOGIN|cram-md5)( =)?",
        " [ -~]{0,20}",
        Just(" ".to_owned()),
    ];
    (verb, argument).prop_map(|(verb, argument)| format!("{verb}{argument}"))
}
