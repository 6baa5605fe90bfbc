"""Signatures by dkimpy and OpenDKIM, checked by Posta, and the reverse. Standard library only; see `dkim_peers`."""

import base64
import os
import re

import names
import posta_dev
import spf_suite
from dkim_peers import CANONICALIZATIONS, DOMAIN, Keys, OpenDkim, algorithm_of, dkimpy, messages, results_in
from harness import check, need
from relay import mailbox, started

ADA = "ada@home.example"
MORE = '\n[smtp]\nmessage_bytes_max = "8MiB"\n'


@check
def posta_and_dkimpy_and_opendkim_agree_on_signatures(world):
    keys = Keys(os.path.join(world.work, "keys"))
    signed = signed_by_dkimpy(keys) | signed_by_opendkim(world, keys)
    changed = {f"{name}, {what}": message for name, each in signed.items() for what, message in changes(name, each)}
    theirs = verified_by_dkimpy(keys, signed | changed)
    with started(OpenDkim(world.work, keys.names)) as opendkim:
        third = {name: opendkim.verified(message) for name, message in (signed | changed).items()}
    with started(names.Names({name: [{"TXT": text}] for name, text in keys.names.items()})) as server:
        ours = verified_by_posta(world, server.port, signed | changed)
    wrong = [
        f"{name}: Posta {ours.get(name)}, dkimpy {theirs[name]}, OpenDKIM {third[name]}"
        for name in signed | changed
        if not with_policy(name, theirs[name]) == ours.get(name) or theirs[name] != third[name]
    ]
    need(not wrong, f"{len(wrong)} of {len(theirs)}: " + "; ".join(wrong[:12]))
    not_right = [name for name in signed if any(result != "pass" for _, result in theirs[name])]
    not_wrong = [name for name in changed if any(result != "fail" for _, result in ours[name])]
    need(not not_right, f"right signatures did not pass: {not_right[:12]}")
    need(not not_wrong, f"changed messages passed: {not_wrong[:12]}")
    return f"{len(signed)} signed messages and {len(changed)} changed ones"


BEHIND = " and more behind it"


def with_policy(name, results):
    """Octets behind what l= covers can be anybody's, so Posta does not say `pass` (RFC 6376 §8.2, RFC 8601 §2.7.1)."""
    return [(selector, "policy") for selector, _ in results] if name.endswith(BEHIND) else results


def signed_by_dkimpy(keys):
    requests, found = {}, {}
    for name, message in messages().items():
        for selector in ("big", "small", "edward"):
            # All four by one key are enough: what differs is the text that is signed, and not how.
            for canonicalization in CANONICALIZATIONS if selector == "big" else CANONICALIZATIONS[::3]:
                requests[f"{name}, {selector} {canonicalization} by dkimpy"] = request(keys, message, selector, canonicalization)
        requests[f"{name}, with l= by dkimpy"] = {**request(keys, message, "big", "relaxed/relaxed"), "length": True}
    for (name, asked), field in zip(requests.items(), dkimpy(keys.names, list(requests.values()))):
        found[name] = base64.b64decode(field) + asked["message"]
        if "with l=" in name:
            found[name + BEHIND] = found[name] + b"What a list adds.\r\n"
    twice = {name: message for name, message in found.items() if "big relaxed/relaxed" in name}
    fields = dkimpy(keys.names, [request(keys, message, "edward", "simple/relaxed") for message in twice.values()])
    for (name, message), field in zip(twice.items(), fields):
        found[f"{name} and ed25519"] = base64.b64decode(field) + message
    return found


def request(keys, message, selector, canonicalization):
    return {
        "do": "sign",
        "message": message,
        "selector": selector,
        "domain": DOMAIN,
        "key": keys.for_dkimpy(selector),
        "algorithm": algorithm_of(selector),
        "canonicalization": canonicalization,
    }


def signed_by_opendkim(world, keys):
    """With x=, an hour from now."""
    found = {}
    for selector in ("big", "edward"):
        # What OpenDKIM 2.11 beta signs by ed25519 with a simple header section is wrong for itself and for dkimpy too.
        for canonicalization in CANONICALIZATIONS if selector == "big" else CANONICALIZATIONS[2:]:
            filter_ = OpenDkim(world.work, keys.names, (selector, keys.files[selector]), canonicalization)
            with started(filter_) as opendkim:
                for name, message in messages().items():
                    found[f"{name}, {selector} {canonicalization} by OpenDKIM"] = opendkim.signed(message)
    return found


def changes(name, message):
    """What must break each signature of a message; of one in three, since each is a message for three programs."""
    if name.endswith(BEHIND) or sum(name.encode()) % 3:
        return
    header, _, body = message.partition(b"\r\n\r\n")
    yield "another From", re.sub(rb"(?im)^(From[ \t]*:[^@]*)@", rb"\1x@", header, count=1) + b"\r\n\r\n" + body
    # Of an empty body l= covers nothing.
    if "with l=" not in name:
        yield "a line in front of the body", header + b"\r\n\r\nPay me.\r\n" + body


def verified_by_dkimpy(keys, signed):
    found = {}
    results = dkimpy(keys.names, [{"do": "verify", "message": message} for message in signed.values()])
    for name, signatures in zip(signed, results):
        found[name] = sorted((each["fields"]["s"], "pass" if each["is_right"] else "fail") for each in signatures)
    return found


def verified_by_posta(world, dns_port, signed):
    """The number of a message is the local part of its reverse-path, which nobody signs."""
    configuration = spf_suite.CONFIGURATION.format(port=dns_port).replace(
        '[authenticity]\n', '[authenticity]\nmalformed_from = "accept"\n'
    )
    server = posta_dev.PostaServe(os.path.join(world.work, "signatures"), configuration + MORE)
    found, order = {}, list(signed)
    try:
        server.start()
        server.add_account(ADA)
        with spf_suite.Client(server.listeners["smtp"], "PROXY TCP4 192.0.2.1 192.0.2.25 40000 25\r\n") as client:
            client.say(b"EHLO client.example", 250)
            for number, name in enumerate(order):
                client.envelope(b"%d@%s" % (number, DOMAIN.encode()), ADA.encode())
                code, lines = client.data(signed[name])
                need(code == 250, f"{name}: {code} {lines}")
        for message in mailbox(server, ADA):
            number = int(re.match(rb"Return-Path: <(\d+)@", message)[1])
            found[order[number]] = results_in(message)
        return found
    except BaseException:
        print(f"--- the log:\n{server.log_tail()}", flush=True)
        raise
    finally:
        server.kill()
