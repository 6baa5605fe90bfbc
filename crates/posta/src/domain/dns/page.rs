//! Records and findings for people.

use checkup::records::{Checked, Facts, Mail, Place, State, WantedRecord, for_people, policy_file};
use checkup::{Topic, Verdict};

use crate::terminal;
use crate::trace::draw::{GREEN, Paint, RED, YELLOW, width, wrap};

/// Where the sentence begins behind the word.
const INDENT: usize = 11;

/// What is to be published, by topic: type and name, value, purpose.
pub(super) fn records(facts: &Facts, records: &[WantedRecord], notes: &[String]) -> String {
    let domain = for_people(&facts.domain);
    let mut lines = vec![format!("What the DNS should say of {domain}")];
    let mut topic = None;
    for record in records {
        head(&mut lines, &mut topic, record.topic);
        let place = match &record.place {
            Place::Domain => String::new(),
            Place::Host => ", in the zone of the host".to_owned(),
            Place::Addresses => ", in the zone of the address".to_owned(),
            Place::Reports(domain) => format!(", in the zone of {domain}"),
            Place::NotYet => ", not yet".to_owned(),
        };
        lines.push(format!("  {} {}  ({}{place})", record.data.kind(), record.name, record.need.word()));
        lines.push(format!("      {}", record.data.value()));
        lines.push(format!("      {}", record.purpose));
        lines.extend(record.remark.iter().map(|remark| format!("      note: {remark}")));
        if record.topic == Topic::MtaSts && facts.mail == Mail::Some {
            lines.push("      the file:".to_owned());
            lines.extend(policy_file(facts).lines().map(|line| format!("        {line}")));
        }
    }
    lines.push(String::new());
    lines.extend(notes.iter().map(|note| format!("note: {note}")));
    let name = facts.domain.as_str();
    lines.push(format!(
        "`posta domain dns {name} --zone` writes lines of a zone; `--check` tells which are there"
    ));
    safe(&lines)
}

/// What is there and what is not, by topic; a mend is one line, however long, so that it can be pasted.
pub(super) fn checks(domain: &str, checks: &[Checked], notes: &[String]) -> String {
    let (paint, width) = (Paint::of_stdout(), width().saturating_sub(INDENT));
    let mut lines = vec![format!("What the DNS says of {domain}")];
    let mut topic = None;
    let indent = " ".repeat(INDENT);
    for Checked { state, finding } in checks {
        head(&mut lines, &mut topic, finding.topic);
        let sentence = format!("{}: {}", finding.about, finding.says);
        for (number, line) in wrap(&terminal::line(&sentence), width).into_iter().enumerate() {
            let word = paint.paint(&format!("{:<7}", state.word()), colour(finding.verdict));
            lines.push(if number == 0 { format!("  {word}  {line}") } else { format!("{indent}{line}") });
        }
        let details = finding.details.iter().map(|detail| format!("{indent}  {}", terminal::line(detail)));
        lines.extend(details);
        lines.extend(finding.mend.iter().map(|mend| format!("{indent}> {}", terminal::line(mend))));
    }
    lines.push(String::new());
    lines.extend(notes.iter().map(|note| format!("note: {}", terminal::line(note))));
    lines.push(summary(checks));
    lines.join("\n") + "\n"
}

fn summary(checks: &[Checked]) -> String {
    let count = |state| checks.iter().filter(|checked| checked.state == state).count();
    let of = |verdict| checks.iter().filter(|checked| checked.finding.verdict == verdict).count();
    let then = match (of(Verdict::Bad), of(Verdict::Unknown)) {
        (0, 0) => "nothing of it costs mail".to_owned(),
        (0, _) if count(State::Unknown) == checks.len() => {
            "nothing could be found out: is there a network? --dns asks another name server".to_owned()
        }
        (0, _) => "nothing of what is known costs mail".to_owned(),
        (bad, _) => format!("{bad} of it cost mail"),
    };
    format!(
        "{} there, {} different, {} missing, {} unknown; {}",
        count(State::Matches),
        count(State::Differs),
        count(State::Missing),
        count(State::Unknown),
        then
    )
}

fn head(lines: &mut Vec<String>, last: &mut Option<Topic>, topic: Topic) {
    if *last != Some(topic) {
        *last = Some(topic);
        lines.extend([String::new(), topic.title().to_owned()]);
    }
}

const fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => GREEN,
        Verdict::Bad => RED,
        Verdict::Warning | Verdict::Unknown => YELLOW,
        Verdict::Notice => "",
    }
}

fn safe(lines: &[String]) -> String {
    lines.iter().map(|line| terminal::line(line).into_owned() + "\n").collect()
}
