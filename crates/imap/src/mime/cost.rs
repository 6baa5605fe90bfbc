//! What reading a header costs: octets that are looked at, counted in this crate's own tests and nowhere else. Each loop over
//! octets of a message, or over what was read of it, counts, so that a loop within a loop shows (attacks.md 13).

/// So many octets, or things that were read, are looked at.
#[cfg(not(test))]
pub(super) const fn count(_octets: usize) {}

#[cfg(test)]
pub(super) use tests::count;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::{BodyForm, StringForm, Structure, words};

    thread_local! {
        static LOOKED_AT: Cell<u64> = const { Cell::new(0) };
    }

    pub(in super::super) fn count(octets: usize) {
        LOOKED_AT.set(LOOKED_AT.get() + octets as u64);
    }

    /// Of all that IMAP shows of a message.
    fn cost(message: &str) -> u64 {
        LOOKED_AT.set(0);
        let structure = Structure::of(message.as_bytes());
        let mut out = Vec::new();
        for form in [StringForm::Ascii, StringForm::Utf8] {
            structure.write_envelope(form, &mut out);
            structure.write_body_structure(BodyForm::BodyStructure, form, &mut out);
        }
        drop(words::decode(structure.envelope().subject.unwrap_or_default()));
        LOOKED_AT.get()
    }

    /// attacks.md 13: what is made twice as long costs at most twice as much. The longer ones stay below the limits, which
    /// would hide that it costs more.
    #[test]
    fn what_is_twice_as_long_costs_twice_as_much() {
        type Made = fn(usize) -> String;
        let rows: [(&str, Made); 17] = [
            ("addresses", |n| format!("To: {}\r\n\r\n", "a b <a@b>, ".repeat(n))),
            ("addresses without commas", |n| format!("To: {}\r\n\r\n", "a@b ".repeat(n))),
            ("words", |n| format!("From: {}\r\n\r\n", "a. b ".repeat(n))),
            ("words and signs", |n| format!("From: {}\r\n\r\n", "a.@".repeat(n))),
            ("brackets that are open", |n| format!("From: {}\r\n\r\n", "a<b@c".repeat(n))),
            ("groups", |n| format!("Cc: {}\r\n\r\n", "g: a@b, c@d; ".repeat(n))),
            ("groups without end", |n| format!("Cc: {}\r\n\r\n", "g: a@b ".repeat(n))),
            ("comments within comments", |n| format!("From: {}a@b{}\r\n\r\n", "(".repeat(n), ")".repeat(n))),
            ("comments without end", |n| {
                format!("Content-Type: text/plain; a=b {}\r\n\r\n", "(a ".repeat(n))
            }),
            ("quotes", |n| format!("From: {}\r\n\r\n", "\"a\\\"\" ".repeat(n))),
            ("encoded words", |n| format!("Subject: {}\r\n\r\n", "=?utf-8?q?=41?= ".repeat(n))),
            ("encoded words of many charsets", |n| {
                format!("Subject: {}\r\n\r\n", "=?utf-8?b?QQ==?= =?koi8-r?q?a?= ".repeat(n / 4))
            }),
            ("encoded words that are none", |n| format!("Subject: {}\r\n\r\n", "=?a?q?b".repeat(n))),
            ("pieces of a parameter", |n| {
                let pieces = |at| format!("; a*{at}*=%41%42");
                format!("Content-Type: text/plain{}\r\n\r\n", (0..n / 4).map(pieces).collect::<String>())
            }),
            ("parameters", |n| {
                let parameters = |at| format!("; a{at}=two words");
                format!("Content-Type: text/plain{}\r\n\r\n", (0..n / 4).map(parameters).collect::<String>())
            }),
            ("spaces in a parameter", |n| format!("Content-Type: text/plain; a={}b\r\n\r\n", "b ".repeat(n))),
            ("fields", |n| "Cc: a@b\r\nSubject: x\r\nX: y\r\n".repeat(n)),
        ];
        for (name, made) in rows {
            let (half, whole) = (cost(&made(1500)), cost(&made(3000)));
            assert!(whole <= 2 * half + half / 50, "{name}: {half}, then {whole}");
            let octets = made(3000).len() as u64;
            assert!(half > octets / 4 && whole <= 12 * octets, "{name}: {whole} for {octets} octets");
        }
    }

    /// Each line that may delimit parts is compared with every boundary that is open: 100 at most, since parts are read so
    /// deep (docs/imap.md).
    #[test]
    fn many_open_boundaries_that_begin_alike_cost_no_more_for_each_line() {
        let message = |lines: usize| {
            let alike = "a".repeat(60);
            let boundary = |depth: usize| format!("{alike}{depth:03}");
            let open = (0..150).map(|depth| {
                let boundary = boundary(depth);
                format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n--{boundary}\r\n")
            });
            open.collect::<String>() + "\r\n" + &format!("--{alike}x\r\n").repeat(lines)
        };
        let [none, half, whole] = [0, 2000, 4000].map(|lines| cost(&message(lines)));
        assert!(whole - none <= 2 * (half - none) + none / 50, "{none}, {half}, {whole}");
        let octets = (message(4000).len() - message(0).len()) as u64;
        assert!((whole - none) / octets <= 100, "{none}, {whole}");
    }
}
