//! Whatever a message and the DNS say, the check of a message ends, asks no more than bounded, and finds the same twice.
#![no_main]

mod answers;

use answers::{Answers, run};
use checkup::message::{Arrival, Given, Letter, Oddity, Question, SCORE_MAX, check};
use libfuzzer_sys::fuzz_target;
use types::Timestamp;

/// More than any message may cost: signatures, a chain, SPF and DMARC with their own limits, and some lists for some names.
const QUESTIONS_MAX: usize = 1000;

fuzz_target!(|input: &[u8]| {
    let mut parts = input.split(|octet| *octet == 0);
    let Some(message) = parts.next() else { return };
    let answers: Vec<&[u8]> = parts.collect();
    let (octets, oddities) = Oddity::undo(message.to_vec());
    let letter = Letter::read(&octets, oddities);
    assert!(letter.header.len() + letter.body.len() <= letter.octets.len());
    let lists = ["zen.example".to_owned(), "dbl.example".to_owned()];
    let witnessed = Arrival::witnessed(&letter);
    assert!(witnessed.assumed.is_empty());
    for arrival in [Arrival::read(&letter, Given::default()), witnessed, Arrival::default()] {
        let at = arrival.at.unwrap_or_else(|| Timestamp::from_millis(1_700_000_000_000));
        let question = Question { letter: &letter, arrival: &arrival, lists: &lists, at };
        let [report, again] = [(); 2].map(|()| {
            let names = Answers::new(answers.clone());
            let report = run(check(&names, &question));
            let asked = names.taken();
            assert!(asked <= QUESTIONS_MAX, "{asked} questions");
            report
        });
        assert_eq!(report, again);
        assert!((0.0..=SCORE_MAX).contains(&report.score), "{report:?}");
        for finding in &report.findings {
            assert!(!finding.says.is_empty() && finding.points.is_finite(), "{finding:?}");
        }
    }
});
