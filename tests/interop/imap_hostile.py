"""What a hostile or broken IMAP client sends: it is answered or thrown out, the server lives on in bounded memory, and
the next client is served as if nothing had been.
"""

import json
import re
import resource
import select
import socket
import time

from harness import Skipped, check, need
from imap_peers import AGAINST, new_account
from imap_wire import Imap, quoted
from way_in import MESSAGE
from wire import Closed

# What all of these clients together may make the server's memory grow by.
GROWTH_KIB_MAX = 96 * 1024

SLOW_READERS = 1000
# What one of them may make the server hold: 64 KiB of output that waits to be written (OUTPUT_BYTES of imap_service/content.rs),
# 64 KiB of the message that are read already (CHUNK_BYTES of the store), and 64 KiB for the rest of a session and for what
# the allocator keeps beside them.
SESSION_KIB_MAX = 192

# It has no limit of a message, answers before it has read what stands behind a command, and takes a bare CR for space.
DOVECOT_DIFFERS = ("an APPEND of 4 GiB", "a line without end", "bare CR", "no tag", "only blanks", "NUL in a command")


def resident_kib(world):
    if AGAINST != "posta":
        return 0
    with open(f"/proc/{world.server.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


def proportional_kib(world):
    """What is the server's own, without what others share with it."""
    with open(f"/proc/{world.server.pid}/smaps_rollup", encoding="ascii") as rollup:
        return int(re.search(r"(?m)^Pss:\s+(\d+)", rollup.read())[1])


class Bounded:
    """The server's memory stays in bounds meanwhile, and it serves afterwards."""

    def __init__(self, world, account, growth_kib_max=GROWTH_KIB_MAX):
        self.world, self.account, self.growth_kib_max = world, account, growth_kib_max

    def __enter__(self):
        self.before = resident_kib(self.world)
        return self

    def __exit__(self, kind, *exception):
        if kind is None:
            grown = resident_kib(self.world) - self.before
            need(grown < self.growth_kib_max, f"memory grew by {grown} KiB")
            with self.account.imap(b"INBOX") as client:
                client.logout()


def outcome(account, octets, wanted):
    """What a session answers to octets, until that is what is wanted, or it falls silent or closes."""
    with Imap(("127.0.0.1", account.ports["imap"]), account.user, account.password) as client:
        client.socket.settimeout(5)
        try:
            for start in range(0, len(octets), 65536):
                client.send(octets[start : start + 65536])
        except (Closed, TimeoutError):
            pass
        return until_answered(client, wanted)


def until_answered(client, wanted):
    came, client.buffer = client.buffer, b""
    try:
        while True:
            if re.search(wanted, came):
                return came
            piece = client.socket.recv(65536)
            if not piece:
                return came + b"<closed>"
            came += piece
    except ConnectionResetError:
        return came + b"<closed>"
    except TimeoutError:
        return came


@check
def commands_out_of_bounds_are_refused_by_imap(world):
    account = new_account(world, "imaphostile")
    account.fill([MESSAGE % b"one"])
    select = b"s SELECT INBOX\r\n"
    rows = (
        ("nested parentheses", select + b"a SEARCH " + b"(" * 5000 + b"ALL" + b")" * 5000 + b"\r\n", rb"(?m)^a (BAD|NO|OK)"),
        ("NOT without end", select + b"a SEARCH " + b"NOT " * 10_000 + b"ALL\r\n", rb"(?m)^a (BAD|NO|OK)"),
        ("OR without end", select + b"a SEARCH " + b"OR ALL " * 8_000 + b"ALL\r\n", rb"(?m)^a (BAD|NO|OK)"),
        ("a literal of 4 GiB", b"a LOGIN {4294967296}\r\n", rb"(?m)^a (BAD|NO)|\* BYE"),
        ("a literal of 2^64", b"a LOGIN {18446744073709551616}\r\n", rb"(?m)^a (BAD|NO)|\* BYE"),
        ("a literal nobody waits for", b"a CREATE {4000000000+}\r\n", rb"(?m)^a (BAD|NO)|\* BYE"),
        ("an APPEND of 4 GiB", b"a APPEND INBOX {4294967296}\r\n", rb"(?m)^a NO|^a BAD|\* BYE"),
        ("a line without end", b"a NOOP " + b"x" * 5_000_000, rb"BAD|\* BYE|<closed>"),
        ("sets of everything", select + b"a FETCH " + b"1:*," * 10_000 + b"1:* FLAGS\r\n", rb"(?m)^a (OK|BAD|NO)"),
        ("number zero", select + b"a FETCH 0 FLAGS\r\n", rb"(?m)^a BAD"),
        ("a number too large", select + b"a FETCH 4294967296 FLAGS\r\n", rb"(?m)^a BAD"),
        ("a header of many fields", select + b"a FETCH 1 BODY.PEEK[HEADER.FIELDS (" + b"X " * 20_000 + b"X)]\r\n", rb"(?m)^a (OK|BAD|NO)"),
        ("a partial out of bounds", select + b"a FETCH 1 BODY.PEEK[]<4294967295.4294967295>\r\n", rb"(?m)^a (OK|BAD|NO)"),
        ("a part that is deep", select + b"a FETCH 1 BODY.PEEK[" + b".".join([b"1"] * 10_000) + b"]\r\n", rb"(?m)^a (OK|BAD|NO)"),
        ("NUL in a command", b"a NO\0OP\r\n", rb"BAD|\* BYE"),
        ("bare LF", b"a NOOP\nb NOOP\r\n", rb"(?m)BAD|\* BYE|^a OK"),
        ("bare CR", b"a NOOP\rb NOOP\r\n", rb"BAD|\* BYE"),
        ("no tag", b"\r\n\r\n NOOP\r\n+ NOOP\r\n* NOOP\r\n", rb"BAD|\* BYE"),
        ("only blanks", b" " * 60_000 + b"\r\n", rb"BAD|\* BYE"),
    )
    with Bounded(world, account):
        for name, octets, wanted in rows:
            if AGAINST == "dovecot" and name in DOVECOT_DIFFERS:
                continue
            answer = outcome(account, octets, wanted)
            need(re.search(wanted, answer), f"{name}: {answer[-300:]!r}")


@check
def names_of_folders_lead_nowhere_else(world):
    account = new_account(world, "imapnames")
    other = new_account(world, "imapnames2")
    other.fill([MESSAGE % b"secret"])
    with Bounded(world, account), account.imap() as client:
        for name in (
            b"../" + other.user.encode(), b"../../" + other.user.encode() + b"/INBOX", b"/etc/passwd", b"#shared/x", b"~root",
            b"user/" + other.user.encode(), b"a//b", b"/a", b"x/../../y", b"a\x01b", b"&AAAA-", b"&Jjo!", b"&", b"&AGE-",
            b"&U,BTF2XlZyyKng-", b"&2AA-", b"a*b", b"a%b", b"x" * 2000, b"/".join([b"deep"] * 600), b"\xff\xfe", b"e\xcc\x81",
        ):
            for command in (b"CREATE", b"SELECT", b"STATUS"):
                items = b" (MESSAGES)" if command == b"STATUS" else b""
                answer = client.ask(command + b" " + quoted(name) + items)
                need(answer.status in (b"OK", b"NO", b"BAD"), f"{command!r} {name!r}: {answer!r}")
                need(command != b"SELECT" or not answer.named(b"EXISTS") or answer.named(b"EXISTS") == [[0]],
                     f"{name!r} shows somebody's mail: {answer!r}")
        listed = client.say(b'LIST "" "*"').named(b"LIST")
        need(len(listed) >= 6, f"the folders are gone: {listed}")
        client.say(b'LIST "" "' + b"*%" * 400 + b'"')


@check
def commands_before_STARTTLS_are_dropped_by_imap(world):
    account = new_account(world, "imapinject")
    with Imap(("localhost", account.ports["imap"])) as client:
        client.send(b"x STARTTLS\r\ny NOOP\r\nz LOGIN a b\r\n")
        line = client.line()
        while not line.startswith(b"x "):
            line = client.line()
        if not line.startswith(b"x OK"):
            return "STARTTLS with commands behind it was refused"
        client.buffer = b""
        try:
            client.socket = account.tls().wrap_socket(client.socket, server_hostname="localhost")
            client.socket.settimeout(2)
            said = client.line()
        except (TimeoutError, OSError, Closed):
            # The handshake fails over what stood before it, or nothing is answered: both are right.
            return None
        raise AssertionError(f"a command from before TLS was answered within it: {said!r}")


@check
def a_thousand_slow_readers_of_everything_cost_little(world):
    """attacks.md 29. From one address so many may not come: they come from 250 addresses of loopback."""
    if AGAINST != "posta":
        raise Skipped("the memory that is measured is Posta's")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    account = new_account(world, "imapslow")
    # 32 MiB, which each session asks for whole and reads nothing of.
    big = b"Subject: big\r\n\r\n" + (b"x" * 76 + b"\r\n") * 13_000
    account.fill([big] * 32)
    password = quick_password(world, account)
    readers = []
    with Bounded(world, account, GROWTH_KIB_MAX + SLOW_READERS * SESSION_KIB_MAX):
        before = proportional_kib(world)
        try:
            for number in range(SLOW_READERS):
                source = f"127.0.3.{1 + number % 250}"
                client = Imap(("127.0.0.1", account.ports["imap"]), account.user, password, source=source)
                readers.append(client)
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.say(b"SELECT INBOX")
                client.begin(b"FETCH 1:* BODY.PEEK[]")
            # Each has begun to answer, and can go on no further.
            for client in readers:
                need(select.select([client.socket], [], [], 10)[0], "nothing comes")
            grown = settled(lambda: proportional_kib(world)) - before
            need(grown < SLOW_READERS * SESSION_KIB_MAX, f"{SLOW_READERS} slow readers cost {grown} KiB")
            # Whoever reads is served meanwhile.
            with account.imap(b"INBOX") as client:
                client.logout()
        finally:
            for client in readers:
                client.socket.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return f"{grown // SLOW_READERS} KiB each"


def quick_password(world, account):
    """A password that costs the server no argon2 each time."""
    made = world.server.run("password", "app", "add", account.user, "slow", "--json", text=True)
    need(made.returncode == 0, f"posta password app: {made.stderr}")
    return json.loads(made.stdout)["password"]


def settled(measure):
    """What is measured, once it no longer grows."""
    last, now = 0, measure()
    while now > last:
        time.sleep(1)
        last, now = now, max(now, measure())
    return now


@check
def POP3_numbers_that_are_not_there_are_refused(world):
    account = new_account(world, "pop3hostile")
    account.fill([MESSAGE % b"a", MESSAGE % b"b"])
    # A session for each, since too many errors end one.
    for argument in (b"1", b"0", b"-1", b"3", b"4294967297", b"18446744073709551617", b"x", b"", b"1 x"):
        with account.pop3() as client:
            client.say(b"DELE 1")
            for command in (b"RETR", b"DELE", b"LIST", b"TOP"):
                if argument == b"" and command == b"LIST":
                    continue
                line = (command + b" " + argument + (b" 1" if command == b"TOP" else b"")).rstrip()
                client.send(line + b"\r\n")
                answer = client.line()
                need(answer.startswith(b"-ERR"), f"{line!r} was answered {answer!r}")
            client.say(b"RSET")
    with account.pop3() as client:
        need(client.count() == 2, "something was removed")
