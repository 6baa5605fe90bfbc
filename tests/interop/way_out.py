"""The same octets out by POP3 as came in by SMTP, through several clients, and BDAT's binary mail."""

import json
import os
import poplib
import random
import re
import subprocess

import posta_dev
import wire
from harness import check, need, test_data, without_trace
from way_in import MESSAGE, run

# Python's client gives up on a line of more than 2048 octets, which real mail has.
poplib._MAXLINE = 16 * 1024 * 1024


def as_smtp_demands(octets):
    """Line ends as SMTP demands them (RFC 5321 §2.3.8), the last line ended."""
    text = re.sub(rb"\r\n|\r|\n", b"\r\n", octets)
    return text if text.endswith(b"\r\n") or not text else text + b"\r\n"


def corpus():
    folder = test_data("mime")
    paths = sorted(os.path.join(where, name) for where, _, names in os.walk(folder) for name in names)
    need(len(paths) > 600, f"only {len(paths)} files in {folder}")
    for path in paths:
        with open(path, "rb") as file:
            yield os.path.relpath(path, folder), as_smtp_demands(file.read())


@check
def every_file_of_the_mime_corpus_comes_out_bit_identical(world):
    accepted, refused = [], []
    with world.smtp() as smtp:
        for name, sent in corpus():
            smtp.envelope(parameters=b" BODY=8BITMIME")
            code, lines = smtp.data(sent)
            if b"\0" in sent:
                need(code == 554, f"{name} holds a NUL and got {code} {lines!r} instead of 554")
                refused.append(name)
            else:
                need(code == 250, f"{name}: {code} {lines!r}")
                accepted.append((name, sent))
        smtp.say(b"QUIT", 221)
    count = 0
    with world.pop3() as maildrop:
        need(maildrop.count() == len(accepted), f"{maildrop.count()} messages instead of {len(accepted)}")
        sizes = dict(map(int, line.split()) for line in maildrop.multi(b"LIST").splitlines())
        for number, (name, sent) in enumerate(accepted, 1):
            stored = maildrop.retrieve(number)
            try:
                without_trace(stored, sent)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from None
            need(sizes[number] == len(stored), f"{name}: LIST says {sizes[number]} octets, RETR gave {len(stored)}")
            count += 1
        maildrop.quit()
    with_poplib(world, accepted)
    need(len(world.drain()) == count, "messages were lost by reading them")
    return f"{count} files, {len(refused)} with NUL refused"


def with_poplib(world, accepted):
    client = poplib.POP3(*world.server.pop3(), timeout=30)
    client.utf8()
    client.user(world.server.account())
    client.pass_(posta_dev.PASSWORD)
    uids = client.uidl()[1]
    need(len(set(line.split()[1] for line in uids)) == len(accepted), "UIDL does not give each message its own id")
    for number, (name, sent) in enumerate(accepted, 1):
        # poplib cuts bare CRs off and splits at LF; the corpus as sent has neither alone.
        stored = b"".join(line + b"\r\n" for line in client.retr(number)[1])
        need(stored.endswith(sent), f"poplib: {name} is not the same")
    client.quit()


@check
def curl_reads_the_octets_that_smtp_took(world):
    sent = [MESSAGE % b"curl one", MESSAGE % b"curl two"]
    with world.smtp() as smtp:
        for octets in sent:
            smtp.envelope()
            need(smtp.data(octets)[0] == 250, "not accepted")
    login = f"{world.server.account()}:{posta_dev.PASSWORD}"
    url = f"pop3://127.0.0.1:{world.port('pop3')}/"
    listed = run(["curl", "-sS", "-u", login, url])
    need(len(listed.split(b"\r\n")) >= 2, f"the list is {listed!r}")
    for number, octets in enumerate(sent, 1):
        without_trace(run(["curl", "-sS", "-u", login, f"{url}{number}"]), octets)
    world.drain()


@check
def fetchmail_hands_every_message_on(world):
    sent = [MESSAGE % b"fetchmail %d" % number for number in range(20)]
    with world.smtp() as smtp:
        for octets in sent:
            smtp.envelope()
            need(smtp.data(octets)[0] == 250, "not accepted")
    inbox = os.path.join(world.work, "fetched")
    os.makedirs(inbox)
    mda = world.file("mda", f'#!/bin/sh\nexec cat > "$(mktemp {inbox}/mail.XXXXXX)"\n'.encode())
    os.chmod(mda, 0o700)
    settings = world.file(
        "fetchmailrc",
        (
            f"set no bouncemail\nset invisible\npoll 127.0.0.1 protocol pop3 port {world.port('pop3')} no dns\n"
            f'  username "{world.server.account()}" password "{posta_dev.PASSWORD}"\n'
            f'  sslproto "" no rewrite fetchall mda "{mda}"\n'
        ).encode(),
    )
    os.chmod(settings, 0o600)
    done = subprocess.run(
        ["fetchmail", "--nodetach", "--fetchmailrc", settings, "--idfile", os.path.join(world.work, "ids")]
        + ["--pidfile", os.path.join(world.work, "fetchmail.pid")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        env={**os.environ, "FETCHMAILHOME": world.work},
    )
    need(done.returncode == 0, f"fetchmail ended with {done.returncode}: {done.stdout!r} {done.stderr!r}")
    fetched = []
    for name in os.listdir(inbox):
        with open(os.path.join(inbox, name), "rb") as file:
            fetched.append(file.read())
    # fetchmail hands local programs LF line ends.
    for octets in sent:
        wanted = octets.replace(b"\r\n", b"\n")
        need(sum(one.endswith(wanted) for one in fetched) == 1, f"fetchmail did not bring {wanted[:80]!r} once")
    need(world.drain() == [], "fetchmail's DELE did not remove the messages")


def chunks(octets, random_source):
    """BDAT commands with their octets: chunks of all sizes, the last one with LAST."""
    at = 0
    while at < len(octets):
        size = min(random_source.choice((1, 2, 3, 100, 4096, 70_000)), len(octets) - at)
        yield b"BDAT %d\r\n" % size + octets[at : at + size]
        at += size
    yield b"BDAT 0 LAST\r\n"


@check
def BDAT_keeps_text_bit_identical_in_chunks_of_any_size(world):
    sent = (MESSAGE % b"chunks") * 50 + b".\r\n..\r\n"
    with world.smtp() as smtp:
        smtp.envelope()
        for chunk in chunks(sent, random.Random(5)):
            smtp.send(chunk)
            smtp.expect(250)
    without_trace(world.one(), sent)


@check
def BINARYMIME_keeps_raw_octets_bit_identical(world):
    source = random.Random(3030)
    head = b"From: a@wire.example\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
    head += b"Content-Transfer-Encoding: binary\r\n\r\n"
    tricks = b"\r\n.\r\n\n.\n\r.\r\0\r\n..\r\n" + bytes(range(256))
    sent = head + source.randbytes(200_000) + tricks + source.randbytes(1000) + b"\r\n"
    with world.smtp() as smtp:
        smtp.envelope(parameters=b" BODY=BINARYMIME")
        for chunk in chunks(sent, source):
            smtp.send(chunk)
            smtp.expect(250)
        smtp.say(b"NOOP", 250)
    listed = mailbox_list(world)
    need(len(listed) == 1, f"the list is {listed!r}")
    shown = world.server.run("mailbox", "show", str(listed[0]["uid"]), "--raw")
    need(shown.returncode == 0, f"posta mailbox show: {shown.stderr!r}")
    without_trace(shown.stdout, sent)
    # POP3 doubles a dot behind a bare LF too, for the sake of clients that read LF as a line end; on the octets of
    # a binary message, and on no other, a client that knows CRLF alone sees one dot more there.
    added = re.sub(rb"(?<!\r)\n\.", b"\n..", sent)
    need(added != sent, "the message holds no dot behind a bare LF")
    without_trace(world.one(), added)


@check
def BINARYMIME_without_a_dot_behind_LF_is_bit_identical_by_POP3(world):
    source = random.Random(1830)
    octets = source.randbytes(100_000).replace(b"\n.", b"\n,")
    sent = b"Subject: binary\r\n\r\n" + octets + bytes(range(256)) + b"\r\n.\r\n\0\r\n"
    with world.smtp() as smtp:
        smtp.envelope(parameters=b" BODY=BINARYMIME")
        smtp.send(b"BDAT %d LAST\r\n" % len(sent) + sent)
        smtp.expect(250)
    without_trace(world.one(), sent)


@check
def BINARYMIME_by_DATA_is_refused(world):
    with world.smtp() as smtp:
        smtp.envelope(parameters=b" BODY=BINARYMIME")
        smtp.say(b"DATA", 503)
        smtp.say(b"RSET", 250)
    need(world.drain() == [], "something was stored")


@check
def TOP_gives_the_header_and_that_many_lines(world):
    with world.smtp() as smtp:
        smtp.envelope()
        need(smtp.data(MESSAGE % b"top")[0] == 250, "not accepted")
    with world.pop3() as maildrop:
        top = maildrop.multi(b"TOP 1 2")
        need(top.endswith(b"Subject: top\r\n\r\nFirst line.\r\n.a line with a dot\r\n"), f"TOP 1 2 gave {top!r}")
        need(maildrop.multi(b"TOP 1 0").endswith(b"Subject: top\r\n\r\n"), "TOP 1 0 has a body")
        need(maildrop.multi(b"TOP 1 999999999").endswith(MESSAGE % b"top"), "TOP with a huge number")
        maildrop.quit()
    world.drain()


@check
def a_second_POP3_session_is_refused_with_IN_USE_until_the_first_ends(world):
    with world.pop3() as first:
        with wire.Pop3(world.server.pop3()) as second:
            second.say(b"USER " + world.server.account().encode())
            second.send(b"PASS " + posta_dev.PASSWORD.encode() + b"\r\n")
            line = second.line()
            need(line.startswith(b"-ERR [IN-USE]"), f"the second session got {line!r}")
        need(first.count() == 0, "the first session is disturbed")
        first.quit()
    with world.pop3() as third:
        third.quit()


@check
def posta_mailbox_lists_what_POP3_counts(world):
    with world.smtp() as smtp:
        for number in range(3):
            smtp.envelope()
            need(smtp.data(MESSAGE % b"list %d" % number)[0] == 250, "not accepted")
    listed = mailbox_list(world)
    subjects = [entry["subject"] for entry in listed]
    need(sorted(subjects) == ["list 0", "list 1", "list 2"], f"the list is {listed!r}")
    sizes = {entry["subject"]: entry["size_bytes"] for entry in listed}
    messages = world.drain()
    need(len(messages) == 3, "not three messages")
    for number, stored in enumerate(messages):
        need(sizes[f"list {number}"] == len(stored), f"the list says {sizes}, POP3 gave {len(stored)} octets")


def mailbox_list(world):
    done = world.server.run("mailbox", "list", "--json")
    need(done.returncode == 0, f"posta mailbox list: {done.stderr!r}")
    return json.loads(done.stdout)
