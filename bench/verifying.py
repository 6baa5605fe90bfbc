"""The parts `authenticity` and `signing` of `bench/compare`: Posta beside Postfix with OpenDKIM and OpenDMARC.

`authenticity`: strangers send a message that is signed (RSA-2048, relaxed/relaxed) and passes SPF and DMARC; each server checks all
three and delivers. Names come from an unbound that knows all answers. It runs in a network of its own, where the client has an
address that is not of this machine and the resolver has port 53, which the filters cannot be told otherwise.

`signing`: mail of the machine's own, relayed to smtp-sink, is signed with RSA-2048, by Posta also with ed25519.

The processor time of the filters is Postfix's; that of unbound is nobody's. OpenDMARC checks SPF itself, which is cheaper than
the policy daemon in Python. Python 3 standard library only.
"""

import base64
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import relaying
import servers

import milter  # isort: skip
import peers  # isort: skip
import wire  # isort: skip

PARTS = ("authenticity", "signing")
PACKAGES = {"opendkim": "opendkim", "unbound": "unbound", "unshare": "util-linux", "ip": "iproute2"}
# OpenDMARC's own package wants a database; its program is unpacked instead.
UNPACKED = ("opendmarc", "libopendmarc2", "libspf2-2")
HERE, CLIENT = "192.0.2.25", "192.0.2.1"
SENDER_DOMAIN, SELECTOR = "sender.example", "bench"
RUN_TIMEOUT_S = 300
SESSIONS = 20


def compare(options, progress):
    """The part that has to be alone: this module again, in a network and with a resolv.conf of its own."""
    work = os.path.join(options.work, "authenticity")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    os.chmod(work, 0o755)
    install(progress)
    unpack_opendmarc(os.path.join(work, "opendmarc"))
    arguments = [work, options.posta, str(options.rounds), str(options.messages), ",".join(options.servers)]
    done = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, os.path.abspath(__file__), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    progress("")
    if done.returncode != 0:
        raise RuntimeError("the part authenticity did not come to its end; it needs root")
    return json.loads(done.stdout)


def install(progress):
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if not missing:
        return
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
        progress(f"apt-get {' '.join(arguments)}")
        subprocess.run(["apt-get", *arguments], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def unpack_opendmarc(folder):
    os.makedirs(folder)
    subprocess.run(["apt-get", "download", "-qq", *UNPACKED], cwd=folder, check=True, capture_output=True)
    for package in glob.glob(os.path.join(folder, "*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)


class Filter:
    """OpenDKIM or OpenDMARC, on a socket in its folder."""

    def __init__(self, folder, name, arguments, configuration, environment=None):
        os.makedirs(folder, exist_ok=True)
        self.name, self.arguments = name, arguments
        self.socket = os.path.join(folder, f"{name}.socket")
        self.file = os.path.join(folder, f"{name}.conf")
        self.environment = environment
        with open(self.file, "w", encoding="ascii") as file:
            file.write(f"Socket local:{self.socket}\nUMask 0000\nSyslog no\nBackground no\n{configuration}")

    def start(self):
        self.process = subprocess.Popen(
            [*self.arguments, self.file], stdin=subprocess.DEVNULL, stdout=sys.stderr, env={**os.environ, **(self.environment or {})}
        )
        deadline = time.monotonic() + 20
        while not os.path.exists(self.socket):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"{self.name} did not start")
            time.sleep(0.02)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def cpu_s(self):
        return servers.process_times_s(self.process.pid)


def opendkim(folder, mode, more):
    # `Nameservers` has its resolver forward instead of asking the roots.
    configuration = f"Mode {mode}\nRequireSafeKeys no\nAuthservID mx.{servers.DOMAIN}\n{more}"
    return Filter(folder, f"opendkim-{mode}", ["opendkim", "-f", "-x"], configuration)


def opendmarc(folder, unpacked):
    configuration = f"AuthservID mx.{servers.DOMAIN}\nTrustedAuthservIDs mx.{servers.DOMAIN}\nRejectFailures yes\n"
    configuration += "SPFSelfValidate yes\nSPFIgnoreResults yes\n"
    suffixes = "/usr/share/publicsuffix/public_suffix_list.dat"
    configuration += f"PublicSuffixList {suffixes}\n" if os.path.exists(suffixes) else ""
    libraries = ":".join(os.path.join(unpacked, *path) for path in (["usr", "lib"], ["usr", "lib", "x86_64-linux-gnu"]))
    program = os.path.join(unpacked, "usr", "sbin", "opendmarc")
    return Filter(folder, "opendmarc", [program, "-f", "-c"], configuration, {"LD_LIBRARY_PATH": libraries})


class WithFilters:
    """A Postfix whose filters begin, end and count with it."""

    def start(self):
        for each in self.filters:
            each.start()
        super().start()

    def stop(self):
        super().stop()
        for each in self.filters:
            each.stop()

    def cpu_s(self):
        return super().cpu_s() + sum(each.cpu_s() for each in self.filters)

    def set_filters(self, filters):
        self.filters = filters
        sockets = " ".join(f"unix:{each.socket}" for each in filters)
        self.MORE += f"smtpd_milters = {sockets}\nmilter_default_action = tempfail\n"


class CheckingPostfix(WithFilters, servers.Postfix):
    """Checks what strangers send by OpenDKIM and OpenDMARC."""

    title = "Postfix, milters"
    address = HERE

    def __init__(self, work, filters):
        self.set_filters(filters)
        super().__init__(work)

    def stored(self):
        [first, *_] = glob.glob(os.path.join(self.inbox, "new", "*"))
        with open(first, "rb") as file:
            return file.read()


class CheckingPosta:
    """`posta serve` with its defaults."""

    title = "Posta"
    durability = servers.Posta.durability
    CONFIGURATION = """\
host_name = "mx.{domain}"
domains = ["{domain}"]
[[listener]]
service = "smtp"
address = "{here}:0"
tls = "off"
[[listener]]
service = "pop3"
address = "127.0.0.1:0"
tls = "off"
[limits]
connections_per_address_max = 1000
[authenticity]
verify = "{verify}"
[dns]
servers = ["127.0.0.1:53"]
trust = "none"
"""

    def __init__(self, work, path, verify="on"):
        self.title = "Posta" if verify == "on" else "Posta, unchecked"
        text = self.CONFIGURATION.format(domain=servers.DOMAIN, here=HERE, verify=verify)
        self.server = servers.posta_dev.PostaServe(os.path.join(work, f"posta-{verify}"), text, path)

    def start(self):
        self.server.start()
        self.server.add_account(f"user@{servers.DOMAIN}")
        self.port = self.server.smtp()[1]

    def stop(self):
        self.server.stop()

    def cpu_s(self):
        return servers.process_times_s(self.server.pid)

    def settle(self, messages, deadline):
        return True

    def clear(self):
        pass

    def stored(self):
        with wire.Pop3(self.server.pop3(), f"user@{servers.DOMAIN}", servers.posta_dev.PASSWORD) as maildrop:
            return maildrop.retrieve(1)


class SigningPosta(servers.Posta):
    """`posta serve` that signs what the machine itself sends and relays it to the sink; `keys` are arguments of `posta dkim`."""

    durability = relaying.Posta.durability
    CONFIGURATION = """\
host_name = "mx.{domain}"
domains = ["{domain}"]
[[listener]]
service = "smtp"
address = "127.0.0.1:0"
tls = "off"
[[transport]]
match = "*"
to = "smtp://127.0.0.1:{sink_port}"
[policy]
trusted_networks = ["127.0.0.0/8"]
"""

    def __init__(self, work, title, path, sink_port, keys):
        self.title, self.keys = title, keys
        text = self.CONFIGURATION.format(domain=servers.DOMAIN, sink_port=sink_port)
        self.server = servers.posta_dev.PostaServe(os.path.join(work, "posta"), text, path)

    def start(self):
        super().start()
        for arguments in self.keys:
            done = self.server.run("dkim", *arguments, text=True)
            if done.returncode != 0:
                raise RuntimeError(f"posta dkim {' '.join(arguments)}: {done.stderr}")

    queued = relaying.Posta.queued


class SigningPostfix(WithFilters, relaying.Postfix):
    """Has OpenDKIM sign and relays to the sink."""

    title = "Postfix, milter"

    def __init__(self, work, sink_port, filters):
        self.set_filters(filters)
        super().__init__(work, sink_port)


def compare_signing(options, progress, deadline):
    """Each server with a sink of its own, in turn; the first message of each is looked at."""
    work = os.path.join(options.work, "signing")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    os.chmod(work, 0o755)
    install(progress)
    running, runs = [], {}
    try:
        for name, signatures in (("unsigned", 0), ("posta", 1), ("both", 2), ("postfix", 1)):
            if ("postfix" if name == "postfix" else "posta") not in options.servers:
                continue
            folder = os.path.join(work, name)
            os.makedirs(folder)
            # smtp-sink drops root's rights before it writes.
            os.chmod(folder, 0o777)
            sink = KeepingSink(folder)
            server = signing_server(name, folder, sink.port, options.posta)
            progress(f"starting {server.title} with a sink behind it")
            sink.start()
            running.append(sink)
            server.start()
            running.append(server)
            need_signatures(server, sink, signatures)
            runs[server.title] = (server, sink, [])
        for number in range(options.rounds):
            if time.monotonic() > deadline:
                progress(f"the time is up after {number} rounds")
                break
            order = list(runs.values())
            for server, sink, results in order[number % len(order) :] + order[: number % len(order)]:
                progress(f"round {number + 1} of {options.rounds}, signing: {server.title}")
                results.append(relaying.one_run(server, sink, options.messages))
    finally:
        for each in reversed(running):
            each.stop()
        progress("")
    return {"messages": options.messages, "runs": {title: results for title, (_, _, results) in runs.items()}}


def signing_server(name, folder, sink_port, path):
    if name == "postfix":
        key, _ = new_key(folder)
        return SigningPostfix(folder, sink_port, [opendkim(folder, "s", signing_options(servers.DOMAIN, key))])
    title, keys = {
        "unsigned": ("Posta, unsigned", []),
        "posta": ("Posta", [["rotate", servers.DOMAIN, "--algorithm", "rsa", "--now"]]),
        "both": ("Posta, two keys", [["rotate", servers.DOMAIN, "--now"]]),
    }[name]
    return SigningPosta(folder, title, path, sink_port, keys)


class KeepingSink(relaying.CountingSink):
    """A sink that keeps the messages of its first run, and none of those that are counted."""

    def __init__(self, work):
        super().__init__(work)
        self.kept = os.path.join(work, "kept.")
        self.options = (*relaying.CountingSink.options, "-d", self.kept)

    def without_keeping(self):
        self.stop()
        self.options = relaying.CountingSink.options
        self.start()


def need_signatures(server, sink, count):
    """What is measured has to have been done, and a warm server does it."""
    relaying.one_run(server, sink, 100)
    for path in glob.glob(sink.kept + "*"):
        with open(path, "rb") as file:
            found = len(re.findall(rb"(?im)^dkim-signature:", file.read()))
        if found != count:
            raise RuntimeError(f"{server.title} made {found} signatures instead of {count}")
    if not glob.glob(sink.kept + "*"):
        raise RuntimeError("smtp-sink kept no message")
    sink.without_keeping()


class Unbound:
    """A resolver that has all answers in its configuration."""

    def __init__(self, folder, public_key):
        self.file = os.path.join(folder, "unbound.conf")
        public_key = "".join(f'"{piece}"' for piece in re.findall(".{1,250}", f"v=DKIM1; k=rsa; p={public_key}"))
        records = {
            f"{SENDER_DOMAIN}. TXT": f'"v=spf1 ip4:{CLIENT} -all"',
            f"_dmarc.{SENDER_DOMAIN}. TXT": '"v=DMARC1; p=reject"',
            f"mx.{SENDER_DOMAIN}. A": CLIENT,
            f"{SELECTOR}._domainkey.{SENDER_DOMAIN}. TXT": public_key,
            "1.2.0.192.in-addr.arpa. PTR": f"mx.{SENDER_DOMAIN}.",
        }
        data = "".join(f"  local-data: '{name.replace(' ', ' 3600 IN ')} {value}'\n" for name, value in records.items())
        with open(self.file, "w", encoding="ascii") as file:
            file.write(
                f'server:\n  interface: 127.0.0.1@53\n  do-daemonize: no\n  username: ""\n  chroot: ""\n  directory: "{folder}"\n'
                f'  pidfile: "{folder}/unbound.pid"\n  use-syslog: no\n  module-config: "iterator"\n  access-control: 0.0.0.0/0 allow\n'
                f'  local-zone: "." static\n  local-zone: "192.in-addr.arpa." transparent\n{data}'
                "remote-control:\n  control-enable: no\n"
            )

    def start(self):
        self.process = subprocess.Popen(["unbound", "-d", "-c", self.file], stdin=subprocess.DEVNULL, stdout=sys.stderr)
        peers.wait_until("unbound answers", lambda: self.process.poll() is None and has_answer())

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def has_answer():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        try:
            client.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0\6sender\7example\0\0\x10\0\1", ("127.0.0.1", 53))
            return client.recv(512)[7] > 0
        except OSError:
            return False


def alone(work, posta, rounds, messages, names):
    """In the network of its own: every round each server in turn."""
    for arguments in (
        ["link", "set", "lo", "up"],
        ["addr", "add", f"{CLIENT}/32", "dev", "lo"],
        ["addr", "add", f"{HERE}/32", "dev", "lo"],
        # Who connects there comes from the client's address.
        ["route", "replace", "local", HERE, "dev", "lo", "src", CLIENT, "table", "local"],
    ):
        subprocess.run(["ip", *arguments], check=True)
    resolv = os.path.join(work, "resolv.conf")
    with open(resolv, "w", encoding="ascii") as file:
        file.write("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", resolv, "/etc/resolv.conf"], check=True)
    message, public_key = signed_message(work)
    running, runs = [Unbound(work, public_key)], {}
    try:
        running[0].start()
        for name in ("posta", "posta-unchecked", "postfix"):
            if name.partition("-")[0] not in names:
                continue
            if name == "postfix":
                filters = [opendkim(work, "v", "Nameservers 127.0.0.1\n"), opendmarc(work, os.path.join(work, "opendmarc"))]
                server = CheckingPostfix(work, filters)
            else:
                server = CheckingPosta(work, posta, "on" if name == "posta" else "off")
            running.append(server)
            server.start()
            runs[server.title] = (server, [])
            one_run(server, message, 40)
            if name != "posta-unchecked":
                need_results(server.title, server.stored())
        for number in range(rounds):
            order = list(runs.values())
            for server, results in order[number % len(order) :] + order[: number % len(order)]:
                print(f"round {number + 1} of {rounds}, authenticity: {server.title}", file=sys.stderr, flush=True)
                results.append(one_run(server, message, messages))
    finally:
        for each in reversed(running):
            each.stop()
    return {"messages": messages, "octets": os.path.getsize(message), "runs": {title: results for title, (_, results) in runs.items()}}


def signed_message(work):
    """A file with a message of 4 KiB that is signed, and the public key."""
    key, public = new_key(work)
    plain = f"From: Sender <sender@{SENDER_DOMAIN}>\r\nTo: user@{servers.DOMAIN}\r\nSubject: a message\r\n"
    plain += f"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@{SENDER_DOMAIN}>\r\n\r\n"
    plain += ("An ordinary line of a message, as long as most.\r\n" * 80)[: 4096 - len(plain)].rpartition("\r\n")[0] + "\r\n"
    signer = opendkim(work, "s", signing_options(SENDER_DOMAIN, key))
    signer.start()
    try:
        with milter.Milter(signer.socket) as connection:
            [signature] = [value for name, value in connection.added(plain.encode(), CLIENT) if name == b"DKIM-Signature"]
    finally:
        signer.stop()
    path = os.path.join(work, "message.eml")
    with open(path, "wb") as file:
        # smtp-source reads lines and sends them with CRLF.
        file.write(b"DKIM-Signature: " + (signature.lstrip() + b"\n" + plain.encode()).replace(b"\r\n", b"\n"))
    return path, base64.b64encode(public).decode()


def new_key(folder):
    """The file of an RSA key of 2048 bits, and the octets of its public half."""
    key = os.path.join(folder, "bench.pem")
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    done = subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True)
    return key, done.stdout


def signing_options(domain, key):
    return (
        f"Domain {domain}\nSelector {SELECTOR}\nKeyFile {key}\nSignatureAlgorithm rsa-sha256\n"
        f"Canonicalization relaxed/relaxed\nInternalHosts csl:{CLIENT},127.0.0.1\n"
    )


def need_results(title, stored):
    """What is measured has to have been done."""
    text = re.sub(rb"\r?\n[ \t]+", b" ", stored)
    for result in (b"dkim=pass", b"spf=pass", b"dmarc=pass"):
        if result not in text:
            raise RuntimeError(f"{title} did not say {result.decode()}: {text[:1500]!r}")


def one_run(server, message, messages):
    server.clear()
    os.sync()
    arguments = ["smtp-source", "-d", "-s", str(SESSIONS), "-m", str(messages), "-M", f"mx.{SENDER_DOMAIN}", "-F", message]
    arguments += ["-f", f"sender@{SENDER_DOMAIN}", "-t", f"user@{servers.DOMAIN}", f"{HERE}:{server.port}"]
    cpu_before_s, begun = server.cpu_s(), time.perf_counter()
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_TIMEOUT_S)
    accepted_s = time.perf_counter() - begun
    if done.returncode != 0 or done.stderr.strip():
        raise RuntimeError(f"smtp-source against {server.title}: {done.stderr.strip() or done.returncode}")
    server.settle(messages, time.monotonic() + RUN_TIMEOUT_S)
    delivered_s = time.perf_counter() - begun
    return {
        "accepted_per_s": messages / accepted_s,
        "delivered_per_s": messages / delivered_s,
        "cpu_us_per_message": (server.cpu_s() - cpu_before_s) * 1e6 / messages,
    }


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    work_, posta_, rounds_, messages_, names_ = sys.argv[1:]
    print(json.dumps(alone(work_, posta_, int(rounds_), int(messages_), names_.split(","))))
