// The page of the guide on HTTP: what it shows works.

import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { URL as API } from "./support.mjs";

const GUIDE = process.env.RETHREAD_GUIDE;

test("the program", { skip: GUIDE ? false : "RETHREAD_GUIDE is not set" }, async (context) => {
  const page = await readFile(GUIDE, "utf8");
  const [, program] = /```js\n(.*?)```/s.exec(page);
  const file = new URL("./shown-by-the-guide.mjs", import.meta.url);
  await writeFile(file, program.replaceAll("http://127.0.0.1:8123", API));
  const log = context.mock.method(console, "log", () => {});
  try {
    await import(file);
  } finally {
    await rm(file);
  }
  const printed = log.mock.calls.map((call) => call.arguments);
  assert.deepEqual(printed.slice(0, 2), [["Please approve/reject the essay"], [true]]);
  assert.deepEqual(printed.at(-1), ["values", [4, 5]]);
});
