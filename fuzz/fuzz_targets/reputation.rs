//! Whatever a list in the DNS answers, a fault of it lists nobody, what it has to say fits into a reply, and what is asked of it is a
//! name.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use mta::admission::reputation::{
    Answer, Code, Proof, Share, Subject, TestResult, address_question, domain_question, read, score,
    test_result, text_of,
};
use types::dns::{DnsTrouble, Lookup, Validation};

const ZONE: &str = "list.example";

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(3, |octet| *octet == 0);
    let [Some(codes), Some(text), Some(answers)] = [(); 3].map(|()| parts.next()) else { return };

    let codes: Vec<Code> =
        String::from_utf8_lossy(codes).split_whitespace().filter_map(|code| code.parse().ok()).collect();
    for code in &codes {
        assert_eq!(code.to_string().parse(), Ok(*code), "{code}");
    }

    let told = text_of(text);
    if let Some(told) = &told {
        assert!(!told.is_empty() && told.len() <= 200 && told.bytes().all(|o| matches!(o, b' '..=b'~')));
        assert!(!told.contains(['[', ']']), "{told}");
    }

    let name = String::from_utf8_lossy(text);
    if let Some(question) = domain_question(&name, ZONE) {
        assert!(mailauth::is_name(&question) && question.ends_with(ZONE), "{question:?}");
    }
    if let Some(octets) = answers.first_chunk::<16>() {
        let ipv4 = Ipv4Addr::from_bits(u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]));
        for ip in [IpAddr::V4(ipv4), IpAddr::V6(Ipv6Addr::from_bits(u128::from_be_bytes(*octets)))] {
            assert!(mailauth::is_name(&address_question(ip, ZONE)));
        }
    }

    let lookup = lookup(answers);
    let answer = read(&codes, 5, &lookup);
    let records = lookup.clone().into_records();
    let is_of_lists = records.iter().all(|ip| ip.octets()[0] == 127);
    match &answer {
        Answer::Listed { weight, codes } => {
            assert!(is_of_lists && !codes.is_empty() && codes.is_sorted());
            assert!((-1000..=1000).contains(weight));
        }
        Answer::NotListed => assert!(is_of_lists),
        Answer::Broken(fault) => assert!(!records.is_empty() && !fault.to_string().is_empty()),
        Answer::Trouble(_) => assert!(records.is_empty()),
    }
    // A list that has what no list may have is never believed.
    if !records.is_empty() {
        assert!(!matches!(test_result(&lookup, &lookup), TestResult::Sound));
    }
    if let Answer::Listed { weight, codes } = answer {
        let share = |proof| Share {
            zone: ZONE.to_owned(),
            subject: Subject::Helo,
            about: name.clone().into_owned(),
            proof,
            weight,
            codes: codes.clone(),
            text: told.clone(),
        };
        // One list counts once, and what anybody can say speaks for nobody.
        assert_eq!(score(&[share(Proof::Proven), share(Proof::Proven)]), weight);
        assert!(score(&[share(Proof::Claimed)]) >= 0);
        assert!(share(Proof::Proven).explained().contains(ZONE));
    }
});

/// The first octet says whether there is an answer; four of the rest make an address.
fn lookup(octets: &[u8]) -> Lookup<Ipv4Addr> {
    let Some((kind, octets)) = octets.split_first() else { return Lookup::NoSuchName };
    match kind {
        0xf0 => Lookup::NoData { alias_of: None },
        0xf1 => Lookup::Trouble(DnsTrouble::TimedOut),
        _ => {
            let address = |four: &[u8]| Ipv4Addr::new(four[0], four[1], four[2], four[3]);
            let records: Vec<_> = octets.chunks_exact(4).map(address).collect();
            if records.is_empty() {
                return Lookup::NoSuchName;
            }
            Lookup::Records { records, alias_of: None, validation: Validation::Insecure }
        }
    }
}
