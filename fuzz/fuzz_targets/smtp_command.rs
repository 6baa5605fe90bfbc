//! A command line never panics, and a command written again is read as the same one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::grammar::command::{Command, HelloVerb, Mail, parse};
use types::BodyType;

fuzz_target!(|line: &[u8]| {
    match parse(line) {
        Ok(command) => {
            let written = write(&command);
            assert_eq!(parse(written.as_bytes()).as_ref(), Ok(&command), "{written:?}");
        }
        Err(error) => {
            let mut out = Vec::new();
            error.reply().write_to(&mut out);
            assert!(out.starts_with(b"50") || out.starts_with(b"555"), "{error:?}");
            let control = out.iter().filter(|octet| octet.is_ascii_control()).count();
            assert!(control == 2 && out.ends_with(b"\r\n") && out.is_ascii(), "{error:?}");
        }
    }
});

fn write(command: &Command<'_>) -> String {
    match command {
        Command::Hello(HelloVerb::Ehlo, host) => format!("EHLO {host}"),
        Command::Hello(HelloVerb::Helo, host) => format!("HELO {host}"),
        Command::Mail(mail) => write_mail(mail),
        Command::Rcpt(forward_path) => format!("RCPT TO:{forward_path}"),
        Command::Data => "DATA".to_owned(),
        Command::Bdat(chunk) => {
            format!("BDAT {}{}", chunk.size_bytes, if chunk.last { " LAST" } else { "" })
        }
        Command::Rset => "RSET".to_owned(),
        Command::Noop => "NOOP".to_owned(),
        Command::Quit => "QUIT".to_owned(),
        Command::Vrfy(argument) => format!("VRFY {argument}"),
        Command::Expn(argument) => format!("EXPN {argument}"),
        Command::Help(None) => "HELP".to_owned(),
        Command::Help(Some(about)) => format!("HELP {about}"),
        Command::StartTls => "STARTTLS".to_owned(),
        Command::NotOffered(verb) => (*verb).to_owned(),
    }
}

fn write_mail(mail: &Mail) -> String {
    let mut text = format!("MAIL FROM:{}", mail.reverse_path);
    if let Some(size_bytes) = mail.size_bytes {
        text.push_str(&format!(" SIZE={size_bytes}"));
    }
    match mail.body_type {
        // The default may have been said too.
        BodyType::SevenBit if !mail.has_parameters => {}
        BodyType::SevenBit => text.push_str(" BODY=7BIT"),
        BodyType::EightBitMime => text.push_str(" BODY=8BITMIME"),
        BodyType::BinaryMime => text.push_str(" BODY=BINARYMIME"),
    }
    if mail.smtputf8 {
        text.push_str(" SMTPUTF8");
    }
    text
}
