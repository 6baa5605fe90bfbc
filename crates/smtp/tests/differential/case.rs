//! A line, taken apart by a reader that has nothing of the product in it.

use std::net::Ipv6Addr;

/// A line and what each parser makes of it; nothing where it refuses.
pub(super) struct Case {
    pub(super) line: Vec<u8>,
    pub(super) ours: Option<String>,
    pub(super) theirs: Option<String>,
}

impl Case {
    pub(super) const fn refused_by_us(&self) -> bool {
        self.ours.is_none() && self.theirs.is_some()
    }

    pub(super) const fn refused_by_them(&self) -> bool {
        self.ours.is_some() && self.theirs.is_none()
    }

    pub(super) const fn both_take(&self) -> bool {
        self.ours.is_some() && self.theirs.is_some()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.line).trim_end().to_owned()
    }

    pub(super) fn verb(&self) -> String {
        self.text().split(' ').next().unwrap_or_default().to_ascii_uppercase()
    }

    pub(super) fn argument(&self) -> String {
        self.text().split_once(' ').map(|(_, argument)| argument.to_owned()).unwrap_or_default()
    }

    pub(super) fn is_path_command(&self) -> bool {
        matches!(&*self.verb(), "MAIL" | "RCPT")
    }

    /// From the angle bracket to the one that ends the path, as a reader of quoted strings finds it.
    pub(super) fn path(&self) -> String {
        let argument = self.argument();
        let start = argument.find('<').unwrap_or(argument.len());
        let (mut quoted, mut end, mut octets) =
            (false, argument.len(), argument.bytes().enumerate().skip(start));
        while let Some((at, octet)) = octets.next() {
            match octet {
                b'"' => quoted = !quoted,
                b'\\' if quoted => drop(octets.next()),
                b'>' if !quoted => {
                    end = at + 1;
                    break;
                }
                _ => {}
            }
        }
        argument[start..end].to_owned()
    }

    pub(super) fn after_path(&self) -> Option<String> {
        let argument = self.argument();
        let path = self.path();
        let rest = argument.split_once(&path).map(|(_, rest)| rest.to_owned())?;
        (self.is_path_command() && path.ends_with('>') && !rest.is_empty()).then_some(rest)
    }

    pub(super) fn parameters(&self) -> Vec<String> {
        self.after_path().map(|rest| rest.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
    }

    pub(super) fn parameters_named(&self, keywords: &[&str]) -> Vec<String> {
        if !self.is_path_command() {
            return Vec::new();
        }
        self.parameters().into_iter().filter(|p| keywords.contains(&keyword(p).as_str())).collect()
    }

    pub(super) fn has_parameter(&self, keyword: &str) -> bool {
        !self.parameters_named(&[keyword]).is_empty()
    }

    /// Whether RFC 5321 §4.1.1.2 or §4.1.1.3 allows the path.
    pub(super) fn holds_a_path(&self) -> bool {
        let path = self.path();
        let Some(inner) = path.strip_prefix('<').and_then(|p| p.strip_suffix('>')) else { return false };
        match (&*self.verb(), inner) {
            ("MAIL", "") => true,
            ("RCPT", name) if name.eq_ignore_ascii_case("Postmaster") => true,
            _ => path.len() <= 256 && is_routed_mailbox(inner),
        }
    }
}

pub(super) fn is_printable(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|text| !text.contains(|c: char| c.is_control() && c != '\t'))
}

pub(super) fn keyword(parameter: &str) -> String {
    parameter.split('=').next().unwrap_or_default().to_ascii_uppercase()
}

/// `*( xchar / hexchar )` that stands for printable ASCII.
pub(super) fn is_printable_xtext(text: &str) -> bool {
    let mut parts = text.split('+');
    let is_xchars = |text: &str| text.bytes().all(|octet| matches!(octet, b'!'..=b'~') && octet != b'=');
    let is_octet = |part: &str| {
        let hex = part.get(..2).filter(|hex| hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')));
        hex.is_some_and(|hex| matches!(u8::from_str_radix(hex, 16), Ok(b' '..=b'~'))) && is_xchars(&part[2..])
    };
    parts.next().is_none_or(is_xchars) && parts.all(is_octet)
}

pub(super) fn is_bdat_argument(argument: &str) -> bool {
    let mut words = argument.split(' ');
    let is_number = words.next().is_some_and(|word| word.parse::<u64>().is_ok() && !word.starts_with('+'));
    let marker = words.next();
    is_number && marker.is_none_or(|marker| marker.eq_ignore_ascii_case("LAST")) && words.next().is_none()
}

fn is_routed_mailbox(text: &str) -> bool {
    if !text.starts_with('@') {
        return is_mailbox(text);
    }
    text.split_once(':').is_some_and(|(route, mailbox)| {
        is_mailbox(mailbox) && route.split(',').all(|hop| hop.strip_prefix('@').is_some_and(is_domain))
    })
}

pub(super) fn is_mailbox(text: &str) -> bool {
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom
                .chars()
                .all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c))
    };
    let (local_part, host) = match text.strip_prefix('"') {
        None => match text.split_once('@') {
            Some((local_part, host)) if local_part.split('.').all(is_atom) => (local_part, host),
            _ => return false,
        },
        Some(_) => {
            let mut escaped = false;
            let end = text.bytes().enumerate().skip(1).find(|(_, octet)| {
                let is_end = *octet == b'"' && !escaped;
                escaped = *octet == b'\\' && !escaped;
                is_end
            });
            match end.and_then(|(end, _)| text[end + 1..].strip_prefix('@').map(|host| (&text[..=end], host)))
            {
                Some(parts) => parts,
                None => return false,
            }
        }
    };
    local_part.len() <= 64 && is_host(host)
}

pub(super) fn is_host(text: &str) -> bool {
    let Some(literal) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) else {
        return is_domain(text);
    };
    match literal.split_once(':') {
        None => is_ipv4(literal),
        Some((tag, content)) if tag.eq_ignore_ascii_case("IPv6") => content.parse::<Ipv6Addr>().is_ok(),
        Some((tag, content)) => {
            !tag.is_empty() && !content.is_empty() && literal.parse::<Ipv6Addr>().is_err()
        }
    }
}

/// `Snum 3("." Snum)`, `Snum = 1*3DIGIT`: leading zeros are allowed.
fn is_ipv4(text: &str) -> bool {
    let is_snum = |snum: &str| {
        (1..=3).contains(&snum.len())
            && snum.bytes().all(|b| b.is_ascii_digit())
            && snum.parse::<u8>().is_ok()
    };
    text.split('.').count() == 4 && text.split('.').all(is_snum)
}

/// ASCII labels; what is not ASCII is left to the tests of IDNA.
fn is_domain(text: &str) -> bool {
    text.len() <= 255
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || !c.is_ascii())
        })
}
