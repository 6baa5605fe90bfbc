"""Mail fetched from folders by the programs that people fetch mail with: curl, fetchmail and getmail."""

import os
import shutil

from harness import check, need
from imap_peers import new_account
from way_in import MESSAGE, run


# fetchmail and getmail never say UTF8 to POP3, and are to fetch this as it is all the same.
EIGHT_BIT = "From: Jürgen <j@example.org>\r\nTo: ada@example.org\r\nSubject: grüße\r\nX-Note: é\r\n\r\nBücher\r\n".encode()


def lf(octets):
    return octets.replace(b"\r\n", b"\n")


class Curl:
    """curl with one account's login."""

    def __init__(self, account, scheme="imap", more=()):
        self.account = account
        host = "127.0.0.1" if account.ca is None or not more else "localhost"
        self.base = f"{scheme}://{host}:{account.ports[scheme]}/"
        self.more = list(more)

    def __call__(self, path="", *arguments):
        login = f"{self.account.user}:{self.account.password}"
        return run(["curl", "-sS", "-u", login, *self.more, self.base + path, *arguments])


@check
def curl_lists_fetches_appends_searches_and_changes_by_imap(world):
    account = new_account(world, "curl")
    sent = [MESSAGE % b"curl first", MESSAGE % b"curl second"]
    curl = Curl(account)
    for number, octets in enumerate(sent):
        curl("INBOX", "-T", world.file(f"curl-{number}.eml", octets))
    listed = curl()
    for name in (b"INBOX", b"Drafts", b"Trash"):
        need(name in listed, f"{name!r} is not in the list {listed!r}")
    need(curl("INBOX;MAILINDEX=1") == sent[0], "the first message is another one")
    need(curl("INBOX;UID=2") == sent[1], "the second message is another one")
    need(curl("INBOX;UID=2;SECTION=TEXT") == sent[1].partition(b"\r\n\r\n")[2], "the text is another one")
    need(curl("INBOX?SUBJECT%20second").split() == [b"*", b"SEARCH", b"2"], "SEARCH found something else")
    need(b"MESSAGES 2" in curl("", "-X", "STATUS INBOX (MESSAGES UNSEEN)"), "STATUS does not count 2")
    need(b"\\Flagged" in curl("INBOX", "-X", "STORE 1 +FLAGS (\\Flagged)"), "STORE did not tell the flags")
    envelope = curl("INBOX", "-X", "FETCH 1 (ENVELOPE)")
    need(b'"curl first"' in envelope and b'"wire.example"' in envelope, f"ENVELOPE: {envelope!r}")
    need(b"EXPUNGE" not in curl("INBOX", "-X", "NOOP"), "something vanished")


@check
def curl_reads_over_TLS_and_STARTTLS_by_imap_and_pop3(world):
    account = new_account(world, "curltls")
    sent = MESSAGE % b"curl over TLS"
    account.fill([sent])
    trust = ["--ssl-reqd", "--cacert", account.ca]
    for scheme in ("imap", "imaps"):
        need(Curl(account, scheme, trust)("INBOX;UID=1") == sent, f"{scheme}: another message")
        # curl's own choice of mechanism, and each that it can be told.
        for mechanism in ("PLAIN", "LOGIN"):
            login = ("--login-options", f"AUTH={mechanism}")
            need(Curl(account, scheme, trust)("INBOX;UID=1", *login) == sent, f"{scheme}, {mechanism}: another message")
    for scheme in ("pop3", "pop3s"):
        need(Curl(account, scheme, trust)("1") == sent, f"{scheme}: another message")
        need(Curl(account, scheme, trust)("").split() == [b"1", b"%d" % len(sent)], f"{scheme}: another list")


def inbox_of(folder):
    found = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            found.append(file.read())
    return found


@check
def fetchmail_fetches_by_imap_and_pop3(world):
    for protocol in ("imap", "pop3"):
        account = new_account(world, f"fetchmail{protocol}")
        sent = [MESSAGE % b"fetchmail %d" % number for number in range(30)] + [EIGHT_BIT]
        account.fill(sent)
        home = os.path.join(world.work, f"fetchmail-{protocol}")
        inbox = os.path.join(home, "inbox")
        os.makedirs(inbox)
        mda = world.file(f"fetchmail-{protocol}/mda", f'#!/bin/sh\nexec cat > "$(mktemp {inbox}/mail.XXXXXX)"\n'.encode())
        os.chmod(mda, 0o700)
        tls = f'sslproto "auto" sslcertck sslcertfile "{account.ca}"'
        settings = world.file(
            f"fetchmail-{protocol}/rc",
            (
                f"set no bouncemail\nset invisible\npoll localhost protocol {protocol} port {account.ports[protocol]} no dns\n"
                f'  username "{account.user}" password "{account.password}" {tls} no rewrite fetchall mda "{mda}"\n'
            ).encode(),
        )
        os.chmod(settings, 0o600)
        run(
            ["fetchmail", "--nodetach", "--fetchmailrc", settings, "--idfile", os.path.join(home, "ids")]
            + ["--pidfile", os.path.join(home, "pid")],
            env={**os.environ, "FETCHMAILHOME": home},
            timeout=120,
        )
        fetched = inbox_of(inbox)
        for octets in sent:
            need(sum(one.endswith(lf(octets)) for one in fetched) == 1, f"{protocol}: {octets[:80]!r} did not come once")
        with account.imap(b"INBOX") as client:
            answer = client.say(b"STATUS INBOX (MESSAGES)")
            need(answer.named(b"STATUS")[0][1] == [b"MESSAGES", b"0"], f"{protocol}: not removed: {answer!r}")


@check
def getmail_fetches_by_imap_and_pop3(world):
    for kind, protocol in (("SimpleIMAPRetriever", "imap"), ("SimpleIMAPSSLRetriever", "imaps"), ("SimplePOP3Retriever", "pop3"),
                           ("SimplePOP3SSLRetriever", "pop3s")):
        account = new_account(world, f"getmail{protocol}")
        sent = [MESSAGE % b"getmail %d" % number for number in range(20)] + [EIGHT_BIT]
        account.fill(sent)
        home = os.path.join(world.work, f"getmail-{protocol}")
        for name in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(home, "mail", name))
            shutil.chown(os.path.join(home, "mail", name), "mail", "mail")
        trust = f"ca_certs = {account.ca}\n" if protocol.endswith("s") else ""
        world.file(
            f"getmail-{protocol}/getmailrc",
            (
                f"[retriever]\ntype = {kind}\nserver = localhost\nport = {account.ports[protocol]}\n"
                f"username = {account.user}\npassword = {account.password}\n{trust}"
                f"[destination]\ntype = Maildir\npath = {home}/mail/\nuser = mail\n[options]\nread_all = false\ndelete = false\n"
                "delivered_to = false\nreceived = false\n"
            ).encode(),
        )
        # The second time there is nothing new: what it remembers messages by has to stay.
        for expected in (len(sent), 0):
            done = run(["getmail", f"--getmaildir={home}"], timeout=120)
            need(f"{expected} messages".encode() in done, f"{protocol}: not {expected} messages: {done[-300:]!r}")
        fetched = inbox_of(os.path.join(home, "mail", "new"))
        for octets in sent:
            # It adds fields at both ends of the header.
            head, _, body = lf(octets).partition(b"\n\n")
            count = sum(head + b"\n" in one and one.endswith(b"\n\n" + body) for one in fetched)
            need(count == 1, f"{protocol}: {octets[:80]!r} came {count} times")
