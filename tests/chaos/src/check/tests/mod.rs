//! Histories written by hand: for each invariant one that keeps it and two that break it.

mod bodies;
mod losses;
mod runs;
mod stops;
mod stored;
mod story;
mod streams;

use story::{Story, done};

use super::INVARIANTS;
use super::log::parse_lines;
use crate::history::{Entry, Reader};
use crate::program::Op;

/// A story in which every invariant has something to look at.
fn whole() -> Story {
    let ops = vec![
        Op::Task { id: 1, ms: 0 },
        Op::Emit { id: 2 },
        Op::Cached { id: 3, key: 7 },
        Op::Put { id: 4, key: 1 },
        Op::Ask { id: 5 },
    ];
    Story::default()
        .spawn("worker-1", 11)
        .start(10, "t1", "r1", 1, ops)
        .accepted(11, "r1")
        .body(12, 11, 1, 1, "r1", 1)
        .seen(15, "r1", 1, 1)
        .body(16, 11, 1, 3, "r1", 1)
        .read(18, "r1", Reader::Live, 3, &[], story::asks(&[("q", 5)]))
        .resume(20, "t1", "r2", 1, &["q"], true)
        .accepted(21, "r2")
        .healed(22)
        .read(24, "r2", Reader::Live, 2, &[2], done())
        .read(30, "r1", Reader::Late, 3, &[], story::asks(&[("q", 5)]))
        .read(31, "r2", Reader::Late, 2, &[2], done())
        .thread("t1", "idle", &[(1, 4)])
}

#[test]
fn a_story_without_faults_keeps_all_invariants() {
    for invariant in &INVARIANTS {
        assert_eq!(whole().breaches(invariant.id), Vec::<String>::new(), "{}", invariant.id);
    }
}

#[test]
fn every_line_can_be_read_again() {
    let story = whole().fault(1, 2, "kill-redis", "redis").exit("worker-1", 11, false);
    let entries = story.entries();
    let text: Vec<String> =
        entries.iter().map(|entry| serde_json::to_string(entry).expect("can be written")).collect();
    let read = parse_lines::<Entry>("history", text.join("\n").as_bytes()).expect("can be read");
    assert_eq!(
        read.iter().map(|line| &line.entry).collect::<Vec<_>>(),
        entries.iter().collect::<Vec<_>>()
    );
    assert_eq!(read[1].at, "history:2");
}

#[test]
fn a_damaged_line_is_named() {
    let error = parse_lines::<Entry>("history", &b"{\"at\":1\n"[..]).expect_err("damaged");
    assert!(error.to_string().starts_with("history:1: "), "{error}");
}
