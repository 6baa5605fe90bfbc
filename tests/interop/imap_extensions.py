"""Extensions that no program of the checks uses, each by the example of its RFC: asked of Posta alone."""

import re

from harness import Skipped, check, need
from imap_peers import AGAINST, new_account
from imap_wire import flags_of, pairs, uid_set
from way_in import MESSAGE


def posta(world, name):
    if AGAINST != "posta":
        raise Skipped("not asked of another server")
    return new_account(world, name)


@check
def NOTIFY_tells_of_other_folders(world):
    account = posta(world, "notify")
    with account.imap(b"INBOX") as client, account.imap() as other:
        # RFC 5465 §5: with STATUS the state of each folder comes at once.
        told = client.say(b"NOTIFY SET STATUS (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange)) "
                          b"(personal (MessageNew MessageExpunge MailboxName))")
        need(b"Archive" in [each[0] for each in told.named(b"STATUS")], f"no STATUS of Archive: {told!r}")
        client.socket.settimeout(20)
        other.append("Archive", MESSAGE % b"elsewhere")
        while True:
            data = client.untagged()
            if data[0] == b"STATUS" and data[1] == b"Archive":
                need(pairs(data[2]).get(b"MESSAGES") == b"1", f"STATUS told {data}")
                break
        other.say(b"CREATE Fresh")
        while client.untagged()[0] != b"LIST":
            pass
        # A new message of the selected folder comes with what was asked for.
        other.append("INBOX", MESSAGE % b"here", b"(\\Flagged)")
        data = client.untagged()
        while data[1] != b"FETCH":
            data = client.untagged()
        items = pairs(data[2])
        need(b"UID" in items and b"\\flagged" in flags_of(items), f"FETCH told {data}")
        client.say(b"NOTIFY NONE")


@check
def UIDONLY_has_no_sequence_numbers(world):
    account = posta(world, "uidonly")
    account.fill([MESSAGE % b"u %d" % number for number in range(5)])
    with account.imap() as client:
        client.say(b"ENABLE UIDONLY")
        client.say(b"SELECT INBOX")
        answer = client.say(b"UID FETCH 2:3 (FLAGS)")
        need([row[0] for row in answer.named(b"UIDFETCH")] == [2, 3], f"UID FETCH told {answer!r}")
        refused = client.ask(b"FETCH 1 (FLAGS)")
        need(refused.status == b"BAD" and refused.code == b"UIDREQUIRED", f"FETCH by number: {refused!r}")
        client.say(b"UID STORE 2 +FLAGS.SILENT (\\Deleted)")
        gone = client.say(b"UID EXPUNGE 2")
        need([uid_set(row[-1]) for row in gone.named(b"VANISHED")] == [[2]], f"UID EXPUNGE told {gone!r}")


@check
def PARTIAL_gives_a_page_of_results(world):
    account = posta(world, "partial")
    account.fill([MESSAGE % b"p %d" % number for number in range(30)])
    with account.imap(b"INBOX") as client:
        for asked, wanted in ((b"1:10", list(range(1, 11))), (b"-1:-5", [26, 27, 28, 29, 30]), (b"25:40", [25, 26, 27, 28, 29, 30])):
            [found] = client.say(b"UID SEARCH RETURN (PARTIAL %s) ALL" % asked).named(b"ESEARCH")
            page = found[found.index(b"PARTIAL") + 1]
            need(page[0] == asked and sorted(uid_set(page[1])) == wanted, f"PARTIAL {asked!r} gave {found}")
        rows = client.say(b"UID FETCH 1:* (FLAGS) (PARTIAL -1:-3)").fetched()
        need(sorted(int(items[b"UID"]) for _, items in rows) == [28, 29, 30], f"FETCH PARTIAL gave {rows}")


@check
def REPLACE_puts_a_draft_in_the_place_of_another(world):
    account = posta(world, "replace")
    with account.imap(b"Drafts") as client:
        uid = client.append("Drafts", MESSAGE % b"draft 1", b"(\\Draft)")
        answer = client.say(b"UID REPLACE %d Drafts (\\Draft \\Seen)" % uid, MESSAGE % b"draft 2")
        code = answer.code or b" ".join(answer.codes())
        need(code.startswith(b"APPENDUID") or b"APPENDUID" in answer.codes(), f"REPLACE told {answer!r}")
        rows = client.say(b"UID FETCH 1:* (BODY.PEEK[])").fetched()
        need([items[b"BODY[]"] for _, items in rows] == [MESSAGE % b"draft 2"], f"in Drafts are {rows}")
        need(int(rows[0][1][b"UID"]) > uid, "the new draft has no new UID")
        tag = client.begin(b"UID REPLACE 4000 Drafts {%d+}\r\n%s" % (len(MESSAGE % b"x"), MESSAGE % b"x"))
        need(client.end(tag).status == b"NO", "a message that is not there was replaced")


@check
def several_messages_of_one_APPEND_come_together_or_not_at_all(world):
    account = posta(world, "multiappend")
    one, two = MESSAGE % b"one", MESSAGE % b"two"
    with account.imap(b"INBOX") as client:
        tag = client.begin(b"APPEND INBOX (\\Seen) {%d+}\r\n%s (\\Flagged) {%d+}\r\n%s" % (len(one), one, len(two), two))
        answer = client.end(tag)
        need(answer.status == b"OK" and len(uid_set(answer.code.split()[2])) == 2, f"MULTIAPPEND told {answer!r}")
        broken = b"Subject: NUL\r\n\r\n\0\r\n"
        tag = client.begin(b"APPEND INBOX {%d+}\r\n%s {%d+}\r\n%s" % (len(one), one, len(broken), broken))
        need(client.end(tag).status in (b"NO", b"BAD"), "a message with NUL was taken")
        need(len(client.say(b"UID SEARCH ALL").named(b"SEARCH")[0]) == 2, "half of an APPEND is there")


@check
def CATENATE_makes_a_message_of_parts_of_others(world):
    account = posta(world, "catenate")
    with account.imap(b"INBOX") as client:
        uid = client.append("INBOX", MESSAGE % b"source")
        head = b"Subject: made of parts\r\n\r\n"
        tag = client.begin(
            b'APPEND Drafts (\\Draft) CATENATE (TEXT {%d+}\r\n%s URL "/INBOX/;UID=%d/;SECTION=TEXT")' % (len(head), head, uid)
        )
        answer = client.end(tag)
        need(answer.status == b"OK", f"CATENATE told {answer!r}")
        client.say(b"SELECT Drafts")
        items = client.say(b"FETCH 1 (BODY.PEEK[])").fetched()[0][1]
        need(items[b"BODY[]"] == head + (MESSAGE % b"source").partition(b"\r\n\r\n")[2], f"it became {items}")
        tag = client.begin(b'APPEND Drafts CATENATE (URL "/INBOX/;UID=4000")')
        refused = client.end(tag)
        need(refused.status == b"NO" and refused.code.startswith(b"BADURL"), f"a URL from nowhere: {refused!r}")


@check
def ids_of_objects_stay_when_names_change(world):
    account = posta(world, "objectid")
    with account.imap() as client:
        made = client.say(b"CREATE Before").code
        need(re.fullmatch(rb"MAILBOXID \([A-Za-z0-9_-]{1,255}\)", made), f"CREATE told {made!r}")
        uid = client.append("Before", MESSAGE % b"id")
        client.say(b"RENAME Before After")
        answer = client.say(b"SELECT After")
        need(b"MAILBOXID " + answer.codes()[b"MAILBOXID"] == made, f"SELECT told {answer!r}")
        email = client.say(b"UID FETCH %d (EMAILID SAVEDATE)" % uid).fetched()[0][1]
        copied = client.say(b"UID COPY %d INBOX" % uid).code.split()
        client.say(b"SELECT INBOX")
        again = client.say(b"UID FETCH %s (EMAILID)" % copied[3]).fetched()[0][1]
        need(email[b"EMAILID"] == again[b"EMAILID"], f"a copy has another EMAILID: {email} and {again}")
        need(len(client.say(b"SEARCH EMAILID " + email[b"EMAILID"][0]).named(b"SEARCH")[0]) == 1, "not found by EMAILID")


@check
def a_quota_is_told_and_kept_by_APPEND_and_COPY(world):
    account = posta(world, "quota")
    done = world.server.run("account", "set", account.user, "--quota", "100KiB", text=True)
    need(done.returncode == 0, f"posta account set: {done.stderr}")
    large = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 800
    with account.imap(b"INBOX") as client:
        client.append("INBOX", large)
        told = client.say(b"GETQUOTAROOT INBOX").named(b"QUOTA")
        resources = {tuple(row[1][at : at + 3]) for row in told for at in range(0, len(row[1]), 3)}
        storage = [(int(used), int(limit)) for name, used, limit in resources if name == b"STORAGE"]
        need(storage and storage[0][1] == 100 and 50 <= storage[0][0] <= 60, f"QUOTA told {told}")
        for command in (b"APPEND", b"COPY"):
            answer = client.ask(b"COPY 1 Archive") if command == b"COPY" else client.ask(b"APPEND INBOX {%d+}\r\n%s" % (len(large), large))
            need(answer.status == b"NO" and answer.code == b"OVERQUOTA", f"{command!r} over the quota: {answer!r}")
        client.say(b"STORE 1 +FLAGS (\\Deleted)")
        client.say(b"EXPUNGE")
        client.append("INBOX", large)


@check
def METADATA_and_PREVIEW_and_BINARY(world):
    account = posta(world, "metadata")
    with account.imap(b"INBOX") as client:
        client.say(b'SETMETADATA INBOX (/private/comment "my own")')
        told = client.say(b"GETMETADATA INBOX /private/comment").named(b"METADATA")
        need(told == [[b"INBOX", [b"/private/comment", b"my own"]]], f"METADATA told {told}")
        encoded = (
            b"Subject: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            b"SGVsbG8gZnJvbSBiYXNlNjQuDQo=\r\n"
        )
        client.append("INBOX", encoded)
        items = client.say(b"FETCH 1 (PREVIEW BINARY.PEEK[1] BINARY.SIZE[1])").fetched()[0][1]
        need(items[b"PREVIEW"] == b"Hello from base64.", f"PREVIEW is {items}")
        need(items[b"BINARY[1]"] == b"Hello from base64.\r\n" and items[b"BINARY.SIZE[1]"] == b"20", f"BINARY is {items}")
