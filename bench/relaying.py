"""The relay part of `bench/compare`: mail for another host, from the client to its acceptance there.

smtp-source sends to the server, the server relays to smtp-sink, which counts. A run ends when the sink has every
message and the server's queue is empty. Python 3 standard library only.
"""

import json
import os
import re
import subprocess
import time

import measure
import servers

RUN_TIMEOUT_S = 600
RECIPIENT = "user@far.example"


class CountingSink(servers.Sink):
    """smtp-sink that tells how many messages it has taken."""

    options = ("-c",)

    def count(self):
        with open(self.log, "rb") as log:
            log.seek(max(0, os.path.getsize(self.log) - 200))
            found = re.findall(rb"mesg=(\d+)", log.read())
        return int(found[-1]) if found else 0


class Posta(servers.Posta):
    """`posta dev --relay`: mail that is not for its accounts goes to the sink."""

    durability = "synced: fdatasync of the log before 250, and of the record that a message was taken elsewhere"

    def __init__(self, work, sink_port, path=None):
        super().__init__(work, path, extra=("--relay", f"127.0.0.1:{sink_port}"))

    def queued(self):
        done = self.server.run("queue", "stats", "--json")
        if done.returncode != 0:
            raise RuntimeError(f"posta queue stats: {done.stderr!r}")
        figures = json.loads(done.stdout)
        return figures["waiting"] + figures["held"]


class Postfix(servers.Postfix):
    """Relays everything to the sink, by smtp(8), with Postfix's defaults."""

    durability = "synced, its default: fsync of the queue file before 250; the file is removed after the sink's 250"
    MASTER = servers.Postfix.MASTER + "smtp      unix  - - n -     - smtp\n"
    MORE = "default_transport = smtp\nrelay_transport = smtp\nrelayhost = [127.0.0.1]:{sink_port}\n"

    def __init__(self, work, sink_port):
        self.MORE = self.MORE.replace("{sink_port}", str(sink_port))
        super().__init__(work)

    def queued(self):
        return 0 if self._queue_is_empty() else 1


def compare(options, progress, deadline):
    """Posta and Postfix in turn, each with a sink of its own."""
    work = os.path.join(options.work, "relay")
    os.makedirs(work, exist_ok=True)
    os.chmod(work, 0o755)
    running, runs = [], {}
    try:
        for name in (name for name in ("posta", "postfix") if name in options.servers):
            progress(f"starting {name} with a sink behind it")
            folder = os.path.join(work, name)
            os.makedirs(folder, exist_ok=True)
            sink = CountingSink(folder)
            sink.start()
            running.append(sink)
            server = Posta(folder, sink.port, options.posta) if name == "posta" else Postfix(folder, sink.port)
            server.start()
            running.append(server)
            runs[name] = (server, sink, [])
            one_run(server, sink, min(500, options.messages))
        for number in range(options.rounds):
            if time.monotonic() > deadline:
                progress(f"the time is up after {number} rounds")
                break
            order = list(runs) if number % 2 == 0 else list(reversed(runs))
            for name in order:
                progress(f"round {number + 1} of {options.rounds}, relay: {name}")
                server, sink, results = runs[name]
                results.append(one_run(server, sink, options.messages))
    finally:
        for each in reversed(running):
            each.stop()
        progress("")
    return {
        "messages": options.messages,
        "durability": {name: server.durability for name, (server, _, _) in runs.items()},
        "runs": {name: results for name, (_, _, results) in runs.items()},
    }


def one_run(server, sink, messages, recipient=RECIPIENT, left=0):
    """Rates a second from the first connection on: accepted, and relayed end to end. `left` wait in the queue anyway."""
    os.sync()
    before = sink.count()
    arguments = ["smtp-source", "-d", "-s", str(measure.SESSIONS), "-m", str(messages)]
    arguments += ["-l", str(measure.MESSAGE_BYTES), "-f", f"sender@{servers.DOMAIN}", "-t", recipient]
    cpu_before_s = server.cpu_s()
    begun = time.perf_counter()
    done = subprocess.run(
        [*arguments, f"127.0.0.1:{server.port}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
    )
    accepted_s = time.perf_counter() - begun
    if done.returncode != 0 or done.stderr.strip():
        raise RuntimeError(f"smtp-source against {server.name}: {done.stderr.strip() or done.returncode}")
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while sink.count() - before < messages:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{server.name} relayed {sink.count() - before} of {messages} messages in time")
        time.sleep(0.005)
    relayed_s = time.perf_counter() - begun
    while server.queued() > left:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the queue of {server.name} is not empty in time")
        time.sleep(0.02)
    if sink.count() - before != messages:
        raise RuntimeError(f"{server.name} relayed {sink.count() - before} messages instead of {messages}")
    return {
        "accepted_per_s": messages / accepted_s,
        "relayed_per_s": messages / relayed_s,
        "cpu_us_per_message": (server.cpu_s() - cpu_before_s) * 1e6 / messages,
    }
