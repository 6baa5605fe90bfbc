"""The openspf.org suite of RFC 7208 by Posta and by spfquery (Perl's Mail::SPF), which ask one name server.

Posta is asked as a stranger's client asks it: a message for each case, and the result is read from what it writes on top. Standard
library only; the suite is read by Debian's python3-yaml.
"""

import concurrent.futures
import json
import os
import re
import subprocess

import authenticity
import names
import posta_dev
import wire
from harness import DEBIAN_PYTHON, check, need, test_data
from relay import mailbox, started
from way_in import run

READ_SUITE = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(open(sys.argv[1]))), sys.stdout)"
ADA = "ada@home.example"
CONFIGURATION = authenticity.CONFIGURATION + """
[policy]
hello_check = "off"

[authenticity]
dmarc = "tag"
"""

# What Mail::SPF says otherwise than Posta, and why. Each of them has to differ, so that none stays here for nothing.
DIFFERENCES = {
    "invalid-domain-empty-label":
        "Mail::SPF ends with an error of Net::DNS; here such a name does not match, one of two ways (RFC 7208 §4.8)",
    "cidr6-0-ip4": "Mail::SPF has ip6 match an IPv4 address; an address mapped into IPv6 is one of IPv4 (RFC 7208 §5)",
    "cidr6-ip4": "the same",
    "mx-limit": "Mail::SPF looks at the first 10 mail hosts (RFC 4408 §10.1); more are a permerror (RFC 7208 §4.6.4)",
}
# What never gets as far as SPF: it cannot be said in SMTP, and Posta answers 501 5.1.7 or 501 5.5.4.
NOT_SMTP = {
    "toolonglabel": "a label of 64 octets",
    "emptylabel": "a label of none",
    "nolocalpart": "an address without a local part",
    "dorky-sentinel": "a space in a local part that is not quoted",
    "invalid-domain-long-via-macro": "EHLO with a name of percent signs",
    "invalid-hello-macro": "EHLO with a name of two words",
}


@check
def spfquery_and_posta_agree_on_the_suite_of_rfc_7208(world):
    scenarios = json.loads(run([DEBIAN_PYTHON, "-c", READ_SUITE, os.path.join(test_data("spf"), "rfc7208-tests.yml")]))
    asked, untold, wrong = 0, {}, []
    for number, scenario in enumerate(scenarios):
        with started(names.Names(table_of(scenario["zonedata"]))) as server:
            ours = results_of_posta(world, number, server.port, scenario["tests"])
            theirs = results_of_spfquery(server.port, scenario["tests"])
        for name, case in scenario["tests"].items():
            asked += 1
            wanted = case["result"] if isinstance(case["result"], list) else [case["result"]]
            if ours[name] not in RESULTS:
                untold[name] = ours[name]
            elif ours[name] not in wanted:
                wrong.append(f"{name}: Posta says {ours[name]}, the suite {wanted}")
            elif (ours[name] != theirs[name]) != (name in DIFFERENCES):
                wrong.append(f"{name}: Posta says {ours[name]}, spfquery {theirs[name]}")
    need(untold.keys() == NOT_SMTP.keys(), f"not asked: {untold}")
    need(not wrong, "; ".join(wrong))
    agreed = asked - len(DIFFERENCES) - len(untold)
    return f"{asked} cases: {agreed} alike, {len(DIFFERENCES)} explained differences, {len(untold)} that SMTP cannot say"


RESULTS = ("none", "neutral", "pass", "fail", "softfail", "temperror", "permerror")


def table_of(zonedata):
    """Records of type SPF are published as TXT, unless the name has a TXT of its own (`NONE` is one of no record)."""
    table = {}
    for name, records in zonedata.items():
        has_text = any("TXT" in record for record in records if record != "TIMEOUT")
        node = table[name] = []
        for record in records:
            if record == "TIMEOUT":
                node.append(record)
                continue
            for kind, value in record.items():
                kind = "TXT" if kind == "SPF" and not has_text else kind
                if kind != "SPF" and value != "NONE":
                    node.append({kind: value})
    return table


def results_of_posta(world, number, dns_port, tests):
    """By name of the case: the keyword of the result, or what was answered instead of taking the message."""
    server = posta_dev.PostaServe(os.path.join(world.work, f"spf-{number}"), CONFIGURATION.format(port=dns_port))
    try:
        server.start()
        server.add_account(ADA)
        refused = {name: said for name, case in tests.items() if (said := send(server, name, case))}
        told = {}
        for message in mailbox(server, ADA):
            name = re.search(rb"\r\nSubject: (.*?)\r\n", message)[1].decode()
            of_what = "mailfrom" if tests[name]["mailfrom"] else "helo"
            field = re.sub(rb"\r\n[ \t]+", b" ", message).decode("latin-1")
            found = re.search(rf' spf=(\w+) (?:reason="[^"]*" )?smtp\.{of_what}=', field)
            told[name] = found[1] if found else field.partition("\r\n\r\n")[0]
        return {name: told.get(name, refused.get(name)) for name in tests}
    except BaseException:
        print(f"--- the log:\n{server.log_tail()}", flush=True)
        raise
    finally:
        server.kill()


def send(server, name, case):
    """Brings a message as the client of the case; what Posta said where it was not taken."""
    family = "TCP6" if ":" in case["host"] else "TCP4"
    here = "2001:db8::25" if family == "TCP6" else "192.0.2.25"
    with Client(server.listeners["smtp"], f"PROXY {family} {case['host']} {here} 40000 25\r\n") as client:
        for command in (f"EHLO {case['helo']}", f"MAIL FROM:<{case['mailfrom']}>", f"RCPT TO:<{ADA}>"):
            client.send(command.encode("latin-1") + b"\r\n")
            code, lines = client.reply()
            if code != 250:
                return f"{command}: {code} {lines[0].decode()}"
        code, lines = client.data(f"From: a@nobody.invalid\r\nSubject: {name}\r\n\r\n.\r\n".encode())
        return None if code == 250 else f"{code} {lines[0].decode()}"


class Client(wire.Smtp):
    """A client from elsewhere, as a proxy tells it, which may be at an address of its own."""

    def __init__(self, address, proxy_header, source=None):
        wire.Wire.__init__(self, address, source)
        self.send(proxy_header.encode())
        self.expect(220)


def results_of_spfquery(dns_port, tests):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return dict(zip(tests, pool.map(lambda case: spfquery(dns_port, case), tests.values())))


def spfquery(dns_port, case):
    scope, identity = ("mfrom", case["mailfrom"]) if case["mailfrom"] else ("helo", case["helo"])
    done = subprocess.run(
        ["spfquery.mail-spf-perl", "--versions", "1", "--scope", scope, "--identity", identity, "--ip-address", case["host"]]
        + ["--helo-identity", case["helo"], "--hostname", "mx.home.example"],
        env={**os.environ, "RES_NAMESERVERS": "127.0.0.1", "RES_OPTIONS": f"port:{dns_port}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return (done.stdout or done.stderr).partition("\n")[0]
