"""What must not work: smuggling, lines out of bounds, floods. Each check also looks that nothing was stored."""

import wire
from harness import check, need, without_trace
from way_in import MESSAGE

SMUGGLED = (
    b"MAIL FROM:<evil@smuggled.example>\r\nRCPT TO:<victim@wire.example>\r\nDATA\r\n"
    b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\nQUIT\r\n"
)
# Everything that some server took for the end of data and that is not CRLF.CRLF
# (CVE-2023-51764, CVE-2023-51765, CVE-2023-51766).
FALSE_ENDS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CR.CRLF": b"\r.\r\n",
    "CRLF.CR": b"\r\n.\r",
    "CR.LF": b"\r.\n",
    "LF.CR": b"\n.\r",
    "CRCRLF.CRCRLF": b"\r\r\n.\r\r\n",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "LFCR.LFCR": b"\n\r.\n\r",
    "CRLF.NUL.CRLF": b"\r\n.\0\r\n",
    "CRLF.NUL.dot": b"\r\n\0.\r\n",
    "LF.LF.LF": b"\n\n.\n\n",
    "CRLF.CR.LF": b"\r\n.\r\0\n",
}


def smuggle(world, false_end):
    with world.smtp() as smtp:
        smtp.envelope()
        smtp.say(b"DATA", 354)
        try:
            smtp.send(b"Subject: outer\r\n\r\nouter" + false_end + SMUGGLED)
        except wire.Closed:
            pass
        codes = smtp.replies_until_closed()
    need(250 not in codes and 354 not in codes, f"the replies were {codes}")
    need(codes[:1] == [] or codes[0] >= 500, f"the first reply was {codes[0]}")
    stored = world.drain()
    need(stored == [], f"{len(stored)} messages were stored, the first {stored[:1]!r}")


def smuggling_check(name, false_end):
    def smuggling(world):
        smuggle(world, false_end)

    smuggling.__name__ = f"{name}_never_ends_the_data_and_nothing_is_smuggled"
    check(smuggling)


for NAME, FALSE_END in FALSE_ENDS.items():
    smuggling_check(NAME, FALSE_END)


@check
def a_CR_in_a_session_typed_with_LF_is_refused(world):
    with wire.Smtp(world.server.smtp(), hello=b"EHLO typed\n") as smtp:
        for command, code in ((b"MAIL FROM:<a@b.example>\n", 250), (b"RCPT TO:<c@d.example>\n", 250), (b"DATA\n", 354)):
            smtp.send(command)
            smtp.expect(code)
        smtp.send(b"Subject: outer\n\nouter\r\n.\r\n" + SMUGGLED.replace(b"\r\n", b"\n"))
        codes = smtp.replies_until_closed()
    need(250 not in codes and 354 not in codes, f"the replies were {codes}")
    need(world.drain() == [], "something was stored")


@check
def a_bare_LF_in_a_CRLF_session_ends_no_command(world):
    with world.smtp() as smtp:
        smtp.send(b"MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\nDATA\nSubject: x\n\nx\n.\nQUIT\r\n")
        codes = smtp.replies_until_closed()
    need(codes and codes[0] >= 500 and not {250, 354} & set(codes), f"the replies were {codes}")
    need(world.drain() == [], "something was stored")


@check
def a_command_line_of_2000_octets_gets_one_reply(world):
    with world.smtp() as smtp:
        smtp.say(b"NOOP " + b"x" * 1993, 250, 500)
        smtp.say(b"RCPT TO:<" + b"x" * 1900 + b"@wire.example>", 500, 501, 503)
        smtp.envelope()
        need(smtp.data(MESSAGE % b"after long lines")[0] == 250, "the session does not go on")
    without_trace(world.one(), MESSAGE % b"after long lines")


@check
def a_command_line_of_a_megabyte_gets_one_500_and_its_rest_is_no_command(world):
    with world.smtp() as smtp:
        try:
            smtp.send(b"NOOP " + b"x" * 1_000_000 + b" MAIL FROM:<a@b.example>\r\nQUIT\r\n")
        except wire.Closed:
            pass
        codes = smtp.replies_until_closed()
    need(codes[:1] in ([500], []) and codes[1:] in ([221], [421], []), f"the replies were {codes}")
    need(world.drain() == [], "something was stored")


@check
def a_thousand_commands_in_one_segment_are_answered_in_order(world):
    messages = [MESSAGE % b"pipelined %d" % number for number in range(10)]
    batch, wanted = [], []
    for octets in messages:
        batch.append(b"MAIL FROM:<a@wire.example>\r\n")
        batch += [b"RCPT TO:<r%d@wire.example>\r\n" % number for number in range(98)]
        batch.append(b"BDAT %d LAST\r\n" % len(octets) + octets)
        wanted += [250] * 100
    with world.smtp() as smtp:
        smtp.send(b"".join(batch) + b"QUIT\r\n")
        codes = smtp.replies_until_closed()
    need(codes == [*wanted, 221], f"{len(codes)} replies, among them {sorted(set(codes))}")
    stored = world.drain()
    need(len(stored) == 10, f"{len(stored)} messages instead of 10")
    for one, octets in zip(stored, messages):
        without_trace(one, octets)


@check
def a_session_of_one_octet_a_segment_delivers(world):
    sent = MESSAGE % b"slow"
    with wire.Smtp(world.server.smtp(), hello=None) as smtp:
        for part, code in (
            (b"EHLO slow.example\r\n", 250),
            (b"MAIL FROM:<a@wire.example> BODY=8BITMIME\r\n", 250),
            (b"RCPT TO:<b@wire.example>\r\n", 250),
            (b"DATA\r\n", 354),
            (sent.replace(b"\r\n.", b"\r\n..") + b".\r\n", 250),
            (b"QUIT\r\n", 221),
        ):
            for octet in part:
                smtp.send(bytes((octet,)))
            smtp.expect(code)
    without_trace(world.one(), sent)


@check
def commands_out_of_order_are_503_and_leave_no_state(world):
    with wire.Smtp(world.server.smtp(), hello=None) as smtp:
        smtp.say(b"MAIL FROM:<a@wire.example>", 503)
        smtp.say(b"EHLO order.example", 250)
        smtp.say(b"RCPT TO:<b@wire.example>", 503)
        smtp.say(b"DATA", 503)
        smtp.envelope(recipient=b"stale@wire.example")
        smtp.say(b"EHLO again.example", 250)
        smtp.say(b"DATA", 503)
        smtp.send(b"BDAT 10 LAST\r\nRSET\r\nRSET")
        smtp.expect(503)
        smtp.envelope(recipient=b"fresh@wire.example")
        need(smtp.data(MESSAGE % b"fresh")[0] == 250, "the transaction after the errors fails")
    added = without_trace(world.one(), MESSAGE % b"fresh")
    need(b"stale" not in added, f"a stale recipient survived: {added!r}")


@check
def octets_of_a_refused_BDAT_chunk_are_drained_and_never_commands(world):
    with world.smtp() as smtp:
        smtp.send(b"BDAT %d LAST\r\n" % len(SMUGGLED) + SMUGGLED)
        smtp.expect(503)
        smtp.say(b"QUIT", 221)
    need(world.drain() == [], "something was stored")


@check
def a_message_over_the_announced_SIZE_limit_is_552(world):
    with wire.Smtp(world.server.smtp(), hello=None) as smtp:
        lines = smtp.say(b"EHLO big.example", 250)
        limit = [int(line.split()[1]) for line in lines if line.upper().startswith(b"SIZE ")]
        need(limit and limit[0] >= 20 * 1024 * 1024, f"EHLO announces {lines!r}")
        smtp.say(b"MAIL FROM:<a@wire.example> SIZE=%d" % (limit[0] + 1), 552)
        smtp.say(b"MAIL FROM:<a@wire.example> SIZE=%d" % limit[0], 250)
    need(world.drain() == [], "something was stored")


@check
def POP3_numbers_out_of_range_are_ERR(world):
    with world.smtp() as smtp:
        smtp.envelope()
        need(smtp.data(MESSAGE % b"pop3")[0] == 250, "not accepted")
    with world.pop3() as maildrop:
        for command in (b"RETR 0", b"RETR 2", b"RETR -1", b"RETR 99999999999999999999", b"LIST 2", b"TOP 1", b"DELE x"):
            maildrop.send(command + b"\r\n")
            line = maildrop.line()
            need(line.startswith(b"-ERR"), f"{command!r} got {line!r}")
        maildrop.say(b"DELE 1")
        maildrop.send(b"RETR 1\r\n")
        need(maildrop.line().startswith(b"-ERR"), "a deleted message is given out")
        maildrop.say(b"RSET")
        need(maildrop.count() == 1, "RSET did not bring the message back")
        maildrop.quit()
    world.drain()


@check
def wrong_POP3_passwords_and_unknown_users_get_the_same_answer(world):
    answers = set()
    for user, password in ((world.server.account(), "wrong"), ("nobody@nowhere.example", "wrong")):
        with wire.Pop3(world.server.pop3()) as maildrop:
            maildrop.send(b"USER " + user.encode() + b"\r\n")
            user_answer = maildrop.line()
            maildrop.send(b"PASS " + password.encode() + b"\r\n")
            answers.add((user_answer.split()[0], maildrop.line()))
    need(len(answers) == 1, f"the answers tell who exists: {answers}")
    need(all(line.startswith(b"-ERR") for _, line in answers), f"logged in: {answers}")
