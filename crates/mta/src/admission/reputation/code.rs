//! Which answers of a list count, and how much.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// Answers that count, with a weight of their own where they have one.
///
/// ```text
/// code  = octet "." octet "." octet "." octet [ "=" weight ]
/// octet = number / number "-" number / "*" / "&" number
/// ```
///
/// `127.0.0.4-7`, `127.0.*.3=-2`; `127.0.0.&8` is each answer whose last octet has the bit of 8, for lists whose answers are
/// sets of bits (RFC 5782).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    octets: [Octet; 4],
    weight: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Octet {
    Range(u8, u8),
    Bits(u8),
}

/// Why a text is no [`Code`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// There are not four octets.
    #[error("an answer is an address of four octets")]
    Address,
    /// One of them is none.
    #[error("an octet is 0 to 255, a range as 4-7, * for any, or & and a bit")]
    Octet,
    /// It begins with something else than 127 (RFC 5782 §2.1).
    #[error("answers of lists begin with 127")]
    Network,
    /// What follows `=` is no weight.
    #[error("behind = stands a whole number from -1000 to 1000")]
    Weight,
}

/// Weights beyond it mean nothing more.
const WEIGHT_MAX: i32 = 1000;

impl Code {
    /// Whether it is about this answer.
    #[must_use]
    pub fn has(&self, answer: Ipv4Addr) -> bool {
        self.octets.iter().zip(answer.octets()).all(|(wanted, octet)| match *wanted {
            Octet::Range(first, last) => (first..=last).contains(&octet),
            Octet::Bits(bits) => octet & bits == bits,
        })
    }

    /// Its own weight.
    #[must_use]
    pub const fn weight(&self) -> Option<i32> {
        self.weight
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let (address, weight) = match text.split_once('=') {
            Some((address, weight)) => {
                let weight: i32 = weight.parse().map_err(|_| CodeError::Weight)?;
                if weight.abs() > WEIGHT_MAX {
                    return Err(CodeError::Weight);
                }
                (address, Some(weight))
            }
            None => (text, None),
        };
        let octets: Vec<Octet> = address.split('.').map(octet).collect::<Result<_, _>>()?;
        let octets: [Octet; 4] = octets.try_into().map_err(|_| CodeError::Address)?;
        if octets[0] != Octet::Range(127, 127) {
            return Err(CodeError::Network);
        }
        Ok(Self { octets, weight })
    }
}

fn octet(text: &str) -> Result<Octet, CodeError> {
    let number = |text: &str| match text.bytes().all(|octet| octet.is_ascii_digit()) {
        true => text.parse::<u8>().map_err(|_| CodeError::Octet),
        false => Err(CodeError::Octet),
    };
    if text == "*" {
        return Ok(Octet::Range(0, u8::MAX));
    }
    if let Some(bits) = text.strip_prefix('&') {
        return match number(bits)? {
            0 => Err(CodeError::Octet),
            bits => Ok(Octet::Bits(bits)),
        };
    }
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    if first > last { Err(CodeError::Octet) } else { Ok(Octet::Range(first, last)) }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.octets.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            match *octet {
                Octet::Range(0, u8::MAX) => f.write_str("*")?,
                Octet::Range(first, last) if first == last => write!(f, "{first}")?,
                Octet::Range(first, last) => write!(f, "{first}-{last}")?,
                Octet::Bits(bits) => write!(f, "&{bits}")?,
            }
        }
        match self.weight {
            Some(weight) => write!(f, "={weight}"),
            None => Ok(()),
        }
    }
}
