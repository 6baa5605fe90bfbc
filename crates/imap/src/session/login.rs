//! TLS and logins: STARTTLS, LOGIN, AUTHENTICATE, UNAUTHENTICATE.
//!
//! Standards: RFC 9051 §6.2, RFC 4959 (SASL-IR), RFC 8437 (UNAUTHENTICATE), RFC 5530 (response codes).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::account::Account;
use super::work::Work;
use super::{
    Compression, LITERALS_BYTES_MAX, LITERALS_BYTES_MAX_BEFORE_LOGIN, Login, Security, Session, Step,
    TlsOffer, capability, limits,
};
use crate::command::{Secret, Tag};
use crate::grammar::{CommandReader, Expected};
use crate::response::{Response, ResponseCode, continuation};
use crate::session::reply::Reply;

impl Session {
    /// Answers [`Step::StartTls`] when the handshake is done. Nothing that was said in clear counts any more, but for the
    /// number of errors (RFC 9051 §6.2.1).
    pub fn secured(&mut self) {
        if matches!(self.work, Work::StartingTls) {
            self.security = Security::Tls;
            self.reader = CommandReader::new(limits(&self.config, LITERALS_BYTES_MAX_BEFORE_LOGIN));
            self.work = Work::Ready;
        }
    }

    /// Sends a challenge of the mechanism, which may be empty: an answer to [`Step::SaslBegin`] and
    /// [`Step::SaslRespond`].
    pub fn challenge(&mut self, challenge: &[u8]) {
        match std::mem::replace(&mut self.work, Work::Ready) {
            Work::SaslDriver(tag) => {
                continuation(&BASE64.encode(challenge), &mut self.output);
                self.reader.expect(Expected::Line);
                self.work = Work::SaslClient(tag);
            }
            other => self.work = other,
        }
    }

    /// Answers [`Step::LogIn`], and ends an exchange that [`Step::SaslBegin`] began.
    pub fn authenticated(&mut self, login: Login) {
        match std::mem::replace(&mut self.work, Work::Ready) {
            Work::LoggingIn(tag) | Work::SaslDriver(tag) => self.login_end(&tag, login),
            other => self.work = other,
        }
    }

    fn login_end(&mut self, tag: &Tag, login: Login) {
        let refused = match login {
            Login::Ok => {
                self.account = Some(Box::new(Account::new()));
                self.reader.set_limits(limits(&self.config, LITERALS_BYTES_MAX));
                let names = capability::after_login(&self.config, self.compression);
                let reply = Reply::from(Response::LoggedIn).with(ResponseCode::Capability(names));
                return self.reply(tag, &reply);
            }
            Login::Refused => Response::LoginRefused,
            Login::NotAuthorized => Response::NotAuthorized,
            Login::Disabled => Response::AccountDisabled,
            Login::Malformed => Response::SaslMalformed,
            Login::TooSoon => Response::LoginTooSoon,
            Login::Unavailable => Response::LoginUnavailable,
        };
        self.reply(tag, &refused.into());
    }

    pub(super) fn start_tls(&mut self, tag: &Tag) -> Option<Step> {
        let refused = match (self.security, self.config.tls) {
            (Security::Clear, TlsOffer::StartTls) => {
                self.reply(tag, &Response::BeginTls.into());
                self.work = Work::StartingTls;
                return None;
            }
            (Security::Tls, _) => Response::TlsActive,
            (Security::Clear, TlsOffer::None) => Response::TlsNotOffered,
        };
        self.reply(tag, &refused.into());
        None
    }

    pub(super) fn log_in(&mut self, tag: Tag, name: String, password: Secret) -> Option<Step> {
        if !self.config.plaintext.permits(self.security) {
            self.reply(&tag, &Response::EncryptionNeeded.into());
            return None;
        }
        self.work = Work::LoggingIn(tag);
        Some(Step::LogIn { name, password })
    }

    pub(super) fn authenticate(
        &mut self,
        tag: Tag,
        mechanism: String,
        initial_response: Option<Secret>,
    ) -> Option<Step> {
        let is = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case(&mechanism));
        if is(capability::mechanisms(&self.config, self.security)) {
            self.work = Work::SaslDriver(tag);
            return Some(Step::SaslBegin { mechanism, initial_response });
        }
        let needs_tls = self.security == Security::Clear && is(&self.config.mechanisms_tls);
        let refused = if needs_tls { Response::EncryptionNeeded } else { Response::MechanismUnknown };
        self.reply(&tag, &refused.into());
        None
    }

    /// What the client answers to a challenge: base64, or `*` where it calls the exchange off.
    pub(super) fn sasl_line(&mut self, tag: Tag, line: &[u8]) -> Option<Step> {
        if line == b"*" {
            self.reply(&tag, &Response::SaslCancelled.into());
            return None;
        }
        match BASE64.decode(line) {
            Ok(octets) => {
                self.work = Work::SaslDriver(tag);
                Some(Step::SaslRespond(Secret(octets)))
            }
            Err(_) => {
                self.reply(&tag, &Response::NotBase64.into());
                None
            }
        }
    }

    /// Everything but TLS is as at the start (RFC 8437 §4.1).
    pub(super) fn unauthenticate(&mut self, tag: &Tag) -> Option<Step> {
        if self.compression != Compression::None {
            self.reply(tag, &Reply::syntax("UNAUTHENTICATE is not offered within compression"));
            return None;
        }
        self.account = None;
        self.reader = CommandReader::new(limits(&self.config, LITERALS_BYTES_MAX_BEFORE_LOGIN));
        self.reply(tag, &Reply::completed("UNAUTHENTICATE"));
        Some(Step::LogOut)
    }
}
