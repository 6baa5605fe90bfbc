"""What signs and checks mail beside Posta: dkimpy and OpenDKIM, their keys, and messages that are hard to sign.

Standard library only; dkimpy runs in a process of its own (`dkimpy_tool.py`).
"""

import base64
import json
import os
import re
import subprocess

import milter
import peers
from harness import DEBIAN_PYTHON, test_data
from way_in import run

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dkimpy_tool.py")
DOMAIN = "signer.example"
CANONICALIZATIONS = ("simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed")
RESULT = re.compile(r' dkim=(\w+)(?: reason="[^"]*")?((?: (?:header|policy)\.[a-z0-9]+=(?:"[^"]*"|[^ ;]+))*)')


class Keys:
    """Two RSA keys by opendkim-genkey and one of ed25519 by openssl; `names` is what the DNS says of them."""

    def __init__(self, folder):
        os.makedirs(folder)
        self.names = {}
        self.files = {}
        for selector, bits in (("big", 2048), ("small", 1024)):
            run(["opendkim-genkey", "-b", str(bits), "-d", DOMAIN, "-s", selector, "-D", folder])
            self.files[selector] = os.path.join(folder, f"{selector}.private")
            with open(os.path.join(folder, f"{selector}.txt"), encoding="ascii") as record:
                self.publish(selector, "".join(re.findall(r'"([^"]*)"', record.read())))
        self.files["edward"] = os.path.join(folder, "edward.pem")
        run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.files["edward"]])
        public = run(["openssl", "pkey", "-in", self.files["edward"], "-pubout", "-outform", "DER"])[-32:]
        self.publish("edward", f"v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}")

    def publish(self, selector, record):
        self.names[f"{selector}._domainkey.{DOMAIN}"] = record

    def for_dkimpy(self, selector):
        """PEM of an RSA key, Base64 of the seed of ed25519, as the DNS of dkimpy's users has it."""
        if selector == "edward":
            seed = run(["openssl", "pkey", "-in", self.files[selector], "-outform", "DER"])[-32:]
            return base64.b64encode(seed)
        with open(self.files[selector], "rb") as file:
            return file.read()


def algorithm_of(selector):
    return "ed25519-sha256" if selector == "edward" else "rsa-sha256"


def dkimpy(names, requests):
    """The results of requests, each a dictionary with `do`; octets go as octets."""
    plain = [
        {name: base64.b64encode(value).decode() if isinstance(value, bytes) else value for name, value in request.items()}
        for request in requests
    ]
    done = subprocess.run(
        [DEBIAN_PYTHON, TOOL], input=json.dumps({"names": names, "requests": plain}), capture_output=True, text=True, timeout=300
    )
    if done.returncode != 0:
        raise AssertionError(f"dkimpy: {done.stderr[-600:]}")
    return json.loads(done.stdout)


class OpenDkim(peers.Program):
    """A filter that signs what comes from 192.0.2.1 and checks all else; its DNS is a file."""

    name = "opendkim"
    CONFIGURATION = """\
Socket local:{root}/socket
Mode {mode}
Syslog no
Background no
RequireSafeKeys no
AuthservID opendkim.example
AlwaysAddARHeader yes
MinimumKeyBits 1024
TestPublicKeys {public}
InternalHosts csl:192.0.2.1
ExternalIgnoreList csl:192.0.2.1
Canonicalization {canonicalization}
{more}
"""
    SIGN = "SignatureAlgorithm {algorithm}\nSigningTable refile:{root}/signing\nKeyTable file:{root}/keys\nSignatureTTL 3600\n"

    def __init__(self, work, names, signs=None, canonicalization="relaxed/relaxed"):
        super().__init__(work)
        self.names, self.signs, self.canonicalization = names, signs, canonicalization

    def start(self):
        public = self.write("public", "".join(f"{name} {record}\n" for name, record in self.names.items()))
        more = ""
        if self.signs:
            selector, key = self.signs
            self.write("signing", "* key\n")
            self.write("keys", f"key {DOMAIN}:{selector}:{key}\n")
            more = self.SIGN.format(root=self.root, algorithm=algorithm_of(selector))
        text = self.CONFIGURATION.format(
            root=self.root,
            mode="s" if self.signs else "v",
            public=public,
            canonicalization=self.canonicalization,
            more=more,
        )
        self.run(["opendkim", "-f", "-x", self.write("opendkim.conf", text)], lambda: os.path.exists(self.path("socket")))

    def signed(self, message):
        with milter.Milter(self.path("socket")) as connection:
            [signature] = [value for name, value in connection.added(message) if name == b"DKIM-Signature"]
        return b"DKIM-Signature:" + spaced(signature) + b"\r\n" + message

    def verified(self, message):
        """What it says of each signature: by selector, the keyword of the result."""
        with milter.Milter(self.path("socket")) as connection:
            results = [value for name, value in connection.added(message, "192.0.2.2") if name == b"Authentication-Results"]
        found = re.findall(rb"dkim=(\w+)(?:(?!dkim=).)*?header\.s=([\w-]+)", b" ".join(results), re.S)
        return sorted((selector.decode(), result.decode()) for result, selector in found)


def spaced(value):
    value = value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return value if value.startswith(b" ") else b" " + value


def results_in(stored):
    """What Posta wrote of each signature: (selector, keyword), in order."""
    header = re.sub(r"\r\n[ \t]+", " ", stored.partition(b"\r\n\r\n")[0].decode("latin-1"))
    field = re.search(r"^Authentication-Results: mx\.home\.example;(.*)$", header, re.M)
    if not field:
        raise AssertionError(f"no results in {header!r}")
    found = []
    for keyword, properties in RESULT.findall(field[1]):
        selector = re.search(r'header\.s="?([^" ;]+)', properties)
        found.append((selector[1] if selector else "", keyword))
    return sorted(found)


FIELDS = b"From: Ada <ada@signer.example>\r\nTo: bea@home.example\r\nSubject: %s\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"


def messages():
    """By name: messages whose canonical form is easily got wrong, and those that other projects test with."""
    plain = FIELDS % b"a plain one"
    found = {
        "plain": plain + b"\r\nHello.\r\n",
        "no body": plain + b"\r\n",
        "a body of one empty line": plain + b"\r\n\r\n",
        "a body of empty lines": plain + b"\r\n" + b"\r\n" * 7,
        "empty lines at the end": plain + b"\r\nHello.\r\n\r\n\r\n",
        "blanks at the ends of lines": plain + b"\r\nHello. \t \r\n \t\r\n  indented\t\ttwice \r\n \r\n",
        "dots": plain + b"\r\n.\r\n..\r\n. leading\r\n\r\n.\r\n",
        "long folded fields": plain + b"X-Long:" + b"\r\n\t a  piece" * 60 + b"\r\nReferences: " + b"\r\n ".join(
            b"<%d@signer.example>" % number for number in range(40)
        ) + b"\r\n\r\nHello.\r\n",
        "odd fields": b"SUBJECT:no space\r\nX-Empty:\r\nX-Blank:   \r\nX-Folded-Empty:\r\n \r\nX-Tail: tail \t\r\n"
        b"FROM:   \"Ada\"\t<ada@signer.example>  \r\nX-Twice: 1\r\nX-Twice: 2\r\nTo:bea@home.example\r\n\r\nHello.\r\n",
        "eight bits": plain + "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße, 日本語\r\n".encode() + b"\xff\xfe\x80\r\n",
        "one line of 65,534 octets": plain + b"\r\n" + b"x " * 32766 + b"yz\r\n",
        "a megabyte": plain + b"\r\n" + b"A line of seventy octets, as they are in messages that people write.\r\n" * 15000,
    }
    for folder in ("dkimpy", "mimekit"):
        root = os.path.join(test_data("dkim"), folder)
        for name in sorted(os.listdir(root)):
            if name.endswith((".message", ".msg")) and "nofrom" not in name:
                with open(os.path.join(root, name), "rb") as file:
                    octets = file.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                found[f"{folder}/{name}"] = without_signatures(octets)
    return found


def without_signatures(message):
    """These messages are signed anew; the keys of their own signatures are not in this DNS."""
    header, end, body = message.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", header)
    kept = [each for each in fields if not re.match(rb"(?i)(dkim-signature|arc-|authentication-results)", each)]
    return b"\r\n".join(kept) + end + body
