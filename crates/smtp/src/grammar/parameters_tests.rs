//! Tables of parameters, from the RFC of each extension, with the row one past each limit.

use types::{MailParameters, Mailbox, Timestamp};

use super::super::command::{self, Command, CommandError};
use super::*;

fn mail(parameters: &str) -> Result<MailParameters, CommandError> {
    match command::parse(format!("MAIL FROM:<a@example.org> {parameters}").as_bytes()) {
        Ok(Command::Mail(mail)) => Ok(mail.parameters),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    }
}

fn rcpt(parameters: &str) -> Result<RecipientDsn, CommandError> {
    match command::parse(format!("RCPT TO:<a@example.org> {parameters}").as_bytes()) {
        Ok(Command::Rcpt(rcpt)) => Ok(rcpt.dsn),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    }
}

fn code(refused: Result<impl std::fmt::Debug, CommandError>) -> u16 {
    refused.map_or_else(|error| error.reply().code, |taken| panic!("taken: {taken:?}"))
}

#[test]
fn each_parameter_of_mail_is_read() {
    let none = MailParameters::default;
    let mailbox = |text: &str| AuthParameter::Mailbox(text.parse::<Mailbox>().unwrap());
    let by =
        |by_s, mode, trace| MailParameters { deliver_by: Some(DeliverBy { by_s, mode, trace }), ..none() };
    let id = |text: &str| MailParameters { envelope_id: Some(text.to_owned()), ..none() };
    let hold = |hold| MailParameters { hold: Some(hold), ..none() };
    let until = Hold::Until(Timestamp::from_millis(1_801_396_800_000));
    let key = |text: &str| MailParameters { idempotency_key: Some(text.to_owned()), ..none() };
    let longest_id = "i".repeat(100);
    let longest_key = "k".repeat(64);
    let rows = [
        ("", none()),
        ("BODY=BinaryMime", MailParameters { body_type: BodyType::BinaryMime, ..none() }),
        ("requiretls", MailParameters { require_tls: true, ..none() }),
        ("RET=hdrs", MailParameters { ret: Some(DsnReturn::Headers), ..none() }),
        ("ret=FULL", MailParameters { ret: Some(DsnReturn::Full), ..none() }),
        ("ENVID=QQ314159", id("QQ314159")),
        ("ENVID=a+2Bb+20c", id("a+b c")),
        (&format!("ENVID={longest_id}"), id(&longest_id)),
        ("AUTH=<>", MailParameters { auth: Some(AuthParameter::Unknown), ..none() }),
        ("AUTH=+3C+3E", MailParameters { auth: Some(AuthParameter::Unknown), ..none() }),
        ("AUTH=e+3Dmc2@example.com", MailParameters { auth: Some(mailbox("e=mc2@example.com")), ..none() }),
        ("HOLDFOR=1", hold(Hold::For { seconds: 1 })),
        ("HOLDFOR=999999999", hold(Hold::For { seconds: 999_999_999 })),
        ("HOLDUNTIL=2027-01-31T12:00:00Z", hold(until)),
        ("BY=120;R", by(120, ByMode::Return, false)),
        ("by=+1;rt", by(1, ByMode::Return, true)),
        ("BY=-999999999;N", by(-999_999_999, ByMode::Notify, false)),
        ("BY=0;NT", by(0, ByMode::Notify, true)),
        ("MT-PRIORITY=-9", MailParameters { priority: Some(-9), ..none() }),
        ("MT-PRIORITY=0", MailParameters { priority: Some(0), ..none() }),
        ("mt-priority=9", MailParameters { priority: Some(9), ..none() }),
        ("XIDEMPOTENCY=order+2017", key("order 17")),
        (&format!("XIDEMPOTENCY={longest_key}"), key(&longest_key)),
    ];
    for (parameters, expected) in rows {
        assert_eq!(mail(parameters), Ok(expected), "{parameters}");
    }
}

#[test]
fn a_bad_value_of_a_parameter_of_mail_is_501() {
    let too_long_id = format!("ENVID={}", "i".repeat(101));
    let too_long_key = format!("XIDEMPOTENCY={}", "k".repeat(65));
    for parameters in [
        "SMTPUTF8=yes",
        "REQUIRETLS=yes",
        "RET",
        "RET=BODY",
        "ENVID",
        "ENVID=",
        "ENVID=a=b",
        "ENVID=+2b",
        "ENVID=+0A",
        "ENVID=+C3+BC",
        &too_long_id,
        "AUTH",
        "AUTH=<a@example.org>",
        "AUTH=a",
        "AUTH=a+40b+0Ac@d",
        "HOLDFOR=0",
        "HOLDFOR=01",
        "HOLDFOR=1000000000",
        "HOLDFOR=-1",
        "HOLDFOR=+1",
        "HOLDFOR",
        "HOLDUNTIL=2027-01-31",
        "HOLDUNTIL=2027-01-31T12:00:00+01:00",
        "HOLDFOR=1 HOLDUNTIL=2027-01-31T12:00:00Z",
        "BY",
        "BY=120",
        "BY=;R",
        "BY=0;R",
        "BY=-1;R",
        "BY=1234567890;N",
        "BY=1;T",
        "BY=1;RR",
        "BY=1;RTT",
        "BY=+-1;N",
        "MT-PRIORITY=10",
        "MT-PRIORITY=-0",
        "MT-PRIORITY=+1",
        "MT-PRIORITY=01",
        "MT-PRIORITY=-",
        "MT-PRIORITY",
        "XIDEMPOTENCY=",
        "XIDEMPOTENCY=+",
        "XIDEMPOTENCY=+0D",
        &too_long_key,
    ] {
        assert_eq!(code(mail(parameters)), 501, "{parameters}");
    }
    assert_eq!(code(mail("BODY=9BIT")), 504);
    assert_eq!(code(mail("NOTIFY=NEVER")), 555);
}

#[test]
fn a_parameter_that_comes_twice_is_501() {
    for one in [
        "SIZE=1",
        "BODY=7BIT",
        "SMTPUTF8",
        "REQUIRETLS",
        "RET=FULL",
        "ENVID=x",
        "AUTH=<>",
        "HOLDFOR=1",
        "BY=1;R",
        "MT-PRIORITY=1",
        "XIDEMPOTENCY=x",
        "FOO",
    ] {
        assert_eq!(code(mail(&format!("{one} {}", one.to_lowercase()))), 501, "{one}");
    }
    for one in ["NOTIFY=NEVER", "ORCPT=rfc822;a"] {
        assert_eq!(code(rcpt(&format!("{one} {}", one.to_lowercase()))), 501, "{one}");
    }
}

#[test]
fn each_parameter_of_rcpt_is_read_and_written_back() {
    let when = |success, failure, delay| RecipientDsn {
        notify: Some(Notify::When { success, failure, delay }),
        ..Default::default()
    };
    for (parameters, expected, written) in [
        ("NOTIFY=never", RecipientDsn { notify: Some(Notify::Never), ..Default::default() }, "NEVER"),
        ("NOTIFY=SUCCESS", when(true, false, false), "SUCCESS"),
        ("NOTIFY=success,Failure", when(true, true, false), "SUCCESS,FAILURE"),
        ("NOTIFY=DELAY,FAILURE,DELAY", when(false, true, true), "FAILURE,DELAY"),
    ] {
        assert_eq!(rcpt(parameters), Ok(expected.clone()), "{parameters}");
        assert_eq!(expected.notify.map(|notify| notify.to_string()).as_deref(), Some(written));
    }
    let longest = "a".repeat(500 - "rfc822;".len());
    for (value, address_type, address) in [
        ("rfc822;Bob@Example.COM", "rfc822", "Bob@Example.COM"),
        ("RFC822;a+2Bb+20c+3B", "RFC822", "a+b c;"),
        ("x400;/c=us", "", ""),
        ("rfc822;", "rfc822", ""),
        ("utf-8;\\x{7528}@example.org", "utf-8", "\\x{7528}@example.org"),
        ("utf-8;用户@example.org", "utf-8", "用户@example.org"),
        (&format!("rfc822;{longest}"), "rfc822", &longest),
    ] {
        let read = rcpt(&format!("ORCPT={value}"));
        if address_type.is_empty() {
            assert_eq!(code(read), 501, "{value}");
            continue;
        }
        let expected =
            OriginalRecipient { address_type: address_type.to_owned(), address: address.to_owned() };
        assert_eq!(read.map(|dsn| dsn.original_recipient), Ok(Some(expected)), "{value}");
    }
}

#[test]
fn a_bad_value_of_a_parameter_of_rcpt_is_501() {
    let too_long = format!("ORCPT=rfc822;{}", "a".repeat(501 - "rfc822;".len()));
    for parameters in [
        "NOTIFY",
        "NOTIFY=",
        "NOTIFY=ALWAYS",
        "NOTIFY=NEVER,SUCCESS",
        "NOTIFY=SUCCESS,NEVER",
        "NOTIFY=SUCCESS,",
        "NOTIFY=,SUCCESS",
        "ORCPT",
        "ORCPT=a@example.org",
        "ORCPT=;a@example.org",
        "ORCPT=rfc.822;a@example.org",
        "ORCPT=rfc822;+0D+0ABcc:",
        "ORCPT=rfc822;+C3+BC",
        "ORCPT=rfc822;ü",
        "ORCPT=rfc822;+3b",
        &too_long,
    ] {
        assert_eq!(code(rcpt(parameters)), 501, "{parameters}");
    }
    for parameters in ["FOO", "RET=FULL", "SIZE=1", "SMTPUTF8"] {
        assert_eq!(code(rcpt(parameters)), 555, "{parameters}");
    }
}
