//! Whatever the DNS and a message say, verification ends, asks no more than its limits allow, and writes fields that are fields.
#![no_main]

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use libfuzzer_sys::fuzz_target;
use mailauth::arc::Chain;
use mailauth::dkim::{BodyHasher, Signatures};
use mailauth::results::{AuthenticationResults, is_forged, received_spf};
use mailauth::{Names, dmarc, fields, spf};
use types::Timestamp;
use types::dns::{DnsTrouble, Lookup, MxRecord, Validation};

fuzz_target!(|input: &[u8]| {
    let mut parts = input.split(|octet| *octet == 0);
    let [Some(message), Some(path), Some(helo)] = [(); 3].map(|()| parts.next()) else { return };
    let answers: Vec<&[u8]> = parts.collect();
    let names = Answers { answers, asked: Mutex::new(0) };
    let (path, helo) = (String::from_utf8_lossy(path), String::from_utf8_lossy(helo));
    let mut results = AuthenticationResults::new("mx.example.org");

    let now = Timestamp::from_millis(1_700_000_000_000);
    let client =
        spf::Client { ip: "192.0.2.1".parse().unwrap(), helo: &helo, receiver: "mx.example.org", now };
    let identity = spf::Identity::MailFrom(&path);
    let outcome = run(spf::check_host(&names, &client, identity));
    // A record and an answer for each term, ten hosts for some of them, the names of the address, an explanation.
    assert!(names.taken() <= 2 + 11 * (2 + 10));
    assert!(outcome.lookup_terms <= 10 && outcome.void_lookups <= 2);
    assert!(
        outcome
            .explanation
            .iter()
            .all(|text| text.len() <= 400 && text.bytes().all(|o| matches!(o, b' '..=b'~')))
    );
    results.spf(&outcome, identity);
    is_field(&received_spf(&client, identity, &outcome), true);

    let header_ends =
        message.windows(4).position(|four| four == b"\r\n\r\n").map_or(message.len(), |at| at + 2);
    let (header, body) = message.split_at(header_ends);
    let fields = fields(header);
    assert!(fields.iter().map(|field| field.raw.len()).sum::<usize>() <= header.len());
    let forged = fields.iter().filter(|field| is_forged(field, "mx.example.org")).count();
    assert!(forged <= fields.len());
    let (signatures, chain) = (Signatures::read(&fields, now), Chain::read(&fields, now));
    let [whole, in_pieces] = [body.len().max(1), 1].map(|length| {
        let mut hasher = BodyHasher::new(signatures.forms().chain(chain.forms()));
        body.chunks(length).for_each(|piece| hasher.push(piece));
        hasher.finish()
    });
    let keys = run(signatures.keys(&names));
    let chain_keys = run(chain.keys(&names));
    assert!(names.taken() <= 10 + 51);
    let verified = signatures.verify(&keys, &whole);
    assert_eq!(verified, signatures.verify(&keys, &in_pieces));
    assert_eq!(chain.verify(&chain_keys, &whole), chain.verify(&chain_keys, &in_pieces));
    results.dkim(&verified);
    results.arc(&chain.verify(&chain_keys, &whole));

    if let Ok(author) = path.parse() {
        let dkim: Vec<&str> = verified.iter().map(|verified| verified.domain.as_str()).collect();
        let outcome =
            run(dmarc::evaluate(&names, &author, &dmarc::Authenticated { spf: Some(&helo), dkim: &dkim }));
        assert!(names.taken() <= 12 * 8 + 1);
        results.dmarc(&outcome);
    }
    is_field(&results.into_field(), false);
});

fn is_field(text: &str, is_spf: bool) {
    let read = fields(text.as_bytes());
    assert!(read.len() == 1 && text.ends_with("\r\n"), "{text}");
    assert!(is_forged(&read[0], "mx.example.org"), "{text}");
    assert_eq!(read[0].is("Received-SPF"), is_spf);
    assert!(text.lines().all(|line| line.len() <= 998), "{text}");
}

/// Answers what is asked with the input's pieces in turn: octets for a text, and whether there is an answer by the first of them.
struct Answers<'a> {
    answers: Vec<&'a [u8]>,
    asked: Mutex<usize>,
}

impl<'a> Answers<'a> {
    fn answer<R>(&self, name: &str, read: impl Fn(&'a [u8]) -> R) -> Lookup<R> {
        assert!(mailauth::is_name(name), "{name:?}");
        let mut asked = self.asked.lock().unwrap();
        *asked += 1;
        let Some(answer) = self.answers.get(*asked % self.answers.len().max(1)) else {
            return Lookup::NoSuchName;
        };
        match answer.first() {
            None => Lookup::NoSuchName,
            Some(0xf0) => Lookup::NoData { alias_of: None },
            Some(0xf1) => Lookup::Trouble(DnsTrouble::TimedOut),
            Some(0xf2) => {
                let records = answer[1..].chunks(32).map(read).collect();
                Lookup::Records { records, alias_of: None, validation: Validation::Insecure }
            }
            Some(_) => Lookup::Records {
                records: vec![read(answer)],
                alias_of: None,
                validation: Validation::Insecure,
            },
        }
    }

    /// How many questions there were since the last call.
    fn taken(&self) -> usize {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Names for Answers<'_> {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        self.answer(name, <[u8]>::to_vec)
    }
    async fn ipv4(&self, name: &str) -> Lookup<Ipv4Addr> {
        self.answer(name, |octets| Ipv4Addr::new(192, 0, 2, octets.len() as u8))
    }
    async fn ipv6(&self, name: &str) -> Lookup<Ipv6Addr> {
        self.answer(name, |_| Ipv6Addr::LOCALHOST)
    }
    async fn mx(&self, name: &str) -> Lookup<MxRecord> {
        let text = |octets| String::from_utf8_lossy(octets).into_owned();
        self.answer(name, |octets| MxRecord { preference: 0, exchange: text(octets) })
    }
    async fn ptr(&self, _: IpAddr) -> Lookup<String> {
        self.answer("x.in-addr.arpa", |octets| String::from_utf8_lossy(octets).into_owned())
    }
}

fn run<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("waits for something else than the names"),
    }
}
