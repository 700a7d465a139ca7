//! What the core takes for a replay: the time is that of an answer to a run with so many recorded
//! results, and the throughput is that of replayed calls. Storage and the decoding of the journal
//! are no part of it.

mod recorded;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use recorded::Recorded;

fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay");
    for calls in [10, 100, 1_000, 10_000] {
        let recorded = Recorded::new(calls);
        group.throughput(Throughput::Elements(calls));
        group.bench_function(BenchmarkId::from_parameter(calls), |bencher| {
            bencher.iter_batched_ref(|| recorded.load(), Recorded::answer, BatchSize::LargeInput);
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    replay(&mut criterion);
    criterion.final_summary();
}
