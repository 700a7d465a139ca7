// `useStream` of @langchain/langgraph-sdk/react, in both major versions: streams of runs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Client } from "langgraph-sdk-2";
import { mount } from "./hook.mjs";
import { URL, unique, waitUntil } from "./support.mjs";

const sdk1 = await import("langgraph-sdk-1/react");
const sdk2 = await import("langgraph-sdk-2/react");

const TEXT = "An essay about topic: cat";

for (const [version, { useStream }] of Object.entries({ 1: sdk1, 2: sdk2 })) {
  describe(`useStream of version ${version}`, () => {
    const client = new Client({ apiUrl: URL });

    /**
     * A page for one program; it keeps the id of its thread, as pages do. What it `uses` of the
     * stream is what the hook asks the server for.
     */
    function page(assistantId, threadId = null, uses = ["values"], more = {}) {
      const seen = { custom: [], errors: [], thread: threadId };
      const options = () => ({
        apiUrl: URL,
        assistantId,
        threadId: seen.thread,
        onThreadId: (id) => {
          seen.thread = id;
          mounted.set(options());
        },
        onCustomEvent: (data) => seen.custom.push(data),
        onError: (error) => seen.errors.push(error),
        ...more,
      });
      const mounted = mount((given) => {
        const stream = useStream(given);
        for (const name of uses) void stream[name];
        return stream;
      }, options());
      const now = () => mounted.now();
      const idle = () =>
        waitUntil("the end of the run", () => {
          const stream = now();
          return stream && !stream.isLoading && !stream.isThreadLoading && stream;
        });
      return { seen, now, idle, unmount: mounted.unmount };
    }

    async function submitted(page, input, options) {
      await page.idle();
      await page.now().submit(input, options);
      return page.idle();
    }

    test("a result and what was written on the way", async () => {
      const { seen, unmount, ...one } = page("add_numbers");
      await submitted(one, [1, 2]);
      await waitUntil("the result", () => one.now().values?.length === 2);
      assert.deepEqual(one.now().values, [4, 5]);
      const written = ["hello", { processing: 1 }, { processing: 2 }, "world"];
      assert.deepEqual(seen.custom, written);
      assert.equal((await client.threads.get(seen.thread)).status, "idle");
      unmount();
    });

    test("a question, approved", async () => {
      const one = page("essay");
      await submitted(one, "cat");
      const asked = await waitUntil("the question", () => one.now().interrupt);
      assert.equal(asked.value.essay, TEXT);
      await submitted(one, undefined, { command: { resume: true } });
      const done = { essay: TEXT, is_approved: true };
      await waitUntil("the result", () => one.now().values?.is_approved === true);
      assert.deepEqual(one.now().values, done);
      assert.equal(one.now().interrupt, undefined);
      assert.deepEqual((await client.threads.getState(one.seen.thread)).values, done);
      one.unmount();
    });

    test("a question is still there on a page that was opened again", async () => {
      const first = page("essay");
      await submitted(first, "cat");
      await waitUntil("the question", () => first.now().interrupt);
      first.unmount();
      const again = page("essay", first.seen.thread);
      const asked = await waitUntil("the question", () => again.now()?.interrupt);
      assert.equal(asked.value.essay, TEXT);
      await submitted(again, undefined, { command: { resume: "no" } });
      await waitUntil("the result", () => again.now().values?.is_approved === "no");
      again.unmount();
    });

    test("a failure", async () => {
      const one = page("boom");
      await submitted(one, "x");
      await waitUntil("the error", () => one.now().error);
      assert.match(String(one.now().error.message ?? one.now().error), /x/);
      one.unmount();
    });

    test("a run goes on in a page that was opened again", async () => {
      const { thread_id } = await client.threads.create();
      const first = page("slow", thread_id);
      await first.idle();
      const tag = unique();
      const options = { streamResumable: true, onDisconnect: "continue", streamMode: ["custom"] };
      void first.now().submit({ ticks: 8, tag }, options);
      await waitUntil("the first ticks", () => first.seen.custom.length >= 2);
      first.unmount();
      const [run] = await client.runs.list(thread_id);
      const again = page("slow", thread_id);
      await again.idle();
      void again.now().joinStream(run.run_id, "-1");
      await waitUntil("all ticks", () => again.seen.custom.length >= 8);
      await again.idle();
      const ticks = again.seen.custom.map((data) => data.tick);
      assert.deepEqual(ticks, [0, 1, 2, 3, 4, 5, 6, 7]);
      assert.equal((await client.threads.getState(thread_id)).values.tag, tag);
      again.unmount();
    });

    test("stopping", async () => {
      const { thread_id } = await client.threads.create();
      const one = page("slow", thread_id);
      await one.idle();
      void one.now().submit({ ticks: 10_000 });
      await waitUntil("the first ticks", () => one.seen.custom.length >= 1);
      await one.now().stop();
      const [run] = await client.runs.list(thread_id);
      await waitUntil("the run to stop", async () => {
        return (await client.runs.get(thread_id, run.run_id)).status === "interrupted";
      });
      one.unmount();
    });

    test("words of a chat", async () => {
      const one = page("chat", null, ["values", "messages"]);
      await one.idle();
      const said = { type: "human", content: "hello", id: unique() };
      const growing = new Set();
      const watched = waitUntil("the reply", () => {
        const last = one.now().messages?.at(-1);
        if (last?.type === "ai") growing.add(last.content);
        return String(last?.content).endsWith("This is the end.");
      });
      void one.now().submit({ messages: [said] }, { streamMode: ["values", "messages-tuple"] });
      await watched;
      assert.ok(growing.size > 5, `seen to grow ${growing.size} times`);
      const stream = await one.idle();
      assert.deepEqual(stream.values.messages.map((one) => one.type), ["human", "ai"]);
      assert.equal(stream.messages.length, 2, "what was streamed and what was kept are the same");
      one.unmount();
    });

    test("history", async () => {
      const { thread_id } = await client.threads.create();
      const one = page("slow", thread_id, ["values", "history"], { fetchStateHistory: true });
      await submitted(one, { ticks: 0, tag: "a" });
      await submitted(one, { ticks: 0, tag: "b" });
      const history = await waitUntil("the history", () => {
        const { history } = one.now();
        return history.length === 4 && history;
      });
      const tags = history.map((state) => state.values?.tag).filter(Boolean);
      assert.ok(tags.includes("a") && tags.includes("b"), tags.join());
      one.unmount();
    });
  });
}
