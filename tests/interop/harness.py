"""The list of checks, and what they share: the running server, its maildrop, a folder for files.

A check is a function that takes the `World` and raises on failure. Standard library only.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
import traceback

import posta_dev
import wire

CHECKS = []
PACKAGES = {
    "swaks": "swaks",
    "fetchmail": "fetchmail",
    "nc": "netcat-openbsd",
    "telnet": "telnet",
    "curl": "curl",
    "openssl": "openssl",
    "msmtp": "msmtp",
    "gsasl": "gsasl",
    "neomutt": "neomutt",
    "node": "nodejs",
    "npm": "npm",
    "postfix": "postfix",
    "dovecot": "dovecot-core",
    "/usr/lib/dovecot/lmtp": "dovecot-lmtpd",
    "/usr/lib/dovecot/imap": "dovecot-imapd",
    "/usr/lib/dovecot/pop3": "dovecot-pop3d",
    "mbsync": "isync",
    "getmail": "getmail6",
    "knotd": "knot",
    "unbound": "unbound",
    "opendkim": "opendkim",
    "opendkim-testmsg": "opendkim-tools",
    "spfquery.mail-spf-perl": "spf-tools-perl",
    "postsrsd": "postsrsd",
    "/usr/lib/python3/dist-packages/dkim/__init__.py": "python3-dkim",
    # What dkimpy asks for where it seals (ARC), and Debian only recommends beside it.
    "/usr/lib/python3/dist-packages/authres/__init__.py": "python3-authres",
    "/usr/lib/python3/dist-packages/yaml/__init__.py": "python3-yaml",
    "useradd": "passwd",
    # What Exim's program loads; its package goes with no other mail server.
    "/usr/lib/x86_64-linux-gnu/libgnutls-dane.so.0": "libgnutls-dane0",
    "/usr/lib/x86_64-linux-gnu/libidn.so.12": "libidn12",
}
# What Perl programs load, by module: swaks speaks TLS and CRAM-MD5 through these.
PERL_PACKAGES = {"Net::SSLeay": "libnet-ssleay-perl", "Digest::HMAC_MD5": "libdigest-hmac-perl"}
# Debian's Python has the modules of Debian's packages, whatever Python runs the checks.
DEBIAN_PYTHON = "/usr/bin/python3"
TRACE_FIELDS = (b"return-path", b"delivered-to", b"received")


class Skipped(Exception):
    """The check cannot be made here, and that is no failure."""


def check(function):
    """Puts a function on the list; its name, read as a sentence, is the check's name."""
    CHECKS.append(function)
    return function


def need(condition, otherwise):
    """Like assert, but not for Python's -O to remove."""
    if not condition:
        raise AssertionError(otherwise)


def perl_has(module):
    perl = shutil.which("perl")
    return perl and subprocess.run([perl, f"-M{module}", "-e1"], capture_output=True).returncode == 0


def is_there(program):
    return os.path.exists(program) if program.startswith("/") else shutil.which(program)


@contextlib.contextmanager
def no_service_starts():
    """What Debian asks before it starts the service of a package that is installed."""
    policy = "/usr/sbin/policy-rc.d"
    if os.path.exists(policy):
        yield
        return
    with open(policy, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\nexit 101\n")
    os.chmod(policy, 0o755)
    try:
        yield
    finally:
        os.remove(policy)


def install_tools():
    missing = [package for program, package in PACKAGES.items() if not is_there(program)]
    missing += [package for module, package in PERL_PACKAGES.items() if not perl_has(module)]
    if not missing:
        return
    command = f"apt-get install {' '.join(missing)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"missing programs; as root: {command}")
    print(command, file=sys.stderr, flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with no_service_starts():
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
            done = subprocess.run(
                ["apt-get", *arguments], env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True
            )
            if done.returncode != 0:
                sys.exit(f"apt-get {' '.join(arguments)} failed:\n{done.stderr}")


def test_data(folder):
    """A folder of outside test material, which is not part of the project."""
    root = os.environ.get("POSTA_TEST_DATA", os.path.join(posta_dev.REPOSITORY, "..", "shared", "data"))
    path = os.path.abspath(os.path.join(root, folder))
    if os.path.isdir(path):
        return path
    why = f"{path} is not there; set POSTA_TEST_DATA to the folder that holds '{folder}'"
    if os.environ.get("CI"):
        raise AssertionError(why)
    raise Skipped(why)


class World:
    """One `posta dev` with its maildrop, used by all checks one after the other."""

    def __init__(self, work):
        self.work = work
        self.server = posta_dev.PostaDev(os.path.join(work, "data"))

    def smtp(self, **how):
        return wire.Smtp(self.server.smtp(), **how)

    def pop3(self):
        return wire.Pop3(self.server.pop3(), self.server.account(), posta_dev.PASSWORD)

    def port(self, service):
        return self.server.listeners[service][1]

    def file(self, name, octets=b""):
        path = os.path.join(self.work, name)
        with open(path, "wb") as file:
            file.write(octets)
        return path

    def drain(self):
        """Every message of the maildrop as octets, in order; the maildrop is empty afterwards."""
        with self.pop3() as maildrop:
            count = maildrop.count()
            messages = [maildrop.retrieve(number) for number in range(1, count + 1)]
            for number in range(1, count + 1):
                maildrop.say(b"DELE %d" % number)
            maildrop.quit()
        return messages

    def one(self):
        """The one message that lies in the maildrop."""
        messages = self.drain()
        need(len(messages) == 1, f"{len(messages)} messages in the maildrop instead of 1")
        return messages[0]


def without_trace(stored, sent):
    """Checks that `stored` is `sent` behind added trace fields and nothing else, and gives the fields' text."""
    need(stored.endswith(sent), difference(stored, sent))
    added = stored[: len(stored) - len(sent)]
    is_field = re.match(rb"[!-9;-~]+[ \t]*:|\r\n|$", sent)
    if not is_field and re.match(rb">*From ", sent):
        # The line of a mailbox file is kept as a field.
        need(added.endswith(b"\r\nX-Mailbox-Line: "), "the line of a mailbox file became no field")
        added = added.removesuffix(b"X-Mailbox-Line: ")
    elif not is_field:
        # Its first line is no field: an empty line makes it body.
        need(added.endswith(b"\r\n\r\n"), "no empty line stands between the trace fields and what is no field")
        added = added[:-2]
    for field in re.split(rb"\r\n(?![ \t])", added.removesuffix(b"\r\n")) if added else []:
        name = field.partition(b":")[0].lower()
        need(name in TRACE_FIELDS, f"the field {field!r} was added, which is no trace field")
    need(b"\nreceived:" in b"\n" + added.lower(), f"no Received field was added: {added!r}")
    need(not added or added.endswith(b"\r\n"), f"the added fields do not end a line: {added!r}")
    return added


def difference(stored, sent):
    """Where two messages part, seen from their ends, for a reader."""
    common = 0
    while common < min(len(stored), len(sent)) and stored[-1 - common] == sent[-1 - common]:
        common += 1
    at = len(sent) - common
    return (
        f"stored {len(stored)} octets do not end in the {len(sent)} sent; the last {common} agree; "
        f"sent there …{sent[max(0, at - 30) : at + 10]!r}, stored …{stored[-common - 40 :][:50]!r}"
    )


def run_checks(world, wanted):
    """Runs the checks that hold a wanted word, a line each; (passed, failed)."""
    passed = failed = 0
    for function in CHECKS:
        name = function.__name__.replace("_", " ")
        if wanted and not any(word in name for word in wanted):
            continue
        begun = time.monotonic()
        try:
            if not world.server.alive():
                raise AssertionError("the server is not running any more")
            note = function(world)
        except Skipped as why:
            print(f"skip {name}: {why}", flush=True)
            continue
        except Exception as error:
            failed += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = str(error) or type(error).__name__
            print(f"FAIL {name}: {what} ({os.path.basename(where.filename)}:{where.lineno})", flush=True)
            leave_empty(world)
        else:
            passed += 1
            took = time.monotonic() - begun
            print(f"ok   {name}{f' ({note})' if note else ''} {took:.1f} s", flush=True)
    return passed, failed


def leave_empty(world):
    """What a failed check left behind must not fail the next one."""
    try:
        world.drain()
    except Exception:
        pass
