//! A POP3 session says and deletes the same however its input is cut; the driver of its tests watches over it.
#![no_main]

#[path = "../../crates/pop3/tests/common/mod.rs"]
mod common;

use common::{Driver, Outcome, World, config};
use libfuzzer_sys::fuzz_target;
use pop3::Config;

fuzz_target!(|input: &[u8]| {
    let [choice, first, second, length, input @ ..] = input else { return };
    let (message, input) = input.split_at(usize::from(*length).min(input.len()));
    let world = World {
        chunk_bytes: usize::from(*first),
        ..World::with_messages(&[message, b"Subject: two\r\n\r\n.\r\n..\r\nbody"])
    };
    let config = Config { hand_typed_lf: choice % 2 == 1, ..config() };
    let whole = replay(&config, &world, &[input]);
    let mut lengths = [usize::from(*first) + 1, usize::from(*second) + 1].into_iter().cycle();
    let (mut segments, mut rest) = (Vec::new(), input);
    while !rest.is_empty() {
        let length = lengths.next().unwrap_or(1).min(rest.len());
        let (segment, after) = rest.split_at(length);
        segments.push(segment);
        rest = after;
    }
    assert_eq!(replay(&config, &world, &segments), whole);
    assert!(whole.output.starts_with(b"+OK "));
    if let Some(deleted) = &whole.committed {
        assert!(whole.is_closed && deleted.iter().all(|index| *index < 2));
    }
});

fn replay(config: &Config, world: &World, segments: &[&[u8]]) -> Outcome {
    let mut driver = Driver::new(config.clone(), world.clone());
    for segment in segments {
        if !driver.outcome.is_closed {
            driver.feed(segment);
        }
    }
    driver.outcome
}
