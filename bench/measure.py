"""What `bench/compare` measures: a run of smtp-source, memory, the time of a start.

Python 3 standard library only.
"""

import os
import re
import shutil
import subprocess
import sys
import time

import servers

BENCH = os.path.dirname(os.path.abspath(__file__))
MESSAGE_BYTES = 4096
SESSIONS = 20
RUN_TIMEOUT_S = 300


def smtp_run(server, messages, reused):
    """One run of smtp-source against one server: rates a second, and CPU microseconds a message."""
    server.clear()
    # What an earlier run left to be written back is not this server's cost.
    os.sync()
    arguments = ["smtp-source", "-s", str(SESSIONS), "-m", str(messages), "-l", str(MESSAGE_BYTES)]
    if reused:
        arguments.append("-d")
    arguments += ["-f", f"sender@{servers.DOMAIN}", "-t", f"user@{servers.DOMAIN}", f"127.0.0.1:{server.port}"]
    cpu_before_s = server.cpu_s()
    begun = time.perf_counter()
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_TIMEOUT_S)
    accepted_s = time.perf_counter() - begun
    if done.returncode != 0 or done.stderr.strip():
        raise RuntimeError(f"smtp-source against {server.name}: {done.stderr.strip() or done.returncode}")
    server.settle(messages, time.monotonic() + RUN_TIMEOUT_S)
    delivered_s = time.perf_counter() - begun
    cpu_s = server.cpu_s() - cpu_before_s
    return {
        "accepted_per_s": messages / accepted_s,
        "delivered_per_s": messages / delivered_s,
        "cpu_us_per_message": cpu_s * 1e6 / messages,
    }


def memory_kib(pid):
    """Resident memory of a process and its peak, in KiB, as the kernel counts them."""
    found = {}
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            match = re.match(r"(VmRSS|VmHWM|RssAnon|RssFile):\s+(\d+) kB", line)
            if match:
                found[match[1]] = int(match[2])
    return found


def memory_at_rest(posta):
    """Memory of a server that was started and then left alone for a while, as most servers are."""
    time.sleep(3)
    return memory_kib(posta.pid)


def held_sessions(posta, sessions, progress):
    """Memory of Posta idle and while `sessions` sessions each stand in the middle of a 20 MiB message."""
    progress("memory: idle")
    idle = memory_at_rest(posta)
    posta.stop()
    posta.start()
    idle_again = memory_at_rest(posta)
    progress(f"memory: {sessions} sessions, 1 MiB each of a 20 MiB message")
    holder = subprocess.Popen(
        [sys.executable, os.path.join(BENCH, "held.py"), "--port", str(posta.port), "--sessions", str(sessions)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        words = holder.stdout.readline().split()
        held = memory_kib(posta.pid)
        holder.communicate("\n", timeout=60)
    finally:
        if holder.poll() is None:
            holder.kill()
            holder.wait()
    if len(words) != 4:
        raise RuntimeError("the holding client ended before it held anything")
    return {
        "idle_rss_kib": idle["VmRSS"],
        "idle_anonymous_kib": idle.get("RssAnon"),
        "idle_second_start_rss_kib": idle_again["VmRSS"],
        "sessions_asked": sessions,
        "sessions_held": int(words[1]),
        "octets_sent": int(words[3]),
        "held_rss_kib": held["VmRSS"],
        "held_anonymous_kib": held.get("RssAnon"),
        "peak_rss_kib": held["VmHWM"],
    }


def start_times(work, path, times, progress):
    """Milliseconds from the start of the process to the line that says it is ready: empty store, small store."""
    results = {}
    posta = servers.Posta(os.path.join(work, "start"), path)
    try:
        progress("start: a new store")
        results["new_store_ms"] = posta.start() * 1000
        smtp_run(posta, 1000, reused=True)
        posta.stop()
        again = []
        for number in range(times):
            progress(f"start: a store of 1,000 messages, {number + 1} of {times}")
            again.append(posta.start() * 1000)
            posta.stop()
        results["store_of_1000_ms"] = again
    finally:
        posta.kill()
        shutil.rmtree(os.path.join(work, "start"), ignore_errors=True)
    return results
