// What the suites share: where the server is, waiting, and which operations were called.

import assert from "node:assert/strict";

export const URL = process.env.RETHREAD_URL ?? "http://127.0.0.1:8123";

/** The server is LangGraph's own one, so what it does otherwise is left out. */
export const REFERENCE = process.env.RETHREAD_CLIENTS_REFERENCE !== undefined;

/** Options of a test of what LangGraph's own server (langgraph-api 0.16.7) does otherwise. */
export const differs = { skip: REFERENCE ? "differs from LangGraph's server" : false };

/** Longest wait for anything, in ms: the tests may share the machine with a build. */
const PATIENCE = 120_000;

/** Waits until `condition` gives something, and gives it. */
export async function waitUntil(what, condition) {
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline) {
    const found = await condition();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`waited in vain for ${what}`);
}

/** All that a stream gives. */
export async function all(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

/** Event and data of the parts behind the first one, which tells the run. */
export async function shown(stream) {
  const [first, ...rest] = await all(stream);
  assert.equal(first.event, "metadata");
  assert.equal(first.data.attempt, 1);
  return rest.map(({ event, data }) => [event, data]);
}

export function unique() {
  return `n${crypto.randomUUID().replaceAll("-", "")}`;
}
