"""Mail in by the programs that people use, read back octet by octet."""

import email.message
import hashlib
import os
import pty
import re
import select
import smtplib
import subprocess
import time

from harness import check, need, without_trace

MESSAGE = b"From: a@wire.example\r\nTo: b@wire.example\r\nSubject: %s\r\n\r\nFirst line.\r\n.a line with a dot\r\n..\r\n\r\nLast.\r\n"
TYPED_TIMEOUT_S = 20


def run(arguments, **how):
    done = subprocess.run(arguments, capture_output=True, **{"stdin": subprocess.DEVNULL, "timeout": 60, **how})
    need(
        done.returncode == 0,
        f"{arguments[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-400:].decode('utf-8', 'replace')}",
    )
    return done.stdout


@check
def swaks_delivers(world):
    run(
        ["swaks", "--server", f"127.0.0.1:{world.port('smtp')}", "--from", "a@wire.example", "--to", "b@any.example"]
        + ["--header", "Subject: from swaks", "--body", "Hello by swaks", "--helo", "swaks.example"]
    )
    stored = world.one()
    need(b"\r\nSubject: from swaks\r\n" in stored and b"Hello by swaks\r\n" in stored, stored)
    need(stored.startswith(b"Return-Path: <a@wire.example>\r\n"), f"no Return-Path at the top: {stored[:80]!r}")
    received = re.search(rb"\r\nReceived: (.*?)\r\n(?![ \t])", stored, re.S)[1]
    need(b"swaks.example" in received and b"with ESMTP" in received, f"Received says {received!r}")
    need(b"for <b@any.example>" in re.sub(rb"\s+", b" ", received), f"Received has no 'for': {received!r}")


@check
def curl_delivers_to_two_recipients(world):
    sent = MESSAGE % b"curl"
    run(
        ["curl", "-sS", f"smtp://127.0.0.1:{world.port('smtp')}", "--mail-from", "a@wire.example"]
        + ["--mail-rcpt", "b@wire.example", "--mail-rcpt", "c@wire.example", "-T", world.file("curl.eml", sent)]
    )
    added = without_trace(world.one(), sent)
    need(b"for <" not in added, f"Received names one of several recipients: {added!r}")


@check
def smtplib_delivers_a_plain_message(world):
    sent = MESSAGE % b"smtplib"
    with smtplib.SMTP(*world.server.smtp(), timeout=30) as client:
        refused = client.sendmail("a@wire.example", ["b@wire.example"], sent)
    need(refused == {}, refused)
    without_trace(world.one(), sent)


@check
def smtplib_delivers_to_a_hundred_recipients(world):
    sent = MESSAGE % b"hundred"
    recipients = [f"r{number}@d{number % 7}.example" for number in range(100)]
    with smtplib.SMTP(*world.server.smtp(), timeout=30) as client:
        refused = client.sendmail("a@wire.example", recipients, sent)
    need(refused == {}, f"refused: {refused}")
    # All of them mean the one INBOX of the first account, and no mailbox gets one message twice.
    without_trace(world.one(), sent)


@check
def smtplib_delivers_by_HELO_alone(world):
    with smtplib.SMTP(*world.server.smtp(), timeout=30) as client:
        need(client.helo("old.example")[0] == 250, "HELO was refused")
        client.mail("a@wire.example")
        client.rcpt("b@wire.example")
        need(client.data(MESSAGE % b"helo")[0] == 250, "DATA was refused")
    added = without_trace(world.one(), MESSAGE % b"helo")
    need(b"with SMTP" in added, f"Received does not say 'with SMTP': {added!r}")


@check
def smtplib_delivers_SMTPUTF8(world):
    message = email.message.EmailMessage()
    message["From"] = "jürgen@bücher.example"
    message["To"] = "用户@例子.example"
    message["Subject"] = "Grüße"
    message.set_content("Schöne Grüße\n")
    with smtplib.SMTP(*world.server.smtp(), timeout=30) as client:
        client.ehlo()
        need(client.has_extn("smtputf8") and client.has_extn("8bitmime"), f"not announced: {client.esmtp_features}")
        client.send_message(message)
    stored = world.one()
    need("Return-Path: <jürgen@".encode() in stored, f"no UTF-8 in Return-Path: {stored[:80]!r}")
    need("To: 用户@例子.example\r\n".encode() in stored, "the header's UTF-8 is not there")
    need(b"with UTF8SMTP" in stored, "Received does not say UTF8SMTP (RFC 6531 §4.3)")


@check
def smtplib_delivers_8BITMIME(world):
    sent = (
        b"From: a@wire.example\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\n" + bytes(range(128, 256)) + b"\r\n"
    )
    with smtplib.SMTP(*world.server.smtp(), timeout=30) as client:
        client.sendmail("a@wire.example", ["b@wire.example"], sent, mail_options=["BODY=8BITMIME"])
    without_trace(world.one(), sent)


@check
def smtplib_delivers_20_MiB(world):
    line = b"0123456789abcdef" * 4 + b"\r\n"
    head = b"From: a@wire.example\r\nSubject: large\r\n\r\n"
    sent = head + line * ((20 * 1024 * 1024 - len(head)) // len(line))
    with smtplib.SMTP(*world.server.smtp(), timeout=60) as client:
        client.sendmail("a@wire.example", ["b@wire.example"], sent)
    stored = world.one()
    need(stored.endswith(sent), "the message is not the same")
    return f"sha256 {hashlib.sha256(sent).hexdigest()[:12]}"


@check
def smtplib_delivers_1000_messages_in_one_connection(world):
    with smtplib.SMTP(*world.server.smtp(), timeout=30) as client:
        for number in range(1000):
            client.sendmail("a@wire.example", ["b@wire.example"], MESSAGE % b"n%d" % number)
    messages = world.drain()
    need(len(messages) == 1000, f"{len(messages)} messages instead of 1000")
    for number, stored in enumerate(messages):
        without_trace(stored, MESSAGE % b"n%d" % number)


class Typed:
    """A program that a person types into, line by line, waiting for each answer."""

    def __init__(self, arguments, terminal):
        if terminal:
            self.write_to, inner = pty.openpty()
            self.process = subprocess.Popen(arguments, stdin=inner, stdout=inner, stderr=inner, start_new_session=True)
            os.close(inner)
            self.read_from = self.write_to
        else:
            self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.write_to = self.process.stdin.fileno()
            self.read_from = self.process.stdout.fileno()
        self.seen = b""

    def wait_for(self, pattern):
        """Waits until the screen shows `pattern` behind what was waited for before."""
        deadline = time.monotonic() + TYPED_TIMEOUT_S
        while True:
            match = re.search(pattern, self.seen, re.M)
            if match:
                self.seen = self.seen[match.end() :]
                return
            left = deadline - time.monotonic()
            need(left > 0 and select.select([self.read_from], [], [], left)[0], f"no {pattern!r} in {self.seen!r}")
            try:
                octets = os.read(self.read_from, 65536)
            except OSError:
                octets = b""
            need(octets, f"it ended before {pattern!r}; the screen: {self.seen!r}")
            self.seen += octets

    def type(self, text):
        os.write(self.write_to, text + b"\n")

    def end(self):
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
            self.process.stdout.close()
        else:
            os.close(self.write_to)


def dialogue(world, arguments, terminal, greeting):
    typed = Typed(arguments, terminal)
    try:
        typed.wait_for(rb"^220 [^\n]*\n")
        for command, answer in (
            (greeting, rb"^250 [^\n]*\n"),
            (b"MAIL FROM:<student@school.example>", rb"^250 [^\n]*\n"),
            (b"RCPT TO:<teacher@school.example>", rb"^250 [^\n]*\n"),
            (b"DATA", rb"^354 [^\n]*\n"),
        ):
            typed.type(command)
            typed.wait_for(answer)
        for line in (b"Subject: typed", b"", b"Typed by hand.", b"..two dots", b"."):
            typed.type(line)
        typed.wait_for(rb"^250 [^\n]*\n")
        typed.type(b"QUIT")
        typed.wait_for(rb"^221 [^\n]*\n")
    finally:
        typed.end()
    without_trace(world.one(), b"Subject: typed\r\n\r\nTyped by hand.\r\n.two dots\r\n")


@check
def nc_typed_by_hand_with_bare_LF_is_stored_with_CRLF(world):
    dialogue(world, ["nc", "127.0.0.1", str(world.port("smtp"))], terminal=False, greeting=b"EHLO laptop")


@check
def nc_with_CRLF_and_HELO_delivers(world):
    dialogue(world, ["nc", "-C", "127.0.0.1", str(world.port("smtp"))], terminal=False, greeting=b"HELO laptop")


@check
def nc_with_the_whole_dialogue_pasted_at_once_delivers(world):
    script = b"HELO laptop\nMAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\nDATA\nSubject: pasted\n\nHello\n.\nQUIT\n"
    shown = run(["nc", "-q", "2", "127.0.0.1", str(world.port("smtp"))], input=script, stdin=None)
    codes = re.findall(rb"^([0-9]{3}) ", shown, re.M)
    need(codes == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"], f"the replies were {shown!r}")
    without_trace(world.one(), b"Subject: pasted\r\n\r\nHello\r\n")


@check
def telnet_from_a_terminal_delivers(world):
    dialogue(world, ["telnet", "127.0.0.1", str(world.port("smtp"))], terminal=True, greeting=b"EHLO laptop")


@check
def posta_send_delivers_a_file(world):
    sent = MESSAGE % b"posta send"
    run(
        [world.server.path, "send", "--server", f"127.0.0.1:{world.port('smtp')}", "--from", "a@wire.example"]
        + ["--to", "b@wire.example", "--file", world.file("send.eml", sent)]
    )
    without_trace(world.one(), sent)


@check
def posta_send_delivers_a_subject_and_body_and_shows_the_dialogue(world):
    shown = run(
        [world.server.path, "send", "--server", f"127.0.0.1:{world.port('smtp')}", "--from", "a@wire.example"]
        + ["--to", "b@wire.example", "--to", "c@wire.example", "--subject", "Grüße", "--body", "Hello\n.\nWorld"]
        + ["--dialogue"]
    )
    stored = world.one()
    need(stored.endswith(b"\r\n\r\nHello\r\n.\r\nWorld\r\n"), f"the body is {stored[-60:]!r}")
    for wanted in (rb"S: 220", rb"C: EHLO", rb"C: MAIL FROM:<a@wire.example>", rb"C: DATA", rb"S: 354", rb"C: QUIT"):
        need(re.search(wanted, shown), f"the dialogue has no {wanted!r}: {shown!r}")


@check
def posta_send_delivers_standard_input(world):
    sent = MESSAGE % b"stdin"
    run(
        [world.server.path, "send", "--server", f"127.0.0.1:{world.port('smtp')}", "--from", "a@wire.example"]
        + ["--to", "b@wire.example", "--file", "-"],
        input=sent,
        stdin=None,
    )
    without_trace(world.one(), sent)
