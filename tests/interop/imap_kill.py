"""OK means synced: a node is killed again and again while sessions append, flag, move and expunge, and what was answered
with OK is there afterwards, once.
"""

import os
import random
import re
import signal
import threading
import time

import posta_dev
from harness import check, need
from imap_peers import AGAINST, Account
from imap_wire import flags_of
from wire import Closed

ROUNDS = int(os.environ.get("POSTA_INTEROP_KILLS", "8"))
MESSAGE = b"From: k@kill.example\r\nSubject: kill\r\nMessage-ID: <%s@kill.example>\r\n\r\n%s\r\n"


class Writer:
    """One session after the other, each until the node dies. `sure` is what was answered, `open` what was not."""

    def __init__(self, account, number):
        self.account, self.number, self.source = account, number, random.Random(number)
        self.count = 0
        # By Message-ID: its folder and flags as last answered; none where its removal was answered.
        self.sure, self.unsure = {}, set()
        self.failure = None

    def work(self):
        try:
            with self.account.imap(b"INBOX") as client:
                uids = {}
                while True:
                    self.step(client, uids)
        except (Closed, OSError):
            pass
        except Exception as error:
            # A line that was cut in the middle is the node's end, too.
            if self.account.alive():
                self.failure = error

    def step(self, client, uids):
        kind = self.source.choice(("append", "append", "append", "flag", "move", "expunge"))
        if kind == "append" or not uids:
            self.count += 1
            identity = b"w%d-%d" % (self.number, self.count)
            self.unsure.add(identity)
            uid = client.append("INBOX", MESSAGE % (identity, b"x" * self.source.choice((10, 5_000, 100_000))), b"(\\Draft)")
            self.answered(identity, ("INBOX", frozenset({b"\\draft"})))
            uids[identity] = uid
            return
        identity = self.source.choice(list(uids))
        self.unsure.add(identity)
        if kind == "flag":
            client.say(b"UID STORE %d FLAGS (\\Flagged)" % uids[identity])
            self.answered(identity, ("INBOX", frozenset({b"\\flagged"})))
        elif kind == "move":
            flags = self.sure[identity][1]
            client.say(b"UID MOVE %d Archive" % uids.pop(identity))
            self.answered(identity, ("Archive", flags))
        else:
            client.say(b"UID STORE %d +FLAGS (\\Deleted)" % uids[identity])
            client.say(b"UID EXPUNGE %d" % uids.pop(identity))
            self.answered(identity, None)

    def answered(self, identity, state):
        self.sure[identity] = state
        self.unsure.discard(identity)


def held(account):
    """Of each Message-ID: the folders that hold it, with flags."""
    found = {}
    with account.imap() as client:
        for folder in ("INBOX", "Archive"):
            client.say(b"SELECT " + folder.encode())
            for _, items in client.say(b"FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)] RFC822.SIZE)").fetched():
                identity = re.search(rb"<(w\d+-\d+)@", items[b"BODY[HEADER.FIELDS (MESSAGE-ID)]"])[1]
                found.setdefault(identity, []).append((folder, flags_of(items)))
    return found


@check
def what_IMAP_answered_with_OK_outlives_SIGKILL(world):
    if AGAINST != "posta":
        return "not asked of another server"
    work = os.path.join(world.work, "imap-kill")
    os.makedirs(work)
    node = posta_dev.PostaDev(os.path.join(work, "data"))
    node.start()
    try:
        account = Account(node.account(), posta_dev.PASSWORD, {"imap": node.listeners["imap"][1]}, None, "posta", node.log_tail)
        account.alive = node.alive
        writers = [Writer(account, number) for number in range(4)]
        pause = random.Random(1)
        for _ in range(ROUNDS):
            threads = [threading.Thread(target=writer.work) for writer in writers]
            for thread in threads:
                thread.start()
            time.sleep(0.5 + pause.random())
            node.process.send_signal(signal.SIGKILL)
            node.process.wait()
            node.process.stdout.close()
            for thread in threads:
                thread.join(60)
            node.start()
            account.ports["imap"] = node.listeners["imap"][1]
            judge(writers, held(account))
        done = node.run("store", "check", "--json")
        need(done.returncode == 0, f"posta store check: {done.stdout!r} {done.stderr!r}")
    finally:
        node.kill()
    return f"{sum(len(writer.sure) for writer in writers)} messages, {ROUNDS} kills"


def judge(writers, there):
    for writer in writers:
        need(writer.failure is None, f"writer {writer.number}: {writer.failure!r}")
        for identity, state in writer.sure.items():
            if identity in writer.unsure:
                continue
            found = there.get(identity, [])
            wanted = [] if state is None else [state]
            need(found == wanted, f"{identity!r} was answered to be {wanted} and is {found}")
        # What was not answered may be either way, but never double.
        for identity in writer.unsure:
            need(len(there.get(identity, [])) <= 1, f"{identity!r} is there twice: {there.get(identity)}")
            if identity in there:
                writer.sure[identity] = there[identity][0]
            else:
                writer.sure.pop(identity, None)
        writer.unsure.clear()
