//! Who may send what to whom, on which listener, and the exact reply where it may not be: every listener, every way
//! of TLS, every kind of client, every kind of recipient.
//!
//! From RFC 5321 §3.4, §3.6 and §4.5.1, RFC 6409 §4.3 and §6.1, RFC 3207 §4, RFC 4954 §6, RFC 3463 and RFC 2033.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;

use common::TestNode;
use house::{STRANGER, TRUSTED, Talk, Way, alias, auth_plain, house, put, talk, talk_lmtp};
use server::config::{AuthChoice, QuotaReply, Service, TlsChoice};
use types::directory::{AddressKind, MovedHandling};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listener {
    Smtp,
    Submission,
    Submissions,
    Lmtp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Stranger,
    Trusted,
    /// Logged in, with the rights that everybody has.
    Ada,
    /// Logged in, and allowed to send as anyone.
    Robot,
}

/// How far a session comes.
#[derive(Debug, Clone, Copy)]
enum Comes {
    /// AUTH is refused so.
    NotIn(&'static str),
    /// MAIL is refused so, whoever the sender is.
    NotPastMail(&'static str),
    /// It is heard about recipients, and may send as nobody but itself.
    AsItself,
    /// It is heard about recipients, whoever it says that the sender is.
    AsAnyone,
}

const OTHERS: &str = "someone@elsewhere.example";

/// The rows of the table: who comes how far, and where not.
const SESSIONS: &[(Listener, Way, Who, Comes)] = {
    use Comes::{AsAnyone, AsItself, NotIn, NotPastMail};
    use Listener::{Lmtp, Smtp, Submission, Submissions};
    use Way::{Clear, StartTls, Tls};
    use Who::{Ada, Robot, Stranger, Trusted};
    &[
        (Smtp, Clear, Stranger, AsAnyone),
        (Smtp, Clear, Trusted, AsAnyone),
        // RFC 4954 §6: 538 where the mechanism would be taken within TLS.
        (Smtp, Clear, Ada, NotIn("538 5.7.11")),
        (Smtp, Clear, Robot, NotIn("538 5.7.11")),
        (Smtp, StartTls, Stranger, AsAnyone),
        (Smtp, StartTls, Trusted, AsAnyone),
        (Smtp, StartTls, Ada, AsItself),
        (Smtp, StartTls, Robot, AsAnyone),
        // RFC 3207 §4: where TLS is needed, that is said first.
        (Submission, Clear, Stranger, NotPastMail("530 5.7.0 Say STARTTLS")),
        (Submission, Clear, Trusted, NotPastMail("530 5.7.0 Say STARTTLS")),
        (Submission, Clear, Ada, NotIn("530 5.7.0 Say STARTTLS")),
        (Submission, Clear, Robot, NotIn("530 5.7.0 Say STARTTLS")),
        // `auth = "required"` means everybody.
        (Submission, StartTls, Stranger, NotPastMail("530 5.7.0 Authentication required")),
        (Submission, StartTls, Trusted, NotPastMail("530 5.7.0 Authentication required")),
        (Submission, StartTls, Ada, AsItself),
        (Submission, StartTls, Robot, AsAnyone),
        // `auth = "offered"`: trusted networks need no login (RFC 6409 §4.3), others do.
        (Submissions, Tls, Stranger, NotPastMail("530 5.7.0 Authentication required")),
        (Submissions, Tls, Trusted, AsAnyone),
        (Submissions, Tls, Ada, AsItself),
        (Submissions, Tls, Robot, AsAnyone),
        (Lmtp, Clear, Stranger, AsAnyone),
        (Lmtp, Clear, Ada, NotIn("502 5.5.1")),
    ]
};

/// What is heard about each kind of recipient by who is heard at all.
const RECIPIENTS: &[(&str, &str)] = &[
    ("<bob@example.org>", "250 2.1.5"),
    ("<BOB@Example.ORG>", "250 2.1.5"),
    ("<\"bob\"@example.org>", "250 2.1.5"),
    ("<@hop.example,@other.example:bob@example.org>", "250 2.1.5"),
    ("<bob+tag@example.org>", "250 2.1.5"),
    ("<nobody@example.org>", "550 5.1.1"),
    ("<nobody+tag@example.org>", "550 5.1.1"),
    ("<friends@example.org>", "250 2.1.5"),
    ("<moved-on@example.org>", "251 2.1.5 User not local; will forward to <bob@example.org>"),
    ("<moved@example.org>", "551 5.1.6 User not local; please try <her@elsewhere.example>"),
    ("<gone@example.org>", "550 5.2.1"),
    ("<full@example.org>", "452 4.2.2"),
    ("<open@example.org>", "250 2.1.5"),
    ("<closed@example.org>", "550 5.7.2"),
    ("<open-request@example.org>", "250 2.1.5"),
    ("<closed-owner@example.org>", "250 2.1.5"),
    ("<postmaster>", "250 2.1.5"),
    ("<Postmaster>", "250 2.1.5"),
    ("<postmaster@example.org>", "250 2.1.5"),
    ("<abuse@example.org>", "250 2.1.5"),
    // What only looks as if it went elsewhere (attacks 11): the domain decides.
    ("<you%elsewhere.example@example.org>", "550 5.1.1"),
    ("<elsewhere.example!you@example.org>", "550 5.1.1"),
    ("<\"you@elsewhere.example\"@example.org>", "550 5.1.1"),
    ("<\"you@elsewhere.example\"@[127.0.0.1]>", "550 5.1.1"),
    ("<you%elsewhere.example@[127.0.0.1]>", "550 5.1.1"),
    // Its operator sends it on, whoever writes to it.
    ("<out@example.org>", "250 2.1.5"),
    ("<abroad@example.org>", "251 2.1.5 User not local; will forward to <her@elsewhere.example>"),
];

/// Recipients elsewhere: taken from those who may relay, `550 5.7.1` to all others.
const ABROAD: &[&str] = &[
    "<you@elsewhere.example>",
    "<YOU@Elsewhere.Example>",
    "<@example.org:you@elsewhere.example>",
    "<@mail.example.org,@hop.example:you@elsewhere.example>",
    "<bob%example.org@elsewhere.example>",
    "<example.org!bob@elsewhere.example>",
    "<\"bob@example.org\"@elsewhere.example>",
    "<postmaster@elsewhere.example>",
    "<you@sub.example.org>",
    "<you@example.org.elsewhere.example>",
    "<you@[192.0.2.1]>",
    "<you@[IPv6:2001:db8::1]>",
    "<-oQ/tmp@elsewhere.example>",
    "<\"|sh\"@elsewhere.example>",
];

async fn begin(node: &TestNode, listener: Listener, way: Way, who: Who) -> (Talk, Option<String>) {
    let ip = if who == Who::Trusted { TRUSTED } else { STRANGER };
    let mut talk = match listener {
        Listener::Smtp => talk(node, ip, node.smtp, way).await,
        Listener::Submission => talk(node, ip, node.submission, way).await,
        Listener::Submissions => talk(node, ip, node.submissions, way).await,
        Listener::Lmtp => talk_lmtp(node).await,
    };
    let login = match who {
        Who::Stranger | Who::Trusted => None,
        Who::Ada => Some(talk.say(&auth_plain("ada@example.org")).await),
        Who::Robot => Some(talk.say(&auth_plain("robot@example.org")).await),
    };
    (talk, login)
}

/// One session of the table.
async fn session(node: &TestNode, row: &(Listener, Way, Who, Comes)) {
    let (listener, way, who, comes) = *row;
    let (mut talk, login) = begin(node, listener, way, who).await;
    let expect = |heard: &str, start: &str, what: &str| {
        assert!(
            heard.starts_with(start),
            "{listener:?} {way:?} {who:?} {what}: expected {start}, heard {heard}"
        );
    };
    if let Some(login) = &login {
        let start = if let Comes::NotIn(start) = comes { start } else { "235 2.7.0" };
        expect(login, start, "AUTH");
    }
    let mut sender = OTHERS;
    match comes {
        Comes::NotIn(_) => return,
        Comes::NotPastMail(start) => {
            for path in ["", OTHERS, "ada@example.org"] {
                expect(&talk.say(&format!("MAIL FROM:<{path}>")).await, start, "MAIL");
            }
            // Nothing was begun by it.
            let heard = talk.say("RCPT TO:<bob@example.org>").await;
            expect(&heard, if way == Way::Clear { start } else { "503 5.5.1" }, "RCPT");
            return;
        }
        Comes::AsItself => {
            expect(&talk.say(&format!("MAIL FROM:<{OTHERS}>")).await, "553 5.7.1", "MAIL");
            expect(&talk.say("MAIL FROM:<bob@example.org>").await, "553 5.7.1", "MAIL");
            sender = "ada@example.org";
        }
        Comes::AsAnyone => {}
    }
    expect(&talk.say(&format!("MAIL FROM:<{sender}>")).await, "250 2.1.0", "MAIL");
    for (path, start) in RECIPIENTS {
        expect(&talk.say(&format!("RCPT TO:{path}")).await, start, path);
    }
    // By LMTP nothing is relayed for anybody.
    let abroad = if who == Who::Stranger { "550 5.7.1" } else { "250 2.1.5" };
    for path in ABROAD {
        expect(&talk.say(&format!("RCPT TO:{path}")).await, abroad, path);
    }
    expect(&talk.say("RSET").await, "250 2.0.0", "RSET");
    // A report goes to people, and to no list (RFC 5321 §4.5.5).
    expect(&talk.say("MAIL FROM:<>").await, "250 2.1.0", "MAIL");
    expect(&talk.say("RCPT TO:<bob@example.org>").await, "250 2.1.5", "a report");
    expect(&talk.say("RCPT TO:<open@example.org>").await, "550 5.7.2", "a report to a list");
    expect(&talk.say("RCPT TO:<you@elsewhere.example>").await, abroad, "a report to others");
    expect(&talk.say("QUIT").await, "221 2.0.0", "QUIT");
}

/// Bob's list is his to post to, on every listener where he can be told from others or nobody asks.
async fn the_owner_posts_to_a_closed_list(node: &TestNode) {
    for (listener, way) in [
        (Listener::Smtp, Way::StartTls),
        (Listener::Submission, Way::StartTls),
        (Listener::Submissions, Way::Tls),
    ] {
        let (mut talk, login) = begin(node, listener, way, Who::Robot).await;
        assert!(login.is_some_and(|login| login.starts_with("235")));
        talk.dialogue(&[
            ("MAIL FROM:<bob@example.org>", "250 "),
            ("RCPT TO:<closed@example.org>", "250 2.1.5"),
        ])
        .await;
    }
}

async fn fill(node: &TestNode) {
    let mut talk = talk(node, STRANGER, node.smtp, Way::Clear).await;
    let reply = talk.post("<>", &["full@example.org"], &"x".repeat(90)).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
}

#[tokio::test]
async fn each_session_hears_what_it_should_about_each_recipient() {
    let node = house(|config| {
        config.smtp.errors_max = 1000;
        let submissions =
            config.listeners.iter_mut().find(|listener| listener.service == Service::Submissions);
        submissions.unwrap().auth = AuthChoice::Offered;
    })
    .await;
    fill(&node).await;
    alias(&node, "out@example.org", &["bob@example.org", "you@elsewhere.example"]).await;
    let to = "her@elsewhere.example".parse().unwrap();
    put(&node, "abroad@example.org", AddressKind::Moved { to, handling: MovedHandling::Forward }).await;
    for row in SESSIONS {
        session(&node, row).await;
    }
    the_owner_posts_to_a_closed_list(&node).await;
    node.stop().await;
}

#[tokio::test]
async fn policy_may_refuse_for_good_what_a_quota_has_no_room_for() {
    let node = house(|config| config.policy.quota_reply = QuotaReply::Permanent).await;
    let mut talk = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    // What is announced counts, though there is room yet (RFC 1870 §6.2).
    talk.dialogue(&[
        ("MAIL FROM:<> SIZE=101", "250 "),
        ("RCPT TO:<full@example.org>", "552 5.2.2"),
        ("RCPT TO:<bob@example.org>", "250 2.1.5"),
        ("RSET", "250 "),
        ("MAIL FROM:<> SIZE=50", "250 "),
        ("RCPT TO:<full@example.org>", "250 2.1.5"),
        ("RSET", "250 "),
    ])
    .await;
    fill(&node).await;
    talk.dialogue(&[("MAIL FROM:<> SIZE=1", "250 "), ("RCPT TO:<full@example.org>", "552 5.2.2")]).await;
    drop(talk);
    node.stop().await;
}

#[tokio::test]
async fn where_tls_is_required_nothing_but_the_way_to_it_is_done_before() {
    let node = house(|config| {
        let smtp = config.listeners.iter_mut().find(|listener| listener.service == Service::Smtp);
        smtp.unwrap().tls = TlsChoice::Required;
    })
    .await;
    for address in [node.smtp, node.submission] {
        // RFC 3207 §4
        let mut clear = talk(&node, TRUSTED, address, Way::Clear).await;
        clear
            .dialogue(&[
                ("MAIL FROM:<a@example.org>", "530 5.7.0"),
                ("RCPT TO:<bob@example.org>", "530 5.7.0"),
                ("DATA", "530 5.7.0"),
                ("VRFY bob", "530 5.7.0"),
                ("EXPN open", "530 5.7.0"),
                (&auth_plain("ada@example.org"), "530 5.7.0"),
                ("NOOP", "250 "),
                ("EHLO client.example", "250 "),
                ("QUIT", "221 "),
            ])
            .await;
    }
    let mut talk = talk(&node, STRANGER, node.smtp, Way::StartTls).await;
    talk.dialogue(&[("MAIL FROM:<>", "250 "), ("RCPT TO:<bob@example.org>", "250 2.1.5")]).await;
    drop(talk);
    node.stop().await;
}

#[tokio::test]
async fn ehlo_offers_what_then_is_taken() {
    let node = house(|_| {}).await;
    for (address, way, starttls, auth) in [
        (node.smtp, Way::Clear, true, false),
        (node.smtp, Way::StartTls, false, true),
        (node.submission, Way::Clear, true, false),
        (node.submission, Way::StartTls, false, true),
        (node.submissions, Way::Tls, false, true),
    ] {
        let mut talk = talk(&node, STRANGER, address, way).await;
        talk.send(b"EHLO client.example\r\n").await;
        let offers = talk.reply().await;
        let has = |keyword: &str| offers.iter().any(|line| line[4..].split(' ').next() == Some(keyword));
        let plain = offers.iter().any(|line| line[4..].starts_with("AUTH ") && line.contains(" PLAIN"));
        assert_eq!((has("STARTTLS"), plain), (starttls, auth), "{address} {way:?}: {offers:?}");
        // RFC 8689 §2: within TLS alone.
        assert_eq!(has("REQUIRETLS"), way != Way::Clear, "{address} {way:?}: {offers:?}");
        for keyword in
            ["PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "CHUNKING"]
        {
            assert!(has(keyword), "{keyword}: {offers:?}");
        }
    }
    node.stop().await;
}
