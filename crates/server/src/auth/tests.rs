//! Logins against a store, mechanism by mechanism (attacks.md 10 and 31). Time is paused: delays pass at once, and are
//! measured.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sasl::{ScramHash, ScramVerifier};
use store::embedded::{Embedded, Options};
use store::{AccountChange, AppPassword, Credentials, Directory as _, NewAccount};
use tokio::time::Instant;
use types::directory::{AccountSettings, AccountStatus};

use self::scram::scram_final;
use super::*;
use crate::config::JwksSource;
use crate::outside::now;
use crate::passwords::{self, SharedSecret};

#[path = "../../tests/common/scram.rs"]
mod scram;

const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.1";

struct Fixture {
    authenticator: Arc<Authenticator>,
    store: Arc<dyn Store>,
    embedded: Arc<Embedded>,
    stage: watch::Sender<Stage>,
    _folder: tempfile::TempDir,
}

impl Fixture {
    /// Ada's password is `pencil`, and her account keeps it for CRAM-MD5; Grace's is `cobol`, without verifiers for
    /// SCRAM; Eve's is `apple`, and her account is disabled.
    async fn new() -> Self {
        let auth = Auth { mechanisms: Mechanism::ALL.to_vec(), ..Auth::default() };
        Self::with(auth, &[]).await
    }

    async fn with(auth: Auth, issuers: &[Oauth]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { path: folder.path().to_owned(), min_free_bytes: 0, ..Options::default() };
        let embedded = Arc::new(Embedded::open(options).unwrap());
        let secret = NodeSecret::open(folder.path()).unwrap();
        let (stage, stage_now) = watch::channel(Stage::Serving);
        let outside = Arc::new(crate::outside::System::default());
        let authenticator =
            Authenticator::new(&auth, issuers, "mail.example.org", &secret, outside, stage_now);
        let authenticator = Arc::new(authenticator);
        let store = Arc::clone(&embedded) as Arc<dyn Store>;
        let fixture = Self { authenticator, store, embedded, stage, _folder: folder };
        fixture.add("ada@example.org", passwords::credentials("pencil", SharedSecret::Keep).unwrap()).await;
        let argon2id = passwords::hash("cobol").unwrap();
        fixture.add("grace@example.org", Credentials { argon2id, ..Credentials::default() }).await;
        let eve =
            fixture.add("eve@example.org", passwords::credentials("apple", SharedSecret::Keep).unwrap());
        let status = AccountStatus::Disabled { reason: "left".into() };
        let settings = AccountSettings { status, ..AccountSettings::default() };
        let eve = eve.await.id;
        fixture.embedded.change_account(eve, AccountChange::Settings(settings)).await.unwrap();
        fixture
    }

    async fn add(&self, name: &str, credentials: Credentials) -> Account {
        let new = NewAccount { credentials, ..NewAccount::new(name, now()) };
        self.embedded.create_account(new).await.unwrap()
    }

    async fn account(&self, name: &str) -> Account {
        self.embedded.account(name).await.unwrap().unwrap()
    }

    fn begin(&self, mechanism: &str, from: &str) -> Attempt {
        let client = ClientFacts {
            ip: from.parse().unwrap(),
            security: Channel::Tls,
            channel_bindings: vec![ChannelBinding {
                name: "tls-exporter",
                data: b"this connection".to_vec(),
            }],
        };
        self.authenticator.begin(mechanism, &client).unwrap()
    }

    async fn plain(&self, from: &str, message: &str) -> Result<Login, Refusal> {
        match self.begin("PLAIN", from).step(&self.store, Some(message.as_bytes())).await {
            Outcome::Accepted(login) => Ok(login),
            Outcome::Refused(refusal) => Err(refusal),
            Outcome::Challenge(_) => panic!("PLAIN has no challenge after its message"),
        }
    }

    async fn password(&self, from: &str, name: &str, password: &str) -> Result<Login, Refusal> {
        let ip = from.parse().unwrap();
        self.authenticator.password(&self.store, name, password, ip).await
    }

    /// SCRAM as a client does it, whose GS2 header is `gs2` and whose channel input goes on with `bound`.
    async fn scram(&self, mechanism: &str, gs2: &str, bound: &str, name: &str, password: &str) -> Outcome {
        let mut attempt = self.begin(mechanism, HOME);
        let bare = format!("n={name},r=rOprNGfwEbeRWgbNEkqO");
        let first = format!("{gs2}{bare}");
        let challenge = match attempt.step(&self.store, Some(first.as_bytes())).await {
            Outcome::Challenge(challenge) => String::from_utf8(challenge).unwrap(),
            outcome => return outcome,
        };
        let channel = BASE64.encode(format!("{gs2}{bound}"));
        let (message, server_final) = scram_final(password, &bare, &challenge, &channel);
        let outcome = attempt.step(&self.store, Some(message.as_bytes())).await;
        let Outcome::Challenge(challenge) = outcome else { return outcome };
        assert_eq!(String::from_utf8(challenge).unwrap(), server_final, "the server proves itself");
        attempt.step(&self.store, Some(b"")).await
    }
}

fn accepted(outcome: Outcome) -> Login {
    match outcome {
        Outcome::Accepted(login) => login,
        other => panic!("{other:?}"),
    }
}

fn refused(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn wrong<T>(why: Why) -> Result<T, Refusal> {
    Err(Refusal::Credentials(why))
}

#[tokio::test(start_paused = true)]
async fn plain_lets_in_who_has_the_password_however_the_name_is_written() {
    let fixture = Fixture::new().await;
    for name in ["ada@example.org", "ADA@Example.Org", "\"ada\"@example.org"] {
        let login = fixture.plain(HOME, &format!("\0{name}\0pencil")).await.unwrap();
        assert_eq!((login.account.name.as_str(), login.mechanism), ("ada@example.org", "PLAIN"));
        assert_eq!(login.app_password, None);
    }
    let itself = fixture.plain(HOME, "Ada@example.org\0ada@example.org\0pencil").await;
    assert_eq!(itself.unwrap().account.name, "ada@example.org");
    let other = fixture.plain(HOME, "grace@example.org\0ada@example.org\0pencil").await;
    assert_eq!(other.map(|_| ()), wrong(Why::OtherIdentity));
    let nobody = fixture.plain(HOME, "\0nobody@example.org\0pencil").await;
    assert_eq!(nobody.map(|_| ()), wrong(Why::NoAccount));
    for malformed in ["", "\0", "ada@example.org\0pencil", "\0ada@example.org\0", "\0\0pencil"] {
        let found = fixture.plain(HOME, malformed).await;
        assert_eq!(found.map(|_| ()), Err(Refusal::Malformed), "{malformed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn login_asks_for_name_and_password() {
    let fixture = Fixture::new().await;
    for (password, is_right) in [("pencil", true), ("pen", false)] {
        let mut attempt = fixture.begin("login", HOME);
        let asked = attempt.step(&fixture.store, None).await;
        assert!(matches!(asked, Outcome::Challenge(_)), "{asked:?}");
        let asked = attempt.step(&fixture.store, Some(b"ada@example.org")).await;
        assert!(matches!(asked, Outcome::Challenge(_)), "{asked:?}");
        let outcome = attempt.step(&fixture.store, Some(password.as_bytes())).await;
        assert_eq!(attempt.name(), Some("ada@example.org"));
        assert_eq!(matches!(outcome, Outcome::Accepted(_)), is_right, "{outcome:?}");
        // Nothing comes after the end.
        let after = attempt.step(&fixture.store, Some(b"pencil")).await;
        assert_eq!(refused(after), Refusal::Malformed);
    }
}

#[tokio::test(start_paused = true)]
async fn scram_proves_both_sides_and_binds_to_the_connection() {
    let fixture = Fixture::new().await;
    let login = fixture.scram("SCRAM-SHA-256", "n,,", "", "ada@example.org", "pencil").await;
    let login = accepted(login);
    assert_eq!((login.account.name.as_str(), login.mechanism), ("ada@example.org", "SCRAM-SHA-256"));
    let wrong_password = fixture.scram("SCRAM-SHA-256", "n,,", "", "ada@example.org", "pen").await;
    assert_eq!(refused(wrong_password), Refusal::Credentials(Why::Password));
    let nobody = fixture.scram("SCRAM-SHA-256", "n,,", "", "nobody@example.org", "pencil").await;
    assert_eq!(refused(nobody), Refusal::Credentials(Why::NoAccount));
    let other = fixture.scram("SCRAM-SHA-256", "n,a=eve@example.org,", "", "ada@example.org", "pencil").await;
    assert_eq!(refused(other), Refusal::Credentials(Why::OtherIdentity));

    let plus = |bound: &'static str| {
        fixture.scram("SCRAM-SHA-256-PLUS", "p=tls-exporter,,", bound, "ada@example.org", "pencil")
    };
    assert_eq!(accepted(plus("this connection").await).mechanism, "SCRAM-SHA-256-PLUS");
    assert_eq!(refused(plus("another connection").await), Refusal::Credentials(Why::ChannelBinding));
    // The client could bind and was told that the server cannot: somebody is between.
    let tricked = fixture.scram("SCRAM-SHA-256", "y,,", "", "ada@example.org", "pencil").await;
    assert_eq!(refused(tricked), Refusal::Credentials(Why::ChannelBinding));
}

#[tokio::test(start_paused = true)]
async fn a_name_without_an_account_looks_to_scram_as_one_with_an_account() {
    let fixture = Fixture::new().await;
    let salt = |challenge: &str| challenge.split(',').nth(1).unwrap().to_owned();
    let mut salts = Vec::new();
    for name in ["nobody@example.org", "NOBODY@example.org", "ada@example.org", "ada@example.org"] {
        let first = format!("n,,n={name},r=rOprNGfwEbeRWgbNEkqO");
        let outcome = fixture.begin("SCRAM-SHA-256", HOME).step(&fixture.store, Some(first.as_bytes())).await;
        let Outcome::Challenge(challenge) = outcome else { panic!("{outcome:?}") };
        let challenge = String::from_utf8(challenge).unwrap();
        assert!(challenge.ends_with(",i=10000"), "{challenge}");
        salts.push(salt(&challenge));
    }
    assert_eq!((&salts[0], &salts[2]), (&salts[1], &salts[3]), "always the same");
    assert_eq!(salts[0].len(), salts[2].len());
    assert_ne!(salts[0], salts[2]);
}

/// RFC 4954 §6: 432, one login with PLAIN, and then it works.
#[tokio::test(start_paused = true)]
async fn an_account_without_verifiers_is_told_to_log_in_with_plain_and_can_use_scram_afterwards() {
    let fixture = Fixture::new().await;
    let scram = || fixture.scram("SCRAM-SHA-256", "n,,", "", "grace@example.org", "cobol");
    assert_eq!(refused(scram().await), Refusal::TransitionNeeded);
    assert!(fixture.plain(HOME, "\0grace@example.org\0wrong").await.is_err());
    assert_eq!(fixture.account("grace@example.org").await.credentials.scram_sha_256, None);
    let before = fixture.account("grace@example.org").await.credentials.argon2id;
    fixture.plain(HOME, "\0grace@example.org\0cobol").await.unwrap();
    let credentials = fixture.account("grace@example.org").await.credentials;
    assert_eq!(credentials.argon2id, before);
    assert_eq!(credentials.shared_secret, None);
    let sha_1: ScramVerifier = credentials.scram_sha_1.unwrap().parse().unwrap();
    assert_eq!(sha_1.hash(), ScramHash::Sha1);
    assert_eq!(accepted(scram().await).account.name, "grace@example.org");
}

#[tokio::test]
async fn a_password_that_changes_during_a_login_is_not_given_the_verifiers_of_the_old_one() {
    let fixture = Fixture::new().await;
    let before = fixture.account("grace@example.org").await;
    let argon2id = passwords::hash("fortran").unwrap();
    let change = AccountChange::Credentials {
        argon2id: argon2id.clone(),
        scram_sha_256: None,
        scram_sha_1: None,
        shared_secret: None,
    };
    fixture.embedded.change_account(before.id, change).await.unwrap();
    let verifier = || passwords::scram(ScramHash::Sha256, "cobol").unwrap();
    let old = check::NewVerifiers { scram_sha_256: verifier(), scram_sha_1: verifier() };
    check::upgrade(&fixture.store, before, old).await;
    let credentials = fixture.account("grace@example.org").await.credentials;
    assert_eq!((credentials.argon2id, credentials.scram_sha_256), (argon2id, None));
}

#[tokio::test(start_paused = true)]
async fn cram_md5_and_apop_work_where_the_account_keeps_its_password() {
    // RFC 2195 §2, RFC 1939 §7: digests made by another hand.
    let fixture = Fixture::new().await;
    let cram = async |name: &str, password: &str| {
        let mut attempt = fixture.begin("CRAM-MD5", HOME);
        let outcome = attempt.step(&fixture.store, None).await;
        let Outcome::Challenge(challenge) = outcome else { panic!("{outcome:?}") };
        let digest = hmac_md5(password.as_bytes(), &challenge);
        attempt.step(&fixture.store, Some(format!("{name} {digest}").as_bytes())).await
    };
    assert_eq!(accepted(cram("ada@example.org", "pencil").await).mechanism, "CRAM-MD5");
    let rows = [
        ("ada@example.org", "pen", Refusal::Credentials(Why::Password)),
        ("grace@example.org", "cobol", Refusal::Credentials(Why::NoSharedSecret)),
        ("grace@example.org", "", Refusal::Credentials(Why::NoSharedSecret)),
        ("nobody@example.org", "", Refusal::Credentials(Why::NoAccount)),
        ("eve@example.org", "apple", Refusal::Disabled),
    ];
    for (name, password, refusal) in rows {
        assert_eq!(refused(cram(name, password).await), refusal, "{name}");
        let digest = sasl::apop_digest("<1@mail.example.org>", password);
        let ip = HOME.parse().unwrap();
        let found =
            fixture.authenticator.apop(&fixture.store, name, "<1@mail.example.org>", &digest, ip).await;
        assert_eq!(found.map(|_| ()), Err(refusal), "{name}");
    }
    let digest = sasl::apop_digest("<2@mail.example.org>", "pencil");
    let apop = |timestamp: &'static str| {
        fixture.authenticator.apop(
            &fixture.store,
            "ada@example.org",
            timestamp,
            &digest,
            HOME.parse().unwrap(),
        )
    };
    assert!(apop("<3@mail.example.org>").await.is_err(), "the digest of another greeting");
    assert_eq!(apop("<2@mail.example.org>").await.unwrap().mechanism, "APOP");
}

fn hmac_md5(key: &[u8], text: &[u8]) -> String {
    use md5::Md5;
    let mac = Hmac::<Md5>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes();
    mac.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[tokio::test(start_paused = true)]
async fn an_app_password_opens_its_account_is_noted_and_can_be_taken_back() {
    let fixture = Fixture::new().await;
    let made = passwords::app_password().unwrap();
    let account = fixture.account("ada@example.org").await.id;
    let app_password =
        AppPassword { name: "phone".into(), sha256: made.sha256, created_at: now(), last_used_at: None };
    let add = AccountChange::AddAppPassword(app_password);
    let mut changes = fixture.embedded.change_account(account, add).await.unwrap();
    let login = fixture.plain(HOME, &format!("\0ada@example.org\0{}", made.text)).await.unwrap();
    assert_eq!(login.app_password.as_deref(), Some("phone"));
    assert_eq!(login.reason(), "logged in by PLAIN with the app password \"phone\"");
    // Noted behind the login's back.
    while changes.credentials.app_passwords[0].last_used_at.is_none() {
        tokio::task::yield_now().await;
        changes = fixture.account("ada@example.org").await;
    }
    let copied = made.text.to_uppercase().replace('-', " ");
    let login = fixture.password(HOME, "ada@example.org", &copied).await.unwrap();
    assert_eq!((login.mechanism, login.app_password.as_deref()), ("PASSWORD", Some("phone")));
    // Another account does not take it, nor a part of it, and the account's own password is still good.
    for (name, password) in [("grace@example.org", &made.text[..]), ("ada@example.org", &made.text[..23])] {
        assert!(fixture.password(HOME, name, password).await.is_err(), "{name}");
    }
    assert_eq!(fixture.password(HOME, "ada@example.org", "pencil").await.unwrap().app_password, None);
    let remove = AccountChange::RemoveAppPassword { name: "phone".into() };
    fixture.embedded.change_account(account, remove).await.unwrap();
    assert_eq!(fixture.password(HOME, "ada@example.org", &made.text).await.map(|_| ()), wrong(Why::Password));
}

#[tokio::test(start_paused = true)]
async fn a_disabled_account_looks_to_whoever_tries_like_a_wrong_password() {
    let fixture = Fixture::new().await;
    let timed = async |password: &'static str| {
        let begun = Instant::now();
        let refusal = fixture.password(HOME, "eve@example.org", password).await.unwrap_err();
        (refusal.reply(), refusal, begun.elapsed().as_secs())
    };
    let (right_reply, right, first_s) = timed("apple").await;
    let (wrong_reply, wrong, second_s) = timed("pear").await;
    assert_eq!((right, wrong), (Refusal::Disabled, Refusal::Credentials(Why::Password)));
    assert_eq!(right_reply, wrong_reply);
    assert_eq!((first_s, second_s), (1, 2), "both are counted");
    // The proof is right, and the server does not prove itself in return.
    let scram = fixture.scram("SCRAM-SHA-256", "n,,", "", "eve@example.org", "apple").await;
    assert_eq!(refused(scram), Refusal::Disabled);
}

/// attacks.md 10: brute force is slowed and cannot lock the owner out from elsewhere.
#[tokio::test(start_paused = true)]
async fn failures_are_answered_late_and_then_not_looked_at_and_the_owner_gets_in_from_elsewhere() {
    let fixture = Fixture::new().await;
    for delay_s in [1, 2, 4, 8, 16, 30, 30, 30, 30, 30] {
        let begun = Instant::now();
        let found = fixture.plain(HOME, "\0ada@example.org\0guess").await;
        assert_eq!(found.map(|_| ()), wrong(Why::Password));
        assert_eq!(begun.elapsed().as_secs(), delay_s);
    }
    // The right password too, by any mechanism, and at once.
    let begun = Instant::now();
    let plain = fixture.plain(HOME, "\0ada@example.org\0pencil").await.map(|_| ());
    assert!(matches!(plain, Err(Refusal::TooManyFailures { wait_s: 1..=300 })), "{plain:?}");
    let scram = refused(fixture.scram("SCRAM-SHA-256", "n,,", "", "ada@example.org", "pencil").await);
    assert!(matches!(scram, Refusal::TooManyFailures { .. }), "{scram:?}");
    assert!(begun.elapsed().as_secs() < 1);
    assert!(fixture.plain(ELSEWHERE, "\0ada@example.org\0pencil").await.is_ok());
    // Nor are others of the same network.
    assert!(fixture.plain(HOME, "\0grace@example.org\0cobol").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_failed_proof_of_scram_is_counted_though_the_client_breaks_off() {
    let fixture = Fixture::new().await;
    for _ in 0..10 {
        let outcome = fixture.scram("SCRAM-SHA-256", "n,,", "", "ada@example.org", "guess").await;
        assert_eq!(refused(outcome), Refusal::Credentials(Why::Password));
    }
    let outcome = refused(fixture.scram("SCRAM-SHA-256", "n,,", "", "ada@example.org", "pencil").await);
    assert!(matches!(outcome, Refusal::TooManyFailures { .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_keeps_nobody_waiting() {
    let fixture = Fixture::new().await;
    fixture.stage.send_replace(Stage::Finishing);
    let begun = Instant::now();
    assert!(fixture.plain(HOME, "\0ada@example.org\0guess").await.is_err());
    assert!(begun.elapsed().as_millis() < 1000);
}

#[tokio::test]
async fn mechanisms_are_offered_where_they_are_safe_and_configured() {
    let fixture = Fixture::with(Auth::default(), &[]).await;
    let offered = |security| fixture.authenticator.mechanisms(security);
    assert_eq!(
        offered(Channel::Tls),
        ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN"]
    );
    assert_eq!(offered(Channel::Clear), ["SCRAM-SHA-256", "SCRAM-SHA-1"]);
    assert_eq!(offered(Channel::ClearOnLoopback), ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"]);
    assert!(!fixture.authenticator.offers_apop());
    let begin = |mechanism: &str, security| {
        let client = ClientFacts { ip: HOME.parse().unwrap(), security, channel_bindings: Vec::new() };
        fixture.authenticator.begin(mechanism, &client).err()
    };
    assert_eq!(begin("PLAIN", Channel::Tls), None);
    assert_eq!(begin("PLAIN", Channel::Clear), Some(Refusal::WeakMechanism));
    assert_eq!(begin("CRAM-MD5", Channel::Tls), Some(Refusal::WeakMechanism));
    assert_eq!(begin("XOAUTH2", Channel::Tls), Some(Refusal::WeakMechanism));
    assert_eq!(begin("DIGEST-MD5", Channel::Tls), Some(Refusal::UnknownMechanism));
}

/// A token is `good-` and whose it is, without the domain (RFC 6750 §2.1 has no `@` in a token).
struct Tokens;

#[async_trait::async_trait]
impl TokenVerifier for Tokens {
    async fn account_of(&self, token: &sasl::Secret, _: Timestamp) -> Result<String, token::TokenError> {
        match token.reveal().strip_prefix("good-") {
            Some("nothing") => Err(token::TokenError::Unavailable),
            Some(account) => Ok(format!("{account}@example.org")),
            None => Err(token::TokenError::Refused("the token has expired")),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_lets_in_whom_it_names_and_a_bad_one_is_explained_before_it_is_refused() {
    let issuer = Oauth { jwks: JwksSource::File("/nowhere".into()), ..Oauth::default() };
    let mut fixture = Fixture::with(Auth::default(), &[issuer]).await;
    Arc::get_mut(&mut fixture.authenticator).unwrap().tokens = Box::new(Tokens);
    assert!(fixture.authenticator.mechanisms(Channel::Tls).contains(&"OAUTHBEARER".to_owned()));
    let token = async |mechanism: &str, user: &str, token: &str| {
        let message = match mechanism {
            "XOAUTH2" => format!("user={user}\x01auth=Bearer {token}\x01\x01"),
            _ => format!("n,a={user},\x01auth=Bearer {token}\x01\x01"),
        };
        let mut attempt = fixture.begin(mechanism, HOME);
        let outcome = attempt.step(&fixture.store, Some(message.as_bytes())).await;
        match outcome {
            Outcome::Challenge(json) => {
                assert!(json.starts_with(b"{\"status\":\""), "{}", json.escape_ascii());
                let empty: &[u8] = if mechanism == "XOAUTH2" { b"" } else { b"\x01" };
                attempt.step(&fixture.store, Some(empty)).await
            }
            outcome => outcome,
        }
    };
    for mechanism in ["XOAUTH2", "OAUTHBEARER"] {
        let login = accepted(token(mechanism, "ADA@example.org", "good-ada").await);
        assert_eq!((login.account.name.as_str(), login.mechanism), ("ada@example.org", mechanism));
        let rows = [
            ("ada@example.org", "bad", Refusal::Credentials(Why::Token("the token has expired"))),
            ("grace@example.org", "good-ada", Refusal::Credentials(Why::OtherIdentity)),
            ("nobody@example.org", "good-nobody", Refusal::Credentials(Why::NoAccount)),
            ("eve@example.org", "good-eve", Refusal::Disabled),
            ("ada@example.org", "good-nothing", Refusal::Unavailable("the keys of the token's issuer")),
        ];
        for (user, text, refusal) in rows {
            assert_eq!(refused(token(mechanism, user, text).await), refusal, "{mechanism} {text}");
        }
    }
    // Expired tokens do not lock out who has a password.
    for _ in 0..12 {
        refused(token("XOAUTH2", "ada@example.org", "bad").await);
    }
    assert!(fixture.plain(HOME, "\0ada@example.org\0pencil").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_in_what_is_told_or_shown() {
    let fixture = Fixture::new().await;
    let login = fixture.plain(HOME, "\0ada@example.org\0pencil").await.unwrap();
    let refusal = fixture.plain(HOME, "\0ada@example.org\0s3cret").await.unwrap_err();
    let shown = format!("{login:?} {refusal:?} {} {} {}", refusal.reason(), refusal.reply(), login.reason());
    for secret in ["pencil", "s3cret", "argon2id$", "StoredKey"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
