//! A name server on loopback that answers from a zone as text; it ends with the test.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};

use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::{Name, Record, RecordType};
use hickory_proto::serialize::txt::Parser;

/// Starts it. All names of the zone are whole, with a dot at the end; for those of `failing`, without it, it fails.
pub(crate) fn name_server(zone: &str, failing: &'static [&'static str]) -> SocketAddr {
    let text = format!("$TTL 3600\n{zone}\n");
    let (_, sets) = Parser::new(text, None, Some(Name::root())).parse().unwrap();
    let mut records: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for set in sets.values() {
        let name = set.name().to_ascii().to_ascii_lowercase();
        records.entry(name).or_default().extend(set.records_without_rrsigs().cloned());
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || serve(&socket, &records, failing));
    address
}

fn serve(socket: &UdpSocket, records: &BTreeMap<String, Vec<Record>>, failing: &[&str]) {
    let mut buffer = [0; 4096];
    loop {
        let Ok((count, peer)) = socket.recv_from(&mut buffer) else { return };
        let answer = answer(&buffer[..count], records, failing);
        // Who asked may be gone.
        let _ = socket.send_to(&answer, peer);
    }
}

fn answer(octets: &[u8], records: &BTreeMap<String, Vec<Record>>, failing: &[&str]) -> Vec<u8> {
    let request = Message::from_vec(octets).unwrap();
    let query = request.queries[0].clone();
    let asked = query.name().to_ascii().to_ascii_lowercase();
    let mut answer = Message::response(request.metadata.id, request.metadata.op_code);
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    if request.edns.is_some() {
        answer.set_edns(Edns::new());
    }
    let below = format!(".{asked}");
    match records.get(&asked) {
        _ if failing.contains(&asked.trim_end_matches('.')) => {
            answer.metadata.response_code = ResponseCode::ServFail;
        }
        Some(found) => {
            let fits = |record: &&Record| {
                record.record_type() == query.query_type() || record.record_type() == RecordType::CNAME
            };
            answer.answers.extend(found.iter().filter(fits).cloned());
        }
        None if records.keys().any(|name| name.ends_with(&below)) => {}
        None => answer.metadata.response_code = ResponseCode::NXDomain,
    }
    answer.to_vec().unwrap()
}
