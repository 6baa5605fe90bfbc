//! Where others send their reports about TLS (RFC 8460 §3).
//!
//! ```text
//! tlsrpt-record  = tlsrpt-version 1*(field-delim tlsrpt-field) [field-delim]
//! tlsrpt-version = %s"v=TLSRPTv1"
//! tlsrpt-rua     = %s"rua=" tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri)
//! ```

use types::dns::Lookup;

use super::mx::Mail;
use super::{Question, bad, good, notice, zone};
use crate::{Finding, Outside, Topic};

/// All about the record.
pub(super) async fn check(outside: &dyn Outside, question: &Question, mail: &Mail) -> Vec<Finding> {
    let domain = question.domain.ascii();
    let name = format!("_smtp._tls.{domain}");
    let line = zone::txt(&name, &format!("v=TLSRPTv1; rua=mailto:postmaster@{domain}"));
    let missing = || {
        if *mail == Mail::TakesNone {
            return Vec::new();
        }
        let says = "the domain asks for no reports about TLS, so that nobody tells you when encryption fails";
        vec![notice(Topic::TlsRpt, domain, says).mend(&line)]
    };
    let records = match outside.txt(&name).await {
        Lookup::Records { records, .. } => records,
        Lookup::NoData { .. } | Lookup::NoSuchName => return missing(),
        Lookup::Trouble(trouble) => {
            return vec![zone::trouble(
                Topic::TlsRpt,
                domain,
                "whether the domain asks for reports about TLS",
                trouble,
            )];
        }
    };
    // §3: what does not begin with the version is not looked at.
    let ours: Vec<&Vec<u8>> = records.iter().filter(|record| record.starts_with(b"v=TLSRPTv1")).collect();
    match ours[..] {
        [] => missing(),
        [record] => vec![match addresses(record) {
            Ok(addresses) => {
                good(Topic::TlsRpt, &name, format!("reports about TLS go to {}", addresses.join(", ")))
            }
            Err(why) => {
                let says = format!("the record for reports about TLS cannot be used: {why}");
                bad(Topic::TlsRpt, &name, says).mend(line).detail(zone::shown(record))
            }
        }],
        _ => {
            let says = format!(
                "there are {} records for reports about TLS, so that none of them counts",
                ours.len()
            );
            vec![bad(Topic::TlsRpt, &name, says).mend("leave one of them")]
        }
    }
}

fn addresses(record: &[u8]) -> Result<Vec<String>, &'static str> {
    let text = std::str::from_utf8(record).map_err(|_| "it is not text")?;
    let mut fields = text.split(';').map(|field| field.trim_matches([' ', '\t']));
    if fields.next() != Some("v=TLSRPTv1") {
        return Err("it does not begin with \"v=TLSRPTv1;\"");
    }
    let rua = fields.find_map(|field| field.strip_prefix("rua="));
    let rua = rua.ok_or("it has no addresses (rua)")?;
    let mut addresses = Vec::new();
    for uri in rua.split(',').map(|uri| uri.trim_matches([' ', '\t'])) {
        let is_mail = uri.strip_prefix("mailto:").is_some_and(|address| {
            let (local, host) = address.rsplit_once('@').unwrap_or_default();
            !local.is_empty() && mailauth::is_name(host)
        });
        let is_https = uri.strip_prefix("https://").is_some_and(|rest| !rest.is_empty());
        if !is_mail && !is_https {
            return Err("an address of it begins with neither mailto: nor https://");
        }
        addresses.push(uri.to_owned());
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_rfc_8460_says() {
        for (record, expected) in [
            // RFC 8460 §3.1.
            ("v=TLSRPTv1;rua=mailto:reports@example.com", Ok(vec!["mailto:reports@example.com"])),
            (
                "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt",
                Ok(vec!["https://reporting.example.com/v1/tlsrpt"]),
            ),
            (
                "v=TLSRPTv1; rua=mailto:a@b.example , https://c.example/;",
                Ok(vec!["mailto:a@b.example", "https://c.example/"]),
            ),
            ("v=TLSRPTv1; x=y", Err(())),
            ("v=TLSRPTv1", Err(())),
            ("v=TLSRPTv10; rua=mailto:a@b.example", Err(())),
            ("v=TLSRPTv1; rua=a@b.example", Err(())),
            ("v=TLSRPTv1; rua=mailto:b.example", Err(())),
            ("v=TLSRPTv1; rua=http://b.example", Err(())),
        ] {
            let expected = expected.map(|list| list.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(addresses(record.as_bytes()).map_err(drop), expected, "{record}");
        }
    }
}
