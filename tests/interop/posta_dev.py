"""Starts and stops `posta dev` and `posta serve` for the interop checks and the benchmark.

Python 3 standard library only. What it starts, it ends by process id.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PASSWORD = "interop-secret-7"
READY_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30


def binary():
    """The binary under test: POSTA_BIN, else the release binary, which is built where it is missing."""
    given = os.environ.get("POSTA_BIN")
    if given:
        if not os.access(given, os.X_OK):
            sys.exit(f"POSTA_BIN={given} is not an executable file")
        return os.path.abspath(given)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(REPOSITORY, "target"))
    path = os.path.join(target, "release", "posta")
    if not os.access(path, os.X_OK):
        print("posta is not built yet: cargo build --release -p posta", file=sys.stderr, flush=True)
        built = subprocess.run(["cargo", "build", "--release", "-p", "posta"], cwd=REPOSITORY, stdin=subprocess.DEVNULL)
        if built.returncode != 0:
            sys.exit("posta does not build")
    return path


class PostaDev:
    """One running `posta dev`: `ready` is its first line, `listeners` maps a service to (host, port)."""

    def __init__(self, data, path=None, log=None, extra=()):
        self.data = data
        self.path = path or binary()
        self.log_path = log or os.path.join(os.path.dirname(data), "posta.log")
        self.extra = list(extra)
        self.process = None
        self.ready = None
        self.listeners = {}

    def start(self):
        """Starts it and waits for its first line; returns the seconds that took."""
        with open(self.log_path, "ab") as log:
            begun = time.perf_counter()
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        line = self._first_line(begun + READY_TIMEOUT_S)
        took = time.perf_counter() - begun
        self.ready = json.loads(line)
        if self.ready.get("ready") is not True:
            raise RuntimeError(f"posta said {line!r} instead of that it is ready")
        for service, address in self.ready["listeners"].items():
            host, _, port = address.rpartition(":")
            if port.isdigit():
                self.listeners[service] = (host, int(port))
        return took

    def command(self):
        offset = ["--port-offset", "auto", "--password", PASSWORD]
        return [self.path, "dev", "--data", self.data, *offset, "--json", *self.extra]

    def _first_line(self, deadline):
        line = b""
        out = self.process.stdout.fileno()
        while not line.endswith(b"\n"):
            left = deadline - time.perf_counter()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                self.kill()
                raise RuntimeError(f"posta was not ready in {READY_TIMEOUT_S} s; see its log:\n{self.log_tail()}")
            byte = os.read(out, 1)
            if not byte:
                self.process.wait()
                raise RuntimeError(f"posta ended with {self.process.returncode}:\n{self.log_tail()}")
            line += byte
        return line

    @property
    def pid(self):
        return self.process.pid

    def smtp(self):
        return self.listeners["smtp"]

    def pop3(self):
        return self.listeners["pop3"]

    def account(self):
        return self.ready["account"]

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM; returns the exit status. A server that does not stop is killed and that is an error."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise RuntimeError(f"posta did not stop within {STOP_TIMEOUT_S} s of SIGTERM") from None
        status = self.process.returncode
        self.process.stdout.close()
        self.process = None
        return status

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def run(self, *arguments, timeout=120, **how):
        """Runs `posta ARGUMENTS --data DIR` and returns the completed process with its text."""
        return subprocess.run(
            [self.path, *arguments, "--data", self.data],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            **how,
        )

    def log_tail(self):
        try:
            with open(self.log_path, "rb") as log:
                return log.read()[-2000:].decode("utf-8", "replace")
        except OSError:
            return ""


class PostaServe(PostaDev):
    """One running `posta serve`, with the configuration that is given: `data` and the like are added."""

    def __init__(self, work, configuration, path=None):
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        super().__init__(os.path.join(work, "data"), path, os.path.join(work, "posta.log"))
        self.file = os.path.join(work, "posta.toml")
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(f'data = "{self.data}"\n{configuration}')

    def command(self):
        return [self.path, "serve", "--config", self.file, "--json", *self.extra]

    def add_account(self, name):
        done = self.run("account", "add", name, "--password", PASSWORD, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"posta account add {name}: {done.stderr}")
