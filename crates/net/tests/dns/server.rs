//! A resolver on loopback, by UDP and TCP, that answers from zones and does what it is told to do wrong.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::zones::{Zones, name};

/// What it does in place of answering.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    Code(ResponseCode),
    /// SERVFAIL with an extended error (RFC 8914).
    Extended(u16),
    Silent,
    /// Silent the first time.
    SilentOnce,
    /// By UDP nothing but that it is too large.
    Truncated,
    /// By TCP too.
    AlwaysTruncated,
    /// By UDP it is no DNS message.
    Garbage,
    /// By TCP too.
    AlwaysGarbage,
    /// First with another id, then to another question, then as it should.
    Forged,
    /// FORMERR where EDNS is used.
    NoEdns,
    /// No such name, by the word of this zone.
    NothingOf(&'static str),
}

/// A resolver. It ends with the runtime of the test.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    zones: Zones,
    faults: Mutex<HashMap<(Name, RecordType), Fault>>,
    /// Whether it says that what it answers is proven.
    authentic: bool,
    asked: Mutex<Vec<String>>,
    requests: Mutex<Vec<Message>>,
}

impl Server {
    pub(super) async fn start(zones: Zones, authentic: bool) -> Self {
        // The port that is free for TCP may be taken for UDP.
        let (udp, tcp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let inner = Inner {
            zones,
            faults: Mutex::default(),
            authentic,
            asked: Mutex::default(),
            requests: Mutex::default(),
        };
        let server = Self { address: tcp.local_addr().unwrap(), inner: Arc::new(inner) };
        tokio::spawn(by_udp(server.clone(), udp));
        tokio::spawn(by_tcp(server.clone(), tcp));
        server
    }

    pub(super) fn fault(&self, owner: &str, kind: RecordType, fault: Fault) {
        self.inner.faults.lock().unwrap().insert((name(owner), kind), fault);
    }

    pub(super) fn mend(&self) {
        self.inner.faults.lock().unwrap().clear();
    }

    /// `udp a.example. MX` and so on, since the last time.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.asked.lock().unwrap())
    }

    pub(super) fn requests(&self) -> Vec<Message> {
        std::mem::take(&mut self.inner.requests.lock().unwrap())
    }

    /// Messages to send, in this order.
    fn answers(&self, octets: &[u8], transport: &str) -> Vec<Vec<u8>> {
        let request = Message::from_vec(octets).unwrap();
        self.inner.requests.lock().unwrap().push(request.clone());
        let query = request.queries[0].clone();
        let (owner, kind) = (query.name().clone(), query.query_type());
        self.inner.asked.lock().unwrap().push(format!("{transport} {owner} {kind}"));
        let mut answer = Message::response(request.metadata.id, request.metadata.op_code);
        answer.metadata.recursion_available = true;
        answer.add_query(query);
        if request.edns.is_some() {
            answer.set_edns(Edns::new());
        }
        let fault = {
            let mut faults = self.inner.faults.lock().unwrap();
            let fault = faults.get(&(owner.clone(), kind)).cloned();
            if matches!(fault, Some(Fault::SilentOnce)) {
                faults.remove(&(owner.clone(), kind));
            }
            fault
        };
        let is_udp = transport == "udp";
        match fault {
            Some(Fault::Silent | Fault::SilentOnce) => return Vec::new(),
            Some(Fault::Garbage) if is_udp => return vec![garbage(&answer)],
            Some(Fault::AlwaysGarbage) => return vec![garbage(&answer)],
            Some(Fault::Code(code)) => answer.metadata.response_code = code,
            Some(Fault::Extended(code)) => {
                answer.metadata.response_code = ResponseCode::ServFail;
                let option = EdnsOption::Unknown(15, code.to_be_bytes().to_vec());
                answer.edns.get_or_insert_with(Edns::new).options_mut().insert(option);
            }
            Some(Fault::Truncated) if is_udp => answer.metadata.truncation = true,
            Some(Fault::AlwaysTruncated) => answer.metadata.truncation = true,
            Some(Fault::NoEdns) if request.edns.is_some() => {
                answer.metadata.response_code = ResponseCode::FormErr;
                answer.edns = None;
            }
            Some(Fault::NothingOf(zone)) => {
                self.inner.zones.answer(
                    &mut answer,
                    &name("nothing").append_name(&name(zone)).unwrap(),
                    kind,
                );
            }
            other => {
                self.inner.zones.answer(&mut answer, &owner, kind);
                let is_signed = request.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
                if !is_signed {
                    answer
                        .answers
                        .retain(|record| record.record_type() == kind || !record.record_type().is_dnssec());
                    answer.authorities.retain(|record| !record.record_type().is_dnssec());
                }
                answer.metadata.authentic_data = self.inner.authentic && request.metadata.authentic_data;
                if matches!(other, Some(Fault::Forged)) {
                    let mut forged = answer.clone();
                    forged.answers.clear();
                    forged.metadata.id ^= 1;
                    let mut elsewhere = answer.clone();
                    elsewhere.answers.clear();
                    elsewhere.queries[0].set_name(name("elsewhere.example"));
                    return vec![encode(&forged), b"x".to_vec(), encode(&elsewhere), encode(&answer)];
                }
            }
        }
        let encoded = encode(&answer);
        if is_udp && encoded.len() > usize::from(request.max_payload()) {
            answer.answers.clear();
            answer.authorities.clear();
            answer.metadata.truncation = true;
            return vec![encode(&answer)];
        }
        vec![encoded]
    }
}

fn encode(message: &Message) -> Vec<u8> {
    message.to_vec().unwrap()
}

/// A header that promises more than there is.
fn garbage(answer: &Message) -> Vec<u8> {
    let mut octets = encode(answer);
    octets[7] = 9;
    octets
}

async fn by_udp(server: Server, socket: UdpSocket) {
    let mut buffer = [0; 4096];
    loop {
        let (count, peer) = socket.recv_from(&mut buffer).await.unwrap();
        for answer in server.answers(&buffer[..count], "udp") {
            socket.send_to(&answer, peer).await.unwrap();
        }
    }
}

async fn by_tcp(server: Server, listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let server = server.clone();
        tokio::spawn(async move {
            while let Ok(length) = stream.read_u16().await {
                let mut request = vec![0; length.into()];
                stream.read_exact(&mut request).await.unwrap();
                for answer in server.answers(&request, "tcp") {
                    let length = u16::try_from(answer.len()).unwrap();
                    stream.write_u16(length).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            }
        });
    }
}
