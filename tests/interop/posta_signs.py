"""What Posta signs, seals and rewrites on the way out, read by dkimpy, OpenDKIM and postsrsd. Standard library only."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import socket

import names
import peers
import spf_suite
from dkim_peers import DOMAIN, Keys, OpenDkim, dkimpy, messages
from harness import check, need
from posta_dev import PostaServe
from receiver import Receiver
from relay import queue_is_empty, started, transport

ADA = f"ada@{DOMAIN}"
# Who comes from here says whose client it is; all else on loopback is the machine's own.
PROXY = "127.0.0.2"
CONFIGURATION = """\
host_name = "mx.signer.example"
domains = ["signer.example"]

[[listener]]
service = "smtp"
address = "127.0.0.1:0"
tls = "off"
proxy_from = ["{proxy}/32"]

[policy]
trusted_networks = ["127.0.0.1/32"]

[[listener]]
service = "pop3"
address = "127.0.0.1:0"
tls = "off"
{more}
"""


@contextlib.contextmanager
def signing_node(world, more, master_key=None):
    """A node for signer.example, with an account and keys for it."""
    server = PostaServe(os.path.join(world.work, "signer"), CONFIGURATION.format(more=more, proxy=PROXY))
    if master_key:
        os.makedirs(server.data, 0o700)
        with open(os.open(os.path.join(server.data, "secret.key"), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(master_key)
    try:
        server.start()
        server.add_account(ADA)
        ask(server, "dkim", "rotate", DOMAIN, "--now")
        yield server
    except BaseException:
        print(f"--- the log:\n{server.log_tail()}", flush=True)
        raise
    finally:
        server.kill()


def ask(server, *arguments):
    done = server.run(*arguments, text=True)
    need(done.returncode == 0, f"posta {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def published(server, state=None):
    """The records of all keys of the node by name, or of those in a state."""
    keys = json.loads(ask(server, "dkim", "list", DOMAIN, "--json"))
    return {key["record_name"].rstrip("."): key["record"] for key in keys if state in (None, key["state"])}


def selectors(records):
    return sorted(name.partition("._domainkey.")[0] for name in records)


def need_right(world, records, taken, by=None):
    """dkimpy and OpenDKIM find all signatures right, and none once a line is added; `by` says whose they have to be."""
    wanted = [(selector, "pass") for selector in by or selectors(records)]
    changed = [message.replace(b"\r\n\r\n", b"\r\n\r\nPay me.\r\n", 1) for message in taken]
    results = dkimpy(records, [{"do": "verify", "message": message} for message in taken + changed])
    with started(OpenDkim(world.work, records)) as opendkim:
        for message, signatures in zip(taken, results):
            subject = (re.search(rb"(?im)^Subject:.*", message) or [b""])[0][:60]
            told = sorted((each["fields"]["s"], "pass" if each["is_right"] else "fail") for each in signatures)
            need(told == wanted, f"{subject}: dkimpy says {told} {[each['why'] for each in signatures]}: {message[:1500]!r}")
            need(opendkim.verified(message) == wanted, f"{subject}: OpenDKIM says {opendkim.verified(message)}, not {wanted}")
        for message, signatures in zip(changed, results[len(taken) :]):
            need(not any(each["is_right"] for each in signatures), f"a changed message passes by dkimpy: {message[:1500]!r}")
            told = opendkim.verified(message)
            need(told == [(selector, "fail") for selector, _ in wanted], f"a changed message by OpenDKIM: {told}")
    domains = {each["fields"]["d"] for signatures in results for each in signatures}
    need(domains == {DOMAIN}, f"signed as {domains}")


@check
def dkimpy_and_opendkim_verify_what_posta_signs(world):
    with started(Receiver()) as receiver, signing_node(world, transport("*", f"smtp://127.0.0.1:{receiver.port}")) as home:
        records = published(home, "active")
        need(len(records) == 2, f"{records}")
        sent = messages()
        for message in sent.values():
            bring(home, ADA, "bea@far.example", message)
        queue_is_empty(home)
        need(len(receiver.taken) == len(sent), f"{len(receiver.taken)} of {len(sent)} messages came")
        need_right(world, records, [message for _, _, message in receiver.taken])
        # The keys after these sign from now on, and those before stay in the DNS.
        ask(home, "dkim", "rotate", DOMAIN, "--now")
        after = published(home, "active")
        need(len(after) == 2 and not after.keys() & records.keys(), f"{after}")
        send_one(home, "with the keys after these")
        queue_is_empty(home)
        need_right(world, {**records, **after}, [receiver.taken[-1][2]], selectors(after))
        return f"{len(sent)} messages by two keys"


@check
def what_is_converted_is_signed_as_it_leaves(world):
    plain = Receiver(("PIPELINING", "SIZE 50000000"))
    with started(plain) as receiver, signing_node(world, transport("*", f"smtp://127.0.0.1:{receiver.port}")) as home:
        send_one(home, "converted")
        queue_is_empty(home)
        [(_, _, message)] = receiver.taken
        need(message.isascii() and re.search(rb"Encoding: (base64|quoted-printable)\r\n", message), f"not converted: {message!r}")
        need_right(world, published(home), [message])


@check
def reports_and_what_lists_send_are_signed(world):
    with started(Receiver()) as receiver, signing_node(world, transport("*", f"smtp://127.0.0.1:{receiver.port}")) as home:
        ask(home, "list", "add", f"team@{DOMAIN}", "--owner", ADA, "--member", "bea@far.example")
        bring(home, ADA, f"team@{DOMAIN}", MESSAGE % b"to the list")
        queue_is_empty(home)
        [(_, recipients, copy)] = receiver.taken
        need(recipients == ["bea@far.example"] and b"List-Id:" in copy, f"{recipients} {copy[:800]!r}")
        need_right(world, published(home), [copy])
        # A report goes to whoever sent, with the null reverse-path.
        bring(home, "carl@far.example", "nobody@far.example", MESSAGE % b"to nobody")
        peers.wait_until("a report comes", lambda: len(receiver.taken) == 2)
        sender, recipients, report = receiver.taken[1]
        need(sender == "" and recipients == ["carl@far.example"] and b"multipart/report" in report, f"{sender} {recipients}")
        need_right(world, published(home), [report])


@check
def dkimpy_verifies_the_sets_of_ARC_that_posta_adds_to_its_own(world):
    keys = Keys(os.path.join(world.work, "arc-keys"))
    first = {"big._domainkey.first.example": keys.names[f"big._domainkey.{DOMAIN}"]}
    seal = {"do": "arc_sign", "selector": "big", "domain": "first.example", "authserv_id": "first.example"}
    seal |= {"message": b"Authentication-Results: first.example; dkim=none\r\n" + STRANGE, "key": keys.for_dkimpy("big")}
    sealed = base64.b64decode(dkimpy({}, [seal])[0]) + seal["message"]
    broken = sealed.replace(b"Hello.", b"Pay me.")
    with started(names.Names({name: [{"TXT": text}] for name, text in first.items()})) as dns, started(Receiver()) as receiver:
        more = f'[signing]\narc_seal = "forwarded"\n[dns]\nservers = ["127.0.0.1:{dns.port}"]\ntrust = "none"\n'
        with signing_node(world, transport("*", f"smtp://127.0.0.1:{receiver.port}") + more) as home:
            ask(home, "alias", "add", f"out@{DOMAIN}", "bea@far.example")
            for message in (STRANGE, sealed, broken):
                bring(home, "carl@elsewhere.example", f"out@{DOMAIN}", message, "192.0.2.1")
                queue_is_empty(home)
            table = published(home) | first
    requests = [{"do": "arc_verify", "message": message} for _, _, message in receiver.taken]
    results = dkimpy(table, requests)
    told = [(result["cv"], result["sets"]) for result in results]
    need(told[:2] == [("pass", 1), ("pass", 2)], f"dkimpy says {results}")
    # What came broken is sealed as such, and no more is read of it (RFC 8617 §5.1.2).
    need(told[2][0] != "pass" and "ARC-Seal[2] reported failure" in results[2]["why"], f"dkimpy says {results[2]}")
    # Whoever is no author here is not signed for.
    need(not any(re.search(rb"(?im)^DKIM-Signature:", message) for _, _, message in receiver.taken), "a stranger's mail is signed")


class Postsrsd(peers.Program):
    """Rewrites addresses at a domain, with hashes as long as Posta's."""

    name = "postsrsd"

    def __init__(self, work, domain, secret):
        super().__init__(work)
        self.domain, self.secret = domain, secret

    def start(self):
        self.forward, self.reverse = peers.free_port(), peers.free_port()
        secret = self.path("secret")
        with open(secret, "wb") as file:
            file.write(self.secret + b"\n")
        arguments = ["postsrsd", "-4", "-l", "127.0.0.1", "-d", self.domain, "-s", secret, "-n", "6", "-N", "6"]
        self.run([*arguments, "-f", str(self.forward), "-r", str(self.reverse)], lambda: self.asked(self.forward, "a@b.example"))

    def rewritten(self, address):
        return self.asked(self.forward, address)

    def original(self, address):
        return self.asked(self.reverse, address)

    @staticmethod
    def asked(port, address):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(f"get {address}\n".encode())
                code, _, text = connection.makefile("r", encoding="utf-8").readline().strip().partition(" ")
                return text if code == "200" else f"{code} {text}"
        except ConnectionRefusedError:
            return None


def master_key_with_text():
    """A master key, and what Posta makes of it for SRS (RFC 5869), which postsrsd can read as a line."""
    for number in range(1000):
        master = hashlib.sha256(b"%d" % number).digest()
        extracted = hmac.digest(b"posta master key 1", master, "sha256")
        derived = hmac.digest(extracted, b"srs\x01", "sha256")
        if not set(derived) & set(b"\0\r\n") and derived.strip() == derived:
            return master, derived
    raise AssertionError("no such key")


@check
def postsrsd_and_posta_read_each_others_addresses(world):
    master, secret = master_key_with_text()
    carl = "carl@elsewhere.example"
    with started(Postsrsd(world.work, "first.example", b"another secret")) as first:
        by_first = first.rewritten(carl)
    with (
        started(Receiver()) as receiver,
        started(Postsrsd(world.work, DOMAIN, secret)) as same,
        signing_node(world, transport("*", f"smtp://127.0.0.1:{receiver.port}"), master) as home,
    ):
        ask(home, "alias", "add", f"out@{DOMAIN}", "bea@far.example")

        def forwarded(sender):
            bring(home, sender, f"out@{DOMAIN}", STRANGE, "192.0.2.1")
            queue_is_empty(home)
            return receiver.taken[-1][0]

        ours = forwarded(carl)
        need(ours == same.rewritten(carl), f"Posta writes {ours}, postsrsd {same.rewritten(carl)}")
        need(same.original(ours) == carl, f"postsrsd reads {ours} as {same.original(ours)}")
        bring(home, "", same.rewritten("dora@elsewhere.example"), STRANGE, "192.0.2.1")
        queue_is_empty(home)
        need(receiver.taken[-1][:2] == ("", ["dora@elsewhere.example"]), f"the bounce went to {receiver.taken[-1][:2]}")
        # What another host has rewritten leads back to that host.
        again = forwarded(by_first)
        need(again.startswith("SRS1=") and again == same.rewritten(by_first), f"{again}, postsrsd {same.rewritten(by_first)}")
        need(same.original(again) == by_first, f"postsrsd reads {again} as {same.original(again)}")


STRANGE = b"From: Carl <carl@elsewhere.example>\r\nTo: out@signer.example\r\nSubject: onwards\r\n\r\nHello.\r\n"
MESSAGE = (
    b"From: Ada <ada@signer.example>\r\nTo: bea@far.example\r\nSubject: %s\r\n"
    b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n\r\nHello.\r\n"
)


def send_one(server, subject):
    """From Ada, with octets that are not of ASCII."""
    fields = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nDate:"
    message = MESSAGE.replace(b"Date:", fields).replace(b"Hello.", "Grüße".encode())
    bring(server, ADA, "bea@far.example", message % subject.encode())


def bring(server, sender, recipient, message, client=None):
    """Brings a message as the machine's own, or as a stranger from the address of `client`."""
    proxied = f"PROXY TCP4 {client} 192.0.2.25 40000 25\r\n" if client else ""
    with spf_suite.Client(server.listeners["smtp"], proxied, PROXY if client else None) as connection:
        connection.say(b"EHLO client.example", 250)
        connection.envelope(sender.encode(), recipient.encode(), b" BODY=8BITMIME")
        code, lines = connection.data(message)
        need(code == 250, f"{code} {lines}")
