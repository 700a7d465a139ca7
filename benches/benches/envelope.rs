//! What it takes to write and to read what is stored and sent.

mod recorded;

use criterion::{Criterion, Throughput};
use recorded::Recorded;
use rethread_core::message::InboxMessage;
use rethread_core::record::Record;
use std::hint::black_box;

fn both<R: Record>(criterion: &mut Criterion, name: &str, record: &R) {
    let bytes = record.to_record();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("write", |bencher| bencher.iter(|| black_box(record).to_record()));
    group.bench_function("read", |bencher| bencher.iter(|| R::from_record(black_box(&bytes))));
    group.finish();
}

/// With values of about 100 bytes.
fn envelope(criterion: &mut Criterion) {
    let recorded = Recorded::new(2);
    both(criterion, "order", &recorded.orders[0]);
    both(criterion, "report", &InboxMessage::Report(recorded.reports[0].clone()));
    for (number, entry) in recorded.journal.iter().enumerate() {
        both(criterion, &format!("journal-entry-{number}"), entry);
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    envelope(&mut criterion);
    criterion.final_summary();
}
