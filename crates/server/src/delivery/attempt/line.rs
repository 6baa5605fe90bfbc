//! The connection of a worker, and what it is good for.

use std::net::IpAddr;
use std::sync::Arc;

use mta::route::Protocol;
use mta::tls::HopTls;
use sasl::Secret;
use smtp::client::Passwords;
use types::{EventStep, MailId, Verdict};

use super::asked::Candidate;
use crate::config::{TlsStart, TransportRule};
use crate::delivery::connection::{Begin, Connection, Dialogue, Login, Sent, Target, Terms, Timeouts};
use crate::delivery::fate::{Note, Place};
use crate::delivery::runner::Setup;
use crate::delivery::world::{HopTerms, Routed};
use crate::metrics::OpenDelivery;

/// The connection of a worker, where there is one.
#[derive(Default)]
pub(in crate::delivery) struct Line {
    open: Option<Open>,
    served: usize,
    counted: Option<OpenDelivery>,
}

/// A connection that is open.
pub(super) struct Open {
    pub(super) connection: Connection,
    target: Target,
    tls: HopTls,
    rule: Arc<TransportRule>,
    place: Arc<Place>,
    session: MailId,
}

/// What a message asks of a connection that it shares with others.
pub(super) struct Fit<'a> {
    pub(super) target: &'a Target,
    pub(super) tls: &'a HopTls,
    pub(super) rule: &'a Arc<TransportRule>,
}

impl Line {
    /// Messages that the connection has had.
    pub(in crate::delivery) const fn served(&self) -> usize {
        self.served
    }

    pub(in crate::delivery) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(in crate::delivery) fn session(&self) -> Option<MailId> {
        self.open.as_ref().map(|open| open.session)
    }

    pub(super) fn leads_to(&self, target: &Target) -> bool {
        self.open.as_ref().is_some_and(|open| open.target == *target)
    }

    pub(super) const fn open(&mut self) -> Option<&mut Open> {
        self.open.as_mut()
    }

    pub(super) fn is_reusable(&mut self) -> bool {
        self.open.as_mut().is_some_and(|open| open.connection.is_reusable())
    }

    /// Whether a message may go over it.
    pub(super) fn is_fit(&mut self, fit: &Fit<'_>, messages_max: usize) -> bool {
        let Some(open) = self.open.as_mut().filter(|_| self.served < messages_max) else { return false };
        open.target == *fit.target
            && open.tls == *fit.tls
            && Arc::ptr_eq(&open.rule, fit.rule)
            && open.connection.is_reusable()
    }

    /// A message went over it. What the host offers is known from then on.
    pub(super) fn sent(&mut self, sent: &Sent) -> Arc<Place> {
        self.served += 1;
        match &mut self.open {
            Some(open) => {
                if open.place.offers != sent.offers {
                    open.place = Arc::new(Place { offers: sent.offers, ..(*open.place).clone() });
                }
                Arc::clone(&open.place)
            }
            // A message goes over a connection that is there.
            None => Arc::new(Place::unknown()),
        }
    }

    pub(super) fn set(&mut self, open: Open, setup: &Setup) {
        let place = &open.place;
        let mut notes = vec![Note::new(EventStep::Connected, Verdict::Noted, format!("to {}", place.text))];
        notes.extend(place.tls.clone().map(|tls| Note::new(EventStep::Tls, Verdict::Noted, tls)));
        setup.record(open.session, None, notes);
        self.served = 0;
        self.counted = Some(setup.figures.connected());
        self.open = Some(open);
    }

    /// A connection that somebody else has made.
    pub(in crate::delivery) fn over(
        connection: Connection,
        target: Target,
        routed: &Routed,
        session: MailId,
        setup: &Setup,
    ) -> Self {
        let mut line = Self::default();
        let candidate = Candidate { hop: None, target };
        let terms = HopTerms::none();
        line.set(Open::new(connection, &candidate, &terms, routed, Protocol::Smtp, session), setup);
        line
    }

    /// Says goodbye, beside the work.
    pub(in crate::delivery) async fn close(&mut self, setup: &Setup) {
        let Some(Open { mut connection, session, .. }) = self.open.take() else { return };
        let messages = self.served;
        let reason = format!("after {messages} message{}", if messages == 1 { "" } else { "s" });
        setup.record(session, None, vec![Note::new(EventStep::Closed, Verdict::Noted, reason)]);
        self.served = 0;
        self.counted = None;
        if connection.is_reusable() {
            tokio::spawn(connection.quit());
        }
    }
}

impl Open {
    pub(super) fn new(
        connection: Connection,
        candidate: &Candidate<'_>,
        terms: &HopTerms,
        routed: &Routed,
        protocol: Protocol,
        session: MailId,
    ) -> Self {
        let tls = connection.encryption().map(|tls| format!("{tls} ({})", terms.why));
        let place = Arc::new(Place { tls, ..candidate.place(protocol) });
        Self {
            connection,
            target: candidate.target.clone(),
            tls: terms.tls.clone(),
            rule: Arc::clone(&routed.rule),
            place,
            session,
        }
    }
}

/// What a connection by this rule is to be.
pub(in crate::delivery) fn terms(
    setup: &Setup,
    rule: &TransportRule,
    hop: &HopTerms,
    protocol: Protocol,
) -> Terms {
    let begin = match rule.tls_start {
        TlsStart::AtOnce => Begin::WithTls,
        TlsStart::Negotiated => Begin::InClear,
    };
    let login = rule.login.as_ref().map(|login| Login {
        user: login.user.clone(),
        password: Secret::new(login.password.expose()),
        passwords: Passwords::Protected,
    });
    Terms {
        protocol,
        hello_name: setup.config.host_name.clone(),
        begin,
        tls: hop.tls.clone(),
        handshake: hop.handshake.clone(),
        login,
        timeouts: Timeouts::default(),
        convert_bytes_max: setup.config.delivery.conversion_bytes_max.bytes(),
    }
}

/// Where a connection is made from: by the rule, or as for all; one of the right kind, at random.
pub(super) fn source(setup: &Setup, rule: &TransportRule, target: &Target) -> Option<IpAddr> {
    let to = target.ip()?;
    let all = if rule.source_addresses.is_empty() {
        &setup.config.delivery.source_addresses
    } else {
        &rule.source_addresses
    };
    let fit: Vec<_> = all.iter().filter(|address| address.is_ipv4() == to.is_ipv4()).collect();
    let at = usize::try_from(setup.world.random()).unwrap_or(0).checked_rem(fit.len())?;
    fit.get(at).map(|address| **address)
}

/// `mx.example.org [192.0.2.1]`
pub(super) fn name_of(target: &Target) -> String {
    match target {
        Target::Tcp { name: Some(name), .. } => format!("{name} [{}]", target.address()),
        Target::Tcp { name: None, .. } | Target::Unix(_) => format!("[{}]", target.address()),
    }
}

/// All that was said, on one line of the trace.
pub(in crate::delivery) fn note_of(log: &Dialogue, what: &str, verdict: Verdict) -> Note {
    let mut parts = Vec::new();
    if !what.is_empty() {
        parts.push(what.to_owned());
    }
    parts.push(match &log.tls {
        Some(tls) => format!("over {tls}"),
        None => "in clear text".to_owned(),
    });
    for exchange in &log.exchanges {
        let times = if exchange.times > 1 { format!(" ({} times)", exchange.times) } else { String::new() };
        parts.push(format!(
            "{:?}: {}{times}, after {} ms",
            exchange.stage,
            exchange.reply,
            exchange.after.as_millis()
        ));
    }
    if log.left_out > 0 {
        parts.push(format!("and {} more replies", log.left_out));
    }
    parts.extend(log.end.clone());
    let mut note = Note::new(EventStep::Attempt, verdict, parts.join("; "));
    note.address = Some(log.peer());
    note
}
