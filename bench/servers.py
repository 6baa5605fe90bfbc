"""The three servers of the comparison: Postfix in a private configuration, Posta, and smtp-sink.

Python 3 standard library only. Each server has `name`, `durability`, `port`, `start()`, `stop()`, `cpu_s()`,
`settle(messages, deadline)` (waits until what was accepted is delivered) and `clear()` (between rounds).
"""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

BENCH = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(BENCH), "tests", "interop"))
import posta_dev  # noqa: E402

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
DOMAIN = "bench.example"
# Postfix's virtual(8) refuses to deliver as a system account; no such account has to exist.
MAIL_UID = 5000


def free_port():
    """A port that nobody listens on now. The server that takes it starts right after."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, what, address="127.0.0.1", deadline_s=20):
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((address, port), timeout=1) as connection:
                connection.settimeout(deadline_s)
                if connection.recv(512).startswith(b"220"):
                    connection.sendall(b"QUIT\r\n")
                    connection.recv(512)
                    return
        except OSError:
            pass
        time.sleep(0.02)
    raise RuntimeError(f"{what} does not answer on port {port}")


def process_times_s(pid):
    """User and system time of a process and of those of its children that it has waited for, in seconds."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / CLOCK_TICKS


def children_of(pid):
    children = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            children.append(int(path.split("/")[2]))
    return children


class Sink:
    """Postfix's smtp-sink: speaks the protocol and throws everything away, so it is the generator's own limit."""

    name = "sink"
    title = "smtp-sink"
    durability = "none: nothing is stored"
    options = ()

    def __init__(self, work):
        self.log = os.path.join(work, "sink.log")
        self.port = free_port()
        self.process = None

    def start(self):
        user = ["-u", "postfix"] if os.geteuid() == 0 else []
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["smtp-sink", *user, *self.options, f"127.0.0.1:{self.port}", "1024"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for_port(self.port, "smtp-sink")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)

    def cpu_s(self):
        return process_times_s(self.process.pid)

    def settle(self, messages, deadline):
        return True

    def clear(self):
        pass


class Posta:
    """The release binary as `posta dev` starts it: the production engine, every 250 after an fdatasync."""

    name = "posta"
    title = "Posta"
    durability = "synced: fdatasync of the log before 250, one for a group; the mail is in the mailbox by then"

    def __init__(self, work, path=None, extra=()):
        self.path = path or posta_dev.binary()
        self.data = os.path.join(work, "posta", "data")
        shutil.rmtree(os.path.dirname(self.data), ignore_errors=True)
        os.makedirs(os.path.dirname(self.data))
        self.server = posta_dev.PostaDev(self.data, self.path, extra=extra)
        self.port = None

    def start(self):
        took = self.server.start()
        self.port = self.server.smtp()[1]
        return took

    def stop(self):
        return self.server.stop()

    def kill(self):
        self.server.kill()

    @property
    def pid(self):
        return self.server.pid

    def cpu_s(self):
        return process_times_s(self.server.pid)

    def settle(self, messages, deadline):
        # A 250 already means that the mail lies in the mailbox: there is nothing to wait for.
        return True

    def clear(self):
        pass


class Postfix:
    """Debian's Postfix with its own configuration, queue, data and log; the system's service is not touched.

    Delivery is virtual(8) into a maildir, which Postfix runs 20 at a time by default (local(8) only 2), so it is
    the quicker of its two ways. Everything that is not named below is Postfix's default, fsync included.
    """

    name = "postfix"
    title = "Postfix"
    durability = "synced, its default: fsync of the queue file before 250, fsync of the maildir file before removal"

    MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = {command_directory}
daemon_directory = {daemon_directory}
mail_owner = postfix
setgid_group = postdrop
maillog_file = {root}/mail.log
maillog_file_prefixes = {root}
multi_instance_name = postfix-posta-bench
multi_instance_enable = no
inet_interfaces = {address}
inet_protocols = ipv4
myhostname = mx.{domain}
mydomain = {domain}
myorigin = {domain}
mydestination =
mynetworks = 127.0.0.0/8
local_recipient_maps =
alias_maps =
alias_database =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_mailbox_limit = 0
mailbox_size_limit = 0
default_transport = error:nothing leaves this machine
relay_transport = error:nothing leaves this machine
"""

    MASTER = """\
{address}:{port} inet n - n - - smtpd
pickup    unix  n - n 60    1 pickup
cleanup   unix  n - n -     0 cleanup
qmgr      unix  n - n 300   1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n -     - trivial-rewrite
bounce    unix  - - n -     0 bounce
defer     unix  - - n -     0 bounce
trace     unix  - - n -     0 bounce
verify    unix  - - n -     1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -     - proxymap
error     unix  - - n -     - error
retry     unix  - - n -     - error
discard   unix  - - n -     - discard
virtual   unix  - n n -     - virtual
anvil     unix  - - n -     1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""

    # What a subclass changes: of two settings of the same name the last one counts.
    MORE = ""
    address = "127.0.0.1"

    TLS = """\
smtpd_tls_security_level = may
smtpd_tls_key_file = {key}
smtpd_tls_cert_file = {certificate}
smtpd_tls_session_cache_database = btree:$data_directory/smtpd_scache
"""

    def __init__(self, work, tls=None):
        self.tls = tls
        self.root = os.path.join(work, "postfix")
        self.config = os.path.join(self.root, "etc")
        self.inbox = os.path.join(self.root, "mail", "inbox")
        self.log = os.path.join(self.root, "mail.log")
        self.port = free_port()
        self.master_pid = None
        self._write_configuration()

    def _write_configuration(self):
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in ("etc", "queue", "data", "mail"):
            os.makedirs(os.path.join(self.root, folder))
        owner = pwd.getpwnam("postfix")
        os.chown(os.path.join(self.root, "data"), owner.pw_uid, owner.pw_gid)
        os.chmod(os.path.join(self.root, "data"), 0o700)
        os.chown(os.path.join(self.root, "mail"), MAIL_UID, MAIL_UID)
        settings = {
            "root": self.root,
            "domain": DOMAIN,
            "uid": MAIL_UID,
            "port": self.port,
            "address": self.address,
            "command_directory": self._installed("command_directory"),
            "daemon_directory": self._installed("daemon_directory"),
        }
        with open(os.path.join(self.config, "main.cf"), "w", encoding="ascii") as main:
            main.write((self.MAIN + self.MORE).format(**settings))
            if self.tls:
                main.write(self.TLS.format(key=self.tls[0], certificate=self.tls[1]))
        with open(os.path.join(self.config, "master.cf"), "w", encoding="ascii") as master:
            master.write(self.MASTER.format(**settings))

    @staticmethod
    def _installed(name):
        return subprocess.run(
            ["postconf", "-d", "-h", name], check=True, capture_output=True, text=True
        ).stdout.strip()

    def start(self):
        # `check` makes the queue's folders with the owners that Postfix asks for.
        for command in ("check", "start"):
            done = subprocess.run(
                ["postfix", "-c", self.config, command], stdin=subprocess.DEVNULL, capture_output=True, text=True
            )
            if done.returncode != 0:
                raise RuntimeError(f"postfix {command}: {done.stderr}{self._log_tail()}")
        with open(os.path.join(self.root, "queue", "pid", "master.pid"), encoding="ascii") as pid:
            self.master_pid = int(pid.read())
        wait_for_port(self.port, f"Postfix ({self._log_tail()})", self.address)

    def stop(self):
        if self.master_pid is None:
            return
        try:
            os.kill(self.master_pid, signal.SIGTERM)
            deadline = time.monotonic() + 20
            while os.path.exists(f"/proc/{self.master_pid}") and time.monotonic() < deadline:
                time.sleep(0.05)
        except ProcessLookupError:
            pass
        self.master_pid = None

    def cpu_s(self):
        # master(8) waits for its children, so the dead ones are in its own record; add the living.
        pids = [self.master_pid, *children_of(self.master_pid)]
        return sum(process_times_s(pid) for pid in pids)

    def settle(self, messages, deadline):
        """Waits until the queue is empty; then every message has to lie in the maildir."""
        while not self._queue_is_empty():
            if time.monotonic() > deadline:
                raise RuntimeError(f"Postfix's queue is not empty in time: {self._log_tail()}")
            time.sleep(0.005)
        delivered = len(os.listdir(os.path.join(self.inbox, "new")))
        if delivered != messages:
            raise RuntimeError(f"Postfix delivered {delivered} of {messages} messages: {self._log_tail()}")
        return True

    def _queue_is_empty(self):
        # In the order in which a message moves, so that none slips past between two looks.
        for queue in ("maildrop", "incoming", "active", "deferred"):
            for _, _, files in os.walk(os.path.join(self.root, "queue", queue)):
                if files:
                    return False
        return True

    def clear(self):
        shutil.rmtree(self.inbox, ignore_errors=True)

    def _log_tail(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-5:])
        except OSError:
            return "no log yet"
