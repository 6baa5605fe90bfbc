"""The access parts of `bench/compare`: `imap` and `pop3`, Posta beside Dovecot with the same mail.

Both get the same messages by APPEND. Then the servers take turns at each work within a round. The first round, which
finds nothing prepared, is shown by itself; of the others the median counts. The load is on the same machine and part
of every figure. Python 3 standard library only.
"""

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import time

import access_corpus
import access_load
import access_servers

BENCH = os.path.dirname(os.path.abspath(__file__))
REACH = 1.5
USER = "reader"
POP3_USER = "popper"
APPENDERS = 10
TITLES = {
    "append_one": "APPEND, 1 session, each waited for",
    "append_many": f"APPEND, {APPENDERS} sessions, each waited for",
    "select": "SELECT",
    "flags": "FETCH 1:* (UID FLAGS)",
    "envelopes": "FETCH 1:* (UID FLAGS ENVELOPE)",
    "headers": "FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (5)])",
    "structures": "FETCH 1:* (UID BODYSTRUCTURE)",
    "full": "FETCH 1:* (UID BODY.PEEK[])",
    "search_subject": "SEARCH SUBJECT",
    "search_from": "SEARCH FROM",
    "search_rare": "SEARCH TEXT, in 10 messages",
    "search_common": "SEARCH TEXT, in half of all",
    "search_absent": "SEARCH TEXT, in none",
    "sort": "SORT (REVERSE DATE)",
    "thread": "THREAD REFERENCES",
    "store_all": "STORE 1:* FLAGS",
    "store_each": "STORE of one, 500 in turn",
    "copy": "COPY of a tenth",
    "expunge": "EXPUNGE of these",
    "idle": "IDLE: until all sessions were told",
}
HEADER_FIELDS = b"FROM TO SUBJECT DATE MESSAGE-ID"


class Loaded:
    """A server that runs, with one account's mail on it."""

    def __init__(self, server, corpus):
        self.server, self.corpus = server, corpus
        self.user = None
        self.runs = {}
        self.found = {}
        self.memory = {}

    def session(self, select=None):
        return access_load.Imap(self.server.imap, self.user, access_servers.PASSWORD, select)

    def load(self, progress):
        """All messages into INBOX: rate a second."""
        begun = time.perf_counter()
        each = 2_000
        with self.session() as session:
            for first in range(0, self.corpus.count, each):
                progress(f"loading {self.server.title}: {first} of {self.corpus.count}")
                numbers = range(first, min(first + each, self.corpus.count))
                access_load.append_pipelined(session, b"INBOX", (self.corpus.message(number) for number in numbers))
        return self.corpus.count / (time.perf_counter() - begun)

    # Each work gives seconds.

    def append_one(self):
        return self._append(1, 500)

    def append_many(self):
        return self._append(APPENDERS, min(5_000, self.corpus.count))

    def _append(self, sessions, count):
        """Seconds for one message."""
        # What an earlier run left to be written back is not this one's cost.
        os.sync()
        messages = [self.corpus.message(number) for number in range(min(count, self.corpus.count))]
        with contextlib.ExitStack() as stack:
            opened = [stack.enter_context(self.session()) for _ in range(sessions)]
            opened[0].ask(b"CREATE Appended")
            took_s = access_load.append_in_turn(opened, b"Appended", messages)
            opened[0].ask(b"DELETE Appended")
        return took_s / len(messages)

    def select(self, times=10):
        took_s = []
        with self.session() as session:
            for _ in range(times):
                took_s.append(session.time(b"SELECT INBOX")[0])
                session.ask(b"UNSELECT")
        return statistics.mean(took_s)

    def _timed(self, command):
        with self.session("INBOX") as session:
            return session.time(command)[0]

    def flags(self):
        return self._timed(b"FETCH 1:* (UID FLAGS)")

    def envelopes(self):
        return self._timed(b"FETCH 1:* (UID FLAGS ENVELOPE)")

    def headers(self):
        return self._timed(b"FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (%s)])" % HEADER_FIELDS)

    def structures(self):
        return self._timed(b"FETCH 1:* (UID BODYSTRUCTURE)")

    def full(self):
        with self.session("INBOX") as session:
            took_s, octets = session.time(b"FETCH 1:* (UID BODY.PEEK[])")
        least = self.corpus.count * 3_000
        if octets < least:
            raise RuntimeError(f"{self.server.title} gave {octets} octets of {self.corpus.count} messages")
        return took_s

    def _search(self, work, command):
        with self.session("INBOX") as session:
            begun = time.perf_counter()
            count = session.numbers(command)
            took_s = time.perf_counter() - begun
        self.found[work] = count
        return took_s

    def search_subject(self):
        return self._search("search_subject", b'SEARCH SUBJECT "%s"' % self.corpus.words[100].encode())

    def search_from(self):
        return self._search("search_from", b'SEARCH FROM "sender42@bench"')

    def search_rare(self):
        return self._search("search_rare", b'SEARCH TEXT "%s"' % access_corpus.RARE.encode())

    def search_common(self):
        return self._search("search_common", b'SEARCH TEXT "%s"' % access_corpus.COMMON.encode())

    def search_absent(self):
        return self._search("search_absent", b'SEARCH TEXT "%s"' % access_corpus.ABSENT.encode())

    def sort(self):
        return self._search("sort", b"SORT (REVERSE DATE) UTF-8 ALL")

    def thread(self):
        return self._timed(b"THREAD REFERENCES UTF-8 ALL")

    def store_all(self):
        with self.session("INBOX") as session:
            setting = session.time(b"STORE 1:* +FLAGS.SILENT (\\Flagged)")[0]
            return (setting + session.time(b"STORE 1:* -FLAGS.SILENT (\\Flagged)")[0]) / 2

    def store_each(self, count=500):
        count = min(count, self.corpus.count)
        with self.session("INBOX") as session:
            begun = time.perf_counter()
            for number in range(1, count + 1):
                session.ask(b"STORE %d +FLAGS (\\Seen)" % number)
            took_s = time.perf_counter() - begun
            session.ask(b"STORE 1:%d -FLAGS.SILENT (\\Seen)" % count)
        return took_s / count

    def copy(self):
        took_s = self._copied()
        with self.session() as session:
            session.ask(b"DELETE Copied")
        return took_s

    def _copied(self):
        """Copies a tenth of all messages into a new folder: seconds of the COPY."""
        os.sync()
        with self.session() as session:
            session.ask(b"CREATE Copied")
            session.ask(b"SELECT INBOX")
            return session.time(b"COPY 1:%d Copied" % max(1, self.corpus.count // 10))[0]

    def expunge(self):
        self._copied()
        with self.session("Copied") as session:
            session.ask(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
            took_s = session.time(b"EXPUNGE")[0]
            session.ask(b"UNSELECT")
            session.ask(b"DELETE Copied")
        return took_s


class Held:
    """Sessions that idle in a folder, in a process of their own."""

    def __init__(self, server, user, sessions, secured=False, mailbox="INBOX"):
        command = [sys.executable, os.path.join(BENCH, "access_held.py"), "--user", user, "--mailbox", mailbox]
        command += ["--password", access_servers.PASSWORD, "--sessions", str(sessions)]
        command += ["--port", str(server.imaps if secured else server.imap), *(["--tls"] if secured else [])]
        self.sessions = sessions
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if line.strip() != f"held {sessions}":
            self.close()
            raise RuntimeError(f"the idle sessions of {server.title} are not there: {line!r}")

    def told_s(self, session):
        """Appends a small message: seconds from its first octet until the last session was told."""
        print("arm", file=self.process.stdin, flush=True)
        if self.process.stdout.readline().strip() != "armed":
            raise RuntimeError("the idle sessions ended")
        begun = time.monotonic()
        access_load.append_pipelined(session, b"Watched", [b"Subject: wake up\r\n\r\nNow.\r\n"])
        words = self.process.stdout.readline().split()
        if len(words) != 3 or int(words[1]) != self.sessions:
            raise RuntimeError(f"not all of {self.sessions} sessions were told: {words}")
        return float(words[2]) - begun

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def servers_of(options, work):
    sessions = max(options.sessions_idle, options.sessions_told, 100)
    made = {
        "dovecot": lambda: access_servers.Dovecot(
            work, max(1_100, options.sessions_told + 100), options.dovecot_format, options.dovecot_fsync
        ),
        "posta": lambda: access_servers.Posta(work, options.posta, sessions + 200),
    }
    return [make() for name, make in made.items() if name in options.access_servers]


def compare_imap(options, progress, deadline):
    corpus = access_corpus.Corpus(options.mail)
    result = {"messages": options.mail, "works": {}, "found": {}, "memory": {}, "durability": {}, "idle_sessions": {}}
    with started(options, progress, "imap") as running:
        for server in running:
            loaded = Loaded(server, corpus)
            loaded.user = server.account(USER)
            server.loaded = loaded
            loaded.memory["idle"] = server.memory_kib()
            loaded.runs["load"] = [1 / loaded.load(progress)]
            loaded.memory["loaded"] = server.memory_kib()
            result["durability"][server.title] = server.durability
        for number in range(options.rounds + 1):
            if time.monotonic() > deadline and number > 1:
                progress(f"the time is up after {number} rounds")
                break
            for work in options.works or TITLES:
                for server in running if number % 2 == 0 else running[::-1]:
                    progress(f"round {number} of {options.rounds}, {TITLES[work]}: {server.title}")
                    run_work(server.loaded, work, options)
        for server in running:
            loaded = server.loaded
            loaded.memory["after all"] = server.memory_kib()
            result["works"][server.title] = loaded.runs
            result["found"][server.title] = loaded.found
            if options.sessions_idle:
                result["idle_sessions"][server.title] = idle_memory(server, options, progress)
            result["memory"][server.title] = loaded.memory
    different = {work for found in result["found"].values() for work in found
                 if len({other.get(work) for other in result["found"].values()}) > 1}
    result["searches_that_differ"] = sorted(different)
    return result


def run_work(loaded, work, options):
    cpu_before_s = loaded.server.cpu_s()
    if work == "idle":
        took_s = fan_out(loaded, options.sessions_told)
    else:
        took_s = getattr(loaded, work)()
    loaded.runs.setdefault(work, []).append(took_s)
    loaded.runs.setdefault(f"{work} cpu", []).append(loaded.server.cpu_s() - cpu_before_s)


def fan_out(loaded, sessions, times=5):
    with loaded.session() as session:
        session.ask(b"CREATE Watched")
        held = Held(loaded.server, loaded.user, sessions, mailbox="Watched")
        try:
            return statistics.median(held.told_s(session) for _ in range(times))
        finally:
            held.close()
            session.ask(b"DELETE Watched")


def idle_memory(server, options, progress):
    """What each idle session costs, plain and within TLS. A process for each session takes fewer of them."""
    found = {}
    sessions = options.sessions_idle if server.name == "posta" else min(1_000, options.sessions_idle)
    for kind, secured in (("plain", False), ("tls", True)):
        before = server.memory_kib()
        progress(f"{sessions} idle sessions, {kind}: {server.title}")
        begun = time.perf_counter()
        held = Held(server, server.loaded.user, sessions, secured)
        try:
            logins_s = time.perf_counter() - begun
            time.sleep(2)
            after = server.memory_kib()
        finally:
            held.close()
        found[kind] = {
            "sessions": sessions,
            "rss_kib_each": (after["rss_kib"] - before["rss_kib"]) / sessions,
            "pss_kib_each": (after["pss_kib"] - before["pss_kib"]) / sessions,
            "logins_per_s": sessions / logins_s,
        }
    return found


@contextlib.contextmanager
def started(options, progress, name):
    """The servers, running; ended and removed whatever happens."""
    work = os.path.join(options.work, name)
    os.makedirs(work, exist_ok=True)
    os.chmod(work, 0o755)
    running = []
    with many_watches():
        try:
            for server in servers_of(options, work):
                progress(f"starting {server.title}")
                running.append(server)
                server.start()
            yield running
        except (RuntimeError, OSError) as error:
            logs = "".join(f"\n{server.title}: {server.output()}" for server in running if hasattr(server, "output"))
            raise RuntimeError(f"{error}{logs}") from error
        finally:
            for server in running:
                server.stop()
            shutil.rmtree(work, ignore_errors=True)
            progress("")


@contextlib.contextmanager
def many_watches():
    """Dovecot has an inotify instance in each session's process; where it gets none, IDLE polls twice a minute."""
    path = "/proc/sys/fs/inotify/max_user_instances"
    with open(path, encoding="ascii") as file:
        before = file.read()
    with contextlib.suppress(OSError), open(path, "w", encoding="ascii") as file:
        file.write("20000")
    try:
        yield
    finally:
        with contextlib.suppress(OSError), open(path, "w", encoding="ascii") as file:
            file.write(before)


def compare_pop3(options, progress, deadline):
    """Login, STAT and UIDL, then RETR of each message in turn; the mail stays."""
    corpus = access_corpus.Corpus(min(options.mail, 10_000))
    result = {"messages": corpus.count, "works": {}}
    with started(options, progress, "pop3") as running:
        for server in running:
            loaded = server.loaded = Loaded(server, corpus)
            loaded.user = server.account(POP3_USER)
            loaded.load(progress)
        for number in range(options.rounds + 1):
            if time.monotonic() > deadline and number > 1:
                break
            for server in running if number % 2 == 0 else running[::-1]:
                progress(f"round {number} of {options.rounds}, POP3: {server.title}")
                pop3_round(server, corpus)
        for server in running:
            result["works"][server.title] = server.loaded.runs
    return result


def pop3_round(server, corpus):
    def took(work, begun):
        server.loaded.runs.setdefault(work, []).append(time.perf_counter() - begun)

    cpu_before_s = server.cpu_s()
    begun = time.perf_counter()
    with access_load.Pop3(server.pop3, server.loaded.user, access_servers.PASSWORD) as session:
        took("login", begun)
        begun = time.perf_counter()
        count = int(session.say(b"STAT").split()[1])
        if count != corpus.count:
            raise RuntimeError(f"{server.title}: {count} messages in the maildrop instead of {corpus.count}")
        session.multi(b"UIDL")
        took("stat and uidl", begun)
        begun = time.perf_counter()
        for number in range(1, count + 1):
            session.multi(b"RETR %d" % number)
        took("retr", begun)
        session.say(b"QUIT")
    server.loaded.runs.setdefault("cpu", []).append(server.cpu_s() - cpu_before_s)


def print_imap(result):
    print(f"\n{result['messages']} messages in one folder; medians of the rounds after the first, and the first round")
    print_works(result["works"], TITLES)
    if result["searches_that_differ"]:
        print(f"  The servers found different numbers of messages by {', '.join(result['searches_that_differ'])}")
    for title, memory in result["memory"].items():
        told = ", ".join(f"{when} {at['pss_kib'] / 1024:.0f} MiB ({at['processes']} processes)" for when, at in memory.items())
        print(f"  Memory of {title} (PSS): {told}")
    for title, kinds in result["idle_sessions"].items():
        told = ", ".join(
            f"{kind} {each['pss_kib_each']:.1f} KiB each ({each['sessions']}, {each['logins_per_s']:.0f} logins/s)"
            for kind, each in kinds.items()
        )
        print(f"  Idle sessions of {title} (PSS): {told}")
    for title, durability in result["durability"].items():
        print(f"  {title:<18} {durability}")


def print_pop3(result):
    print(f"\nPOP3, {result['messages']} messages; medians of the rounds after the first, and the first round")
    print_works(result["works"], {work: work.upper() for work in ("login", "stat and uidl", "retr")})


def print_works(works, titles):
    """A line for each work, milliseconds of both servers, and how many times as fast Posta is."""
    dovecot = next((title for title in works if title.startswith("Dovecot")), None)
    print(f"{'':<46}{'Dovecot ms':>12}{'Posta ms':>12}{'ratio':>8}{'first: D':>12}{'P':>12}")
    for work, title in {"load": "APPEND, 1 session, 32 at a time", **titles}.items():
        theirs, ours = (works.get(name, {}).get(work) for name in (dovecot, "Posta"))
        cells = [milliseconds(runs, median) for median in (True, False) for runs in (theirs, ours)]
        if cells == ["-"] * 4:
            continue
        ratio = f"{median_of(theirs) / median_of(ours):.2f}" if theirs and ours else "-"
        mark = " <" if theirs and ours and median_of(theirs) / median_of(ours) < REACH else ""
        print(f"  {title:<44}{cells[0]:>12}{cells[1]:>12}{ratio:>8}{cells[2]:>12}{cells[3]:>12}{mark}")
    print(f"  (to reach: {REACH}; < marks what does not)")


def median_of(runs):
    return statistics.median(runs[1:] or runs)


def milliseconds(runs, median):
    if not runs:
        return "-"
    value = (median_of(runs) if median else runs[0]) * 1000
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
