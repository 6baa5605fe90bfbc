"""neomutt in a terminal, as somebody who reads mail uses it: keys in, and what the screen shows."""

import os
import pty
import re
import select
import signal
import time

from harness import check, need
from imap_peers import new_account
from imap_wire import flags_of
from way_in import MESSAGE

SCREEN_TIMEOUT_S = 30
ESCAPES = re.compile(rb"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[()][0-9A-B]|[=>78cM])|[\x00-\x08\x0e-\x1f]")


class Terminal:
    """A program in a terminal of 40 lines."""

    def __init__(self, arguments, environment):
        self.seen = b""
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execvpe(arguments[0], arguments, {**os.environ, **environment, "TERM": "vt100", "LINES": "40", "COLUMNS": "120"})

    def keys(self, octets):
        os.write(self.descriptor, octets)

    def shows(self, text, keys=b"", timeout_s=SCREEN_TIMEOUT_S):
        """Presses keys, has the screen drawn anew, since else only what differs is, and waits until it shows that."""
        self.seen = b""
        if keys:
            self.keys(keys + b"\x0c")
        deadline = time.monotonic() + timeout_s
        while text not in ESCAPES.sub(b"", self.seen):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.descriptor], [], [], left)[0]:
                raise AssertionError(f"the screen does not show {text!r}: {ESCAPES.sub(b'', self.seen)[-1500:]!r}")
            try:
                self.seen += os.read(self.descriptor, 65536)
            except OSError:
                raise AssertionError(f"the program ended: {ESCAPES.sub(b'', self.seen)[-1500:]!r}") from None

    def ends(self, keys):
        """Presses keys and waits for the program's end; its status."""
        self.keys(keys)
        deadline = time.monotonic() + SCREEN_TIMEOUT_S
        while time.monotonic() < deadline:
            if select.select([self.descriptor], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.descriptor, 65536)
                except OSError:
                    pass
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                os.close(self.descriptor)
                self.pid = None
                return status
        raise AssertionError(f"the program did not end: {ESCAPES.sub(b'', self.seen)[-1500:]!r}")

    def kill(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None


@check
def neomutt_reads_flags_moves_and_searches_in_a_terminal(world):
    account = new_account(world, "mutt")
    account.fill([MESSAGE % b"alpha", MESSAGE % b"bravo", MESSAGE % b"charlie", MESSAGE % b"delta"])
    home = os.path.join(world.work, "neomutt-imap")
    os.makedirs(home)
    settings = [
        f"set folder='imaps://localhost:{account.ports['imaps']}/'",
        f"set imap_user='{account.user}'", f"set imap_pass='{account.password}'",
        "set spoolfile='+INBOX'", "set record='+Sent'", "set trash=''",
        f"set ssl_ca_certificates_file='{account.ca}'", "set ssl_starttls=yes", "set ssl_force_tls=yes",
        f"set header_cache='{home}/cache'", "set imap_qresync=yes", "set imap_condstore=yes", "set imap_idle=yes",
        "set imap_authenticators=plain", "set sort=mailbox-order", "set delete=yes", "set confirmcreate=no",
        "set confirmappend=no", "set wait_key=no", "set mark_old=no", "set quit=yes", "set mail_check=1", "set timeout=1",
        "set index_format='%C %S %s'", "set pager_stop=yes", "set beep=no", "set arrow_cursor=yes",
    ]
    command = ["neomutt", "-F", "/dev/null", "-n"]
    for setting in settings:
        command += ["-e", setting]
    terminal = Terminal(command, {"HOME": home})
    try:
        terminal.shows(b"delta")
        # Read the first, flag the second, move the third, delete the fourth.
        terminal.shows(b"Last.", keys=b"1\r\r")
        terminal.shows(b"Flag:1", keys=b"i2\rF")
        terminal.shows(b"Del:1", keys=b"3\rs" + b"\x15=Archive\r")
        terminal.shows(b"Del:2", keys=b"4\rd")
        terminal.shows(b"Msgs:2", keys=b"$")
        # What arrives meanwhile shows up by itself.
        account.fill([MESSAGE % b"echo"])
        terminal.shows(b"echo")
        # The server searches.
        terminal.shows(b"bravo", keys=b"l=s bravo\r")
        terminal.shows(b"charlie", keys=b"c" + b"\x15=Archive\r")
        status = terminal.ends(b"q")
    finally:
        terminal.kill()
    need(status == 0, f"neomutt ended with {status}")
    with account.imap(b"INBOX") as client:
        rows = client.say(b"FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])").fetched()
        held = {items[b"BODY[HEADER.FIELDS (SUBJECT)]"].strip(): flags_of(items) for _, items in rows}
        need(set(held) == {b"Subject: alpha", b"Subject: bravo", b"Subject: echo"}, f"in INBOX are {held}")
        need(b"\\seen" in held[b"Subject: alpha"], f"what was read is not seen: {held}")
        need(b"\\flagged" in held[b"Subject: bravo"], f"what was flagged is not: {held}")
        client.say(b"SELECT Archive")
        need(b"charlie" in client.say(b"FETCH 1 (ENVELOPE)").fetched()[0][1][b"ENVELOPE"][1], "not moved")
