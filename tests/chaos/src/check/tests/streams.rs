//! Readers and what they see.

use super::story::{Story, done};
use crate::history::{Fact, Reader};
use crate::program::Op;

fn story() -> Story {
    let ops = vec![Op::Emit { id: 1 }, Op::Child { id: 2, ops: vec![Op::Emit { id: 3 }] }];
    Story::default().start(1, "t1", "r1", 1, ops).accepted(2, "r1")
}

fn read(reader: Reader, count: u64) -> Story {
    story().read(5, "r1", reader, count, &[1], done())
}

#[test]
fn readers_see_the_same_without_a_gap() {
    let live = read(Reader::Live, 4);
    let late = |story: Story| story.read(9, "r1", Reader::Late, 4, &[1], done());
    late(live.clone()).keeps("I7-events");
    let changed = |change: fn(&mut Vec<(u64, u64)>)| {
        late(live.clone()).but(|fact| {
            if let Fact::Read { events, .. } = fact {
                change(events);
            }
        })
    };
    changed(|events| events[2].1 = 1).breaks("I7-events", "saw different events");
    live.clone()
        .but(|fact| {
            if let Fact::Read { events, .. } = fact {
                events.remove(1);
            }
        })
        .breaks("I7-events", "saw a gap");
    read(Reader::Live, 0).breaks("I7-events", "saw a gap");
}

#[test]
fn emissions_of_the_root_are_shown_once() {
    let shown = |steps: &[u32]| story().read(5, "r1", Reader::Live, 4, steps, done());
    shown(&[1]).keeps("I7-emitted");
    shown(&[1, 1]).breaks("I7-emitted", "shows 2 of 1 emissions");
    shown(&[]).breaks("I7-emitted", "shows 0 of 1 emissions");
}
