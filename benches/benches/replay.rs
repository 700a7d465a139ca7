//! What the core takes for a replay: the time is that of one replayed call, with the load of the
//! thread from its decoded journal and the answer.

mod recorded;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use recorded::Recorded;

fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay");
    for calls in [10, 100, 1_000, 10_000] {
        let recorded = Recorded::new(calls);
        group.throughput(Throughput::Elements(calls));
        group.bench_function(BenchmarkId::from_parameter(calls), |bencher| {
            bencher.iter_batched_ref(
                || recorded.load(),
                |machine| Recorded::answer(machine),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
