"""Two-way synchronisation: mbsync between the server and a Maildir, and mbsync and dsync between the server and Dovecot.

The judge is a model of its own: which Message-ID has to lie in which folder with which flags and octets. Both sides
have to agree with it, so that nothing is lost, doubled, changed or brought back. POSTA_INTEROP_SYNC_MESSAGES says how
many messages there are.
"""

import hashlib
import os
import random
import re

from harness import check, need
from imap_peers import dovecot, dovecot_account, new_account
from imap_wire import quoted
from way_in import run

MESSAGES = int(os.environ.get("POSTA_INTEROP_SYNC_MESSAGES", "10000"))
FOLDERS = ("INBOX", "Archive", "Lists/rust", "Entwürfe & mehr")
# In a Maildir's names, and in IMAP.
FLAGS = {"D": b"\\draft", "F": b"\\flagged", "R": b"\\answered", "S": b"\\seen"}
# What may become of a message.
KINDS = ("flags", "gone", "moved")
SYNC_TIMEOUT_S = 900


def message_id(octets):
    match = re.search(rb"(?im)^message-id:[ \t]*(<[^>]*>)", octets)
    need(match, f"a message without Message-ID: {octets[:300]!r}")
    return match[1]


def digest(octets):
    """Of what must stay the same: line ends differ in a Maildir, and mbsync marks what it carries."""
    text = octets.replace(b"\r\n", b"\n")
    return hashlib.sha256(re.sub(rb"(?m)^X-TUID: .*\n", b"", text, count=1)).hexdigest()


def made(number, source):
    """A message of some 300 to 3,000 octets, every third one in parts."""
    words = " ".join(source.choice(("anchor", "bråck", "copper", "delta", "ember", "fjord")) for _ in range(source.randint(5, 300)))
    lines = "\r\n".join(words[at : at + 70] for at in range(0, len(words), 70))
    head = (
        f"From: Sender {number} <s{number % 50}@sync.example>\r\nTo: reader@sync.example\r\n"
        f"Subject: Message {number}\r\nDate: Mon, {1 + number % 28:02} Jun 2026 10:{number % 60:02}:00 +0200\r\n"
        f"Message-ID: <m{number}@sync.example>\r\nMIME-Version: 1.0\r\n"
    )
    if number % 3:
        return (head + f"Content-Type: text/plain; charset=utf-8\r\n\r\n{lines}\r\n").encode()
    part = f'Content-Type: text/plain; charset=utf-8\r\n\r\n{lines}\r\n'
    return (head + f'Content-Type: multipart/mixed; boundary="b{number}"\r\n\r\n--b{number}\r\n{part}--b{number}\r\n{part}--b{number}--\r\n').encode()


def named(folder):
    """In modified UTF-7 (RFC 3501 §5.1.3), as far as the names here need it. mbsync keeps names as they are."""
    return folder.replace("&", "&-").replace("ü", "&APw-")


class MaildirSide:
    """Folders of a Maildir as mbsync keeps them, each in a folder of its own name."""

    def __init__(self, root):
        self.root = root
        self.serial = 0
        os.makedirs(root, exist_ok=True)

    def store(self):
        return f"MaildirStore near\nPath {self.root}/\nInbox {self.root}/INBOX\nSubFolders Verbatim\n"

    def folder(self, folder, *names):
        return os.path.join(self.root, named(folder), *names)

    def add(self, folder, messages):
        for name in ("cur", "new", "tmp"):
            os.makedirs(self.folder(folder, name), exist_ok=True)
        for octets, flags in messages:
            self.serial += 1
            name = f"1780000000.{self.serial}.interop:2,{''.join(sorted(flags))}"
            with open(self.folder(folder, "cur", name), "wb") as file:
                file.write(octets.replace(b"\r\n", b"\n"))

    def paths(self, folder):
        """Of each message: its id and path."""
        for name in ("cur", "new"):
            where = self.folder(folder, name)
            for entry in os.listdir(where) if os.path.isdir(where) else ():
                path = os.path.join(where, entry)
                with open(path, "rb") as file:
                    yield message_id(file.read()), path

    def change(self, folder, flags, gone, moved):
        """New flags for some, some removed, some moved to (folder) as a mail reader does it."""
        for identity, path in list(self.paths(folder)):
            stem = os.path.basename(path).partition(":")[0]
            if identity in flags:
                os.rename(path, self.folder(folder, "cur", f"{stem}:2,{''.join(sorted(flags[identity]))}"))
            elif identity in gone:
                os.remove(path)
            elif identity in moved:
                # The UID in the name belongs to the folder that it leaves.
                name = re.sub(r",U=\d+", "", os.path.basename(path))
                os.makedirs(self.folder(moved[identity], "cur"), exist_ok=True)
                os.rename(path, self.folder(moved[identity], "cur", "m" + name))

    def state(self):
        found = {}
        for folder in FOLDERS:
            for identity, path in self.paths(folder):
                with open(path, "rb") as file:
                    octets = file.read()
                flags = set(path.rpartition(":2,")[2]) if ":2," in path else set()
                found.setdefault((folder, identity), []).append((frozenset(flags & set(FLAGS)), digest(octets)))
        return found


class ImapSide:
    """Folders of an account, changed by the commands that a mail reader would use."""

    def __init__(self, account, name="far"):
        self.account, self.name = account, name

    def store(self):
        account = self.account
        return (
            f"IMAPStore {self.name}\nHost 127.0.0.1\nPort {account.ports['imap']}\nUser {account.user}\n"
            f"Pass {account.password}\nSSLType None\nAuthMechs LOGIN\n"
        )

    def add(self, folder, messages):
        with self.account.imap() as client:
            if folder != "INBOX":
                client.ask(b"CREATE " + quoted(named(folder)))
            client.append_all(named(folder), [(octets, imap_flags(flags)) for octets, flags in messages])
            client.logout()

    def uids(self, client, folder):
        client.say(b"SELECT " + quoted(named(folder)))
        answer = client.say(b"UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        return {message_id(items[b"BODY[HEADER.FIELDS (MESSAGE-ID)]"]): items[b"UID"] for _, items in answer.fetched()}

    def change(self, folder, flags, gone, moved):
        with self.account.imap() as client:
            uids = self.uids(client, folder)
            for identity, wanted in flags.items():
                client.say(b"UID STORE %s FLAGS.SILENT %s" % (uids[identity], imap_flags(wanted)))
            if gone:
                doomed = b",".join(uids[identity] for identity in gone)
                client.say(b"UID STORE %s +FLAGS.SILENT (\\Deleted)" % doomed)
                client.say(b"UID EXPUNGE " + doomed)
            for identity, target in moved.items():
                client.say(b"UID MOVE %s %s" % (uids[identity], quoted(named(target))))
            client.logout()

    def state(self):
        found = {}
        with self.account.imap() as client:
            for folder in FOLDERS:
                answer = client.ask(b"EXAMINE " + quoted(named(folder)))
                if answer.status != b"OK":
                    continue
                for _, items in client.say(b"UID FETCH 1:* (FLAGS BODY.PEEK[])").fetched():
                    octets = items[b"BODY[]"]
                    held = {flag.lower() for flag in items[b"FLAGS"]}
                    letters = frozenset(letter for letter, flag in FLAGS.items() if flag in held)
                    found.setdefault((folder, message_id(octets)), []).append((letters, digest(octets)))
            client.logout()
        return found


def imap_flags(letters):
    return b"(" + b" ".join(FLAGS[letter] for letter in sorted(letters)) + b")"


class Model:
    """What has to be there, and the changes that both sides make to different messages."""

    def __init__(self, seed):
        self.source = random.Random(seed)
        self.held = {}
        self.numbers = 0

    def new(self, count, folder):
        """Messages with flags for a folder, which have to be there from now on."""
        messages = []
        for _ in range(count):
            self.numbers += 1
            octets = made(self.numbers, self.source)
            flags = frozenset(letter for letter in FLAGS if self.source.random() < 0.3)
            self.held[folder, message_id(octets)] = (flags, digest(octets))
            messages.append((octets, flags))
        return messages

    def changes(self, folder, share, taken, kinds=KINDS):
        """Flags, removals and moves for a share of a folder each, of messages that nothing was done with yet."""
        free = [identity for where, identity in self.held if where == folder and identity not in taken]
        self.source.shuffle(free)
        each = max(1, int(len(free) * share))
        flags, gone, moved = {}, set(), {}
        for number, identity in enumerate(free[: len(kinds) * each]):
            taken.add(identity)
            old_flags, octets = self.held[folder, identity]
            kind = kinds[number % len(kinds)]
            if kind == "flags":
                flags[identity] = frozenset(letter for letter in FLAGS if self.source.random() < 0.5) ^ {"F"}
                self.held[folder, identity] = (flags[identity], octets)
            elif kind == "gone":
                gone.add(identity)
                del self.held[folder, identity]
            else:
                target = FOLDERS[(FOLDERS.index(folder) + 1) % len(FOLDERS)]
                moved[identity] = target
                del self.held[folder, identity]
                self.held[target, identity] = (old_flags, octets)
        return flags, gone, moved

    def judge(self, sides):
        """Every side holds exactly what has to be there, each message once."""
        for name, side in sides.items():
            state = side.state()
            doubled = [key for key, copies in state.items() if len(copies) > 1]
            need(not doubled, f"{name}: {len(doubled)} messages are there twice, such as {doubled[:3]}")
            lost = [key for key in self.held if key not in state]
            need(not lost, f"{name}: {len(lost)} of {len(self.held)} messages are lost, such as {lost[:3]}")
            extra = [key for key in state if key not in self.held]
            need(not extra, f"{name}: {len(extra)} messages came back or from nowhere, such as {extra[:3]}")
            wrong = [key for key, [held] in state.items() if held[0] != self.held[key][0]]
            need(not wrong, f"{name}: {len(wrong)} have other flags, such as {[(key, state[key], self.held[key]) for key in wrong[:3]]}")
            other = [key for key, [held] in state.items() if held[1] != self.held[key][1]]
            need(not other, f"{name}: {len(other)} have other octets, such as {other[:3]}")


def two_ways(near, far, synchronise, count, seed):
    """Fills both sides, synchronises, changes both, synchronises again; the model judges both each time."""
    model = Model(seed)
    sides = {"near": near, "far": far}
    shares = (0.7, 0.15, 0.1, 0.05)
    for folder, share in zip(FOLDERS, shares):
        for side in (far, near):
            side.add(folder, model.new(max(2, int(count * share / 2)), folder))
    synchronise()
    model.judge(sides)
    for _ in range(2):
        taken = set()
        changes = [(side, folder, model.changes(folder, 0.02, taken)) for folder in FOLDERS for side in (near, far)]
        for side, folder, change in changes:
            side.change(folder, *change)
        for side in (near, far):
            side.add("INBOX", model.new(10, "INBOX"))
        synchronise()
        model.judge(sides)
    return model


def mbsync_with(world, name, near, far):
    """A function that runs mbsync once, and fails with what it said."""
    folder = os.path.join(world.work, name)
    os.makedirs(os.path.join(folder, "state"), exist_ok=True)
    text = (
        f"FSync no\n\n{far.store()}\n{near.store()}\n"
        f"Channel all\nFar :far:\nNear :near:\nPatterns {' '.join(chr(34) + named(each) + chr(34) for each in FOLDERS)}\n"
        f"Create Both\nRemove Both\nExpunge Both\nCopyArrivalDate yes\nSyncState {folder}/state/\n"
    )
    configuration = world.file(f"{name}/mbsyncrc", text.encode())
    return lambda: run(["mbsync", "-c", configuration, "all"], timeout=SYNC_TIMEOUT_S)


@check
def mbsync_synchronises_with_a_Maildir_both_ways(world):
    far = ImapSide(new_account(world, "mbsync"))
    near = MaildirSide(os.path.join(world.work, "mbsync-near"))
    synchronise = mbsync_with(world, "mbsync", near, far)
    model = two_ways(near, far, synchronise, MESSAGES, seed=1)
    # A synchronisation with nothing to do does nothing.
    synchronise()
    model.judge({"near": near, "far": far})
    return f"{model.numbers} messages"


@check
def mbsync_synchronises_with_Dovecot_both_ways(world):
    far = ImapSide(new_account(world, "mbsync2"))
    near = ImapSide(dovecot_account(world, "mbsync-peer"), "near")
    synchronise = mbsync_with(world, "mbsync2", near, far)
    model = two_ways(near, far, synchronise, max(100, MESSAGES // 2), seed=2)
    return f"{model.numbers} messages"


@check
def dsync_synchronises_with_Dovecot_both_ways(world):
    """Dovecot's own client and its own idea of what two mailboxes that are the same are.

    Dovecot takes over what there is, then changes of both sides are merged. Left out is what dsync does not do by IMAP,
    between two Dovecots no more than here: where both sides have new messages it numbers them anew, which no command
    can; what it carried itself may come back when the other side removes it; and some flags that were changed on its own
    side are not carried.
    """
    account = new_account(world, "dsync")
    peer = dovecot_account(world, "dsync-peer")
    far, near = ImapSide(account), ImapSide(peer)
    sides = {"far": far, "near": near}
    options = [
        "imapc_host=127.0.0.1", f"imapc_port={account.ports['imap']}", f"imapc_user={account.user}",
        f"imapc_password={account.password}", "imapc_features=rfc822.size fetch-headers modseq", "mail_prefetch_count=20",
    ]
    arguments = [word for option in options for word in ("-o", option)]

    def dsync(*how, fine=(0,)):
        code, out, error = dovecot(world).doveadm(*arguments, *how, "-u", peer.user, "imapc:")
        need(code in fine, f"doveadm {how[0]} ended with {code}: {(error or out)[-800:]!r}")

    # One way: Dovecot takes what the server has, changes included.
    model = Model(3)
    taken = set()
    for folder, share in zip(FOLDERS, (0.6, 0.2, 0.1, 0.1)):
        far.add(folder, model.new(max(2, int(MESSAGES // 10 * share)), folder))
    for number in range(2):
        dsync("backup", "-R")
        model.judge(sides)
        for folder in FOLDERS if number == 0 else ():
            far.change(folder, *model.changes(folder, 0.1, taken))
    # Both ways; nothing is changed twice.
    for folder in FOLDERS:
        near.change(folder, *model.changes(folder, 0.1, taken, ("gone", "moved")))
        far.change(folder, *model.changes(folder, 0.1, taken, ("flags", "gone")))
    near.add("INBOX", model.new(10, "INBOX"))
    for _ in range(2):
        # 2: dsync wishes to be run again.
        dsync("sync", fine=(0, 2))
    model.judge(sides)
    return f"{model.numbers} messages"
