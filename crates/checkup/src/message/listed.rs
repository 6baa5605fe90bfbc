//! What lists in the DNS say of where a message came from and whom it names (RFC 5782).

use mailauth::Names;
use mta::admission::authenticity::author_domains;

use super::Question;
use crate::lists::{self, Subject};
use crate::{Finding, Verdict};

pub(super) async fn check(names: &dyn Names, question: &Question<'_>) -> Vec<Finding> {
    let authors = author_domains(question.letter.header).unwrap_or_default();
    let authors = authors.iter().map(|domain| Subject::Domain(domain.ascii().to_owned()));
    let subjects: Vec<Subject> =
        question.arrival.ip.map(Subject::Address).into_iter().chain(authors).collect();
    let found = lists::check(names, question.lists, &subjects).await.into_iter().flatten();
    found
        .map(|finding| match finding.verdict {
            Verdict::Bad => finding.points(LISTED_POINTS),
            _ => finding,
        })
        .collect()
}

const LISTED_POINTS: f32 = 3.0;
