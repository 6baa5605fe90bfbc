//! Mailboxes over IMAP on real sockets: what one session does and others see, what is put into them, and whose they are.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/imap.rs"]
mod imap_client;

use common::TestNode;
use imap_client::{Answer, Imap};
use server::config::ByteSize;
use server::passwords::{self, SharedSecret};
use store::{AccountChange, Directory as _, Mailboxes as _};
use types::EventStep;
use types::directory::{AccountSettings, AccountStatus};

const MESSAGE: &[u8] = b"From: a@example.org\r\nSubject: hello\r\n\r\ntext\r\n";

/// Another session of the same account, with the same mailbox open.
async fn two(node: &TestNode) -> (Imap, Imap) {
    (Imap::inbox(node.imap).await, Imap::inbox(node.imap).await)
}

#[tokio::test]
async fn who_is_in_idle_hears_at_once_of_what_comes_changes_and_goes() {
    let node = TestNode::start(|_| {}).await;
    let (mut here, mut there) = two(&node).await;
    let tag = there.idle().await;
    node.deliver(MESSAGE).await;
    there.untagged("* 1 EXISTS").await;
    here.append("INBOX", r"(\Flagged) ", MESSAGE).await;
    there.untagged("* 2 EXISTS").await;
    here.ok(r"STORE 1 +FLAGS (\Deleted)").await;
    let flags = there.untagged("* 1 FETCH (").await;
    assert!(flags.contains(r"\Deleted"), "{flags}");
    let expunged = here.ok("EXPUNGE").await;
    assert!(expunged.has("* 1 EXPUNGE"), "{expunged:?}");
    there.untagged("* 1 EXPUNGE").await;
    let end = there.done(&tag).await;
    assert!(end.end.starts_with("OK") && end.lines.is_empty(), "{end:?}");
    let left = there.ok("FETCH 1:* (UID FLAGS)").await;
    assert_eq!(left.lines.len(), 1, "{left:?}");
    assert!(left.line("UID 2").contains(r"\Flagged"), "{left:?}");
    node.stop().await;
}

#[tokio::test]
async fn what_was_answered_to_one_session_is_seen_by_the_next_command_of_another() {
    let node = TestNode::start(|_| {}).await;
    let (mut here, mut there) = two(&node).await;
    for n in 1..=50 {
        here.append("INBOX", "", MESSAGE).await;
        let heard = there.ok("NOOP").await;
        assert!(heard.has(&format!("* {n} EXISTS")), "{n}: {heard:?}");
        here.ok(&format!(r"STORE {n} +FLAGS.SILENT (\Seen)")).await;
        let heard = there.ok("NOOP").await;
        assert!(heard.line(&format!("* {n} FETCH")).contains(r"\Seen"), "{n}: {heard:?}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_hundred_sessions_hear_of_one_message() {
    let node = TestNode::start(|_| {}).await;
    let mut sessions = Vec::new();
    for _ in 0..100 {
        let mut imap = Imap::inbox(node.imap).await;
        imap.idle().await;
        sessions.push(imap);
    }
    node.deliver(MESSAGE).await;
    for imap in &mut sessions {
        imap.untagged("* 1 EXISTS").await;
    }
    node.stop().await;
}

#[tokio::test]
async fn appended_messages_are_stored_as_they_came_with_their_flags_and_date() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::inbox(node.imap).await;
    let appended = imap.append("INBOX", r#"(\Seen $Forwarded) " 5-Jan-2020 10:11:12 +0100" "#, MESSAGE).await;
    assert!(appended.end.starts_with("OK [APPENDUID "), "{appended:?}");
    assert!(appended.has("* 1 EXISTS"), "{appended:?}");
    assert_eq!(node.last_message().await, MESSAGE);
    let fetched = imap.ok("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)").await;
    let line = fetched.line("* 1 FETCH");
    assert!(line.contains(r"\Seen") && line.contains("$Forwarded"), "{line}");
    assert!(line.contains(&format!("RFC822.SIZE {}", MESSAGE.len())), "{line}");
    assert!(line.contains("5-Jan-2020 ") && line.contains(":11:12 "), "{line}");
    let account = node.store().account("dev@localhost").await.unwrap().unwrap();
    let entry = &node.store().messages(account.inbox, None, 1).await.unwrap()[0];
    // 2020-01-05T09:11:12Z
    assert_eq!(entry.internal_date.seconds(), 1_578_215_472);
    imap.run("LOGOUT").await;
    imap.expect_end().await;
    let trace = node.trace().await;
    let stored = trace.iter().find(|event| event.step == EventStep::Stored).expect("it is traced");
    assert_eq!((stored.mail_id, stored.address.as_deref()), (Some(entry.mail_id), Some("dev@localhost")));
    node.stop().await;
}

#[tokio::test]
async fn several_messages_of_one_append_are_stored_together_or_not_at_all() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::inbox(node.imap).await;
    let size = MESSAGE.len();
    let text = std::str::from_utf8(MESSAGE).unwrap();
    let both = imap.run(&format!("APPEND INBOX {{{size}+}}\r\n{text} {{{size}+}}\r\n{text}")).await;
    assert!(both.end.starts_with("OK [APPENDUID ") && both.has("* 2 EXISTS"), "{both:?}");
    // The second one is malformed.
    let none = imap.run(&format!("APPEND INBOX {{{size}+}}\r\n{text} {{8+}}\r\na: b\n\nc\n")).await;
    assert!(!none.end.starts_with("OK"), "{none:?}");
    assert!(imap.ok("NOOP").await.lines.is_empty());
    assert_eq!(node.messages().await, 2);
    node.stop().await;
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_not_stored() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::inbox(node.imap).await;
    for octets in
        [&b"a: b\n\nc\r\n"[..], b"a: b\r\n\r\nc\rd\r\n", b"a: b\r\n\r\nc\0d\r\n", b"a: b\r\n\r\nc\r"]
    {
        let refused = imap.append("INBOX", "", octets).await;
        assert!(!refused.end.starts_with("OK"), "{}: {refused:?}", octets.escape_ascii());
    }
    assert_eq!(node.messages().await, 0);
    imap.append("INBOX", "", MESSAGE).await;
    assert_eq!(node.messages().await, 1);
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_before_it_is_sent_and_the_session_goes_on() {
    let node = TestNode::start(|config| config.imap.message_bytes_max = ByteSize(65_536)).await;
    let mut imap = Imap::inbox(node.imap).await;
    imap.ends("APPEND INBOX {65537}", "NO [TOOBIG]").await;
    let refused = imap.append("INBOX", "", &b"x".repeat(65_537)).await;
    assert!(refused.end.starts_with("NO [TOOBIG]"), "{refused:?}");
    let mut message = b"a: b\r\n\r\n".to_vec();
    message.resize(65_536, b'x');
    let taken = imap.append("INBOX", "", &message).await;
    assert!(taken.end.starts_with("OK"), "{taken:?}");
    assert_eq!(node.last_message().await, message);
    node.stop().await;
}

#[tokio::test]
async fn over_the_quota_nothing_is_appended_or_copied_and_what_goes_makes_room() {
    let node = TestNode::start(|_| {}).await;
    let account = node.store().account("dev@localhost").await.unwrap().unwrap();
    let settings = AccountSettings { quota_bytes: Some(100), ..account.settings };
    node.store().change_account(account.id, AccountChange::Settings(settings)).await.unwrap();
    let mut imap = Imap::inbox(node.imap).await;
    for _ in 0..2 {
        assert!(imap.append("INBOX", "", MESSAGE).await.end.starts_with("OK"));
    }
    let quota = imap.ok("GETQUOTAROOT INBOX").await;
    assert!(quota.has("STORAGE"), "{quota:?}");
    assert!(imap.append("INBOX", "", MESSAGE).await.end.starts_with("NO [OVERQUOTA]"));
    imap.ends("COPY 1 INBOX", "NO [OVERQUOTA]").await;
    imap.ok(r"STORE 1 +FLAGS (\Deleted)").await;
    imap.ok("EXPUNGE").await;
    assert!(imap.append("INBOX", "", MESSAGE).await.end.starts_with("OK"));
    node.stop().await;
}

#[tokio::test]
async fn sessions_that_append_and_copy_at_once_share_one_quota() {
    let node = TestNode::start(|_| {}).await;
    let account = node.store().account("dev@localhost").await.unwrap().unwrap();
    let settings = AccountSettings { quota_bytes: Some(100), ..account.settings };
    node.store().change_account(account.id, AccountChange::Settings(settings)).await.unwrap();
    let mut first = Imap::inbox(node.imap).await;
    assert!(first.append("INBOX", "", MESSAGE).await.end.starts_with("OK"));
    let mut sessions = Vec::new();
    for n in 0..8 {
        let mut imap = Imap::inbox(node.imap).await;
        sessions.push(tokio::spawn(async move {
            if n % 2 == 0 { imap.append("INBOX", "", MESSAGE).await } else { imap.run("COPY 1 INBOX").await }
        }));
    }
    let mut stored = 0;
    for session in sessions {
        let end = session.await.unwrap().end;
        assert!(end.starts_with("OK") || end.starts_with("NO [OVERQUOTA]"), "{end}");
        stored += usize::from(end.starts_with("OK"));
    }
    assert_eq!((stored, node.messages().await), (1, 2));
    node.stop().await;
}

/// HIGHESTMODSEQ of an answer.
fn highest_modseq(answer: &Answer) -> u64 {
    let text = answer.lines.join(" ");
    let (_, rest) = text.split_once("HIGHESTMODSEQ ").expect("it is told");
    rest.split([']', ')', ' ']).next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn annotations_of_a_mailbox_raise_its_modification_sequence_alone() {
    // RFC 7162 §3.2.
    let node = TestNode::start(|_| {}).await;
    let (mut here, mut there) = two(&node).await;
    here.append("INBOX", "", MESSAGE).await;
    let status = |name: &str| format!("STATUS {name} (HIGHESTMODSEQ)");
    let before = highest_modseq(&here.ok(&status("INBOX")).await);
    let others = highest_modseq(&here.ok(&status("Sent")).await);
    here.ok("SETMETADATA INBOX (/private/comment \"one\")").await;
    assert_eq!(highest_modseq(&here.ok(&status("INBOX")).await), before + 1);
    // Nothing is otherwise by it; nor by what is of another mailbox, or of none.
    here.ok("SETMETADATA INBOX (/private/comment \"one\")").await;
    here.ok("SETMETADATA \"\" (/private/comment \"of the account\")").await;
    assert_eq!(highest_modseq(&here.ok(&status("INBOX")).await), before + 1);
    assert_eq!(highest_modseq(&here.ok(&status("Sent")).await), others);
    here.ok("SETMETADATA INBOX (/private/comment NIL)").await;
    // Who has it open is told of the message alone, and goes on from there.
    let heard = there.ok("NOOP").await;
    assert_eq!(heard.lines, ["* 1 EXISTS"]);
    let selected = there.ok("SELECT INBOX (CONDSTORE)").await;
    assert_eq!(highest_modseq(&selected), before + 2, "{selected:?}");
    let stored = there.ok(r"STORE 1 +FLAGS (\Seen)").await;
    assert!(stored.line("* 1 FETCH").contains(&format!("MODSEQ ({})", before + 3)), "{stored:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_transfer_encoding_that_is_not_known_is_unknown_cte() {
    // RFC 3516 §4.3 and §4.4.
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::inbox(node.imap).await;
    let encoded = b"Subject: x\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\ntext\r\n";
    imap.append("INBOX", "", encoded).await;
    for item in ["BINARY.PEEK[1]", "BINARY[1]", "BINARY.SIZE[1]"] {
        imap.ends(&format!("FETCH 1 ({item})"), "NO [UNKNOWN-CTE]").await;
    }
    let shown = imap.ok("FETCH 1 BODY.PEEK[1]").await;
    assert!(shown.line("* 1 FETCH").contains("text"), "{shown:?}");
    let with_nul = b"Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\r\n";
    let refused = imap.append("INBOX", "~", with_nul).await;
    assert!(refused.end.starts_with("NO [UNKNOWN-CTE]"), "{refused:?}");
    // Nothing of it is kept, and the session goes on.
    let status = imap.ok("STATUS INBOX (MESSAGES)").await;
    assert!(status.line("STATUS").contains("MESSAGES 1"), "{status:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_preview_that_is_known_is_answered_to_lazy() {
    // RFC 8970 §4.1.
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::inbox(node.imap).await;
    node.deliver(MESSAGE).await;
    imap.ok("NOOP").await;
    imap.ok("FETCH 1 (PREVIEW)").await;
    let known = imap.ok("FETCH 1 (PREVIEW (LAZY))").await;
    assert!(known.line("* 1 FETCH").contains("PREVIEW \"text\""), "{known:?}");
    node.stop().await;
}

#[tokio::test]
async fn who_is_in_idle_is_sent_away_when_the_account_is_disabled() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::inbox(node.imap).await;
    imap.idle().await;
    let account = node.store().account("dev@localhost").await.unwrap().unwrap();
    let status = AccountStatus::Disabled { reason: "a test".into() };
    let settings = AccountSettings { status, ..account.settings };
    node.store().change_account(account.id, AccountChange::Settings(settings)).await.unwrap();
    imap.untagged("* BYE").await;
    imap.expect_end().await;
    node.stop().await;
}

#[tokio::test]
async fn rename_makes_no_more_mailboxes_than_create() {
    // INBOX and the five that an account begins with.
    let node = TestNode::start(|config| config.imap.mailboxes_max = 10).await;
    let mut imap = Imap::login(node.imap).await;
    for name in ["a", "b", "c", "d"] {
        imap.ok(&format!("RENAME INBOX {name}")).await;
    }
    imap.ends("RENAME INBOX e", "NO [LIMIT]").await;
    imap.ends("RENAME a b/c/d", "NO [LIMIT]").await;
    imap.ends("CREATE e", "NO [LIMIT]").await;
    // One goes, one comes.
    imap.ok("RENAME a b/e").await;
    imap.ok("DELETE c").await;
    imap.ok("CREATE b/f").await;
    node.stop().await;
}

#[tokio::test]
async fn mailboxes_are_made_renamed_filled_and_removed() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::inbox(node.imap).await;
    imap.append("INBOX", "", MESSAGE).await;
    imap.append("INBOX", "(keyword) ", MESSAGE).await;
    imap.ok("CREATE Work/2026/May").await;
    let listed = imap.ok("LIST \"\" Work*").await;
    assert_eq!(listed.lines.len(), 3, "{listed:?}");
    imap.ends("CREATE Work/2026", "NO [ALREADYEXISTS]").await;
    let copied = imap.ok("COPY 1:2 Work/2026").await;
    assert!(copied.end.contains("COPYUID "), "{copied:?}");
    let moved = imap.ok("MOVE 2 Work").await;
    assert!(moved.has("COPYUID ") && moved.has("* 2 EXPUNGE"), "{moved:?}");
    let status = imap.ok("STATUS Work/2026 (MESSAGES UNSEEN UIDNEXT SIZE)").await;
    let size = 2 * MESSAGE.len();
    assert!(status.line("STATUS").contains("MESSAGES 2"), "{status:?}");
    assert!(status.line("STATUS").contains(&format!("SIZE {size}")), "{status:?}");
    imap.ok("RENAME Work/2026 Done").await;
    imap.ok("SELECT Done").await;
    let fetched = imap.ok("FETCH 1:* FLAGS").await;
    assert!(fetched.line("* 2 FETCH").contains("keyword"), "{fetched:?}");
    imap.ok("UNSELECT").await;
    imap.ok("DELETE Done").await;
    imap.ends("SELECT Done", "NO").await;
    imap.ends("DELETE Done", "NO [HASCHILDREN]").await;
    imap.ok("DELETE Done/May").await;
    imap.ends("DELETE Done", "NO [NONEXISTENT]").await;
    imap.ends("COPY 1 INBOX", "BAD").await;
    imap.ends("DELETE INBOX", "NO").await;
    node.stop().await;
}

#[tokio::test]
async fn a_session_in_a_mailbox_that_is_removed_by_another_ends() {
    let node = TestNode::start(|_| {}).await;
    let (mut here, mut there) = two(&node).await;
    here.ok("CREATE Gone").await;
    there.ok("SELECT Gone").await;
    there.idle().await;
    here.ok("DELETE Gone").await;
    there.untagged("* BYE").await;
    there.expect_end().await;
    node.stop().await;
}

#[tokio::test]
async fn a_large_message_is_fetched_in_pieces_from_anywhere() {
    let node = TestNode::start(|_| {}).await;
    let mut message = b"Subject: large\r\n\r\n".to_vec();
    for n in 0..40_000 {
        message.extend_from_slice(format!("{n:08} abcdefghijklmnopqrstuvwxyz 0123456789\r\n").as_bytes());
    }
    let mut imap = Imap::inbox(node.imap).await;
    assert!(imap.append("INBOX", "", &message).await.end.starts_with("OK"));
    let at = |from: usize, len: usize| message[from..(from + len).min(message.len())].to_vec();
    // In order, overlapping, backwards, past the end.
    for (from, len) in
        [(0, 65_536), (65_536, 65_536), (100_000, 7), (5, 20), (1_800_000, 500_000), (9_000_000, 5)]
    {
        let fetched = imap.ok(&format!("FETCH 1 BODY.PEEK[]<{from}.{len}>")).await;
        let expected = if from < message.len() { at(from, len) } else { Vec::new() };
        let line = fetched.line(&format!("BODY[]<{from}>"));
        assert!(line.contains(std::str::from_utf8(&expected).unwrap()), "{from} {len}");
        assert!(line.len() < expected.len() + 100, "{from} {len}: {} octets", line.len());
    }
    node.stop().await;
}

#[tokio::test]
async fn no_name_leads_to_the_mail_of_another_account() {
    let node = TestNode::start(|_| {}).await;
    node.add("eve@localhost", passwords::credentials("pencil", SharedSecret::Keep).unwrap()).await;
    let mut dev = Imap::inbox(node.imap).await;
    dev.ok("CREATE Secret").await;
    dev.append("Secret", "", MESSAGE).await;
    let mut eve = Imap::login_as(node.imap, "eve@localhost", "pencil").await;
    let listed = eve.ok("LIST \"\" *").await;
    assert!(!listed.has("Secret"), "{listed:?}");
    for name in
        ["Secret", "dev@localhost/Secret", "user/dev@localhost/Secret", "../1/Secret", "#1", "~dev/Secret"]
    {
        eve.ends(&format!("SELECT \"{name}\""), "NO").await;
        eve.ends(&format!("STATUS \"{name}\" (MESSAGES)"), "NO").await;
        eve.ends(&format!("RENAME \"{name}\" Mine"), "NO").await;
        eve.ends(&format!("DELETE \"{name}\""), "NO").await;
        eve.ends(&format!("GETMETADATA \"{name}\" /private/comment"), "NO").await;
        let refused = eve.append(&format!("\"{name}\""), "", MESSAGE).await;
        assert!(refused.end.starts_with("NO"), "{name}: {refused:?}");
    }
    eve.ok("SELECT INBOX").await;
    eve.append("INBOX", "", MESSAGE).await;
    eve.ends("COPY 1 Secret", "NO [TRYCREATE]").await;
    let url = "APPEND INBOX CATENATE (URL \"/Secret/;UID=1\")";
    eve.ends(url, "NO [BADURL").await;
    // Nor does what eve does reach the other's sessions.
    assert!(dev.ok("NOOP").await.lines.is_empty());
    let kept = dev.ok("STATUS Secret (MESSAGES)").await;
    assert!(kept.has("MESSAGES 1"), "{kept:?}");
    node.stop().await;
}

#[tokio::test]
async fn other_mailboxes_are_told_of_where_notify_asks_for_it() {
    let node = TestNode::start(|_| {}).await;
    let (mut here, mut there) = two(&node).await;
    there.ok("NOTIFY SET (PERSONAL (MailboxName SubscriptionChange MessageNew MessageExpunge))").await;
    let tag = there.idle().await;
    here.ok("CREATE New").await;
    let created = there.line().await;
    assert!(created.starts_with("* LIST ") && created.contains("New"), "{created}");
    here.append("New", "", MESSAGE).await;
    let status = there.untagged("* STATUS ").await;
    assert!(status.contains("New") && status.contains("MESSAGES 1"), "{status}");
    there.done(&tag).await;
    // RFC 5465 §5: not of what the session did itself, and of what is below a renamed mailbox neither.
    there.ok("CREATE Own/below").await;
    there.ok("RENAME Own Mine").await;
    there.ok("SUBSCRIBE Mine").await;
    there.ok("DELETE New").await;
    let tag = there.idle().await;
    here.ok("RENAME Mine Theirs").await;
    let renamed = there.untagged("* LIST ").await;
    assert_eq!(renamed, "* LIST (\\HasChildren) \"/\" Theirs (\"OLDNAME\" (Mine))");
    here.ok("CREATE Last").await;
    let told = there.untagged("* LIST ").await;
    assert!(told.contains("Last"), "{told}");
    there.done(&tag).await;
    node.stop().await;
}

#[tokio::test]
async fn parts_and_fields_of_messages_are_taken_by_url() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::inbox(node.imap).await;
    imap.append("INBOX", "", MESSAGE).await;
    imap.ok(
        "APPEND INBOX CATENATE (URL \"/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20(SUBJECT)\" \
         URL \"/INBOX/;UID=1/;SECTION=TEXT/;PARTIAL=0.2\" \
         URL \"/INBOX/;UID=1/;SECTION=HEADER.FIELDS.NOT%20(SUBJECT)/;PARTIAL=6.13\" URL \"/INBOX/;UID=1/;SECTION=TEXT/;PARTIAL=2\")",
    )
    .await;
    let fetched = imap.ok("FETCH 2 BODY[]").await;
    assert!(fetched.line("BODY[]").contains("Subject: hello\r\n\r\ntea@example.orgxt\r\n"), "{fetched:?}");
    node.stop().await;
}

#[tokio::test]
async fn what_is_in_a_mailbox_is_the_same_after_a_restart() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::inbox(node.imap).await;
    imap.ok("CREATE Kept").await;
    imap.append("Kept", r"(\Flagged one two) ", MESSAGE).await;
    let look = "STATUS Kept (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID)";
    let before = imap.ok(look).await.line("* STATUS").to_owned();
    let node = node.restart(|_| {}).await;
    let mut imap = Imap::login(node.imap).await;
    assert_eq!(imap.ok(look).await.lines, [before]);
    imap.ok("SELECT Kept").await;
    let fetched = imap.ok("FETCH 1 FLAGS").await;
    let line = fetched.line("* 1 FETCH");
    assert!(line.contains(r"\Flagged") && line.contains("one") && line.contains("two"), "{line}");
    node.stop().await;
}
