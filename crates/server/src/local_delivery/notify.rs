//! What becomes of the wishes of a sender on the way through an alias (RFC 3461 §5.2.7).

use mta::resolve::LeadsTo;
use types::{EnvelopeRecipient, Notify, OriginalRecipient, RecipientDsn};

use super::Addressee;
use super::report::Success;
use crate::directory::Route;

/// Whether a report of success is wanted.
pub(super) const fn wants_success(dsn: &RecipientDsn) -> bool {
    matches!(dsn.notify, Some(Notify::When { success: true, .. }))
}

/// What a recipient has come to with its acceptance, where that is its end.
///
/// A mailbox or a list is final delivery (§5.2.7.1). What leads to one address elsewhere is reported from there
/// (§5.2.7.2). What leads to several is expanded, by the third way of §5.2.7.3.
pub(super) fn success_of(route: &Route) -> Option<Success> {
    match &route.targets[..] {
        [] => None,
        [target] => match target.leads_to {
            LeadsTo::Account { .. } | LeadsTo::List { .. } => Some(Success::Delivered),
            LeadsTo::Foreign(_) => None,
        },
        _ => Some(Success::Expanded),
    }
}

/// An alias with one target passes everything on (§5.2.7.2). ORCPT tells the sender which of its recipients a report is
/// about, whose new address means nothing to it (§5.2.1).
pub(super) fn after_alias(addressee: &Addressee<'_>) -> RecipientDsn {
    RecipientDsn { notify: addressee.dsn.notify, original_recipient: original_recipient(addressee) }
}

/// One with several passes all on but SUCCESS (§5.2.7.3 (c)). Who wants to hear of nothing else hears of nothing more.
pub(super) fn after_expansion(addressee: &Addressee<'_>) -> RecipientDsn {
    let notify = match addressee.dsn.notify {
        Some(Notify::When { failure: false, delay: false, .. }) => Some(Notify::Never),
        Some(Notify::When { failure, delay, .. }) => Some(Notify::When { success: false, failure, delay }),
        other => other,
    };
    RecipientDsn { notify, original_recipient: original_recipient(addressee) }
}

fn original_recipient(addressee: &Addressee<'_>) -> Option<OriginalRecipient> {
    addressee.dsn.original_recipient.clone().or_else(|| {
        let address = addressee.forward_path.mailbox()?.to_ascii()?.to_string();
        Some(OriginalRecipient { address_type: "rfc822".to_owned(), address })
    })
}

/// Two wishes about one recipient: what either asks for.
pub(super) fn merge(into: &mut EnvelopeRecipient, other: RecipientDsn) {
    /// NOTIFY= that was not said asks for failures, and allows delays (§4.1).
    const fn wishes(notify: Option<Notify>) -> [bool; 3] {
        match notify {
            None => [false, true, true],
            Some(Notify::Never) => [false; 3],
            Some(Notify::When { success, failure, delay }) => [success, failure, delay],
        }
    }
    let dsn = &mut into.dsn;
    if dsn.notify != other.notify {
        let (one, two) = (wishes(dsn.notify), wishes(other.notify));
        let [success, failure, delay] = std::array::from_fn(|index| one[index] || two[index]);
        dsn.notify = Some(match (success, failure, delay) {
            (false, false, false) => Notify::Never,
            _ => Notify::When { success, failure, delay },
        });
    }
    dsn.original_recipient = dsn.original_recipient.take().or(other.original_recipient);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notify(text: &str) -> Option<Notify> {
        let has = |word: &str| text.split(',').any(|said| said == word);
        match text {
            "" => None,
            "NEVER" => Some(Notify::Never),
            _ => {
                let (success, failure, delay) = (has("SUCCESS"), has("FAILURE"), has("DELAY"));
                Some(Notify::When { success, failure, delay })
            }
        }
    }

    #[test]
    fn an_alias_with_several_targets_passes_all_on_but_success() {
        let route = Route { addressed: mta::resolve::Addressed::Local, targets: vec![], dead_ends: vec![] };
        let path = "<all@example.org>".parse().unwrap();
        for (said, passed) in [
            ("", ""),
            ("NEVER", "NEVER"),
            ("SUCCESS", "NEVER"),
            ("SUCCESS,FAILURE", "FAILURE"),
            ("FAILURE,DELAY", "FAILURE,DELAY"),
        ] {
            let dsn = RecipientDsn { notify: notify(said), original_recipient: None };
            let addressee = Addressee { forward_path: &path, dsn: &dsn, route: &route };
            let after = after_expansion(&addressee);
            assert_eq!(after.notify, notify(passed), "{said}");
            let original = after.original_recipient.unwrap();
            assert_eq!((&*original.address_type, &*original.address), ("rfc822", "all@example.org"));
            assert_eq!(after_alias(&addressee).notify, notify(said), "{said}");
        }
    }

    #[test]
    fn two_wishes_about_one_recipient_are_one_for_both() {
        for (one, two, both) in [
            ("NEVER", "NEVER", "NEVER"),
            ("NEVER", "SUCCESS", "SUCCESS"),
            ("FAILURE", "SUCCESS", "SUCCESS,FAILURE"),
            ("", "", ""),
            ("", "NEVER", "FAILURE,DELAY"),
        ] {
            let dsn = RecipientDsn { notify: notify(one), original_recipient: None };
            let mut recipient = EnvelopeRecipient { forward_path: "<a@example.org>".parse().unwrap(), dsn };
            merge(&mut recipient, RecipientDsn { notify: notify(two), original_recipient: None });
            assert_eq!(recipient.dsn.notify, notify(both), "{one} and {two}");
        }
    }
}
