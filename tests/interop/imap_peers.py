"""Accounts that are read by IMAP and POP3: on Posta, or on Debian's Dovecot, which shows what is a check's own fault.

POSTA_INTEROP_ACCESS=dovecot lets every check of access run against Dovecot instead of Posta.
"""

import os
import shutil
import socket
import ssl
import subprocess

import wire
from harness import need
from imap_wire import Imap
from peers import Program, free_port, shell

PASSWORD = "access-secret-3"
AGAINST = os.environ.get("POSTA_INTEROP_ACCESS", "posta")


def says_ok(port):
    """Whether an IMAP or POP3 server greets there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.settimeout(5)
            return connection.recv(512).startswith((b"* OK", b"+OK"))
    except OSError:
        return False


class Dovecot(Program):
    """IMAP and POP3 for any name with one password, from a private configuration; maildirs by default."""

    CONFIGURATION = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
protocols = imap pop3
listen = 127.0.0.1
{tls}
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = {format}:{root}/mail/%u
first_valid_uid = 1
mail_max_userip_connections = 0
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={user} home={root}/mail/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Junk {{
    auto = subscribe
    special_use = \\Junk
  }}
  mailbox Trash {{
    auto = subscribe
    special_use = \\Trash
  }}
  mailbox Archive {{
    auto = subscribe
    special_use = \\Archive
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = {has_tls}
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = {has_tls}
  }}
}}
{more}"""
    USER = "mail"

    def __init__(self, work, name="dovecot-access", mail_format="maildir", more="", tls=True):
        self.name = name
        super().__init__(work)
        self.mail_format, self.more, self.has_tls = mail_format, more, tls
        self.ports = {}
        self.ca = None

    def start(self):
        os.makedirs(self.path("mail"), exist_ok=True)
        os.makedirs(self.path("state"), exist_ok=True)
        shutil.chown(self.path("mail"), self.USER, self.USER)
        self.ports = {service: free_port() for service in ("imap", "imaps", "pop3", "pop3s")}
        tls = "ssl = no"
        if self.has_tls:
            key, self.ca = self._certificate()
            tls = f"ssl = yes\nssl_cert = <{self.ca}\nssl_key = <{key}"
        text = self.CONFIGURATION.format(
            root=self.root,
            tls=tls,
            has_tls="yes" if self.has_tls else "no",
            format=self.mail_format,
            password=PASSWORD,
            user=self.USER,
            more=self.more,
            **self.ports,
        )
        self.configuration = self.write("dovecot.conf", text)
        self.run(["dovecot", "-F", "-c", self.configuration], lambda: says_ok(self.ports["imap"]))

    def _certificate(self):
        key, certificate = self.path("key.pem"), self.path("cert.pem")
        shell(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
            + ["-keyout", key, "-out", certificate, "-subj", "/CN=localhost"]
            + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        )
        return key, certificate

    def output(self):
        try:
            with open(self.path("log"), "rb") as log:
                return super().output() + log.read()[-2000:].decode("utf-8", "replace")
        except OSError:
            return super().output()

    def account(self, name):
        return Account(f"{name}@dovecot.example", PASSWORD, self.ports, self.ca, "dovecot", self.output)

    def doveadm(self, *arguments):
        done = subprocess.run(
            ["doveadm", "-c", self.configuration, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=600
        )
        return done.returncode, done.stdout, done.stderr


class Account:
    """Where one account is read, and with which password."""

    def __init__(self, user, password, ports, ca, server, log=lambda: ""):
        self.user, self.password, self.ports, self.ca, self.server, self.log = user, password, ports, ca, server, log

    def tls(self):
        return ssl.create_default_context(cafile=self.ca)

    def imap(self, select=None, source=None):
        client = Imap(("127.0.0.1", self.ports["imap"]), self.user, self.password, source=source)
        if select:
            client.say(b"SELECT " + select)
        return client

    def imaps(self):
        return Imap(("localhost", self.ports["imaps"]), self.user, self.password, tls=self.tls())

    def pop3(self):
        return wire.Pop3(("127.0.0.1", self.ports["pop3"]), self.user, self.password)

    def fill(self, messages, mailbox="INBOX", flags=b"()"):
        """Appends messages one after the other."""
        with self.imap() as client:
            for message in messages:
                client.append(mailbox, message, flags)
            client.logout()


def posta_account(world, name):
    """A new account on Posta; one that was there is made anew."""
    user = f"{name}@localhost"
    world.server.run("account", "remove", user, "--with-mail", text=True)
    made = world.server.run("account", "add", user, "--password", PASSWORD, text=True)
    need(made.returncode == 0, f"posta account add {user}: {made.stderr}")
    ports = {service: port for service, (_, port) in world.server.listeners.items()}
    for service in ("imap", "imaps"):
        need(service in ports, f"posta dev has no listener {service}: {sorted(ports)}")
    return Account(user, PASSWORD, ports, world.server.ready["ca"], "posta", world.server.log_tail)


def new_account(world, name):
    """An account without mail on the server that is checked."""
    return dovecot_account(world, name) if AGAINST == "dovecot" else posta_account(world, name)


def dovecot_account(world, name):
    return dovecot(world).account(name)


def dovecot(world):
    """The Dovecot of this run, begun when first asked for; `run` ends it."""
    running = getattr(world, "access_dovecot", None)
    if running is None:
        running = world.access_dovecot = Dovecot(world.work)
        running.start()
    return running


def stop(world):
    running = getattr(world, "access_dovecot", None)
    if running is not None:
        running.stop()


def idle_until(client, is_so, what, timeout_s=20):
    """Reads what IDLE brings until it is so; then DONE. Gives what came."""
    tag = client.begin(b"IDLE")
    client.continuation(tag)
    came = []
    client.socket.settimeout(timeout_s)
    try:
        while not is_so(came):
            came.append(client.untagged())
    except TimeoutError:
        raise AssertionError(f"IDLE did not tell that {what} in {timeout_s} s: {came!r}") from None
    client.send(b"DONE\r\n")
    answer = client.end(tag)
    need(answer.status == b"OK", f"IDLE ended with {answer!r}")
    return came
