// Runs the jobs of both queues: no-ops that give back what they are given, and add the next step
// of their thread if there is one.

import { Queue, Worker } from "bullmq";

const connection = { host: "127.0.0.1", port: Number(process.env.REDIS_PORT) };
// As many at a time as there are threads in flight: no job waits for a place.
const concurrency = 64;
const queues = { steps: new Queue("steps", { connection }), ends: new Queue("ends", { connection }) };

async function step({ data: { text, thread, left } }) {
  if (left === 1) await queues.ends.add("step", { text }, { jobId: thread });
  // The id makes sure that a step which is run again adds no second one.
  if (left > 1) {
    const jobId = `${thread}-${left - 1}`;
    await queues.steps.add("step", { text, thread, left: left - 1 }, { jobId });
  }
  return text;
}

const workers = Object.keys(queues).map((name) => new Worker(name, step, { connection, concurrency }));
await Promise.all(workers.map((worker) => worker.waitUntilReady()));
process.send("ready");
