"""Real mail programs and name servers from Debian's packages, each on loopback in a folder of its own.

Each has `start()` and `stop()`; what it starts, it ends by process id. The system's services are not touched. Exim's
package cannot be installed beside Postfix's, so its program is unpacked into the folder instead.
"""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

START_TIMEOUT_S = 30


def free_port():
    """A port that nobody listens on now. The program that takes it starts right after."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, is_so, timeout_s=START_TIMEOUT_S):
    """Asks again and again until it is so; what is returned is what `is_so` returned."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = is_so()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come to pass within {timeout_s} s that {what}")
        time.sleep(0.05)


def greets(port, address="127.0.0.1"):
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            connection.settimeout(5)
            is_there = connection.recv(512).startswith(b"220")
            connection.sendall(b"QUIT\r\n")
            return is_there
    except OSError:
        return False


class Program:
    """A program that stays in the foreground."""

    name = ""

    def __init__(self, work):
        self.root = os.path.join(work, self.name)
        shutil.rmtree(self.root, ignore_errors=True)
        os.makedirs(self.root)
        os.chmod(self.root, 0o755)
        self.process = None

    def path(self, *names):
        return os.path.join(self.root, *names)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        return self.path(name)

    def run(self, arguments, is_ready):
        with open(self.path("output"), "ab") as output:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )

        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.output()}")
            return is_ready()

        wait_until(f"{self.name} answers", ready)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def output(self):
        try:
            with open(self.path("output"), "rb") as output:
                return output.read()[-2000:].decode("utf-8", "replace")
        except OSError:
            return ""


def maildir(folder):
    """The messages of a maildir as octets with CRLF line ends, in the order of their names."""
    messages = []
    for path in sorted(glob.glob(os.path.join(folder, "new", "*"))):
        with open(path, "rb") as file:
            messages.append(file.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    return messages


class Exim(Program):
    """Takes mail for exim.example into a maildir."""

    name = "exim"
    CONFIGURATION = """\
exim_path = {program}
primary_hostname = exim.example
exim_user = mail
exim_group = mail
spool_directory = {root}/spool
log_file_path = {root}/log/%slog
pid_file_path = {root}/spool/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
domainlist local_domains = exim.example
acl_smtp_rcpt = rcpt
tls_advertise_hosts =
keep_environment =
dsn_advertise_hosts = *
begin acl
rcpt:
  deny local_parts = nobody
       message = no such user here
  accept domains = +local_domains
  deny message = relay not permitted
begin routers
local:
  driver = accept
  domains = +local_domains
  transport = file
begin transports
file:
  driver = appendfile
  directory = {root}/mail
  maildir_format
  user = mail
  group = mail
  return_path_add
"""

    def start(self):
        program = self._unpacked()
        self._ensure_user()
        self.port = free_port()
        for folder in ("spool", "log", "mail"):
            os.makedirs(self.path(folder), exist_ok=True)
            shutil.chown(self.path(folder), "mail", "mail")
        text = self.CONFIGURATION.format(root=self.root, port=self.port, program=program)
        configuration = self.write("exim.conf", text)
        self.run([program, "-C", configuration, "-bdf"], lambda: greets(self.port))

    def messages(self):
        return maildir(self.path("mail"))

    def _unpacked(self):
        program = self.path("package", "usr", "sbin", "exim4")
        if not os.path.exists(program):
            os.makedirs(self.path("package"))
            shell(["apt-get", "download", "-qq", "exim4-daemon-light"], cwd=self.path("package"))
            [package] = glob.glob(self.path("package", "*.deb"))
            shell(["dpkg-deb", "-x", package, self.path("package")])
        return program

    @staticmethod
    def _ensure_user():
        # The program was built for this account and does not start without it.
        try:
            pwd.getpwnam("Debian-exim")
        except KeyError:
            shell(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "Debian-exim"])


class Dovecot(Program):
    """Takes mail for anybody by LMTP, on a port and on a socket in the file system, into maildirs."""

    name = "dovecot"
    CONFIGURATION = """\
base_dir = {root}/run
state_dir = {root}/state
protocols = lmtp
log_path = {root}/log
ssl = no
mail_location = maildir:{root}/mail/%u
first_valid_uid = 1
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={root}/mail/%u allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener lmtp {{
    path = lmtp
    mode = 0666
  }}
}}
"""

    def start(self):
        self.port = free_port()
        self.socket = self.path("run", "lmtp")
        for folder in ("mail", "state"):
            os.makedirs(self.path(folder), exist_ok=True)
        shutil.chown(self.path("mail"), "mail", "mail")
        configuration = self.write("dovecot.conf", self.CONFIGURATION.format(root=self.root, port=self.port))
        self.run(["dovecot", "-F", "-c", configuration], lambda: greets(self.port))

    def messages(self, user):
        return maildir(self.path("mail", user))


class Postfix(Program):
    """Takes mail for postfix.example into a maildir, and relays mail for back.example to `next_port`."""

    name = "postfix"
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
multi_instance_name = postfix-posta-interop
multi_instance_enable = no
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.postfix.example
myorigin = postfix.example
mydestination =
mynetworks = 127.0.0.0/8
local_recipient_maps =
alias_maps =
alias_database =
virtual_mailbox_domains = postfix.example {domains}
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
relay_domains = back.example
fast_flush_domains = back.example
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{ nobody@postfix.example = 550 5.1.1 no such user }} }}, permit_mynetworks, reject
relay_transport = smtp:[127.0.0.1]:{next_port}
default_transport = error:nothing leaves this machine
smtp_tls_security_level = may
smtputf8_enable = yes
{tls}"""

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
smtp      unix  - - n -     - smtp
relay     unix  - - n -     - smtp
error     unix  - - n -     - error
retry     unix  - - n -     - error
discard   unix  - - n -     - discard
virtual   unix  - n n -     - virtual
anvil     unix  - - n -     1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""
    TLS = "smtpd_tls_security_level = may\nsmtpd_tls_key_file = {key}\nsmtpd_tls_cert_file = {certificate}\n"

    def __init__(self, work, next_port=9, tls=None, address="127.0.0.1", domains=()):
        super().__init__(work)
        self.address, self.domains = address, domains
        self.next_port = next_port
        self.tls = tls
        self.port = free_port()
        self.master_pid = None
        for folder in ("etc", "queue", "data", "mail"):
            os.makedirs(self.path(folder))
        owner = pwd.getpwnam("postfix")
        os.chown(self.path("data"), owner.pw_uid, owner.pw_gid)
        os.chmod(self.path("data"), 0o700)
        os.chown(self.path("mail"), 5000, 5000)

    def start(self):
        tls = self.TLS.format(certificate=self.tls[0], key=self.tls[1]) if self.tls else ""
        values = {
            "root": self.root,
            "address": self.address,
            "domains": " ".join(self.domains),
            "port": self.port,
            "next_port": self.next_port,
            "tls": tls,
            "command_directory": shell(["postconf", "-d", "-h", "command_directory"]).strip(),
            "daemon_directory": shell(["postconf", "-d", "-h", "daemon_directory"]).strip(),
        }
        self.write("etc/main.cf", self.MAIN.format(**values))
        self.write("etc/master.cf", self.MASTER.format(**values))
        for command in ("check", "start"):
            try:
                shell(["postfix", "-c", self.path("etc"), command])
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self.output()}") from None
        with open(self.path("queue", "pid", "master.pid"), encoding="ascii") as pid:
            self.master_pid = int(pid.read())
        wait_until("postfix answers", lambda: greets(self.port, self.address))

    def stop(self):
        if self.master_pid is None:
            return
        try:
            os.kill(self.master_pid, signal.SIGTERM)
            wait_until("postfix ends", lambda: not os.path.exists(f"/proc/{self.master_pid}"))
        except ProcessLookupError:
            pass
        self.master_pid = None

    def queued(self):
        """Messages that wait in its queue."""
        count = 0
        for queue in ("incoming", "active", "deferred"):
            for _, _, files in os.walk(self.path("queue", queue)):
                count += len(files)
        return count

    def messages(self):
        return maildir(self.path("mail", "inbox"))

    def output(self):
        try:
            with open(self.path("mail.log"), encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-20:])
        except OSError:
            return ""


class Knot(Program):
    """An authoritative name server; `signed` zones it signs itself. Zones are texts by their domain."""

    name = "knot"
    CONFIGURATION = """\
server:
    listen: 127.0.0.1@{port}
    rundir: {root}/run
database:
    storage: {root}/db
log:
  - target: stderr
    any: warning
policy:
  - id: here
    algorithm: ecdsap256sha256
    single-type-signing: on
zone:
"""
    ZONE = "  - domain: {domain}\n    storage: {root}/zones\n    file: {domain}.zone\n"
    SIGNED = (
        "    zonefile-load: difference-no-serial\n    journal-content: all\n    zonefile-sync: -1\n"
        "    dnssec-signing: on\n    dnssec-policy: here\n"
    )
    HEAD = "$TTL 60\n@ SOA ns admin 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"

    def __init__(self, work, zones, signed):
        super().__init__(work)
        self.zones, self.signed = zones, signed
        self.port = free_port()

    def start(self):
        for folder in ("run", "db"):
            os.makedirs(self.path(folder), exist_ok=True)
        configuration = self.CONFIGURATION.format(root=self.root, port=self.port)
        for domain, text in self.zones.items():
            self.write(f"zones/{domain}.zone", self.HEAD + text)
            configuration += self.ZONE.format(domain=domain, root=self.root)
            configuration += self.SIGNED if domain in self.signed else ""
        path = self.write("knot.conf", configuration)
        self.run(["knotd", "-c", path], lambda: all(answers(self.port, domain) for domain in self.zones))
        self.trust_anchors = self.write("anchors", "".join(self._key(path, domain) for domain in self.signed))

    @staticmethod
    def _key(configuration, domain):
        """The record of the key that the zone is signed with."""
        listed = shell(["keymgr", "-c", configuration, domain, "list"]).splitlines()
        [key] = [line.split()[0] for line in listed if "CSK" in line.split() or "KSK" in line.split()]
        return shell(["keymgr", "-c", configuration, domain, "dnskey", key])


class Unbound(Program):
    """A resolver that validates what `authority` signs, and asks nobody else."""

    name = "unbound"
    CONFIGURATION = """\
server:
  interface: 127.0.0.1@{port}
  port: {port}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{root}"
  pidfile: "{root}/pid"
  use-syslog: no
  logfile: ""
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  trust-anchor-file: "{anchors}"
  module-config: "validator iterator"
  qname-minimisation: no
  local-zone: "example." transparent
  local-zone: "test." transparent
{insecure}{stubs}remote-control:
  control-enable: no
"""

    def __init__(self, work, authority):
        super().__init__(work)
        self.authority = authority
        self.port = free_port()

    def start(self):
        zones, signed = self.authority.zones, self.authority.signed
        stub = 'stub-zone:\n  name: "{}"\n  stub-addr: 127.0.0.1@{}\n'
        text = self.CONFIGURATION.format(
            port=self.port,
            root=self.root,
            anchors=self.authority.trust_anchors,
            insecure="".join(f'  domain-insecure: "{zone}"\n' for zone in zones if zone not in signed),
            stubs="".join(stub.format(zone, self.authority.port) for zone in zones),
        )
        path = self.write("unbound.conf", text)
        self.run(["unbound", "-d", "-c", path], lambda: all(answers(self.port, zone) for zone in zones))


def answers(port, domain):
    """Whether a name server gives a SOA record of the domain."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in domain.split("."))
    query = b"\0\1\1\0\0\1\0\0\0\0\0\0" + question + b"\0\0\6\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        try:
            client.sendto(query, ("127.0.0.1", port))
            reply = client.recv(4096)
        except OSError:
            return False
    return reply[3] & 15 == 0 and reply[7] > 0


def shell(arguments, **how):
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, **how)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(arguments)}: {done.returncode} {done.stderr.strip()} {done.stdout.strip()}")
    return done.stdout
