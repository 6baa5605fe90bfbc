"""The two servers of the access part: Posta and Debian's Dovecot, each in a private configuration on loopback.

Python 3 standard library only. Each has `name`, `title`, `durability`, `imap`, `imaps`, `pop3`, `start()`, `stop()`,
`account(name)`, `pids()`, `cpu_s()` and `memory_kib()`.
"""

import os
import pwd
import re
import shutil
import subprocess
import time

import servers
import tls
from servers import children_of, free_port, posta_dev, process_times_s

DOMAIN = servers.DOMAIN
PASSWORD = posta_dev.PASSWORD

# The same as a hash with the parameters that Posta stores passwords with, so that a login costs both the same hash.
PASSWORD_HASH = (
    "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$AXJRAOiOuHum3XE6dDiMdQ$tAR8LnIAhckemnQYLWSYC5niU715Z4pqWnT/dNhm85M"
)
START_TIMEOUT_S = 30


def greets(port):
    try:
        with servers.socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.settimeout(5)
            return connection.recv(512).startswith((b"* OK", b"+OK"))
    except OSError:
        return False


def wait_for(ports, what):
    deadline = time.monotonic() + START_TIMEOUT_S
    while not all(greets(port) for port in ports):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} does not answer")
        time.sleep(0.05)


class Server:
    """What both have in common."""

    def __init__(self, work):
        self.root = os.path.join(work, self.name)
        shutil.rmtree(self.root, ignore_errors=True)
        os.makedirs(self.root)
        os.chmod(self.root, 0o755)
        self.imap, self.imaps, self.pop3 = free_port(), free_port(), free_port()
        self.key, self.certificate = tls.make_certificate(self.root)

    def cpu_s(self):
        """Of the processes that live and of those that they have waited for."""
        return sum(process_times_s(pid) for pid in self.pids())

    def memory_kib(self):
        """Of all processes together: resident, and with what they share counted once (PSS)."""
        found = {"rss_kib": 0, "pss_kib": 0, "processes": 0}
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
                    text = rollup.read()
            except OSError:
                continue
            found["processes"] += 1
            for field in ("Rss", "Pss"):
                found[f"{field.lower()}_kib"] += int(re.search(rf"{field}:\s+(\d+)", text)[1])
        return found


class Posta(Server):
    """The binary as `posta serve` with limits that admit the sessions, and nothing else that is not its default."""

    name = "posta"
    title = "Posta"
    durability = "synced: fdatasync of the log before each OK that changed something, one for a group of sessions"

    CONFIGURATION = """\
host_name = "mx.{domain}"
domains = ["{domain}"]
{listeners}
[[certificate]]
certificate = "{certificate}"
key = "{key}"
[limits]
connections_max = {sessions}
connections_per_address_max = {sessions}
"""

    def __init__(self, work, path, sessions):
        super().__init__(work)
        services = (("imap", self.imap), ("imaps", self.imaps), ("pop3", self.pop3))
        text = self.CONFIGURATION.format(
            domain=DOMAIN,
            listeners="".join(f'[[listener]]\nservice = "{name}"\naddress = "127.0.0.1:{port}"\n' for name, port in services),
            certificate=self.certificate,
            key=self.key,
            sessions=sessions + 100,
        )
        self.server = posta_dev.PostaServe(os.path.join(self.root, "node"), text, path)

    def start(self):
        self.server.start()
        wait_for((self.imap, self.pop3), "Posta")

    def stop(self):
        self.server.stop()

    def account(self, name):
        user = f"{name}@{DOMAIN}"
        self.server.add_account(user)
        return user

    def pids(self):
        return [self.server.pid]


class Dovecot(Server):
    """Debian's Dovecot for many sessions: login processes that serve all of them, its own mailbox format, no plugins.

    Everything that is not named below is Dovecot's default, `mail_fsync = optimized` included.
    """

    name = "dovecot"
    title = "Dovecot"
    durabilities = {
        "optimized": "synced, its default (mail_fsync = optimized): the message's file before OK; flags and index are not",
        "always": "synced: message, flags and index before OK (mail_fsync = always)",
        "never": "not synced (mail_fsync = never)",
    }

    CONFIGURATION = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
mail_location = {format}:{root}/mail/%n
mail_fsync = {fsync}
first_valid_uid = 1
mail_max_userip_connections = 0
default_process_limit = {sessions}
default_client_limit = {clients}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={root}/mail/%n allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  process_limit = 2
  client_limit = {clients}
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  service_count = 0
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap {{
  process_limit = {sessions}
}}
"""

    def __init__(self, work, sessions, mail_format="sdbox", fsync="optimized"):
        super().__init__(work)
        self.title = f"Dovecot, {mail_format}"
        self.durability = self.durabilities[fsync]
        self.process = None
        os.makedirs(os.path.join(self.root, "mail"))
        os.makedirs(os.path.join(self.root, "state"))
        owner = pwd.getpwnam("mail")
        os.chown(os.path.join(self.root, "mail"), owner.pw_uid, owner.pw_gid)
        self.configuration = os.path.join(self.root, "dovecot.conf")
        with open(self.configuration, "w", encoding="ascii") as file:
            file.write(
                self.CONFIGURATION.format(
                    root=self.root, certificate=self.certificate, key=self.key, format=mail_format, fsync=fsync,
                    sessions=sessions + 100, clients=2 * sessions + 500, password=PASSWORD_HASH,
                    imap=self.imap, imaps=self.imaps, pop3=self.pop3,
                )
            )  # fmt: skip

    def start(self):
        with open(os.path.join(self.root, "output"), "ab") as output:
            self.process = subprocess.Popen(
                ["dovecot", "-F", "-c", self.configuration], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            wait_for((self.imap, self.pop3), "Dovecot")
        except RuntimeError as error:
            raise RuntimeError(f"{error}: {self.output()}") from None

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def account(self, name):
        return f"{name}@{DOMAIN}"

    def pids(self):
        return [self.process.pid, *children_of(self.process.pid)]

    def output(self):
        said = ""
        for name in ("output", "log"):
            try:
                with open(os.path.join(self.root, name), encoding="utf-8", errors="replace") as file:
                    said += file.read()[-1000:]
            except OSError:
                pass
        return said
