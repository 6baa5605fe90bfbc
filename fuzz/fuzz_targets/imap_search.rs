#![no_main]
//! Messages that are searched: what is found does not depend on the pieces in which a message comes, nor on whether it is read
//! to its end; its signature denies nothing that is found, and its header alone answers what is asked of its fields.

use imap::command::SearchKey;
use imap::mime::Structure;
use imap::search::{
    Answers, Known, Place, Plan, Question, Reading, Scope, Signature, Signing, Verdict, Words, folded_header,
};
use imap::view::{Message, Snapshot, View};
use libfuzzer_sys::fuzz_target;
use types::mailstore::{Flags, MailboxId, ModSeq, Uid, UidValidity};
use types::{MailId, Timestamp};

const AT: Timestamp = Timestamp::from_millis(1_795_322_124_250);

/// A message, with so many octets of the delivery's own header.
struct Read<'m> {
    whole: &'m [u8],
    structure: Structure,
    delivery_bytes: u64,
}

impl Read<'_> {
    fn reading<'q>(&self, questions: &'q [Question], scope: Scope, signing: Signing) -> Reading<'q> {
        Reading::new(questions, scope, &self.structure, self.delivery_bytes, signing)
    }

    /// In pieces of a size.
    fn by(&self, questions: &[Question], size: usize) -> (Answers, Option<Vec<u8>>) {
        let mut reading = self.reading(questions, Scope::Content, Signing::On);
        self.whole.chunks(size).for_each(|piece| reading.feed(piece));
        reading.finish()
    }

    /// In pieces of a size, until nothing that comes matters.
    fn as_far_as_it_matters(&self, questions: &[Question], scope: Scope, size: usize) -> Answers {
        let mut reading = self.reading(questions, scope, Signing::Off);
        let mut pieces = self.whole.chunks(size);
        while !reading.is_done()
            && let Some(piece) = pieces.next()
        {
            reading.feed(piece);
        }
        reading.finish().0
    }
}

fuzz_target!(|octets: &[u8]| {
    // Sizes, the name of a field, what is looked for; NUL behind each text. Then the message.
    let Some(([size, delivery_bytes], rest)) = octets.split_first_chunk() else { return };
    let mut texts = rest.splitn(3, |octet| *octet == 0);
    let (Some(name), Some(text), Some(whole)) = (texts.next(), texts.next(), texts.next()) else { return };
    let (name, text) = (String::from_utf8_lossy(name), String::from_utf8_lossy(text));
    let size = usize::from(*size).max(1);
    let (delivery, message) = whole.split_at(usize::from(*delivery_bytes).min(whole.len()));
    let read = Read { whole, structure: Structure::of(message), delivery_bytes: delivery.len() as u64 };

    let (view, message) = mailbox(message.len() as u64);
    let keys = keys(&name, &text);
    let Ok(plan) = Plan::new(&SearchKey::And(keys.clone()), &view, AT) else { return };
    let questions = plan.questions();
    let (answers, signature) = read.by(questions, usize::MAX);
    assert_eq!(read.by(questions, size), (answers.clone(), signature.clone()));
    assert_eq!(read.by(questions, 1), (answers.clone(), signature.clone()));
    assert_eq!(read.as_far_as_it_matters(questions, Scope::Content, size), answers);
    let of_fields = read.as_far_as_it_matters(questions, Scope::Fields, size);
    for ((question, by_fields), answer) in questions.iter().zip(of_fields.0).zip(&answers.0) {
        let is_there = answer.expect("all of it was read");
        match question.place {
            Place::Fields(_) => assert_eq!(by_fields, Some(is_there), "{question:?}"),
            Place::Body | Place::Text => {
                assert!(by_fields.is_none_or(|found| found && is_there), "{question:?}")
            }
        }
    }

    let beside = folded_header(delivery);
    let signature = signature.expect("it was wanted");
    let signature = Signature::new(&signature, &beside);
    for key in &keys {
        let Ok(plan) = Plan::new(key, &view, AT) else { return };
        let [question] = plan.questions() else { continue };
        let at = questions.iter().position(|known| known == question).expect("it is one of all");
        let answer = Answers(vec![answers.0[at]]);
        let found = Known { answers: Some(&answer), ..Known::of(&message, 1) };
        let guessed = Known { words: Words::Signature(&signature), ..Known::of(&message, 1) };
        assert!(plan.judge(&guessed) != Verdict::No || plan.judge(&found) == Verdict::No, "{question:?}");
    }
});

/// Strings of different length in each place.
fn keys(name: &str, text: &str) -> Vec<SearchKey> {
    let half: String = text.chars().skip(text.chars().count() / 2).collect();
    let mut keys = vec![SearchKey::Header { name: name.to_owned(), value: String::new() }];
    for text in [text, &half] {
        keys.push(SearchKey::Header { name: name.to_owned(), value: text.to_owned() });
        keys.push(SearchKey::Body(text.to_owned()));
        keys.push(SearchKey::Text(text.to_owned()));
    }
    keys
}

/// A mailbox with one message.
fn mailbox(size_bytes: u64) -> (View, Message) {
    let message = Message {
        uid: Uid(1),
        flags: Flags::NONE,
        modseq: ModSeq(1),
        size_bytes,
        internal_date: AT,
        saved_at: AT,
        mail_id: MailId::new(AT, 1),
    };
    let keywords = Vec::new().into();
    let snapshot = Snapshot::new(MailboxId(1), UidValidity(1), Uid(2), ModSeq(1), keywords, &[message]);
    (View::new(snapshot.into()), message)
}
