//! Whatever the DNS and a message say, verification ends, asks no more than its limits allow, and writes fields that are fields.
#![no_main]

mod answers;

use answers::{Answers, run};
use libfuzzer_sys::fuzz_target;
use mailauth::arc::{ArcResult, Chain, Sealer};
use mailauth::dkim::{Bodies, BodyForm, BodyHasher, Description, Signatures, SigningKey};
use mailauth::results::{AuthenticationResults, is_forged, received_spf};
use mailauth::{Field, dmarc, fields, spf};
use types::{Domain, Timestamp};

fuzz_target!(|input: &[u8]| {
    let mut parts = input.split(|octet| *octet == 0);
    let [Some(message), Some(path), Some(helo)] = [(); 3].map(|()| parts.next()) else { return };
    let answers: Vec<&[u8]> = parts.collect();
    let names = Answers::new(answers);
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
    for client in [None, Some(&client)] {
        let survey = run(spf::survey(&names, &helo, client, &path));
        // Each term asks for a name, and ten hosts of it in both kinds, or a record.
        assert!(names.taken() <= 2 + (spf::SURVEY_TERMS_MAX as usize + 1) * (2 + 2 * 10));
        is_bounded(&survey.root, 0);
    }

    let header_ends =
        message.windows(4).position(|four| four == b"\r\n\r\n").map_or(message.len(), |at| at + 2);
    let (header, body) = message.split_at(header_ends);
    let fields = fields(header);
    assert!(fields.iter().map(|field| field.raw.len()).sum::<usize>() <= header.len());
    let forged = fields.iter().filter(|field| is_forged(field, "mx.example.org")).count();
    assert!(forged <= fields.len());
    let (signatures, chain) = (Signatures::read(&fields, now), Chain::read(&fields, now));
    let [whole, in_pieces] = [body.len().max(1), 1].map(|length| {
        let mut hasher = BodyHasher::new(signatures.forms().chain(chain.forms()).chain([Sealer::form()]));
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
    let verdict = chain.verify(&chain_keys, &whole).result;
    results.arc(&chain.verify(&chain_keys, &whole));
    for field in fields.iter().filter(|field| field.is("DKIM-Signature")) {
        if let Ok(description) = Description::read(field) {
            assert!(description.covers("from") > 0 && mailauth::is_name(&description.key_name()));
        }
    }
    sealed_once_more(header, body, &whole, verdict, now);

    if let Ok(author) = path.parse() {
        let dkim: Vec<&str> = verified.iter().map(|verified| verified.domain.as_str()).collect();
        let outcome =
            run(dmarc::evaluate(&names, &author, &dmarc::Authenticated { spf: Some(&helo), dkim: &dkim }));
        assert!(names.taken() <= 12 * 8 + 1);
        results.dmarc(&outcome);
    }
    let survey = run(dmarc::survey(&names, &helo));
    assert!(survey.receivers.len() <= 20 && survey.steps.len() <= dmarc::WALK_QUERIES_MAX);
    assert!(names.taken() <= dmarc::WALK_QUERIES_MAX + 4 + survey.receivers.len());
    is_field(&results.into_field(), false);
});

fn is_field(text: &str, is_spf: bool) {
    let read = fields(text.as_bytes());
    assert!(read.len() == 1 && text.ends_with("\r\n"), "{text}");
    assert!(is_forged(&read[0], "mx.example.org"), "{text}");
    assert_eq!(read[0].is("Received-SPF"), is_spf);
    assert!(text.lines().all(|line| line.len() <= 998), "{text}");
}

/// What is sealed is read as sealed: a first set verifies, and one on a chain that is broken does not mend it.
fn sealed_once_more(header: &[u8], body: &[u8], bodies: &Bodies, verdict: ArcResult, now: Timestamp) {
    // What begins with a continuation would be one of the seal's.
    if header.first().is_none_or(|octet| matches!(octet, b' ' | b'\t')) {
        return;
    }
    let domain: Domain = "example.org".parse().unwrap();
    let key = SigningKey::ed25519_from_seed(&[7; 32]).unwrap();
    let sealer = Sealer::new(&domain, "s1", &key).unwrap();
    let Ok(seal) = sealer.seal(&fields(header), bodies, "mx.example.org; none", verdict, now) else { return };
    let sealed = [seal.as_bytes(), header].concat();
    let fields: Vec<Field<'_>> = fields(&sealed);
    let chain = Chain::read(&fields, now);
    let record = key.record().unwrap();
    let names = Answers::new(vec![record.as_bytes()]);
    let mut hasher = BodyHasher::new(chain.forms().collect::<Vec<BodyForm>>().into_iter());
    hasher.push(body);
    let outcome = chain.verify(&run(chain.keys(&names)), &hasher.finish());
    match verdict {
        ArcResult::None => assert_eq!(outcome.result, ArcResult::Pass, "{outcome:?}"),
        ArcResult::Fail => assert_eq!(outcome.result, ArcResult::Fail),
        // The seals below are of others, whose keys are not these.
        ArcResult::Pass => {}
    }
}

fn is_bounded(branch: &spf::Branch, depth: u32) {
    assert!(depth <= spf::SURVEY_DEPTH_MAX);
    for term in &branch.terms {
        assert!(term.target.as_ref().is_none_or(|target| mailauth::is_name(target)), "{term:?}");
        if let Some(branch) = &term.branch {
            is_bounded(branch, depth + 1);
        }
    }
}
