"""Python's imaplib and poplib through most of what they know, and what they hide, over a bare socket."""

import imaplib
import poplib
import re
import threading

from harness import check, need
from imap_peers import idle_until, new_account
from imap_wire import flags_of, pairs, quoted, uid_set
from way_in import MESSAGE

PARTS = (
    b"From: =?utf-8?q?J=C3=BCrgen?= <j@wire.example>\r\nTo: b@wire.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Date: Tue, 2 Jun 2026 08:00:00 +0200\r\nMessage-ID: <parts@wire.example>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="x"\r\n\r\npreamble\r\n--x\r\n'
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"A needle in the gr=C3=BCn haystack.\r\n--x\r\n"
    b'Content-Type: application/octet-stream; name="data.bin"\r\nContent-Transfer-Encoding: base64\r\n'
    b'Content-Disposition: attachment; filename="data.bin"\r\n\r\naGVsbG8gd29ybGQ=\r\n--x--\r\n'
)


def library(account):
    client = imaplib.IMAP4("127.0.0.1", account.ports["imap"], timeout=30)
    client.login(account.user, account.password)
    return client


def good(answer):
    status, data = answer
    need(status == "OK", f"imaplib got {status} {data!r}")
    return data


@check
def imaplib_goes_through_folders(world):
    client = library(new_account(world, "lib1"))
    listed = b"\n".join(good(client.list()))
    for use in (rb"\Drafts", rb"\Sent", rb"\Junk", rb"\Trash"):
        need(use in listed, f"no folder for {use!r}: {listed!r}")
    need(good(client.namespace())[0].startswith(b'(("" '), "the namespace is another one")
    for name in ("Work", "Work/Deep/Deeper", '"with space"', "&AOQ-pfel", '"a&-b"'):
        good(client.create(name))
        need(client.create(name)[0] == "NO", f"{name} could be made twice")
        good(client.subscribe(name))
    need(b"Work/Deep/Deeper" in b"\n".join(good(client.list('""', '"Work/*"'))), "a deep folder is not listed")
    need(b"Deeper" not in b"\n".join(each or b"" for each in good(client.list('""', '"Work/%"'))), "% went deeper")
    need(b"&AOQ-pfel" in b"\n".join(good(client.lsub())), "a subscription is not listed")
    good(client.append("Work/Deep/Deeper", "", None, MESSAGE % b"deep"))
    good(client.rename("Work/Deep", "Else"))
    need(good(client.status("Else/Deeper", "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)"))[0].find(b"MESSAGES 1") > 0, "lost by RENAME")
    need(client.status("Work/Deep/Deeper", "(MESSAGES)")[0] == "NO", "the old name is still there")
    good(client.unsubscribe("Work"))
    good(client.delete("Else/Deeper"))
    need(client.select("Else/Deeper")[0] == "NO", "a deleted folder can be selected")
    need(client.delete("INBOX")[0] == "NO", "INBOX could be deleted")
    need(client.create('""')[0] in ("NO", "BAD"), "a folder without a name could be made")
    client.logout()


@check
def imaplib_goes_through_messages(world):
    account = new_account(world, "lib2")
    client = library(account)
    for number in range(10):
        good(client.append("INBOX", r"(\Seen)" if number % 2 else "", '"01-Jun-2026 10:00:00 +0200"', MESSAGE % b"lib %d" % number))
    good(client.append("INBOX", r"(\Flagged $Forwarded)", None, PARTS))
    need(good(client.select("INBOX")) == [b"11"], "not 11 messages")
    need(client.response("UIDVALIDITY")[1][0], "no UIDVALIDITY")
    need(good(client.search(None, "ALL"))[0].split() == [b"%d" % n for n in range(1, 12)], "SEARCH ALL is another")
    for criteria, found in (
        (("SEEN",), b"2 4 6 8 10"),
        (("UNSEEN", "UNFLAGGED"), b"1 3 5 7 9"),
        (("SUBJECT", '"lib 7"'), b"8"),
        (("HEADER", "Message-ID", "parts@"), b"11"),
        (("KEYWORD", "$Forwarded"), b"11"),
        (("BODY", "needle"), b"11"),
        (("OR", "1:2", "NOT", "1:10"), b"1 2 11"),
        (("SENTON", "2-Jun-2026"), b"11"),
        (("BEFORE", "2-Jun-2026"), b"1 2 3 4 5 6 7 8 9 10"),
        (("LARGER", "300"), b"11"),
        (("FROM", "nobody-at-all"), b""),
    ):
        need(good(client.search(None, *criteria))[0] == found, f"SEARCH {criteria}: {client.search(None, *criteria)}")
    client.literal = "grün".encode()
    need(good(client.search("UTF-8", "TEXT"))[0] == b"11", "TEXT in UTF-8 behind quoted-printable was not found")
    [(_, whole), _] = good(client.fetch("11", "(BODY.PEEK[])"))
    need(whole == PARTS, "BODY[] is not what was appended")
    structure = good(client.fetch("11", "(BODYSTRUCTURE)"))[0].lower()
    for word in (b'"text" "plain" ("charset" "utf-8")', b'"quoted-printable"', b'"mixed"', b'("filename" "data.bin")'):
        need(word in structure, f"{word!r} is not in {structure!r}")
    need(good(client.fetch("11", "(BODY.PEEK[2])"))[0][1] == b"aGVsbG8gd29ybGQ=", "part 2 is another one")
    need(good(client.fetch("11", "(BODY.PEEK[1.MIME])"))[0][1].startswith(b"Content-Type: text/plain"), "1.MIME is another one")
    need(good(client.fetch("11", "(BODY.PEEK[]<5.10>)"))[0][1] == PARTS[5:15], "a partial is another one")
    need(rb"\Seen" not in good(client.fetch("1", "(FLAGS)"))[0], "PEEK set \\Seen")
    good(client.fetch("1", "(BODY[TEXT])"))
    need(rb"\Seen" in good(client.fetch("1", "(FLAGS)"))[0], "BODY[TEXT] did not set \\Seen")
    need(b" 10:00:00 +0200" in good(client.fetch("1", "(INTERNALDATE)"))[0]
         or b" 08:00:00 +0000" in good(client.fetch("1", "(INTERNALDATE)"))[0], "the time of APPEND was lost")
    good(client.create("Copies"))
    good(client.copy("1:3", "Copies"))
    need(client.copy("1", "Nowhere")[0] == "NO", "COPY into nothing")
    good(client.store("2,4", "+FLAGS", r"(\Deleted)"))
    told = good(client.expunge())
    need(told in ([b"2", b"3"], [b"4", b"2"]), f"EXPUNGE of 2 and 4 told {told}")
    need(good(client.uid("SEARCH", None, "ALL"))[0] == b"1 3 5 6 7 8 9 10 11", "UIDs changed by EXPUNGE")
    good(client.uid("STORE", "5", "+FLAGS", r"(\Deleted)"))
    good(client.close())
    need(good(client.select("INBOX", readonly=True)) == [b"8"], "CLOSE did not expunge")
    client.store("1", "+FLAGS", r"(\Deleted)")
    need(good(client.search(None, "DELETED"))[0] == b"", "STORE after EXAMINE changed something")
    need(good(client.select("Copies")) == [b"3"], "COPY did not bring 3")
    sorted_ones = good(client.sort("(REVERSE SUBJECT)", "UTF-8", "ALL"))[0]
    need(sorted_ones == b"3 2 1", f"SORT gave {sorted_ones!r}")
    threads = good(client.thread("REFERENCES", "UTF-8", "ALL"))[0]
    need(re.sub(rb"[^0-9]+", b" ", threads).split() != [], f"THREAD gave {threads!r}")
    client.logout()


@check
def moved_and_copied_messages_are_told_by_UID(world):
    account = new_account(world, "uidplus")
    with account.imap() as client:
        uids = [client.append("INBOX", MESSAGE % b"move %d" % number) for number in range(6)]
        need(uids == sorted(set(uids)), f"UIDs do not ascend: {uids}")
        client.say(b"SELECT INBOX")
        copied = client.say(b"UID COPY %d:%d Archive" % (uids[0], uids[1])).code.split()
        need(copied[0] == b"COPYUID" and uid_set(copied[2]) == uids[:2] and len(uid_set(copied[3])) == 2, f"COPYUID {copied}")
        moved = client.say(b"UID MOVE %d:%d Archive" % (uids[2], uids[3]))
        told = moved.codes().get(b"COPYUID") or moved.code.partition(b" ")[2]
        need(uid_set(told.split()[1]) == uids[2:4], f"MOVE told {moved!r}")
        need([number for [number] in moved.named(b"EXPUNGE")] in ([3, 3], [4, 3]), f"MOVE told {moved!r}")
        client.say(b"SELECT Archive")
        there = [int(items[b"UID"]) for _, items in client.say(b"UID FETCH 1:* (FLAGS)").fetched()]
        need(there == uid_set(copied[3]) + uid_set(told.split()[2]), f"in the target are {there}")


@check
def another_sessions_changes_come_by_IDLE(world):
    account = new_account(world, "idle")
    with account.imap(b"INBOX") as watching, account.imap(b"INBOX") as acting:
        tag = watching.begin(b"IDLE")
        watching.continuation(tag)
        watching.socket.settimeout(20)
        acting.append("INBOX", MESSAGE % b"idle")
        told_until(watching, lambda data: data == [b"1", b"EXISTS"])
        acting.say(b"NOOP")
        acting.say(b"STORE 1 +FLAGS (\\Flagged)")
        told_until(watching, lambda data: data[1] == b"FETCH" and b"\\flagged" in flags_of(pairs(data[2])))
        acting.say(b"STORE 1 +FLAGS.SILENT (\\Deleted)")
        acting.say(b"EXPUNGE")
        told_until(watching, lambda data: data == [b"1", b"EXPUNGE"])
        watching.send(b"DONE\r\n")
        need(watching.end(tag).status == b"OK", "IDLE did not end")


def told_until(client, is_it):
    while not is_it(client.untagged()):
        pass


@check
def what_SMTP_delivers_is_told_by_IDLE(world):
    account = new_account(world, "idlesmtp")
    if account.server != "posta":
        return "not asked of another server"
    with account.imap(b"INBOX") as watching:
        deliver = threading.Timer(0.2, lambda: send(world, account.user.encode(), MESSAGE % b"by SMTP"))
        deliver.start()
        idle_until(watching, lambda came: [b"1", b"EXISTS"] in came, "a message was delivered")
        deliver.join()
        items = watching.say(b"FETCH 1 (BODY.PEEK[])").fetched()[0][1]
        need(items[b"BODY[]"].endswith(MESSAGE % b"by SMTP"), f"another message: {items!r}")
        with account.pop3() as maildrop:
            need(maildrop.retrieve(1) == items[b"BODY[]"], "POP3 gives other octets than IMAP")


def send(world, recipient, octets):
    with world.smtp() as smtp:
        smtp.envelope(recipient=recipient)
        need(smtp.data(octets)[0] == 250, "not accepted")


@check
def QRESYNC_tells_all_that_happened_meanwhile(world):
    account = new_account(world, "qresync")
    account.fill([MESSAGE % b"resync %d" % number for number in range(20)])
    with account.imap() as client:
        client.say(b"ENABLE QRESYNC")
        codes = client.say(b"SELECT INBOX").codes()
        validity, modseq = codes[b"UIDVALIDITY"], codes[b"HIGHESTMODSEQ"]
        client.logout()
    with account.imap(b"INBOX") as other:
        other.say(b"UID STORE 3,5 +FLAGS (\\Flagged)")
        other.say(b"UID STORE 7:9,20 +FLAGS (\\Deleted)")
        other.say(b"EXPUNGE")
        other.append("INBOX", MESSAGE % b"new")
        other.logout()
    with account.imap() as client:
        client.say(b"ENABLE QRESYNC")
        answer = client.say(b"SELECT INBOX (QRESYNC (%s %s 1:20))" % (validity, modseq))
        vanished = [each for each in answer.named(b"VANISHED") if each[0] == [b"EARLIER"]]
        gone = sorted(uid for each in vanished for uid in uid_set(each[1]))
        need(gone == [7, 8, 9, 20], f"VANISHED told {gone}: {answer!r}")
        changed = {int(items[b"UID"]): flags_of(items) for _, items in answer.fetched()}
        need(set(changed) - {21} == {3, 5} and b"\\flagged" in changed[3], f"changed were {changed}")
        need(int(answer.codes()[b"HIGHESTMODSEQ"]) > int(modseq), "HIGHESTMODSEQ did not grow")
        # A conditional STORE that lost the race says which ones it left.
        lost = client.ask(b"UID STORE 3,4 (UNCHANGEDSINCE %s) +FLAGS (\\Answered)" % modseq)
        need(lost.code.startswith(b"MODIFIED") and uid_set(lost.code.split()[1]) == [3], f"conditional STORE: {lost!r}")


@check
def searches_answer_as_extended_results(world):
    account = new_account(world, "esearch")
    account.fill([MESSAGE % b"es %d" % number for number in range(30)])
    with account.imap(b"INBOX") as client:
        answer = client.say(b"SEARCH RETURN (MIN MAX COUNT ALL) 5:10,20")
        [found] = answer.named(b"ESEARCH")
        values = dict(zip(found[1::2], found[2::2]))
        need(values.get(b"MIN") == b"5" and values.get(b"MAX") == b"20" and values.get(b"COUNT") == b"7", f"ESEARCH {found}")
        need(uid_set(values[b"ALL"]) == [5, 6, 7, 8, 9, 10, 20], f"ESEARCH {found}")
        client.say(b"SEARCH RETURN (SAVE) 3:4")
        need([number for number, _ in client.say(b"FETCH $ (UID)").fetched()] == [3, 4], "$ is something else")
        client.say(b"STORE $ +FLAGS.SILENT (\\Deleted)")
        client.say(b"EXPUNGE")
        need(client.say(b"FETCH $ (UID)").fetched() == [], "$ still has what was removed")


@check
def poplib_reads_the_same_mail_as_IMAP(world):
    account = new_account(world, "poplib")
    sent = [MESSAGE % b"pop %d" % number for number in range(5)] + [PARTS]
    account.fill(sent)
    client = poplib.POP3("127.0.0.1", account.ports["pop3"], timeout=30)
    client.user(account.user)
    client.pass_(account.password)
    need(client.stat() == (6, sum(map(len, sent))), f"STAT: {client.stat()}")
    uids = [line.split()[1] for line in client.uidl()[1]]
    need(len(set(uids)) == 6, f"UIDL: {uids}")
    for number, octets in enumerate(sent, 1):
        need(b"".join(line + b"\r\n" for line in client.retr(number)[1]) == octets, f"RETR {number} is another message")
    need(client.top(6, 0)[1][0] == PARTS.split(b"\r\n")[0], "TOP is another one")
    # IMAP removes one meanwhile; the maildrop's numbers stay as they were.
    with account.imap(b"INBOX") as other:
        other.say(b"STORE 2 +FLAGS (\\Deleted)")
        other.say(b"EXPUNGE")
    need(b"".join(line + b"\r\n" for line in client.retr(3)[1]) == sent[2], "RETR 3 is another message after an EXPUNGE")
    client.dele(1)
    client.quit()
    again = poplib.POP3("127.0.0.1", account.ports["pop3"], timeout=30)
    again.user(account.user)
    again.pass_(account.password)
    need([line.split()[1] for line in again.uidl()[1]] == uids[2:], "UIDL changed from one session to the next")
    again.quit()
    with account.imap(b"INBOX") as other:
        need(len(other.say(b"FETCH 1:* (UID)").fetched()) == 4, "POP3's DELE is not seen by IMAP")


@check
def capabilities_are_true_before_and_after_login(world):
    account = new_account(world, "caps")
    with account.imap() as client:
        after = client.capabilities()
        for name in (b"IMAP4REV1", b"IDLE", b"UIDPLUS", b"MOVE", b"CONDSTORE", b"QRESYNC", b"ESEARCH", b"SPECIAL-USE", b"SORT"):
            need(name in after, f"{name!r} is not offered: {sorted(after)}")
        if account.server == "posta":
            for name in (b"IMAP4REV2", b"LITERAL+", b"OBJECTID", b"UTF8=ACCEPT", b"COMPRESS=DEFLATE", b"UIDONLY", b"REPLACE"):
                need(name in after, f"{name!r} is not offered: {sorted(after)}")
        need(not client.say(b"ID NIL").named(b"BYE"), "ID ended the session")
        # Something of each that can be tried in a line.
        client.say(b'LIST (SUBSCRIBED) "" "*" RETURN (CHILDREN STATUS (MESSAGES UIDNEXT))')
        client.say(b'LIST (SPECIAL-USE) "" "*"')
        client.say(b"SELECT INBOX")
        client.say(b"UNSELECT")
        need(client.ask(b"SELECT " + quoted("no such folder")).status == b"NO", "a folder from nowhere")
        for bad in (b"FETCH", b"NOSUCHCOMMAND", b"FETCH 1 (NOSUCHITEM)", b"STORE 1 FLAGS", b'SELECT "INBOX'):
            need(client.ask(bad).status == b"BAD", f"{bad!r} is not BAD")
        client.say(b"NOOP")
        client.logout()
