// A React hook on a page that nobody sees.

import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html><div id=root></div>", { url: "http://localhost/" });
// React asks for these; everything else, such as fetch and streams, is Node's own.
globalThis.window = window;
globalThis.document = window.document;
globalThis.sessionStorage = window.sessionStorage;
// Newer versions of Node have one of their own, which cannot be set.
globalThis.navigator ??= window.navigator;

const { createElement } = await import("react");
const { createRoot } = await import("react-dom/client");

/**
 * Mounts a hook. `now()` is what it last returned; `unmount()` is what a reload does to a page;
 * `set(props)` renders it again.
 */
export function mount(useHook, props) {
  let last;
  function Page(given) {
    last = useHook(given);
    return null;
  }
  const root = createRoot(window.document.createElement("div"));
  root.render(createElement(Page, props));
  return {
    now: () => last,
    set: (changed) => root.render(createElement(Page, changed)),
    unmount: () => root.unmount(),
  };
}
