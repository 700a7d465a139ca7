// The workloads of the benchmarks on BullMQ.
//
//     driver.mjs steps|fan-out|latency SIZE
//
// REDIS_PORT names the server. Each step is a job with a stored result that adds the next one
// before it ends; the same as a flow of nested jobs has a fifth less steps per second. Many tasks
// at once are a flow. The client is this process, the jobs run in two others. BullMQ has no runs
// that wait for a person and are replayed: nothing stands for W4 and W5.

import { fork } from "node:child_process";
import { FlowProducer, Queue, QueueEvents } from "bullmq";

const STEPS = 10;
const SECONDS = 2;
const WORKERS = 2;

const connection = { host: "127.0.0.1", port: Number(process.env.REDIS_PORT) };
const [workload, size] = [process.argv[2], Number(process.argv[3])];
const text = (number) => String(number).padStart(96, "0");

// The last step of each thread has a queue of its own, so that the client hears of ends only.
const events = new QueueEvents("ends", { connection });
const flows = new FlowProducer({ connection });
const steps = new Queue("steps", { connection });
const ends = new Queue("ends", { connection });
const waiting = new Map();
events.on("completed", ({ jobId, returnvalue }) => {
  waiting.get(jobId)?.(returnvalue);
  waiting.delete(jobId);
});

let last = 0;
function ended() {
  const jobId = `thread-${++last}`;
  const result = new Promise((resolve) => waiting.set(jobId, resolve));
  return { jobId, result };
}

function expect(value, wanted) {
  if (value !== wanted) throw new Error(`unexpected result ${value}`);
}

async function thread() {
  const { jobId, result } = ended();
  const data = { text: text(last), thread: jobId, left: STEPS - 1 };
  await steps.add("step", data, { jobId: `${jobId}-${STEPS - 1}` });
  expect(await result, data.text);
}

async function batch(inFlight, threads) {
  let next = 0;
  const begun = performance.now();
  const oneAfterTheOther = async () => {
    while (next++ < threads) await thread();
  };
  await Promise.all(Array.from({ length: inFlight }, oneAfterTheOther));
  return (performance.now() - begun) / 1_000;
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

const workloads = {
  async steps(inFlight) {
    await batch(inFlight, inFlight);
    const tried = await batch(inFlight, inFlight);
    const threads = inFlight * Math.max(1, Math.round(SECONDS / tried));
    const took = await batch(inFlight, threads);
    // Each step is a job whose result is kept. A step ends after it has added the next one.
    const done = async () => (await steps.getCompletedCount()) + (await ends.getCompletedCount());
    while ((await done()) < last * STEPS) await new Promise((resolve) => setTimeout(resolve, 10));
    return [`${inFlight} threads in flight`, { steps_per_second: (threads * STEPS) / took }];
  },
  async "fan-out"(tasks) {
    const run = async (count) => {
      const { jobId, result } = ended();
      const children = Array.from({ length: count }, (_, task) => ({
        name: "step",
        queueName: "steps",
        data: { text: text(task) },
      }));
      const begun = performance.now();
      await flows.add({ name: "end", queueName: "ends", data: { text: "end" }, opts: { jobId }, children });
      expect(await result, "end");
      return performance.now() - begun;
    };
    await run(100);
    return [`${tasks} tasks of one run`, { ms: await run(tasks) }];
  },
  async latency(runs) {
    const times = [];
    for (let number = 0; number < runs; number++) {
      const { jobId, result } = ended();
      const begun = performance.now();
      await ends.add("step", { text: text(number) }, { jobId });
      expect(await result, text(number));
      times.push((performance.now() - begun) * 1_000);
    }
    return ["one at a time", { run_of_one_task_us_p50: median(times) }];
  },
};

const workers = [];
process.on("exit", () => workers.forEach((worker) => worker.kill("SIGKILL")));
for (let number = 0; number < WORKERS; number++) {
  const worker = fork(new URL("worker.mjs", import.meta.url));
  workers.push(worker);
  await new Promise((resolve) => worker.once("message", resolve));
}
await events.waitUntilReady();
const [parameters, figures] = await workloads[workload](size);
console.log(JSON.stringify({ workload, parameters, engine: "bullmq", figures }));
process.exit(0);
