"""The messages that both servers of the access part hold: the same octets each time, by number.

Some 4 KiB each, of paragraphs out of a vocabulary of 20,000 words; a fifth in two parts as text and HTML, a tenth with
an attachment, threads of five. Python 3 standard library only.
"""

import base64
import random

# In how many messages a word is: 10 of all, half of all, none.
RARE, COMMON, ABSENT = "xylophonistry", "harborlight", "qwertzuiopasdf"
RARE_MESSAGES = 10
SENDERS = 500
SYLLABLES = ("ba", "ce", "dor", "el", "fin", "gra", "hu", "il", "jor", "ke", "lum", "mi", "nor", "os", "pra", "qui", "ra", "sel", "tu", "vex")


class Corpus:
    """Message `number` of `count`, from 0."""

    def __init__(self, count, seed=1):
        self.count = count
        source = random.Random(seed)
        self.words = sorted({"".join(source.choices(SYLLABLES, k=source.randint(2, 5))) for _ in range(30_000)})[:20_000]
        source.shuffle(self.words)
        # A few words are most of a text.
        weights = [1 / (place + 3) for place in range(len(self.words))]
        self.paragraphs = []
        for _ in range(2_000):
            chosen = source.choices(self.words, weights, k=source.randint(50, 90))
            self.paragraphs.append(lines(" ".join(chosen)))
        self.names = [" ".join(word.title() for word in source.sample(self.words, 2)) for _ in range(SENDERS)]
        self.attachment = base64.encodebytes(source.randbytes(1_500)).replace(b"\n", b"\r\n").decode()
        self.rare = set(source.sample(range(count), min(RARE_MESSAGES, count)))

    def message(self, number):
        source = random.Random(number)
        paragraphs = [source.choice(self.paragraphs) for _ in range(4)]
        if number % 2:
            paragraphs[source.randrange(4)] += f"the {COMMON} of it\r\n"
        if number in self.rare:
            paragraphs[3] += f"a {RARE} was here\r\n"
        body = "\r\n".join(paragraphs)
        head = self.head(number, source)
        if number % 10 == 3:
            text = self.mixed(number, body)
        elif number % 5 == 1:
            text = self.alternative(number, "\r\n".join(paragraphs[:2]))
        else:
            text = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n{body}"
        return (head + text).encode()

    def head(self, number, source):
        sender = source.randrange(SENDERS)
        subject = " ".join(source.choices(self.words, k=source.randint(3, 8)))
        if number % 7 == 0:
            subject = "=?utf-8?q?" + subject.replace(" ", "_") + "_=C3=BC?="
        thread = number // 5 * 5
        trace = "".join(
            f"Received: from host{hop}.bench.example (host{hop}.bench.example [192.0.2.{hop}])\r\n"
            f"\tby mx{hop}.bench.example with ESMTPS id {number:08x}{hop};\r\n\t{date(number)}\r\n"
            for hop in range(2 + number % 2)
        )
        fields = (
            f"From: {self.names[sender]} <sender{sender}@bench.example>\r\nTo: Reader <reader@bench.example>\r\n"
            f"Subject: {'Re: ' if number > thread else ''}{subject}\r\nDate: {date(number)}\r\n"
            f"Message-ID: <{number}@bench.example>\r\n"
        )
        if number > thread:
            fields += f"In-Reply-To: <{thread}@bench.example>\r\nReferences: <{thread}@bench.example>\r\n"
        if number % 3 == 0:
            fields += f"Cc: {self.names[(sender + 1) % SENDERS]} <copy{sender}@bench.example>\r\n"
        if number % 4 == 0:
            fields += f"List-Id: <list{sender % 20}.bench.example>\r\nPrecedence: list\r\n"
        return f"{trace}{fields}User-Agent: bench\r\nMIME-Version: 1.0\r\n"

    def mixed(self, number, body):
        return (
            f'Content-Type: multipart/mixed; boundary="mixed-{number}"\r\n\r\n--mixed-{number}\r\n'
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n--mixed-{number}\r\n"
            f'Content-Type: application/pdf; name="file{number}.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
            f'Content-Disposition: attachment; filename="file{number}.pdf"\r\n\r\n{self.attachment}--mixed-{number}--\r\n'
        )

    @staticmethod
    def alternative(number, body):
        html = "<html><body><p>" + body.replace("\r\n\r\n", "</p>\r\n<p>") + "</p></body></html>\r\n"
        return (
            f'Content-Type: multipart/alternative; boundary="alt-{number}"\r\n\r\n--alt-{number}\r\n'
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n--alt-{number}\r\n"
            f"Content-Type: text/html; charset=utf-8\r\n\r\n{html}--alt-{number}--\r\n"
        )


def lines(text):
    found, line = [], ""
    for word in text.split():
        if len(line) + len(word) > 72:
            found.append(line)
            line = ""
        line += f"{' ' if line else ''}{word}"
    return "\r\n".join([*found, line, ""])


def date(number):
    minute, hour, day = number % 60, number // 60 % 24, 1 + number // 1440 % 28
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun")[number // 40_320 % 6]
    return f"{day} {month} 2026 {hour:02}:{minute:02}:00 +0000"
