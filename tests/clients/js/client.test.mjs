// The stock client, in both its major versions.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as sdk1 from "langgraph-sdk-1";
import * as sdk2 from "langgraph-sdk-2";
import { URL, all, differs, shown, unique, waitUntil } from "./support.mjs";

const TEXT = "An essay about topic: cat";
const LONG = { ticks: 10_000, tag: "long" };

for (const [version, { Client }] of Object.entries({ 1: sdk1, 2: sdk2 })) {
  describe(`client ${version}`, () => {
    const client = new Client({ apiUrl: URL });
    const newThread = async () => (await client.threads.create()).thread_id;

    const ended = (thread, run) =>
      waitUntil("the end of the run", async () => {
        const { status } = await client.runs.get(thread, run);
        return status !== "pending" && status !== "running" && status;
      });
    const started = (thread, run) =>
      waitUntil("the start of the run", async () => {
        return (await client.runs.get(thread, run)).status === "running";
      });

    test("assistants", async () => {
      const found = await client.assistants.search({ graphId: "essay" });
      const own = found.find((one) => one.metadata.created_by === "system");
      assert.equal(own.name, "essay");
      assert.equal((await client.assistants.get(own.assistant_id)).graph_id, "essay");
      const graph = await client.assistants.getGraph("essay");
      assert.equal(graph.nodes.length, 3);
      const schemas = await client.assistants.getSchemas(own.assistant_id);
      assert.equal(schemas.graph_id, "essay");

      const name = unique();
      const made = await client.assistants.create({ graphId: "essay", name, metadata: { name } });
      const changed = await client.assistants.update(made.assistant_id, { metadata: { b: 2 } });
      assert.equal(changed.version, 2);
      assert.equal(await client.assistants.count({ metadata: { name } }), 1);
      const versions = await client.assistants.getVersions(made.assistant_id);
      assert.deepEqual(versions.map((one) => one.version), [2, 1]);
      await client.assistants.delete(made.assistant_id);
      await assert.rejects(client.assistants.get(made.assistant_id), /404/);
    });

    test("threads", async () => {
      const name = unique();
      const thread = (await client.threads.create({ metadata: { name } })).thread_id;
      await client.threads.update(thread, { metadata: { b: 2 } });
      assert.deepEqual((await client.threads.get(thread)).metadata, { name, b: 2 });
      const found = await client.threads.search({ metadata: { name } });
      assert.deepEqual(found.map((one) => one.thread_id), [thread]);
      assert.equal(await client.threads.count({ metadata: { name } }), 1);
      await client.threads.delete(thread);
      await assert.rejects(client.threads.get(thread), /404/);
    });

    test("results", async () => {
      const wait = (program, input) => client.runs.wait(null, program, { input });
      assert.deepEqual(await wait("add_numbers", [1, 2]), [4, 5]);
      assert.deepEqual(await wait("parent", 41), { child: 42 });
      const done = { done: 1, tag: "x", previous: null };
      assert.deepEqual(await wait("slow", { ticks: 1, tag: "x" }), done);
      const key = unique();
      assert.deepEqual(await wait("flaky", { key, fail_times: 2 }), { attempts: 3 });
      const sums = { result1: 2, result2: 2, calls: 1 };
      assert.deepEqual(await wait("cached", { key, x: 1 }), sums);
      const visit = { user: key, remember: "owls" };
      assert.deepEqual(await wait("memory_store", visit), { memories: ["owls"] });
      await assert.rejects(wait("boom", "x"), /x/);
    });

    test("a scalar result comes through a join", async () => {
      const thread = await newThread();
      for (const [n, total] of [[5, 0], [7, 5]]) {
        const run = await client.runs.create(thread, "accumulate", { input: n });
        await ended(thread, run.run_id);
        assert.equal((await client.threads.getState(thread)).values, total);
        if (total) assert.equal(await client.runs.join(thread, run.run_id), total);
      }
      const listed = await client.runs.list(thread);
      assert.deepEqual(listed.map((run) => run.status), ["success", "success"]);
    });

    test("streams in several modes", async () => {
      const thread = await newThread();
      const streamMode = ["custom", "updates", "values"];
      const parts = await shown(
        client.runs.stream(thread, "add_numbers", { input: [1], streamMode }),
      );
      assert.deepEqual(parts, [
        ["custom", "hello"],
        ["custom", { processing: 1 }],
        ["updates", { add_one: 2 }],
        ["updates", { add_two: 4 }],
        ["custom", "world"],
        ["updates", { add_numbers: [4] }],
        ["values", [4]],
      ]);
    });

    test("children in a stream", async () => {
      const options = { input: 41, streamMode: "updates", streamSubgraphs: true };
      const parts = await shown(client.runs.stream(null, "parent", options));
      assert.deepEqual(parts.map(([, data]) => data), [
        { add_one: 42 },
        { child: 42 },
        { parent: { child: 42 } },
      ]);
      assert.match(parts[0][0], /^updates\|parent:/);
    });

    test("a failure in a stream", async () => {
      const parts = await shown(client.runs.stream(null, "boom", { input: "x" }));
      const [event, data] = parts.at(-1);
      assert.equal(event, "error");
      assert.equal(data.message, "x");
    });

    test("a question, its answer, and what is seen of them", async () => {
      const thread = await newThread();
      const asked = await client.runs.wait(thread, "essay", { input: "cat" });
      assert.equal(asked.__interrupt__[0].value.essay, TEXT);
      assert.equal((await client.threads.get(thread)).status, "interrupted");
      const state = await client.threads.getState(thread);
      assert.deepEqual(state.next, ["essay"]);
      assert.equal(state.tasks[0].interrupts[0].value.essay, TEXT);
      const command = { resume: false };
      const result = await client.runs.wait(thread, "essay", { command });
      assert.deepEqual(result, { essay: TEXT, is_approved: false });
    });

    test("several questions", differs, async () => {
      const thread = await newThread();
      const asked = await client.runs.wait(thread, "parallel_interrupts", { input: ["a", "b"] });
      const ids = asked.__interrupt__.map(({ id, value }) => [id, `${value.question}!`]);
      assert.equal(ids.length, 2);
      const command = { resume: Object.fromEntries(ids) };
      const result = await client.runs.wait(thread, "parallel_interrupts", { command });
      assert.deepEqual(result, ["a=a!", "b=b!"]);
    });

    test("history, going back, setting the state", async () => {
      const thread = await newThread();
      for (const n of [5, 7]) {
        const run = await client.runs.create(thread, "accumulate", { input: n });
        await ended(thread, run.run_id);
      }
      const history = await client.threads.getHistory(thread);
      assert.deepEqual(history.map((one) => one.values), [5, 0, 0, null]);
      const { checkpoint } = history[2];
      assert.equal((await client.threads.getState(thread, checkpoint)).values, 0);
      const options = { input: 100, checkpointId: checkpoint.checkpoint_id };
      const run = await client.runs.create(thread, "accumulate", options);
      assert.equal(await client.runs.join(thread, run.run_id), 5);
      const values = { done: 0, tag: "set", previous: null };
      await client.threads.updateState(thread, { values });
      assert.deepEqual((await client.threads.getState(thread)).values, values);
      const copy = await client.threads.copy(thread);
      assert.deepEqual((await client.threads.getState(copy.thread_id)).values, values);
    });

    test("history before a checkpoint", differs, async () => {
      const thread = await newThread();
      for (const tag of ["a", "b"]) {
        await client.runs.wait(thread, "slow", { input: { ticks: 0, tag } });
      }
      const whole = await client.threads.getHistory(thread);
      const before = { configurable: whole[1].checkpoint };
      const rest = await client.threads.getHistory(thread, { before });
      assert.deepEqual(rest.map((one) => one.checkpoint), whole.slice(2).map((one) => one.checkpoint));
    });

    test("a stream is joined again after its last id", async () => {
      const thread = await newThread();
      const { run_id } = await client.runs.create(thread, "slow", {
        input: { ticks: 4 },
        streamMode: ["custom"],
        streamResumable: true,
      });
      const join = (lastEventId) => all(client.runs.joinStream(thread, run_id, { lastEventId }));
      const whole = await join("-1");
      const ticks = whole.filter((part) => part.event === "custom");
      assert.deepEqual(ticks.map((part) => part.data.tick), [0, 1, 2, 3]);
      assert.deepEqual(await join("-1"), whole);
      const first = whole.indexOf(ticks[0]);
      assert.deepEqual(await join(ticks[0].id), whole.slice(first + 1));
    });

    test("cancelling", async () => {
      const thread = await newThread();
      const { run_id } = await client.runs.create(thread, "slow", { input: LONG });
      await started(thread, run_id);
      await client.runs.cancel(thread, run_id, true);
      assert.equal(await ended(thread, run_id), "interrupted");
      await client.runs.delete(thread, run_id);
      await assert.rejects(client.runs.get(thread, run_id), /404/);
    });

    test("input for a busy thread", async () => {
      const thread = await newThread();
      const run = (multitaskStrategy, input) =>
        client.runs.create(thread, "slow", { input, multitaskStrategy });
      const first = await run("enqueue", LONG);
      await started(thread, first.run_id);
      await assert.rejects(run("reject", { ticks: 0 }), /409/);
      const second = await run("interrupt", { ticks: 1, tag: "second" });
      const result = await client.runs.join(thread, second.run_id);
      assert.deepEqual(result, { done: 1, tag: "second", previous: null });
      assert.equal(await ended(thread, first.run_id), "interrupted");
      const third = await run("enqueue", LONG);
      await started(thread, third.run_id);
      const last = await run("rollback", { ticks: 1, tag: "last" });
      assert.equal((await client.runs.join(thread, last.run_id)).previous, "second");
      await assert.rejects(client.runs.get(thread, third.run_id), /404/);
    });

    test("runs without a thread", async () => {
      const user = unique();
      const payload = (remember) => ({
        assistantId: "memory_store",
        input: { user, remember },
      });
      const runs = await client.runs.createBatch([payload("a"), payload("b")]);
      assert.equal(runs.length, 2);
      await client.runs.create(null, "memory_store", { input: { user, remember: "c" } });
      await waitUntil("the memories", async () => {
        const { items } = await client.store.searchItems(["memories", user]);
        return items.length === 3;
      });
    });

    test("the store", async () => {
      const namespace = ["tests", unique()];
      await client.store.putItem(namespace, "k", { a: 1 });
      assert.deepEqual((await client.store.getItem(namespace, "k")).value, { a: 1 });
      const { items } = await client.store.searchItems(namespace, { filter: { a: 1 } });
      assert.equal(items.length, 1);
      const { namespaces } = await client.store.listNamespaces({ prefix: namespace });
      assert.deepEqual(namespaces, [namespace]);
      await client.store.deleteItem(namespace, "k");
      assert.equal((await client.store.searchItems(namespace)).items.length, 0);
    });

    test("no crons", differs, async () => {
      assert.deepEqual(await client.crons.search(), []);
    });
  });
}
