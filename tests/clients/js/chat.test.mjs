// The chat page of the example, in a real browser.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import puppeteer from "puppeteer-core";
import { URL as API } from "./support.mjs";

const PAGE = process.env.RETHREAD_CHAT_URL;
const TIMEOUT = { timeout: 120_000 };

async function launch() {
  // A browser of the machine, if one is named; else the one among the packages.
  const own = process.env.RETHREAD_BROWSER;
  if (own) {
    return puppeteer.launch({ executablePath: own, args: ["--no-sandbox"] });
  }
  // The package brings the libraries that a bare system lacks, for one that it knows by this.
  process.env.AWS_EXECUTION_ENV ??= "nodejs20.x";
  const { default: chromium } = await import("@sparticuz/chromium");
  const executablePath = await chromium.executablePath();
  // The page and the API are on two origins: what a browser allows between them is tested too.
  const args = chromium.args.filter((arg) => arg !== "--disable-web-security");
  return puppeteer.launch({ args, executablePath, headless: "shell" });
}

describe("chat page", { skip: PAGE ? false : "RETHREAD_CHAT_URL is not set" }, () => {
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  /** Opens the page, and notes what goes wrong in it. */
  async function open() {
    const page = await browser.newPage();
    const wrong = [];
    page.on("pageerror", (error) => wrong.push(String(error)));
    await page.goto(`${PAGE}?api=${encodeURIComponent(API)}`);
    await page.waitForSelector("#say", TIMEOUT);
    const say = async (text) => {
      await page.type("input", text);
      await page.click("#say");
    };
    const told = (kind) => page.$$eval(`.${kind}`, (all) => all.map((one) => one.textContent));
    const until = (what, ...args) => page.waitForFunction(what, TIMEOUT, ...args);
    const ends = (text) =>
      until((end) => [...document.querySelectorAll(".ai")].at(-1)?.textContent.endsWith(end), text);
    const rests = () => page.waitForSelector("#say", TIMEOUT);
    const close = async () => {
      await page.close();
      assert.deepEqual(wrong, []);
    };
    return { page, say, told, until, ends, rests, close };
  }

  test("a question appears and is approved", async () => {
    const chat = await open();
    await chat.say("send a letter");
    await chat.page.waitForSelector("#approve", TIMEOUT);
    assert.deepEqual(await chat.told("question p"), ["May I do this: send a letter?"]);
    assert.deepEqual(await chat.told("human"), ["send a letter"]);
    await chat.page.click("#approve");
    await chat.ends("Done: send a letter");
    await chat.rests();
    assert.deepEqual(await chat.told("ai"), ["Done: send a letter"]);
    assert.equal(await chat.page.$("#approve"), null);
    await chat.close();
  });

  test("a question is rejected after a reload", async () => {
    const chat = await open();
    await chat.say("send a letter");
    await chat.page.waitForSelector("#reject", TIMEOUT);
    await chat.page.reload();
    await chat.page.waitForSelector("#reject", TIMEOUT);
    assert.deepEqual(await chat.told("human"), ["send a letter"]);
    await chat.page.click("#reject");
    await chat.ends("I leave it: send a letter");
    await chat.rests();
    await chat.close();
  });

  test("words appear one by one", async () => {
    const chat = await open();
    await chat.page.evaluate(() => {
      window.lengths = new Set();
      new MutationObserver(() => {
        const last = [...document.querySelectorAll(".ai")].at(-1);
        if (last) window.lengths.add(last.textContent.length);
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
    });
    await chat.say("hello");
    await chat.ends("This is the end.");
    await chat.rests();
    const steps = await chat.page.evaluate(() => window.lengths.size);
    assert.ok(steps > 5, `seen to grow ${steps} times`);
    assert.equal((await chat.told("ai")).length, 1);
    await chat.close();
  });

  test("a reply goes on after a reload in the middle of it", async () => {
    const chat = await open();
    await chat.say("hello");
    await chat.until(() => document.querySelector(".ai")?.textContent.split(" ").length > 5);
    await chat.page.reload();
    await chat.until(() => {
      const text = document.querySelector(".ai")?.textContent ?? "";
      window.partial ||= text && !text.endsWith("This is the end.") && text;
      return text.endsWith("This is the end.");
    });
    await chat.rests();
    assert.ok(await chat.page.evaluate(() => window.partial), "it was seen to go on");
    assert.deepEqual(await chat.told("human"), ["hello"]);
    const [reply, ...others] = await chat.told("ai");
    assert.match(reply, /^You said: hello\. I am a script/);
    assert.deepEqual(others, []);
    await chat.close();
  });

  test("a conversation is remembered", async () => {
    const chat = await open();
    await chat.say("one");
    await chat.ends("This is the end.");
    await chat.rests();
    await chat.say("pay the bill");
    await chat.page.waitForSelector("#approve", TIMEOUT);
    await chat.page.click("#approve");
    await chat.ends("Done: pay the bill");
    await chat.rests();
    await chat.page.reload();
    await chat.ends("Done: pay the bill");
    assert.deepEqual(await chat.told("human"), ["one", "pay the bill"]);
    assert.equal((await chat.told("ai")).length, 2);
    await chat.close();
  });
});
