"""The MIME corpus by APPEND into Posta and into Dovecot: what needs no judgement comes out the same octets from both.

Envelopes and structures of malformed messages are a matter of judgement: where they differ, `imap_structures` knows why.
"""

from collections import Counter

import imap_structures
import way_out
from harness import Skipped, check, need
from imap_peers import AGAINST, dovecot_account, new_account

SAME = (b"RFC822.SIZE", b"BODY.PEEK[]", b"BODY.PEEK[HEADER]", b"BODY.PEEK[TEXT]")
JUDGED = (b"ENVELOPE", b"BODY", b"BODYSTRUCTURE")


def loaded(account, files):
    """Appends what the server takes; the names of these, in order."""
    taken = []
    with account.imap() as client:
        for name, octets in files:
            tag = client.begin(b"APPEND INBOX {%d+}\r\n%s" % (len(octets), octets))
            if client.end(tag).status == b"OK":
                taken.append(name)
    return taken


def fetched(account, item):
    with account.imap(b"INBOX") as client:
        answer = client.say(b"FETCH 1:* (%s)" % item)
        return [items.get(item.replace(b".PEEK", b"")) for _, items in answer.fetched()]


@check
def every_file_of_the_mime_corpus_reads_as_on_Dovecot(world):
    if AGAINST != "posta":
        raise Skipped("not asked of Dovecot alone")
    # NUL is refused, since programs read it in two ways; Dovecot takes no empty message.
    files = [(name, octets) for name, octets in way_out.corpus() if octets and b"\0" not in octets]
    ours, theirs = new_account(world, "mime"), dovecot_account(world, "mime")
    taken = loaded(ours, files)
    need(taken == [name for name, _ in files], f"not taken: {sorted({name for name, _ in files} - set(taken))}")
    need(loaded(theirs, files) == taken, "Dovecot took others")
    for item in SAME:
        different = [name for name, one, other in zip(taken, fetched(ours, item), fetched(theirs, item)) if one != other]
        need(not different, f"{item!r} differs for {len(different)}: {different[:5]}")
    told, others = [], []
    for item in JUDGED:
        rows = list(zip(taken, fetched(ours, item), fetched(theirs, item)))
        need(all(one is not None for _, one, _ in rows), f"{item!r} is missing for some")
        found = [(name, imap_structures.causes(item, name, one, other)) for name, one, other in rows]
        new = [(name, cause) for name, causes in found for cause in causes if cause.startswith("?")]
        need(not new, f"{item!r} differs for causes that nobody knows: {new[:5]}")
        counts = Counter(cause for _, causes in found for cause in causes)
        known = imap_structures.COUNTS[item]
        if counts != known:
            others.append(f"{item!r} differs for {dict(counts - known)} more, {dict(known - counts)} fewer than are known")
        told.append(f"{item.decode()} differs for {sum(map(bool, (causes for _, causes in found)))}: {dict(counts.most_common())}")
    need(not others, "; ".join(others))
    return f"{len(taken)} files; {'; '.join(told)}"
