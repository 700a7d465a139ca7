// `useStream` of @langchain/react: the newer protocol, of which it speaks nothing else.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Client } from "langgraph-sdk-2";
import { mount } from "./hook.mjs";
import { URL, differs, unique, waitUntil } from "./support.mjs";

const { useStream } = await import("@langchain/react");

const TEXT = "An essay about topic: cat";

describe("useStream of @langchain/react", () => {
  const client = new Client({ apiUrl: URL });

  /** A page for one program; it keeps the id of its thread, as pages do. */
  async function page(assistantId, threadId = null) {
    const seen = { thread: threadId, loading: [] };
    const options = () => ({
      apiUrl: URL,
      assistantId,
      threadId: seen.thread,
      onThreadId: (id) => {
        seen.thread = id;
        mounted.set(options());
      },
    });
    const mounted = mount((given) => {
      const stream = useStream(given);
      if (seen.loading.at(-1) !== stream.isLoading) seen.loading.push(stream.isLoading);
      return stream;
    }, options());
    await waitUntil("the hook", () => mounted.now());
    const until = (what, condition) => waitUntil(what, () => condition(mounted.now()));
    const running = () =>
      waitUntil("the start of a run", async () => {
        // The thread is made with its first run.
        const runs = seen.thread ? await client.runs.list(seen.thread).catch(() => []) : [];
        return runs[0]?.status === "running" && runs[0];
      });
    return { seen, now: mounted.now, until, running, unmount: mounted.unmount };
  }

  test("a result", async () => {
    const one = await page("parent");
    await one.now().submit(41);
    await one.until("the result", (stream) => stream.values.child === 42);
    await one.until("the end", (stream) => !stream.isLoading);
    assert.deepEqual(one.seen.loading, [false, true, false], "it was loading once");
    one.unmount();
  });

  test("a question, approved", async () => {
    const one = await page("essay");
    await one.now().submit("cat");
    await one.until("the question", (stream) => stream.interrupts.length === 1);
    assert.equal(one.now().interrupt.value.essay, TEXT);
    await one.until("the pause", (stream) => !stream.isLoading);
    await one.now().respond(true);
    await one.until("the result", (stream) => stream.values.is_approved === true);
    await one.until("the end", (stream) => !stream.isLoading && !stream.interrupt);
    const done = { essay: TEXT, is_approved: true };
    assert.deepEqual((await client.threads.getState(one.seen.thread)).values, done);
    one.unmount();
  });

  test("a question is still there on a page that was opened again", async () => {
    const first = await page("essay");
    await first.now().submit("cat");
    await first.until("the question", (stream) => stream.interrupts.length === 1);
    first.unmount();
    const again = await page("essay", first.seen.thread);
    await again.until("the question", (stream) => stream.interrupts.length === 1);
    // The hook shows the question from the state before it may be answered through the stream.
    await waitUntil("the answer to be taken", () =>
      again.now().respond("no").then(() => true, () => false),
    );
    await again.until("the result", (stream) => stream.values.is_approved === "no");
    again.unmount();
  });

  test("several questions", differs, async () => {
    const one = await page("parallel_interrupts");
    await one.now().submit(["a", "b"]);
    await one.until("the questions", (stream) => stream.interrupts.length === 2);
    const answers = one.now().interrupts.map(({ id, value }) => [id, `${value.question}!`]);
    await one.now().respondAll(Object.fromEntries(answers));
    // The hook shows objects only, so the list is read by hand.
    await waitUntil("the result", async () => {
      return (await client.threads.get(one.seen.thread)).status === "idle";
    });
    const { values } = await client.threads.getState(one.seen.thread);
    assert.deepEqual(values, ["a=a!", "b=b!"]);
    one.unmount();
  });

  test("a failure", async () => {
    const one = await page("boom");
    await one.now().submit("x").catch(() => {});
    await one.until("the error", (stream) => stream.error);
    assert.match(String(one.now().error.message ?? one.now().error), /x/);
    await one.until("the end", (stream) => !stream.isLoading);
    one.unmount();
  });

  test("stopping", async () => {
    const one = await page("slow");
    void one.now().submit({ ticks: 10_000 });
    await one.until("the start", (stream) => stream.isLoading);
    const run = await one.running();
    await one.now().stop();
    await waitUntil("the run to stop", async () => {
      return (await client.runs.get(one.seen.thread, run.run_id)).status === "interrupted";
    });
    await one.until("the end", (stream) => !stream.isLoading);
    one.unmount();
  });

  test("a run goes on in a page that was opened again", async () => {
    const tag = unique();
    const first = await page("slow");
    void first.now().submit({ ticks: 10, tag });
    await first.running();
    first.unmount();
    const again = await page("slow", first.seen.thread);
    await again.until("the result", (stream) => stream.values.tag === tag);
    await again.until("the end", (stream) => !stream.isLoading);
    again.unmount();
  });

  test("words of a chat", async () => {
    const one = await page("chat");
    const said = { type: "human", content: "hello", id: unique() };
    const growing = new Set();
    void one.now().submit({ messages: [said] });
    await one.until("the reply", (stream) => {
      const last = stream.messages.at(-1);
      if (last?.type === "ai") growing.add(last.text);
      return last?.text.endsWith("This is the end.");
    });
    assert.ok(growing.size > 5, `seen to grow ${growing.size} times`);
    await one.until("the end", (stream) => !stream.isLoading);
    await one.until("the result", (stream) => stream.values.messages?.length === 2);
    assert.equal(one.now().messages.length, 2, "what was streamed and what was kept are the same");
    one.unmount();
  });
});
