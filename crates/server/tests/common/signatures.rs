#![allow(dead_code, reason = "each test program uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]
//! Keys of a node under test, and what anybody finds who verifies its mail.

use std::collections::BTreeMap;

use mailauth::arc::Chain;
use mailauth::dkim::{BodyHasher, Signatures};
use mailauth::{Names, Texts};
use server::control::{
    Client, DirectoryRequest, DirectoryResponse, DkimKeySummary, LastActive, Request, Response, RotateWhen,
};
use types::Timestamp;
use types::directory::DkimKeyState;
use types::dns::{Lookup, Validation};

use crate::common::TestNode;

/// What the DNS has, by name.
pub(crate) type Records = BTreeMap<String, String>;

/// Makes keys that sign from now on, as `posta dkim rotate --now` does.
pub(crate) async fn make_keys(node: &TestNode, domain: &str) -> Records {
    let domain = domain.to_owned();
    let rotate = DirectoryRequest::DkimRotate { domain, algorithm: None, when: RotateWhen::Now };
    let DirectoryResponse::DkimRotated { keys, .. } = ask(node, rotate).await else {
        panic!("keys are made")
    };
    let record = |key: DkimKeySummary| (key.record_name, key.record);
    // Those that sign no more are told too.
    let active = keys.into_iter().filter(|key| key.state == DkimKeyState::Active);
    let records: Records = active.map(record).collect();
    assert_eq!(records.len(), 2);
    records
}

/// Removes all keys of a domain.
pub(crate) async fn remove_keys(node: &TestNode, domain: &str) {
    let list = DirectoryRequest::DkimKeys { domain: Some(domain.to_owned()), after: None };
    let DirectoryResponse::DkimKeys(keys) = ask(node, list).await else { panic!("keys are listed") };
    for DkimKeySummary { domain, selector, .. } in keys {
        ask(node, DirectoryRequest::DkimRemove { domain, selector, last: LastActive::Remove }).await;
    }
}

async fn ask(node: &TestNode, request: DirectoryRequest) -> DirectoryResponse {
    let data = node.data().to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        Client::connect(&data).unwrap().unwrap().ask(Request::Directory(request))
    });
    match asked.await.unwrap().unwrap() {
        Response::Directory(response) => response,
        other => panic!("{other:?}"),
    }
}

/// `domain algorithm result` of each signature, from the top.
pub(crate) async fn signers(message: &str, records: &Records) -> Vec<String> {
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let header = format!("{header}\r\n");
    let found = Signatures::read(&mailauth::fields(header.as_bytes()), now());
    let mut hasher = BodyHasher::new(found.forms());
    hasher.push(body.as_bytes());
    let keys = found.keys(&table(records)).await;
    let verified = found.verify(&keys, &hasher.finish());
    let told = verified.iter().map(|one| {
        let algorithm = one.algorithm.map_or("?", |algorithm| algorithm.keyword());
        format!("{} {algorithm} {}", one.domain, one.result)
    });
    told.collect()
}

/// What [`signers`] tells where both keys of `example.org` have signed, and each signature came to that.
pub(crate) fn by_both_keys(result: &str) -> [String; 2] {
    ["rsa-sha256", "ed25519-sha256"].map(|algorithm| format!("example.org {algorithm} {result}"))
}

/// `result by sealer, sealer`
pub(crate) async fn chain(message: &str, records: &Records) -> String {
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let header = format!("{header}\r\n");
    let chain = Chain::read(&mailauth::fields(header.as_bytes()), now());
    let mut hasher = BodyHasher::new(chain.forms());
    hasher.push(body.as_bytes());
    let keys = chain.keys(&table(records)).await;
    let outcome = chain.verify(&keys, &hasher.finish());
    format!("{} by {}", outcome.result, outcome.sealers.join(", "))
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap())
}

fn table(records: &Records) -> impl Names {
    Texts(|name: &str| match records.get(name) {
        Some(text) => Lookup::Records {
            records: vec![text.clone().into_bytes()],
            alias_of: None,
            validation: Validation::Insecure,
        },
        None => Lookup::NoSuchName,
    })
}
