"""The queue under load: many destinations of which some are dead or slow, and a queue of a million messages.

Python 3 standard library only.
"""

import json
import multiprocessing
import os
import smtplib
import socket
import socketserver
import subprocess
import threading
import time

import measure
import relaying
import servers
from servers import posta_dev

INJECTORS = 4
DESTINATIONS = 1000
TIMEOUT_S = 1200
SLOW_S = 2

SERVE = """\
host_name = "mx.bench.example"
domains = ["bench.example"]

[[listener]]
service = "smtp"
address = "127.0.0.1:0"
tls = "off"

[policy]
trusted_networks = ["127.0.0.0/8"]

[limits]
connections_per_address_max = 10000

[[transport]]
match = ".live.example"
to = "smtp://127.0.0.1:{live}"

[[transport]]
match = ".slow.example"
to = "smtp://127.0.0.1:{slow}"

[[transport]]
match = ".dead.example"
to = "smtp://127.0.0.1:{dead}"
"""


class Posta(relaying.Posta):
    """`posta serve` with rules for three kinds of destinations."""

    def __init__(self, work, ports, path=None):
        self.path = path or posta_dev.binary()
        self.server = posta_dev.PostaServe(os.path.join(work, "posta"), SERVE.format(**ports), self.path)
        self.port = None


class Postfix(relaying.Postfix):
    """The same rules in a table of regular expressions."""

    MORE = "default_transport = smtp\nrelay_transport = smtp\ntransport_maps = regexp:{root}/etc/transport\n"

    def __init__(self, work, ports):
        super().__init__(work, 0)
        with open(os.path.join(self.config, "transport"), "w", encoding="ascii") as table:
            for kind, port in ports.items():
                table.write(f"/\\.{kind}\\.example$/ smtp:[127.0.0.1]:{port}\n")


class Dead:
    """A host that takes connections and never says a word."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(1024)
        self.port = self.socket.getsockname()[1]

    def stop(self):
        self.socket.close()


class Slow:
    """A host that takes its time for each message."""

    def __init__(self):
        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 slow.example ESMTP\r\n")
                while line := self.rfile.readline():
                    verb = line[:4].upper()
                    if verb == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        while self.rfile.readline() not in (b".\r\n", b""):
                            pass
                        time.sleep(SLOW_S)
                    self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Session)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def inject(port, recipients):
    """One connection, one message for each recipient; every reply has to be as it should."""
    body = b"Subject: many\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 12 + b".\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        replies = connection.makefile("rb")

        def expect(code):
            while True:
                line = replies.readline()
                if not line.startswith(code):
                    raise RuntimeError(f"{line!r} instead of {code!r}")
                if line[3:4] == b" ":
                    return

        expect(b"220")
        connection.sendall(b"EHLO client.example\r\n")
        expect(b"250")
        for recipient in recipients:
            connection.sendall(b"MAIL FROM:<sender@bench.example>\r\nRCPT TO:<%s>\r\nDATA\r\n" % recipient)
            for code in (b"250", b"250", b"354"):
                expect(code)
            connection.sendall(body)
            expect(b"250")
        connection.sendall(b"QUIT\r\n")


def kind_of(destination):
    return {0: "dead", 1: "slow"}.get(destination % 20, "live")


def compare_mixed(options, progress):
    """For each server: how long until every message for a live destination has arrived."""
    messages = options.messages if options.quick else 100_000
    results = {}
    for name in (name for name in ("posta", "postfix") if name in options.servers):
        work = os.path.join(options.work, "mixed", name)
        os.makedirs(work, exist_ok=True)
        for folder in (options.work, os.path.dirname(work), work):
            os.chmod(folder, 0o755)
        sink, dead, slow = relaying.CountingSink(work), Dead(), Slow()
        sink.start()
        ports = {"live": sink.port, "dead": dead.port, "slow": slow.port}
        server = Posta(work, ports, options.posta) if name == "posta" else Postfix(work, ports)
        try:
            server.start()
            progress(f"mixed: {messages} messages to {DESTINATIONS} destinations through {name}")
            results[name] = mixed_run(server, sink, messages)
        finally:
            server.stop()
            for each in (sink, dead, slow):
                each.stop()
    return {"messages": messages, "destinations": DESTINATIONS, "runs": results}


def mixed_run(server, sink, messages):
    targets = [
        b"user@d%d.%s.example" % (number % DESTINATIONS, kind_of(number % DESTINATIONS).encode())
        for number in range(messages)
    ]
    live = sum(b".live." in target for target in targets)
    os.sync()
    begun = time.perf_counter()
    workers = [
        multiprocessing.Process(target=inject, args=(server.port, targets[number::INJECTORS]))
        for number in range(INJECTORS)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        if worker.exitcode != 0:
            raise RuntimeError(f"{server.name} did not take every message")
    accepted_s = time.perf_counter() - begun
    deadline = time.monotonic() + TIMEOUT_S
    while sink.count() < live and time.monotonic() < deadline:
        time.sleep(0.01)
    return {
        "live": live,
        "arrived": sink.count(),
        "accepted_s": accepted_s,
        "delivered_s": time.perf_counter() - begun,
        "rss_kib": measure.memory_kib(server.pid).get("VmRSS") if server.name == "posta" else None,
    }


def measure_deep(options, progress):
    """Posta with a queue of a million messages for a dead host: throughput, memory, start, how soon it answers."""
    depth = options.messages if options.quick else 1_000_000
    work = os.path.join(options.work, "deep")
    os.makedirs(work, exist_ok=True)
    for folder in (options.work, work):
        os.chmod(folder, 0o755)
    found = {"queued": depth}
    running = []
    refused = servers.free_port()
    try:
        pairs = {}
        for name in ("empty", "deep"):
            folder = os.path.join(work, name)
            os.makedirs(folder, exist_ok=True)
            sink = relaying.CountingSink(folder)
            sink.start()
            server = Posta(folder, {"live": sink.port, "dead": refused, "slow": refused}, options.posta)
            server.start()
            running += [sink, server]
            pairs[name] = (server, sink)
        server, _ = pairs["deep"]
        progress(f"deep: {depth} messages for a host that is not there")
        found["filled_s"] = fill(server, depth)
        found["rss_kib"] = measure.memory_kib(server.server.pid)
        found["answers_ms"] = answer_times(server)
        runs = {name: [] for name in pairs}
        for number in range(options.rounds):
            for name in list(pairs) if number % 2 == 0 else list(reversed(pairs)):
                progress(f"deep: round {number + 1} of {options.rounds}, the queue is {name}")
                messages = min(options.messages, 10_000)
                runs[name].append(relaying.one_run(*pairs[name], messages, "user@d1.live.example", left=depth + 1))
        found["runs"] = runs
        progress("deep: stop and start")
        server.stop()
        found["start_ms"] = server.start() * 1000
        server.kill()
        found["start_after_kill_ms"] = server.start() * 1000
        found["rss_after_start_kib"] = measure.memory_at_rest(server.server)
        found["answers_after_start_ms"] = answer_times(server)
    finally:
        for each in reversed(running):
            each.stop()
        progress("")
    return found


def fill(server, depth):
    begun = time.perf_counter()
    arguments = ["smtp-source", "-d", "-s", "20", "-m", str(depth), "-l", "1024", "-f", "sender@bench.example"]
    done = subprocess.run(
        [*arguments, "-t", "user@d0.dead.example", f"127.0.0.1:{server.port}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if done.returncode != 0 or done.stderr.strip():
        raise RuntimeError(f"smtp-source: {done.stderr.strip() or done.returncode}")
    return time.perf_counter() - begun


def answer_times(server):
    """Milliseconds of whole commands, the start of the program among them; the median of five."""
    page = server.server.run("queue", "list", "--json")
    first = json.loads(page.stdout)["items"][0]
    # The trace has a limit of its own, and does not reach back to the first of a million.
    with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
        client.helo("client.example")
        client.mail("sender@bench.example")
        client.rcpt("last@d0.dead.example")
        last = client.data(b"Subject: the last one\r\n\r\nbody\r\n")[1].split()[-1].decode()
    commands = {
        "queue stats": ("queue", "stats"),
        "queue list": ("queue", "list"),
        "queue show": ("queue", "show", first["id"]),
        "trace": ("trace", last),
    }
    found = {}
    for name, arguments in commands.items():
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            done = server.server.run(*arguments)
            times.append((time.perf_counter() - begun) * 1000)
            if done.returncode != 0:
                raise RuntimeError(f"posta {' '.join(arguments)}: {done.stderr!r}")
        found[name] = sorted(times)[2]
    return found
