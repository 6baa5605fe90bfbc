"""The way out: mail through real servers of other makes, chosen by transports, by the DNS, and by who asks for it.

Each check has nodes and peers of its own, which it ends. Standard library only.
"""

import contextlib
import email
import hashlib
import http.server
import json
import os
import re
import signal
import smtplib
import socketserver
import ssl
import threading
import time

import peers
import posta_dev
import wire
from harness import check, need
from way_in import run

SENDER = "ada@home.example"
MESSAGE = (
    b"From: Ada <ada@home.example>\r\nTo: someone@far.example\r\nSubject: %s\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <%s@home.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\n.A dot, gr\xc3\xbc\xc3\x9fe,\r\n..two dots\r\n.\r\nand the end\r\n"
)
# Retries that a check can wait for.
QUICK = "[queue]\nretry_intervals_s = [60]\n"

CONFIGURATION = """\
host_name = "{host_name}"
domains = [{domains}]

[[listener]]
service = "smtp"
address = "{address}:{port}"
tls = "off"

[[listener]]
service = "pop3"
address = "{address}:0"
tls = "off"

[policy]
trusted_networks = ["127.0.0.0/8"]

{more}
"""


@contextlib.contextmanager
def node(world, name, domain, more="", port=0, address="127.0.0.1", account=None):
    """A node for one domain with one account."""
    configuration = CONFIGURATION.format(
        host_name=f"mx.{domain}", domains=f'"{domain}"', port=port, address=address, more=more
    )
    server = posta_dev.PostaServe(os.path.join(world.work, name), configuration)
    try:
        server.start()
        server.add_account(account or f"ada@{domain}")
        yield server
    except BaseException:
        print(f"--- the log of {name}:\n{server.log_tail()}", flush=True)
        raise
    finally:
        server.kill()


@contextlib.contextmanager
def started(peer):
    try:
        peer.start()
        yield peer
    except BaseException:
        print(f"--- {peer.name} said:\n{peer.output()}", flush=True)
        raise
    finally:
        peer.stop()


def transport(match, to, more=""):
    return f'[[transport]]\nmatch = "{match}"\nto = "{to}"\n{more}\n'


def send(server, recipients, subject, mail_options=(), rcpt_options=()):
    """Submits by smtplib; returns the octets that went, and the id that the server gave."""
    octets = MESSAGE % (subject.encode(), re.sub(r"\W", "-", subject).encode())
    with smtplib.SMTP(*server.smtp(), local_hostname="client.example", timeout=30) as client:
        client.ehlo()
        client.mail(SENDER, ["BODY=8BITMIME", *mail_options])
        for recipient in recipients:
            code, text = client.rcpt(recipient, list(rcpt_options))
            need(code == 250, f"RCPT {recipient}: {code} {text!r}")
        code, text = client.data(octets)
        need(code == 250, f"{code} {text!r}")
    return octets, re.search(rb"[0-9A-HJKMNP-TV-Z]{20,}", text)[0].decode()


def mailbox(server, account):
    """What lies in the mailbox of an account, which is empty afterwards."""
    with wire.Pop3(server.pop3(), account, posta_dev.PASSWORD) as maildrop:
        messages = [maildrop.retrieve(number) for number in range(1, maildrop.count() + 1)]
        for number in range(1, len(messages) + 1):
            maildrop.say(b"DELE %d" % number)
        maildrop.quit()
    return messages


def mail_in(server, account):
    return peers.wait_until(f"mail for {account} comes", lambda: mailbox(server, account))


def trace(server, mail_id):
    done = server.run("trace", mail_id, text=True)
    need(done.returncode == 0, f"posta trace {mail_id}: {done.returncode} {done.stderr}")
    return done.stdout


def trace_tells(server, mail_id, words):
    """Waits until the trace of a message has these words; its whole text."""

    def told():
        text = trace(server, mail_id)
        return text if all(re.search(word, text) for word in words) else None

    try:
        return peers.wait_until(f"the trace tells {words}", told)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{trace(server, mail_id)}") from None


def queue_is_empty(server):
    def is_empty():
        figures = stats(server)
        return figures["waiting"] + figures["held"] == 0

    peers.wait_until("the queue is empty", is_empty)


def stats(server):
    done = server.run("queue", "stats", "--json", text=True)
    need(done.returncode == 0, f"posta queue stats: {done.stderr}")
    return json.loads(done.stdout)


def report_of(messages):
    """The one report among messages: its fields for the message and for each recipient, by a parser that is not ours."""
    need(len(messages) == 1, f"{len(messages)} messages instead of one report")
    parsed = email.message_from_bytes(messages[0])
    need(parsed.get_content_type() == "multipart/report", f"a {parsed.get_content_type()}")
    need(parsed.get_param("report-type") == "delivery-status", "another type of report")
    need(parsed["Return-Path"].strip() == "<>", f"its reverse-path is {parsed['Return-Path']}")
    human, status, original = parsed.get_payload()
    need(human.get_content_type() == "text/plain", "its first part is not for people")
    need(status.get_content_type() == "message/delivery-status", "its second part is not for programs")
    fields = [dict((name.lower(), value) for name, value in part.items()) for part in status.get_payload()]
    return fields[0], fields[1:], original


@check
def posta_relays_through_postfix_and_back_to_posta(world):
    back_port = peers.free_port()
    with (
        node(world, "back", "back.example", port=back_port) as back,
        started(peers.Postfix(world.work, next_port=back_port)) as postfix,
        node(world, "home", "home.example", transport("*", f"smtp://127.0.0.1:{postfix.port}")) as home,
    ):
        sent, mail_id = send(home, ["ada@back.example", "u@postfix.example"], "by Postfix and back")
        [arrived] = mail_in(back, "ada@back.example")
        need(arrived.endswith(sent), f"the octets changed on the way: {arrived[-600:]!r}")
        need(arrived.count(b"\nReceived:") + arrived.startswith(b"Received:") == 3, f"not three hops: {arrived!r}")
        [local] = peers.wait_until("Postfix delivers", postfix.messages)
        need(local.endswith(sent), "the octets in Postfix's maildir are others")
        trace_tells(home, mail_id, [r"127\.0\.0\.1", r"250 2\.0\.0 Ok: queued as"])
        queue_is_empty(home)


@check
def what_postfix_refuses_comes_back_with_its_words(world):
    with (
        started(peers.Postfix(world.work)) as postfix,
        node(world, "home", "home.example", transport("*", f"smtp://127.0.0.1:{postfix.port}")) as home,
    ):
        _, mail_id = send(home, ["nobody@postfix.example", "u@postfix.example"], "to nobody")
        message, recipients, original = report_of(mail_in(home, SENDER))
        need("mx.home.example" in message["reporting-mta"], f"{message}")
        [failed] = recipients
        need(failed["action"] == "failed" and failed["status"] == "5.1.1", f"{failed}")
        need("nobody@postfix.example" in failed["final-recipient"], f"{failed}")
        need("550 5.1.1" in failed["diagnostic-code"].replace("\r\n", ""), f"{failed}")
        need("Subject: to nobody" in original.as_string(), "the header of the message is not there")
        need(len(peers.wait_until("Postfix delivers", postfix.messages)) == 1, "the other recipient got nothing")
        trace_tells(home, mail_id, [r"5\.1\.1", "nobody@postfix.example"])
        queue_is_empty(home)


@check
def exim_takes_it_and_reports_are_asked_of_it(world):
    with (
        started(peers.Exim(world.work)) as exim,
        node(world, "home", "home.example", transport("exim.example", f"smtp://127.0.0.1:{exim.port}")) as home,
    ):
        sent, mail_id = send(home, ["u@exim.example"], "to Exim", rcpt_options=["NOTIFY=FAILURE"])
        [arrived] = peers.wait_until("Exim delivers", exim.messages)
        need(arrived.endswith(sent), f"the octets changed on the way: {arrived!r}")
        trace_tells(home, mail_id, [r"250 OK id="])
        queue_is_empty(home)


@check
def dovecot_takes_it_by_lmtp_for_each_recipient(world):
    with started(peers.Dovecot(world.work)) as dovecot:
        rules = transport("port.example", f"lmtp://127.0.0.1:{dovecot.port}")
        rules += transport("socket.example", f"lmtp:{dovecot.socket}")
        with node(world, "home", "home.example", rules) as home:
            for domain in ("port.example", "socket.example"):
                sent, _ = send(home, [f"u@{domain}", f"v@{domain}"], f"by LMTP to {domain}")
                queue_is_empty(home)
                for user in "uv":
                    [arrived] = dovecot.messages(f"{user}@{domain}")
                    need(arrived.endswith(sent), f"the octets changed on the way: {arrived!r}")


@check
def nothing_is_lost_when_the_relay_is_killed_under_load(world):
    """SIGKILL in the middle of relaying: each message that got 250 reaches the other side, once or, seldom, twice."""
    messages, kills = 1500, 6
    with Counter() as sink, killed_often(world, sink.port, kills) as (home, killer):
        acknowledged = []
        for number in range(messages):
            while not (accepted := try_to_send(home, number)):
                time.sleep(0.05)
            acknowledged.append(accepted)
        killer.join()
        peers.wait_until("the queue is empty", lambda: home.alive(), 30)
        queue_is_empty_after_kills(home)
        lost = set(acknowledged) - set(sink.seen)
        need(not lost, f"{len(lost)} of {messages} messages that got 250 are lost: {sorted(lost)[:5]}")
        twice = sum(count > 1 for count in sink.seen.values())
        return f"{messages} messages, {kills} kills, {twice} arrived more than once"


def queue_is_empty_after_kills(home):
    def is_empty():
        home.run("queue", "retry", "--all", "--yes")
        figures = stats(home)
        return figures["waiting"] + figures["held"] == 0

    peers.wait_until("the queue is empty", is_empty, 120)


def try_to_send(home, number):
    """The key of the message where it got 250; none where the server was not there."""
    key = f"k{number}-{os.urandom(4).hex()}"
    try:
        with smtplib.SMTP(*home.smtp(), local_hostname="client.example", timeout=10) as client:
            client.sendmail(SENDER, ["u@far.example"], f"Subject: {key}\r\n\r\nbody\r\n")
        return key
    except (OSError, smtplib.SMTPException):
        return None


@contextlib.contextmanager
def killed_often(world, port, times):
    smtp_port = peers.free_port()
    configuration = CONFIGURATION.format(
        host_name="mx.home.example",
        domains='"home.example"',
        port=smtp_port,
        address="127.0.0.1",
        more=transport("*", f"smtp://127.0.0.1:{port}"),
    )
    home = posta_dev.PostaServe(os.path.join(world.work, "killed"), configuration)
    home.start()

    def kill():
        for _ in range(times):
            time.sleep(0.4)
            home.process.send_signal(signal.SIGKILL)
            home.process.wait()
            home.process.stdout.close()
            home.start()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield home, killer
    finally:
        killer.join()
        home.kill()


class Counter:
    """An SMTP server that takes everything and counts messages by their subject."""

    def __init__(self):
        self.seen = {}
        lock = threading.Lock()
        seen = self.seen

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 counter.example ESMTP\r\n")
                while line := self.rfile.readline():
                    verb = line[:4].upper()
                    if verb == b"EHLO":
                        self.wfile.write(b"250-counter.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
                    elif verb == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        self.data()
                    elif verb == b"QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    else:
                        self.wfile.write(b"250 ok\r\n")

            def data(self):
                subject = None
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    if line.startswith(b"Subject: "):
                        subject = line[9:].strip().decode()
                if line:
                    with lock:
                        seen[subject] = seen.get(subject, 0) + 1
                    self.wfile.write(b"250 taken\r\n")

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Session)
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.server.server_close()


@check
def fetchmail_asks_for_waiting_mail_by_etrn(world):
    back_port = peers.free_port()
    rules = transport("back.example", f"smtp://127.0.0.1:{back_port}") + QUICK
    with node(world, "home", "home.example", rules) as home:
        sent, mail_id = send(home, ["ada@back.example"], "waits for ETRN")
        trace_tells(home, mail_id, ["refuses the connection"])
        with node(world, "back", "back.example", port=back_port) as back:
            run(
                ["fetchmail", "-f", "/dev/null", "-p", "ETRN", "--service", str(home.smtp()[1])]
                + ["--fetchdomains", "back.example", "127.0.0.1"],
                env={**os.environ, "FETCHMAILHOME": world.work},
            )
            [arrived] = mail_in(back, "ada@back.example")
            need(arrived.endswith(sent), "the octets changed on the way")


@check
def postfix_is_asked_by_etrn_for_what_waits_there(world):
    back_port = peers.free_port()
    with started(peers.Postfix(world.work, next_port=back_port)) as postfix:
        with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as client:
            client.sendmail(SENDER, ["ada@back.example"], MESSAGE % (b"waits at Postfix", b"w"))
        peers.wait_until("Postfix defers it", lambda: "Connection refused" in postfix.output())
        with node(world, "back", "back.example", port=back_port) as back:
            with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as client:
                client.ehlo()
                code, text = client.docmd("ETRN", "back.example")
                need(code in (250, 251, 252, 253), f"{code} {text!r}")
            mail_in(back, "ada@back.example")


def dns_zones(postfix_address):
    host = f"@ MX 10 mx\nmx A {postfix_address}\n"
    return {"good.example": host, "bad.example": host, "plain.example": host, "nomail.example": "@ MX 0 .\n"}


@contextlib.contextmanager
def dane_world(world, address):
    """Postfix with a certificate, and zones: one whose TLSA record is for it, one with another, one unsigned."""
    certificate, key = world.work + "/dane.pem", world.work + "/dane.key"
    run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mx.good.example"]
        + ["-keyout", key, "-out", certificate]
    )
    public = world.file("dane.pub", run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"]))
    digest = hashlib.sha256(run(["openssl", "pkey", "-pubin", "-in", public, "-outform", "DER"])).hexdigest()
    zones = dns_zones(address)
    postfix = peers.Postfix(world.work, tls=(certificate, key), address=address, domains=tuple(zones))
    zones["good.example"] += f"_{postfix.port}._tcp.mx TLSA 3 1 1 {digest}\n"
    zones["bad.example"] += f"_{postfix.port}._tcp.mx TLSA 3 1 1 {'00' * 32}\n"
    with (
        started(postfix),
        started(peers.Knot(world.work, zones, ["good.example", "bad.example"])) as knot,
        started(peers.Unbound(world.work, knot)) as unbound,
    ):
        yield postfix, knot, unbound


def by_the_dns(port, dns, more="", sts='mta_sts = "off"'):
    delivery = f'[delivery]\nport = {port}\nprivate_addresses = "any"\nfamilies = "ipv4"\n{sts}\n'
    return f"{delivery}[dns]\n{dns}\n{QUICK}{more}"


@check
def the_dns_leads_to_postfix_and_dane_decides_about_its_certificate(world):
    """Names by a real name server, validated by a real resolver and by Posta itself."""
    with dane_world(world, "127.0.0.2") as (postfix, knot, unbound):
        trusts = {
            "resolver": f'servers = ["127.0.0.1:{unbound.port}"]\ntrust = "resolver"',
            "validate": f'servers = ["127.0.0.1:{unbound.port}"]\ntrust = "validate"\n'
            f'trust_anchors = "{knot.trust_anchors}"',
        }
        for trust, dns in trusts.items():
            with node(world, f"home-{trust}", "home.example", by_the_dns(postfix.port, dns)) as home:
                before = len(postfix.messages())
                _, good = send(home, ["u@good.example"], f"proven, {trust}")
                trace_tells(home, good, ["DANE", r"250 2\.0\.0 Ok: queued as"])
                _, bad = send(home, ["u@bad.example"], f"of another key, {trust}")
                trace_tells(home, bad, ["mx.bad.example", "certificate"])
                need(stats(home)["waiting"] == 1, "what could not be proven does not wait")
                need(len(postfix.messages()) == before + 1, "Postfix got what it must not get, or got nothing")
                if trust == "validate":
                    # It knows no key from which the other zones are proven unsigned.
                    continue
                _, plain = send(home, ["u@plain.example"], f"not signed, {trust}")
                trace_tells(home, plain, [r"TLSv?1\.3", r"250 2\.0\.0 Ok: queued as"])
                send(home, ["u@nomail.example"], f"takes no mail, {trust}")
                _, [failed], _ = report_of(mail_in(home, SENDER))
                need(failed["status"] == "5.1.10", f"{failed}")


ODMR = (
    '[auth]\nmechanisms = ["SCRAM-SHA-256", "CRAM-MD5"]\n'
    '[[listener]]\nservice = "odmr"\naddress = "127.0.0.1:0"\ntls = "off"\n'
)


@contextlib.contextmanager
def provider_and_customer(world):
    """A node that keeps mail for back.example until it is fetched, and the node that it is for."""
    rules = ODMR + transport("back.example", "on-demand")
    with (
        node(world, "home", "home.example", rules) as home,
        node(world, "back", "back.example") as back,
    ):
        done = home.run(
            *["account", "add", "customer@home.example", "--password", posta_dev.PASSWORD, "--allow-cram-md5"],
            *["--send-as", "@back.example"],
            text=True,
        )
        need(done.returncode == 0, done.stderr)
        yield home, back


@check
def fetchmail_fetches_waiting_mail_by_odmr(world):
    with provider_and_customer(world) as (home, back):
        sent, mail_id = send(home, ["ada@back.example"], "waits for ODMR")
        configuration = world.file(
            "fetchmailrc",
            f"poll 127.0.0.1 protocol ODMR service {home.listeners['odmr'][1]} auth cram-md5 "
            f'user "customer@home.example" password "{posta_dev.PASSWORD}" fetchdomains back.example '
            f"smtphost 127.0.0.1/{back.smtp()[1]}\n".encode(),
        )
        os.chmod(configuration, 0o600)
        run(["fetchmail", "-f", configuration], env={**os.environ, "FETCHMAILHOME": world.work})
        [arrived] = mail_in(back, "ada@back.example")
        need(arrived.endswith(sent), f"the octets changed on the way: {arrived!r}")
        trace_tells(home, mail_id, ["ATRN|TURN|turned"])
        queue_is_empty(home)


@check
def posta_fetches_waiting_mail_from_posta_by_odmr(world):
    with provider_and_customer(world) as (home, back):
        sent, _ = send(home, ["ada@back.example"], "waits for posta odmr fetch")
        password = world.file("odmr-password", posta_dev.PASSWORD.encode() + b"\n")
        host, port = home.listeners["odmr"]
        run(
            [home.path, "odmr", "fetch", "--host", f"{host}:{port}", "--user", "customer@home.example"]
            + ["--password-file", password, "--domains", "back.example", "--tls", "none"]
            + ["--deliver-to", "{}:{}".format(*back.smtp())]
        )
        [arrived] = mail_in(back, "ada@back.example")
        need(arrived.endswith(sent), "the octets changed on the way")
        queue_is_empty(home)


def authority_and_certificate(world, names):
    """An authority of its own, and a certificate of it for these names: (authority, certificate, key)."""
    path = lambda name: os.path.join(world.work, name)  # noqa: E731
    run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority"]
        + ["-keyout", path("sts-ca.key"), "-out", path("sts-ca.pem")]
    )
    run(
        ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={names[0]}"]
        + ["-keyout", path("sts.key"), "-out", path("sts.csr")]
    )
    extensions = world.file("sts.ext", ("subjectAltName = " + ",".join(f"DNS:{name}" for name in names)).encode())
    run(
        ["openssl", "x509", "-req", "-in", path("sts.csr"), "-days", "2", "-CAcreateserial", "-extfile", extensions]
        + ["-CA", path("sts-ca.pem"), "-CAkey", path("sts-ca.key"), "-out", path("sts.pem")]
    )
    return path("sts-ca.pem"), path("sts.pem"), path("sts.key")


@contextlib.contextmanager
def policy_host(certificate, key, policies):
    """A web server that gives each host its MTA-STS policy; its port."""

    class Policy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            policy = policies.get(self.headers["Host"].split(":")[0])
            is_there = self.path == "/.well-known/mta-sts.txt" and policy is not None
            self.send_response(200 if is_there else 404)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(policy.encode() if is_there else b"")

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Policy)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@check
def a_policy_of_the_domain_decides_which_hosts_get_its_mail(world):
    """MTA-STS: a host of the policy with its certificate, one that the policy does not list, one of another name."""
    policy = "version: STSv1\r\nmode: enforce\r\nmx: {}\r\nmax_age: 86400\r\n"
    domains = {"listed.example": "mx.listed.example", "unlisted.example": "other.example", "name.example": "mx.name.example"}
    names = ["mx.listed.example", "mx.unlisted.example", *(f"mta-sts.{domain}" for domain in domains)]
    authority, certificate, key = authority_and_certificate(world, names)
    zone = "@ MX 10 mx\nmx A 127.0.0.2\nmta-sts A 127.0.0.1\n_mta-sts TXT \"v=STSv1; id=1\"\n"
    policies = {f"mta-sts.{domain}": policy.format(mx) for domain, mx in domains.items()}
    postfix = peers.Postfix(world.work, tls=(certificate, key), address="127.0.0.2", domains=tuple(domains))
    with (
        started(postfix),
        started(peers.Knot(world.work, {domain: zone for domain in domains}, [])) as knot,
        started(peers.Unbound(world.work, knot)) as unbound,
        policy_host(certificate, key, policies) as https_port,
        environment(SSL_CERT_FILE=authority),
    ):
        dns = f'servers = ["127.0.0.1:{unbound.port}"]'
        rules = by_the_dns(postfix.port, dns, sts=f"mta_sts_port = {https_port}")
        with node(world, "home", "home.example", rules) as home:
            _, listed = send(home, ["u@listed.example"], "by the policy")
            trace_tells(home, listed, ["MTA-STS", r"250 2\.0\.0 Ok: queued as"])
            _, unlisted = send(home, ["u@unlisted.example"], "to a host that is not listed")
            trace_tells(home, unlisted, ["mx.unlisted.example", "MTA-STS"])
            _, name = send(home, ["u@name.example"], "to a host with another name")
            trace_tells(home, name, ["mx.name.example", "certificate"])
            need(stats(home)["waiting"] == 2, f"{stats(home)}")
            need(len(postfix.messages()) == 1, "Postfix got what it must not get")


@contextlib.contextmanager
def environment(**values):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
