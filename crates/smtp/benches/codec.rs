//! How fast the grammar and the codecs are on ordinary mail: text in lines of 78 octets (RFC 5322 §2.1.1).
//!
//! `cargo bench -p smtp`

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smtp::codec::LineEnding;
use smtp::codec::chunk::ChunkChecker;
use smtp::codec::data::DataDecoder;
use smtp::codec::fault::MessageLimits;
use smtp::codec::stuff::Stuffer;
use smtp::grammar::command;
use smtp::server::{
    AuthOffer, Config, Extensions, HandTyped, Question, Role, Security, Session, Step, TlsOffer, TlsPolicy,
};
use types::{BodyType, ReplyKind};

const LIMITS: MessageLimits = MessageLimits { line_bytes_max: 64 * 1024, message_bytes_max: 100 << 20 };
const SIZES: [(&str, usize); 2] = [("4 KiB", 4 << 10), ("1 MiB", 1 << 20)];
/// What a driver reads at once.
const READ_BYTES: usize = 64 * 1024;

fn commands(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("command");
    for line in [
        "EHLO client.example.com",
        "MAIL FROM:<sender@example.com> SIZE=4096 BODY=8BITMIME",
        "RCPT TO:<recipient@example.org>",
        "DATA",
    ] {
        group.bench_function(line, |bencher| bencher.iter(|| command::parse(black_box(line.as_bytes()))));
    }
    group.finish();
}

fn data(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("DATA decode");
    for (name, size) in SIZES {
        let wire = [&text(size)[..], b".\r\n"].concat();
        group.throughput(Throughput::Bytes(wire.len() as u64));
        let mut out = Vec::with_capacity(wire.len());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                let mut decoder = DataDecoder::new(LineEnding::Crlf, LIMITS);
                for piece in wire.chunks(READ_BYTES) {
                    black_box(decoder.decode(black_box(piece), &mut out));
                }
            });
        });
    }
    group.finish();
}

fn stuff(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("DATA encode");
    for (name, size) in SIZES {
        let message = text(size);
        group.throughput(Throughput::Bytes(message.len() as u64));
        let mut out = Vec::with_capacity(message.len() + 16);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                let mut stuffer = Stuffer::default();
                for piece in message.chunks(READ_BYTES) {
                    let _ = black_box(stuffer.encode(black_box(piece), &mut out));
                }
                let _ = black_box(stuffer.finish(&mut out));
            });
        });
    }
    group.finish();
}

fn chunk(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("BDAT check");
    for (name, size) in SIZES {
        let message = text(size);
        group.throughput(Throughput::Bytes(message.len() as u64));
        let mut out = Vec::with_capacity(message.len());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                let mut checker = ChunkChecker::new(BodyType::EightBitMime, LIMITS);
                for piece in message.chunks(READ_BYTES) {
                    checker.check(black_box(piece), &mut out);
                }
                checker.end();
            });
        });
    }
    group.finish();
}

/// A connection with one message of 4 KiB, pipelined as RFC 2920 has it.
fn transaction(criterion: &mut Criterion) {
    let config = Arc::new(Config {
        host_name: "mail.example.org".to_owned(),
        role: Role::Transfer,
        hand_typed: HandTyped::Refused,
        tls: TlsOffer::None,
        tls_policy: TlsPolicy::Optional,
        auth: AuthOffer::default(),
        extensions: Extensions::default(),
        command_line_bytes_max: 2048,
        message: LIMITS,
        recipients_max: 1000,
        errors_max: 20,
        idle_commands_max: 200,
        body_chunk_bytes: READ_BYTES,
    });
    let segments: [&[u8]; 4] = [
        b"EHLO client.example.com\r\n",
        b"MAIL FROM:<sender@example.com> SIZE=4096\r\nRCPT TO:<recipient@example.org>\r\nDATA\r\n",
        &[&text(4 << 10)[..], b".\r\n"].concat(),
        b"QUIT\r\n",
    ];
    criterion.bench_function("session: a transaction of 4 KiB", |bencher| {
        bencher.iter(|| {
            let mut session = Session::<()>::new(Arc::clone(&config), Security::Clear);
            for segment in segments {
                receive(&mut session, black_box(segment));
            }
            black_box(session.output().len())
        });
    });
}

fn receive(session: &mut Session<()>, segment: &[u8]) {
    let mut at = 0;
    loop {
        let (consumed, step) = session.receive(&segment[at..]);
        at += consumed;
        match step {
            Step::Answer => match session.question() {
                Some(Question::Recipient(..)) => {
                    session.accept_recipient(&ReplyKind::RecipientOk.reply(), ());
                }
                Some(Question::Message(_)) => {
                    black_box(session.take_body());
                    session.answer(&ReplyKind::MessageAccepted.with("ID"));
                }
                _ => session.answer(&ReplyKind::SenderOk.reply()),
            },
            Step::Body => drop(black_box(session.take_body())),
            Step::Input | Step::StartTls | Step::Reverse | Step::Close => return,
        }
    }
}

fn text(octets: usize) -> Vec<u8> {
    let line = [&[b'x'; 76][..], b"\r\n"].concat();
    line.repeat(octets / line.len())
}

criterion_group!(benches, commands, data, stuff, chunk, transaction);
criterion_main!(benches);
