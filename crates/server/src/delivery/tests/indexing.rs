//! Mail that comes into mailboxes by the queue is made ready for searches, as mail that comes by SMTP is.

use std::net::{Ipv4Addr, SocketAddr};

use store::DerivedKind;

use super::*;
use crate::config::{Listener, Service};
use crate::control::{Client, QueueAct, QueueRequest, Request};

/// A node that somebody may read by IMAP, and a host that takes nothing for Bob.
async fn start(answer: &str) -> Bench {
    let bench = Bench::start_with(|config| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        config.listeners = vec![Listener::new(Service::Imap, address)];
    });
    let bench = bench.await;
    bench.world.host("to.example", "192.0.2.1").answers("bob@to.example", answer);
    bench
}

impl Bench {
    /// Waits until Ada has so many messages, of which the last is indexed. That takes a second; it is given up after many.
    async fn until_indexed(&self, count: usize) {
        let store = &self.shared.store;
        let inbox = store.account("ada@example.org").await.unwrap().unwrap().inbox;
        let indexed = async {
            loop {
                let entries = store.messages(inbox, None, 100).await.unwrap();
                if let Some(last) = entries.get(count - 1)
                    && store.derived(DerivedKind::Words, &[last.mail_id]).await.unwrap()[0].is_some()
                {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(MINUTE, indexed).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_of_what_a_host_refused_and_mail_that_was_held_are_indexed() {
    let bench = start("550 5.1.1 no such user").await;
    bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_indexed(1).await;
    let parameters =
        MailParameters { hold: Some(types::Hold::For { seconds: 60 }), ..MailParameters::default() };
    let id = bench.accept(Mail { parameters, ..Mail::to(&["ada@example.org"]) }).await;
    bench.pass(MINUTE);
    bench.until_gone(id).await;
    bench.until_indexed(2).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_of_what_an_operator_gives_up_is_indexed() {
    let bench = start("450 4.2.1 not now").await;
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    let item = bench.until_attempts(id, 1).await;
    let expire =
        QueueRequest::Act { act: QueueAct::Expire, ids: vec![item.id.to_string()], by: String::new() };
    tokio::task::block_in_place(|| {
        let mut client = Client::connect(bench.data.path()).unwrap().unwrap();
        client.ask(Request::Queue(expire)).unwrap();
    });
    bench.until_gone(id).await;
    bench.until_indexed(1).await;
    bench.stop().await;
}
