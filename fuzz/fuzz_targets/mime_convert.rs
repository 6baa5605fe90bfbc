#![no_main]
//! Conversion for hosts without 8BITMIME or BINARYMIME: what comes out is what the host takes, does not depend on how
//! the message comes, and is as it is the second time.

use libfuzzer_sys::fuzz_target;
use mta::convert::{Converter, NotConvertible, Survey, Takes, convert};

fn in_pieces(message: &[u8], takes: Takes, size: usize) -> Result<Vec<u8>, NotConvertible> {
    let mut survey = Survey::new();
    message.chunks(size).for_each(|piece| survey.push(piece));
    let mut converter = Converter::new(survey.finish(takes)?);
    let mut out = Vec::new();
    message.chunks(size).for_each(|piece| converter.push(piece, &mut out));
    converter.finish(&mut out);
    Ok(out)
}

fuzz_target!(|octets: &[u8]| {
    let Some((size, message)) = octets.split_first() else { return };
    for takes in [Takes::SevenBit, Takes::EightBit] {
        let converted = convert(message, takes);
        assert_eq!(in_pieces(message, takes, usize::from(*size).max(1)), converted);
        let Ok(out) = converted else { continue };
        assert!(takes == Takes::EightBit || out.is_ascii());
        assert!(!out.contains(&0));
        // At most three octets for one, line breaks, and the fields of each part.
        assert!(out.len() <= message.len() * 40 + 1000);
        assert_eq!(convert(&out, takes), Ok(out));
    }
});
