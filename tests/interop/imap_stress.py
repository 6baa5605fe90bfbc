"""Several sessions change one folder at random at the same time, each against a model of what it was told.

What holds in every session at every moment: EXISTS never shrinks by itself, EXPUNGE comes only where it may and names
a message that is there, one sequence number is one UID until an EXPUNGE moves it, UIDs ascend, one UID is one message
forever, its MODSEQ never falls. In the end all sessions agree with a new one, and every message that was added is
there or was removed by somebody. POSTA_INTEROP_STRESS_COMMANDS says how many commands each session gives; the seed is
printed with a failure.
"""

import os
import random
import re
import threading

from harness import check, need
from imap_peers import new_account
from imap_wire import flags_of, pairs, uid_set

SESSIONS = 6
COMMANDS = int(os.environ.get("POSTA_INTEROP_STRESS_COMMANDS", "1000"))
SEED = int(os.environ.get("POSTA_INTEROP_STRESS_SEED", "20260601"))
MESSAGES_AT_FIRST = 60
KEYWORDS = (b"\\Seen", b"\\Flagged", b"\\Answered", b"\\Draft", b"$Forwarded", b"Mark", b"Other")
# RFC 9051 §7.5.1: no EXPUNGE while one of these is answered.
NO_EXPUNGE = (b"FETCH", b"STORE", b"SEARCH")
MESSAGE = b"From: stress@wire.example\r\nSubject: s\r\nMessage-ID: <%s@stress.example>\r\n\r\n%s\r\n"


class Truth:
    """What is true of all sessions: each UID's Message-ID, and what was added and removed."""

    def __init__(self):
        self.lock = threading.Lock()
        self.identities = {}
        self.added = 0
        self.removed = set()
        self.stopped = None

    def is_message(self, uid, identity):
        with self.lock:
            known = self.identities.setdefault(uid, identity)
        need(known == identity, f"UID {uid} was {known!r} and is {identity!r}")

    def next_identity(self):
        with self.lock:
            self.added += 1
            return b"m%d" % self.added

    def gone(self, uid):
        with self.lock:
            self.removed.add(uid)


class Session:
    """One connection, and what it may believe by what it was told."""

    def __init__(self, account, truth, number):
        self.truth, self.source = truth, random.Random(SEED * 1000 + number)
        self.number, self.history = number, []
        self.client = account.imap(source=f"127.0.0.{2 + number}")
        self.qresync = number % 3 == 2
        self.uids, self.flags, self.modseqs = [], [], {}
        self.expunge_allowed = True
        self.command = b""
        if self.qresync:
            self.client.say(b"ENABLE QRESYNC")
        self.client.saw = self.saw
        self.run(b"SELECT INBOX (CONDSTORE)")
        self.run(b"UID FETCH 1:* (FLAGS MODSEQ)")

    def run(self, command, *literals, expunge_allowed=True):
        self.command, self.expunge_allowed = command, expunge_allowed
        self.history.append(command)
        return self.client.ask(command, *literals)

    def saw(self, data):
        self.history.append(b"  " + repr(data)[:160].encode())
        if data[0] == b"VANISHED":
            self.vanished(data)
        elif len(data) > 1 and data[1] == b"EXISTS":
            count = int(data[0])
            need(count >= len(self.uids), f"EXISTS fell from {len(self.uids)} to {count}")
            self.uids += [None] * (count - len(self.uids))
            self.flags += [None] * (count - len(self.flags))
        elif len(data) > 1 and data[1] == b"EXPUNGE":
            number = int(data[0])
            need(not self.qresync, "EXPUNGE after QRESYNC was enabled")
            need(self.expunge_allowed, f"EXPUNGE {number} came with {self.command!r}")
            need(1 <= number <= len(self.uids), f"EXPUNGE {number} of {len(self.uids)}")
            self.forget(number - 1)
        elif len(data) > 1 and data[1] == b"FETCH":
            self.fetched(int(data[0]), pairs(data[2]))

    def vanished(self, data):
        need(self.qresync, "VANISHED without QRESYNC")
        need(self.expunge_allowed, f"VANISHED came with {self.command!r}")
        if data[1] == [b"EARLIER"]:
            return
        for uid in uid_set(data[1]):
            # One that came and went is unknown to whoever never fetched it: it must be one of those without UID.
            place = self.uids.index(uid) if uid in self.uids else self.unknown_place(uid)
            self.forget(place)

    def unknown_place(self, uid):
        known = [place for place, other in enumerate(self.uids) if other is not None and other < uid]
        place = known[-1] + 1 if known else 0
        need(place < len(self.uids) and self.uids[place] is None, f"VANISHED {uid}, which is not there: {self.uids}")
        return place

    def forget(self, place):
        uid = self.uids.pop(place)
        self.flags.pop(place)
        if uid is not None:
            self.truth.gone(uid)

    def fetched(self, number, items):
        need(1 <= number <= len(self.uids), f"FETCH {number} of {len(self.uids)}")
        if b"UID" in items:
            uid = int(items[b"UID"])
            need(self.uids[number - 1] in (None, uid), f"{number} was UID {self.uids[number - 1]} and is {uid}")
            self.uids[number - 1] = uid
        uid = self.uids[number - 1]
        if b"FLAGS" in items:
            self.flags[number - 1] = flags_of(items) - {b"\\recent"}
        if b"MODSEQ" in items and uid is not None:
            modseq = int(items[b"MODSEQ"][0])
            need(modseq >= self.modseqs.get(uid, 0), f"MODSEQ of UID {uid} fell to {modseq}")
            self.modseqs[uid] = modseq
        for name, value in items.items():
            if name.startswith(b"BODY[") and value and uid is not None:
                self.truth.is_message(uid, re.search(rb"<(m\d+)@", value)[1])
        known = [each for each in self.uids if each is not None]
        need(known == sorted(set(known)), f"UIDs do not ascend: {known}")

    def a_set(self):
        count = len(self.uids)
        first = self.source.randint(1, count)
        last = min(count, first + self.source.choice((0, 0, 1, 3, 10)))
        return b"%d:%d" % (first, last) if self.source.random() < 0.8 else b"%d,%d" % (first, count)

    def a_uid_set(self):
        known = [uid for uid in self.uids if uid is not None]
        return b",".join(b"%d" % uid for uid in self.source.sample(known, min(len(known), 3))) or b"1"

    def step(self):
        """One command; what it may be refused for is a message that is gone meanwhile."""
        source = self.source
        if len(self.uids) < 10:
            return self.add()
        kind = source.choices(
            ("fetch", "uid fetch", "store", "uid store", "search", "add", "copy", "expunge", "noop", "idle", "body"),
            (4, 3, 5, 4, 2, 3, 1, 2, 3, 1, 3),
        )[0]
        if kind == "add":
            return self.add()
        if kind == "idle":
            return self.idle()
        flags = b" ".join(source.sample(KEYWORDS, source.randint(1, 3)))
        change = source.choice((b"+FLAGS", b"-FLAGS", b"FLAGS", b"+FLAGS.SILENT", b"-FLAGS.SILENT"))
        command = {
            "fetch": lambda: b"FETCH %s (UID FLAGS MODSEQ)" % self.a_set(),
            "uid fetch": lambda: b"UID FETCH %s (FLAGS MODSEQ BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])" % self.a_uid_set(),
            "body": lambda: b"FETCH %s (UID BODY.PEEK[])" % self.a_set(),
            "store": lambda: b"STORE %s %s (%s)" % (self.a_set(), change, flags),
            "uid store": lambda: b"UID STORE %s +FLAGS (%s)" % (self.a_uid_set(), source.choice((b"\\Deleted", flags))),
            "search": lambda: b"SEARCH " + source.choice((b"SEEN", b"UNDELETED", b"KEYWORD Mark", b"1:* NOT FLAGGED")),
            "copy": lambda: b"UID COPY %s INBOX" % self.a_uid_set(),
            "expunge": lambda: source.choice((b"EXPUNGE", b"UID EXPUNGE " + self.a_uid_set())),
            "noop": lambda: b"NOOP",
        }[kind]()
        answer = self.run(command, expunge_allowed=not command.startswith(NO_EXPUNGE))
        # RFC 5530 §3: that another session removed a message which was asked for is no error of anybody's.
        gone = answer.status == b"NO" and (answer.code == b"EXPUNGEISSUED" or kind in ("store", "copy"))
        need(answer.status == b"OK" or gone, f"{command!r} was answered {answer!r}")
        if b".SILENT" in command:
            # Nobody told it what these are now.
            first, last = (int(number) for number in re.findall(rb"\d+", command)[:2])
            for number in range(first, last + 1) if b":" in command else (first, last):
                self.flags[number - 1] = None
        if kind == "search" and answer.status == b"OK":
            for [*found] in answer.named(b"SEARCH"):
                numbers = [int(number) for number in found if isinstance(number, bytes)]
                need(all(1 <= number <= len(self.uids) for number in numbers), f"SEARCH found {numbers} of {len(self.uids)}")
        if kind == "copy" and answer.code.startswith(b"COPYUID"):
            _, _, old, new = answer.code.split()
            need(len(uid_set(old)) == len(uid_set(new)), f"COPYUID {answer.code!r}")

    def add(self):
        identity = self.truth.next_identity()
        body = b"x" * self.source.choice((10, 1000, 20_000))
        answer = self.run(b"APPEND INBOX (\\Seen Mark)", MESSAGE % (identity, body))
        need(answer.status == b"OK", f"APPEND was answered {answer!r}")
        self.truth.is_message(int(answer.code.split()[2]), identity)

    def idle(self):
        self.command, self.expunge_allowed = b"IDLE", True
        tag = self.client.begin(b"IDLE")
        self.client.continuation(tag)
        self.client.send(b"DONE\r\n")
        need(self.client.end(tag).status == b"OK", "IDLE failed")

    def work(self):
        try:
            for _ in range(COMMANDS):
                if self.truth.stopped:
                    return
                self.step()
        except Exception as error:
            tail = b"\n".join(self.history[-25:]).decode("utf-8", "replace")
            self.truth.stopped = self.truth.stopped or f"session {self.number}, seed {SEED}: {error!r}\n{tail}"

    def view(self):
        """Everything as this session sees it, after it was told everything."""
        self.run(b"NOOP")
        missing = [number for number, uid in enumerate(self.uids, 1) if uid is None]
        if missing:
            self.run(b"FETCH %s (UID FLAGS)" % b",".join(b"%d" % number for number in missing), expunge_allowed=False)
        return list(self.uids), list(self.flags)


@check
def sessions_that_change_one_folder_at_once_stay_true(world):
    account = new_account(world, "stress")
    truth = Truth()
    with account.imap() as client:
        messages = [(MESSAGE % (truth.next_identity(), b"first"), b"()") for _ in range(MESSAGES_AT_FIRST)]
        client.append_all("INBOX", messages)
    sessions = [Session(account, truth, number) for number in range(SESSIONS)]
    threads = [threading.Thread(target=session.work) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
        need(not thread.is_alive(), "a session hangs")
    need(truth.stopped is None, truth.stopped)
    with account.imap(b"INBOX") as fresh:
        rows = [items for _, items in fresh.say(b"UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])").fetched()]
    uids = [int(items[b"UID"]) for items in rows]
    flags = [flags_of(items) - {b"\\recent"} for items in rows]
    for session in sessions:
        theirs = session.view()
        need(theirs[0] == uids, f"session {session.number} believes in other messages: {theirs[0]} instead of {uids}")
        wrong = [(uid, one, other) for uid, one, other in zip(uids, theirs[1], flags) if one not in (None, other)]
        need(not wrong, f"session {session.number} believes in other flags: {wrong[:3]} (UID, believed, true)")
    for items in rows:
        identity = re.search(rb"<(m\d+)@", items[b"BODY[HEADER.FIELDS (MESSAGE-ID)]"])[1]
        truth.is_message(int(items[b"UID"]), identity)
    lost = [uid for uid in truth.identities if uid not in truth.removed and uid not in uids]
    need(not lost, f"nobody was told that these went: {lost}")
    back = [uid for uid in uids if uid in truth.removed]
    need(not back, f"these were removed and are there: {back}")
    return f"{SESSIONS} sessions with {COMMANDS} commands, {truth.added} messages added, {len(uids)} left, seed {SEED}"
