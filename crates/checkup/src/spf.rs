//! What both checks say of SPF records (RFC 7208): how one is mended without shutting out whoever it lets in.

use std::net::IpAddr;

use mailauth::spf::SpfProblem;

/// `ip4:192.0.2.1`: a term that asks nothing of the DNS.
pub(crate) fn address_term(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => format!("ip4:{ip}"),
        IpAddr::V6(ip) => format!("ip6:{ip}"),
    }
}

/// The record with more terms, in front of what is there: whom they name is let in before anything else is asked (§4.6.2), and
/// others stay as they are.
pub(crate) fn with(text: &str, terms: &[String]) -> String {
    let words = text.split_ascii_whitespace().skip(1);
    ["v=spf1"].into_iter().chain(terms.iter().map(String::as_str)).chain(words).collect::<Vec<_>>().join(" ")
}

/// What to do about a record of the domain that cannot be evaluated.
pub(crate) fn mend_of(problem: &SpfProblem, domain: &str) -> String {
    match problem {
        SpfProblem::NoAnswer { .. } => "try again in some minutes".to_owned(),
        SpfProblem::SeveralRecords { domain: whose } if whose == domain => {
            "make one record of them, and remove the others: all terms may stand in one".to_owned()
        }
        SpfProblem::Syntax { domain: whose, term } if whose == domain => {
            format!("correct or remove the term {term:?}")
        }
        SpfProblem::RecordTooLong { domain: whose } if whose == domain => "shorten the record".to_owned(),
        SpfProblem::SeveralRecords { domain: whose }
        | SpfProblem::Syntax { domain: whose, .. }
        | SpfProblem::RecordTooLong { domain: whose } => {
            format!("take the term that leads to {whose} out of the record, or have {whose} mend its record")
        }
        SpfProblem::NoSuchRecord { target, .. } => {
            format!("take the term that leads to {target} out of the record, or have {target} publish one")
        }
        SpfProblem::TooManyLookups => FEWER_LOOKUPS.to_owned(),
        SpfProblem::TooManyVoidLookups => {
            format!("remove the terms that lead nowhere, which `posta spf walk {domain}` shows")
        }
        SpfProblem::TooManyMailHosts { domain: whose } => {
            format!("name the networks of {whose} by ip4: and ip6: in place of its mail hosts")
        }
    }
}

/// What to do about a record that asks for too much (§4.6.4).
pub(crate) const FEWER_LOOKUPS: &str = "remove terms that nobody sends by any more, name networks by ip4: and ip6: in \
    place of a: and mx:, or send by subdomains with records of their own";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_mended_by_a_term_in_front_of_the_others() {
        for (text, term, mended) in [
            (
                "v=spf1 include:x.example -all",
                "a:mail.example.org",
                "v=spf1 a:mail.example.org include:x.example -all",
            ),
            ("v=spf1", &address_term("2001:db8::1".parse().unwrap()), "v=spf1 ip6:2001:db8::1"),
            ("V=SPF1 ~all", &address_term("::ffff:192.0.2.7".parse().unwrap()), "v=spf1 ip4:192.0.2.7 ~all"),
        ] {
            assert_eq!(with(text, &[term.to_owned()]), mended);
        }
    }

    #[test]
    fn a_fault_is_mended_where_it_is() {
        let of = |domain: &str| {
            mend_of(
                &SpfProblem::Syntax { domain: domain.to_owned(), term: "ipv4:".to_owned() },
                "example.org",
            )
        };
        assert_eq!(of("example.org"), "correct or remove the term \"ipv4:\"");
        assert!(of("x.example").contains("have x.example mend"));
    }
}
