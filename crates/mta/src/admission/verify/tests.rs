use types::directory::{AccountSettings, FromRewriting, ListBounces, Posters};

use super::super::Rights;
use super::*;

fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap()
}

fn list(expandable: Expandable, members: &[&str]) -> MailingList {
    MailingList {
        owner: mailbox("owner@example.org"),
        members: members.iter().map(|member| mailbox(member)).collect(),
        posters: Posters::Anyone,
        bounces: ListBounces::Owner,
        description: String::new(),
        expandable,
        from: FromRewriting::IfNeeded,
    }
}

fn told(asked: Asked, policy: VerifyPolicy, account: Option<&str>, known: Known<'_>) -> String {
    told_with(asked, policy, account, known, NewAddresses::Told, false)
}

fn told_with(
    asked: Asked,
    policy: VerifyPolicy,
    account: Option<&str>,
    known: Known<'_>,
    new_addresses: NewAddresses,
    smtputf8: bool,
) -> String {
    let settings = AccountSettings::default();
    let client = match account {
        None => Client::Stranger,
        Some("trusted") => Client::TrustedNetwork,
        Some(account) => {
            Client::Authenticated(Rights { account, settings: &settings, subaddress_separator: None })
        }
    };
    let decision = decide(&VerifyFacts { asked, policy, new_addresses, client, smtputf8, known });
    assert!(!decision.reason.is_empty());
    decision.reply.to_string()
}

#[test]
fn the_argument_of_vrfy_names_an_address_or_a_name() {
    let address = |text: &str| Some(Query::Mailbox(mailbox(text)));
    let name = |text: &str| Some(Query::Name(text.to_owned()));
    for (argument, expected, smtputf8) in [
        ("fred", name("fred"), false),
        ("Fred Foobar", name("Fred Foobar"), false),
        ("fred@example.org", address("fred@example.org"), false),
        ("<fred@example.org>", address("fred@example.org"), false),
        ("Fred Foobar <fred@example.org>", address("fred@example.org"), false),
        ("fred SMTPUTF8", name("fred"), true),
        ("<用户@example.org> smtputf8", address("用户@example.org"), true),
        ("SMTPUTF8", name("SMTPUTF8"), false),
        ("\"Fred Foobar\"", name("Fred Foobar"), false),
        ("<fred>", None, false),
        ("fred@", None, false),
        ("<>", None, false),
        ("", None, false),
        (" SMTPUTF8", name("SMTPUTF8"), false),
    ] {
        assert_eq!(query(argument), (expected, smtputf8), "{argument}");
    }
}

/// RFC 5321 §3.5 and §4.3.2: 250, 251, 252, 550, 551 and 553 for VRFY; 250, 252 and 550 for EXPN.
#[test]
fn each_thing_that_is_known_has_its_answer() {
    use Asked::{Expand, Verify};
    let ada = mailbox("ada@example.org");
    let targets = [mailbox("ada@example.org"), mailbox("bob@example.com")];
    let many: Vec<_> = (0..25).map(|n| mailbox(&format!("fred@d{n}.example"))).collect();
    let cannot = "252 2.0.0 Cannot verify this address, but mail for it is tried";
    let nobody = "550 5.1.1 There is nobody of this name here";
    let disabled = "550 5.2.1 This mailbox takes no mail: <ada@example.org>";
    let moved = "251 2.1.5 User not local; will forward to <ada@example.org>";
    let gone = "551 5.1.6 User not local; please try <ada@example.org>";
    for (known, verify, expand) in [
        (Known::Unavailable, cannot, cannot),
        (Known::Foreign, cannot, cannot),
        (Known::Missing, nobody, nobody),
        (Known::Mailbox(&ada), "250 2.1.5 <ada@example.org>", "250 2.1.5 <ada@example.org>"),
        (Known::Disabled(&ada), disabled, disabled),
        (
            Known::Alias(&ada, &targets),
            "250 2.1.5 <ada@example.org>",
            "250 2.1.5 <ada@example.org> / <bob@example.com>",
        ),
        (Known::Moved(&ada, MovedHandling::Forward), moved, moved),
        (Known::Moved(&ada, MovedHandling::Refuse), gone, gone),
        (
            Known::Ambiguous(&targets),
            "553 5.1.4 User ambiguous; possibilities are / <ada@example.org> / <bob@example.com>",
            "553 5.1.4 User ambiguous; possibilities are / <ada@example.org> / <bob@example.com>",
        ),
        (
            Known::List(&ada, &list(Expandable::ToAuthenticated, &["x@example.com"])),
            "252 2.0.0 That is a mailing list; its members are not verified",
            "550 5.7.2 Access denied: the members of the list are not told",
        ),
    ] {
        assert_eq!(told(Verify, VerifyPolicy::Everybody, None, known), verify, "{known:?}");
        assert_eq!(told(Expand, VerifyPolicy::Everybody, None, known), expand, "{known:?}");
        // RFC 5321 §7.3: who gets no answers gets 252, whatever is known.
        for asked in [Verify, Expand] {
            assert_eq!(told(asked, VerifyPolicy::Nobody, Some("ada@example.org"), known), cannot);
            assert_eq!(told(asked, VerifyPolicy::AuthenticatedOrTrusted, None, known), cannot);
        }
        let trusted = told(Verify, VerifyPolicy::AuthenticatedOrTrusted, Some("trusted"), known);
        assert_eq!(trusted, verify, "{known:?}");
    }
    let answer = told(Verify, VerifyPolicy::Everybody, None, Known::Ambiguous(&many));
    assert_eq!(answer.matches('<').count(), POSSIBILITIES_MAX);
}

#[test]
fn a_list_tells_its_members_to_those_it_says() {
    use Expandable::{Never, ToAuthenticated, ToMembers};
    let address = mailbox("list@example.org");
    let denied = "550 5.7.2 Access denied: the members of the list are not told";
    let members = "250 2.1.5 <Ada@example.net> / <bob@example.com>";
    for (expandable, account, expected) in [
        (Never, Some("ada@example.net"), denied),
        (Never, Some("owner@example.org"), denied),
        (ToMembers, Some("ada@example.net"), members),
        (ToMembers, Some("owner@example.org"), members),
        (ToMembers, Some("eve@example.org"), denied),
        (ToMembers, Some("trusted"), denied),
        (ToMembers, None, denied),
        (ToAuthenticated, Some("eve@example.org"), members),
        (ToAuthenticated, Some("trusted"), denied),
        (ToAuthenticated, None, denied),
    ] {
        let list = list(expandable, &["Ada@example.net", "bob@example.com"]);
        let known = Known::List(&address, &list);
        let answer = told(Asked::Expand, VerifyPolicy::Everybody, account, known);
        assert_eq!(answer, expected, "{expandable:?} {account:?}");
    }
}

/// RFC 6531 §3.7.4.2
#[test]
fn an_answer_in_utf_8_needs_smtputf8() {
    let user = mailbox("用户@example.org");
    let domain = mailbox("a@bücher.example");
    let needs = "252 2.6.8 The address holds UTF-8: ask again with SMTPUTF8";
    for (known, smtputf8, expected) in [
        (Known::Mailbox(&user), false, needs),
        (Known::Mailbox(&user), true, "250 2.1.5 <用户@example.org>"),
        (Known::Mailbox(&domain), false, "250 2.1.5 <a@xn--bcher-kva.example>"),
        (Known::Mailbox(&domain), true, "250 2.1.5 <a@bücher.example>"),
        (Known::Moved(&user, MovedHandling::Refuse), false, needs),
    ] {
        let answer =
            told_with(Asked::Verify, VerifyPolicy::Everybody, None, known, NewAddresses::Told, smtputf8);
        assert_eq!(answer, expected);
    }
}

#[test]
fn a_new_address_that_is_kept_is_not_told_by_vrfy_either() {
    let to = mailbox("new@example.com");
    for (handling, expected) in [
        (MovedHandling::Forward, "252 2.0.0 Cannot verify this address, but mail for it is tried"),
        (MovedHandling::Refuse, "550 5.1.6 This mailbox has moved and takes no mail any more: the user"),
    ] {
        let known = Known::Moved(&to, handling);
        let answer =
            told_with(Asked::Verify, VerifyPolicy::Everybody, None, known, NewAddresses::Kept, false);
        assert_eq!(answer, expected);
    }
}
