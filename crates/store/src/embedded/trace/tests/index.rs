//! Indices: they find what reading everything finds, and where they are of no use everything is read.

use super::*;

/// Sessions with a message each, which another session passes on later; in small files.
fn traced(folder: &Path) -> Journal {
    let options = TraceOptions { file_bytes: 2048, ..TraceOptions::default() };
    let journal = journal(folder, options);
    for n in 0..60 {
        let of_mail = |n: u64, by: u64, reason: &str| Event {
            mail_id: Some(mail(n)),
            session_id: session(by),
            ..event(by, reason)
        };
        let mut events = vec![event(n, "in"), of_mail(n, n, "stored"), event(n, "out")];
        if n >= 20 {
            events.push(of_mail(n - 20, 1000 + n / 30, "relayed"));
        }
        journal.record(&events);
        journal.flush().unwrap();
    }
    journal
}

fn mail(n: u64) -> MailId {
    MailId::new(Timestamp::from_millis(NOON + n), 1 << 40 | n)
}

fn by_id(journal: &Journal, id: MailId) -> Vec<Event> {
    query::run(&journal.snapshot().unwrap(), &TraceQuery { id: Some(id), ..TraceQuery::default() })
}

fn all_ids() -> Vec<MailId> {
    (0..62).flat_map(|n| [mail(n), session(n), session(1000 + n)]).collect()
}

fn indices(folder: &Path) -> Vec<PathBuf> {
    named(folder, "index")
}

fn make_indices(journal: &Journal) {
    while journal.index_next() {}
}

#[test]
fn what_an_index_finds_is_what_reading_everything_finds() {
    let folder = tempfile::tempdir().unwrap();
    let journal = traced(folder.path());
    let before: Vec<_> = all_ids().into_iter().map(|id| by_id(&journal, id)).collect();
    assert_eq!(before.iter().filter(|events| !events.is_empty()).count(), 122);
    assert_eq!(indices(folder.path()).len(), 0);
    make_indices(&journal);
    assert_eq!(indices(folder.path()).len(), files(folder.path()).len() - 1);
    let after: Vec<_> = all_ids().into_iter().map(|id| by_id(&journal, id)).collect();
    assert_eq!(before, after);
    // The address is not in the index.
    assert_eq!(newest(&journal, 1000).len(), 220);
}

#[test]
fn with_an_index_only_those_frames_are_read_that_have_the_id() {
    let folder = tempfile::tempdir().unwrap();
    let journal = traced(folder.path());
    make_indices(&journal);
    let first = &files(folder.path())[0];
    let octets = std::fs::read(first).unwrap();
    let (mut untouched, mut missing) = (0, 0);
    // The frame of each message is damaged in turn.
    let mut at = frame::FILE_HEADER_BYTES as usize;
    while at < octets.len() {
        let length = u32::from_le_bytes(octets[at + 8..at + 12].try_into().unwrap()) as usize;
        let mut damaged = octets.clone();
        damaged[at + frame::FRAME_HEADER_BYTES + length / 2] ^= 1;
        std::fs::write(first, &damaged).unwrap();
        let found = by_id(&journal, mail(0));
        match found.iter().filter(|event| event.step == EventStep::Gap).count() {
            0 => untouched += 1,
            _ => missing += 1,
        }
        at += frame::FRAME_HEADER_BYTES + length;
    }
    assert_eq!(missing, 1);
    assert!(untouched > 3, "{untouched}");
}

#[test]
fn an_index_that_is_damaged_is_not_believed_and_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let journal_before = traced(folder.path());
    make_indices(&journal_before);
    let expected = [by_id(&journal_before, mail(0)), by_id(&journal_before, session(1))];
    assert_eq!(expected.each_ref().map(Vec::len), [4, 3]);
    let first = &indices(folder.path())[0];
    let octets = std::fs::read(first).unwrap();
    let damages = (0..octets.len()).map(|at| {
        let mut damaged = octets.clone();
        damaged[at] ^= 0x5A;
        damaged
    });
    let cuts = (0..octets.len()).map(|end| octets[..end].to_vec());
    for (number, damaged) in damages.chain(cuts).enumerate() {
        std::fs::write(first, &damaged).unwrap();
        let journal = journal(folder.path(), TraceOptions::default());
        let found = [by_id(&journal, mail(0)), by_id(&journal, session(1))];
        assert_eq!(found, expected, "damage {number}");
        if number % 16 == 0 {
            make_indices(&journal);
            assert_eq!(std::fs::read(first).unwrap(), octets, "damage {number}");
        }
    }
}

#[test]
fn a_file_of_which_not_all_can_be_read_gets_no_index() {
    let folder = tempfile::tempdir().unwrap();
    drop(traced(folder.path()));
    let first = &files(folder.path())[0];
    let mut octets = std::fs::read(first).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    std::fs::write(first, &octets).unwrap();
    let journal = journal(folder.path(), TraceOptions::default());
    let before = by_id(&journal, mail(0));
    assert!(before.iter().any(|event| event.step == EventStep::Gap));
    make_indices(&journal);
    assert_eq!(indices(folder.path()).len(), files(folder.path()).len() - 2);
    assert_eq!(by_id(&journal, mail(0)), before, "what is missing is said as before");
}

#[test]
fn gaps_are_found_by_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let options = TraceOptions { queue_bytes_max: 8000, file_bytes: 4096, ..TraceOptions::default() };
    let journal = journal(folder.path(), options);
    for n in 0..200 {
        journal.record(&[event(5, &format!("event {n} of some length"))]);
    }
    journal.flush().unwrap();
    journal.record(&[event(5, "after"), event(6, &"x".repeat(900))]);
    journal.flush().unwrap();
    let before = by_id(&journal, session(5));
    make_indices(&journal);
    assert!(!indices(folder.path()).is_empty());
    assert_eq!(before.iter().filter(|event| event.step == EventStep::Gap).count(), 1);
    assert_eq!(by_id(&journal, session(5)), before);
}

#[test]
fn indices_go_with_their_files_and_count_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let options = TraceOptions { file_bytes: 2048, bytes_max: 12_000, ..TraceOptions::default() };
    let journal = journal(folder.path(), options);
    for n in 0..300 {
        journal.record(&[event(n, &"x".repeat(100))]);
        journal.flush().unwrap();
        make_indices(&journal);
    }
    let (traces, indices) = (files(folder.path()), indices(folder.path()));
    let stems = |paths: &[PathBuf]| -> Vec<_> {
        paths.iter().map(|path| path.file_stem().unwrap().to_owned()).collect()
    };
    assert_eq!(stems(&traces)[..traces.len() - 1], stems(&indices));
    let sizes: u64 = traces.iter().chain(&indices).map(|path| path.metadata().unwrap().len()).sum();
    assert!(traces.len() > 3 && sizes <= 12_000, "{} files, {sizes} octets", traces.len());
    assert_eq!(journal.stats().file_bytes, sizes);
}

#[test]
fn an_index_of_an_earlier_file_of_that_number_is_not_left() {
    let folder = tempfile::tempdir().unwrap();
    let first = traced(folder.path());
    make_indices(&first);
    drop(first);
    files(folder.path()).iter().for_each(|path| std::fs::remove_file(path).unwrap());
    let journal = traced(folder.path());
    let expected = by_id(&journal, mail(0));
    assert_eq!(expected.len(), 4);
    assert!(indices(folder.path()).is_empty());
    make_indices(&journal);
    assert_eq!(by_id(&journal, mail(0)), expected);
}
