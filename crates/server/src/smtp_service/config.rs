//! What the sessions of a listener are told.

use std::sync::Arc;

use smtp::codec::fault::MessageLimits;
use smtp::server::{AuthNeed, AuthOffer, Config, Extensions, HandTyped, Role, TlsOffer, TlsPolicy, Turn};

use crate::auth::Channel;
use crate::config::{
    AuthPolicy, Etrn, HandTypedLf, Seconds, Service, TlsPolicy as ConfiguredTls, TurnChoice,
};
use crate::listener::ListenerFacts;
use crate::shared::Shared;

/// Octets of a message that gather before they count against the memory or go to disk.
const BODY_CHUNK_BYTES: usize = 64 * 1024;

pub(super) fn session_config(shared: &Shared, facts: &ListenerFacts) -> Arc<Config> {
    let smtp = &shared.config.smtp;
    Arc::new(Config {
        host_name: shared.host_name.clone(),
        role: role(facts.service),
        hand_typed: match facts.hand_typed_lf {
            HandTypedLf::Allowed => HandTyped::Allowed,
            HandTypedLf::Refused => HandTyped::Refused,
        },
        tls: if facts.tls_config.is_some() { TlsOffer::StartTls } else { TlsOffer::None },
        tls_policy: match facts.tls_policy {
            ConfiguredTls::Required => TlsPolicy::Required,
            ConfiguredTls::Off | ConfiguredTls::Offered => TlsPolicy::Optional,
        },
        auth: auth(shared, facts),
        extensions: extensions(shared, facts),
        command_line_bytes_max: smtp.command_line_bytes_max.as_usize(),
        message: MessageLimits {
            line_bytes_max: smtp.text_line_bytes_max.as_usize(),
            message_bytes_max: facts.message_bytes_max,
        },
        recipients_max: facts.recipients_max,
        errors_max: u32::try_from(smtp.errors_max).unwrap_or(u32::MAX),
        idle_commands_max: u32::try_from(smtp.idle_commands_max).unwrap_or(u32::MAX),
        body_chunk_bytes: BODY_CHUNK_BYTES,
    })
}

pub(super) const fn role(service: Service) -> Role {
    match service {
        Service::Submission | Service::Submissions => Role::Submission,
        Service::Lmtp => Role::Lmtp,
        Service::Odmr => Role::OnDemand,
        Service::Smtp | Service::Imap | Service::Imaps | Service::Pop3 | Service::Pop3s | Service::Http => {
            Role::Transfer
        }
    }
}

fn auth(shared: &Shared, facts: &ListenerFacts) -> AuthOffer {
    AuthOffer {
        need: match facts.auth_policy {
            AuthPolicy::Off => AuthNeed::Off,
            AuthPolicy::Offered => AuthNeed::Offered,
            AuthPolicy::Required => AuthNeed::Required,
        },
        mechanisms_clear: shared.authenticator.mechanisms(Channel::without_tls(facts.clear_passwords)),
        mechanisms_tls: shared.authenticator.mechanisms(Channel::Tls),
        failures_max: AUTH_FAILURES_MAX,
    }
}

/// Authentications of one session that may fail: enough for a person who tries three passwords.
const AUTH_FAILURES_MAX: u32 = 3;

fn extensions(shared: &Shared, facts: &ListenerFacts) -> Extensions {
    let submission = &shared.config.submission;
    let is_submission = facts.service.is_submission();
    let seconds = |Seconds(seconds): Seconds| u32::try_from(seconds).unwrap_or(u32::MAX);
    Extensions {
        dsn: true,
        require_tls: facts.tls_config.is_some(),
        // RFC 4865 §4.2: on listeners for submission alone.
        future_release_max_s: Some(seconds(submission.hold_max_s))
            .filter(|max_s| is_submission && *max_s > 0),
        deliver_by_min_s: Some(seconds(submission.deliver_by_min_s)),
        mt_priority: is_submission,
        idempotency_window_s: Some(seconds(submission.idempotency_window_s))
            .filter(|window_s| is_submission && *window_s > 0),
        etrn: shared.config.policy.etrn != Etrn::Off
            && matches!(facts.service, Service::Smtp | Service::Submission | Service::Submissions),
        atrn: facts.service == Service::Odmr,
        turn: match shared.config.policy.turn {
            TurnChoice::AfterLogin if facts.service == Service::Smtp => Turn::AfterLogin,
            TurnChoice::AfterLogin | TurnChoice::Off => Turn::Off,
        },
    }
}
