"""Who really sent a message: swaks as a stranger's client, names from knot, signatures by openssl.

Standard library only.
"""

import base64
import contextlib
import hashlib
import os
import re
import subprocess

import peers
import posta_dev
from harness import check, need
from relay import mail_in, started, trace_tells
from way_in import run

# Whatever comes from loopback is this machine's own, so swaks says whose client it is, as a proxy would.
CONFIGURATION = """\
host_name = "mx.home.example"
domains = ["home.example"]

[[listener]]
service = "smtp"
address = "127.0.0.1:0"
tls = "off"
proxy_from = ["127.0.0.0/8"]

[[listener]]
service = "pop3"
address = "127.0.0.1:0"
tls = "off"

[dns]
servers = ["127.0.0.1:{port}"]
trust = "none"
"""
ADA = "ada@home.example"
OWN_HOST, OTHER_HOST = "192.0.2.1", "192.0.2.66"


@contextlib.contextmanager
def strangers_world(world):
    """A node, and a domain that has all that is forged in its name refused; its key is in a file."""
    key = os.path.join(world.work, "dkim.key")
    run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key])
    public = base64.b64encode(run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"])).decode()
    zones = {
        "bank.example": f'@ TXT "v=spf1 ip4:{OWN_HOST} -all"\n_dmarc TXT "v=DMARC1; p=reject"\nmx A {OWN_HOST}\n'
        f'sel._domainkey TXT "v=DKIM1; k=rsa; p={public[:200]}" "{public[200:]}"\n',
        "2.0.192.in-addr.arpa": "1 PTR mx.bank.example.\n",
    }
    with started(peers.Knot(world.work, zones, [])) as knot:
        server = posta_dev.PostaServe(
            os.path.join(world.work, "authenticity"), CONFIGURATION.format(port=knot.port)
        )
        try:
            server.start()
            server.add_account(ADA)
            yield server, key
        except BaseException:
            print(f"--- the log:\n{server.log_tail()}", flush=True)
            raise
        finally:
            server.kill()


def swaks(server, world, client, message):
    """What swaks says of a message of bank.example that comes from there."""
    data = world.file("message.eml", message)
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{server.listeners['smtp'][1]}", "--helo", "mx.bank.example"]
        + ["--from", "bank@bank.example", "--to", ADA, "--data", f"@{data}", "--proxy-family", "TCP4"]
        + ["--proxy-source", client, "--proxy-source-port", "40000"]
        + ["--proxy-dest", "192.0.2.25", "--proxy-dest-port", "25"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def signed(message, key):
    """With a signature by the rules of RFC 6376 §3.7, simple/simple."""
    header, body = message.split(b"\r\n\r\n", 1)
    digest = base64.b64encode(hashlib.sha256(body).digest())
    own = b"DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=bank.example; s=sel;\r\n h=From:Subject; bh=" + digest
    own += b"; b="
    text = header + b"\r\n" + own
    signature = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", key], input=text, capture_output=True, check=True
    ).stdout
    return own + base64.b64encode(signature) + b"\r\n" + message


MESSAGE = b"From: Bank <bank@bank.example>\r\nSubject: a statement\r\n\r\nAll is well.\r\n"


def unfolded(message):
    return re.sub(rb"\r\n[ \t]+", b" ", message)


@check
def a_message_by_swaks_is_checked_by_the_records_of_knot(world):
    with strangers_world(world) as (server, key):
        said = swaks(server, world, OWN_HOST, MESSAGE)
        need("250 2.0.0 Message accepted" in said, said)
        stored = unfolded(mail_in(server, ADA)[0])
        for result in [b"iprev=pass", b"spf=pass smtp.mailfrom=bank.example", b"dmarc=pass header.from=bank.example"]:
            need(result in stored, stored)
        forged = swaks(server, world, OTHER_HOST, MESSAGE)
        need("550 5.7.26 " in forged and "SPF fail for bank.example" in forged, forged)
        mail_id = re.search(r"550 5\.7\.26 .*\[(\w+)\]", forged)[1]
        trace_tells(server, mail_id, ["SPF of MAIL: fail by -all", "DMARC: fail"])
        # What openssl signed passes from wherever it comes, and not once it was changed.
        said = swaks(server, world, OTHER_HOST, signed(MESSAGE, key))
        need("250 2.0.0 Message accepted" in said, said)
        changed = swaks(server, world, OTHER_HOST, signed(MESSAGE, key).replace(b"well", b"lost"))
        need("550 5.7.26 " in changed and "DKIM fail for bank.example" in changed, changed)
        messages = [unfolded(message) for message in mail_in(server, ADA)]
        need(len(messages) == 1 and b"dkim=pass header.d=bank.example" in messages[0], messages)
        need(b"spf=fail" in messages[0] and b"dmarc=pass" in messages[0], messages)
