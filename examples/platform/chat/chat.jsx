// A chat with the program `chat`, through the stock hook. The thread is in the page's address, so
// a reload comes back to it, also in the middle of a reply.

import { useStream } from "@langchain/langgraph-sdk/react";
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const address = new URL(window.location);
const apiUrl = address.searchParams.get("api") ?? "http://127.0.0.1:8123";

/** All messages in the order of their first appearance, each as it is told last. */
function merged(...lists) {
  const byId = new Map(lists.flat().map((message) => [message.id, message]));
  return [...byId.values()];
}

function textOf({ content }) {
  return typeof content === "string" ? content : content.map((block) => block.text).join("");
}

function Chat() {
  const [threadId, setThreadId] = useState(address.searchParams.get("thread"));
  // What was said before the run that goes on, and what it was given: the server has that in
  // the thread's values only when the run is done.
  const [earlier, setEarlier] = useState([]);
  const [text, setText] = useState("");
  const stream = useStream({
    apiUrl,
    assistantId: "chat",
    threadId,
    onThreadId(id) {
      setThreadId(id);
      address.searchParams.set("thread", id);
      window.history.replaceState(null, "", address);
    },
    reconnectOnMount: true,
    fetchStateHistory: false,
  });

  useEffect(() => {
    if (!threadId) return;
    const { threads, runs } = stream.client;
    Promise.all([threads.getState(threadId), runs.list(threadId, { limit: 1 })])
      .then(([state, [run]]) => {
        const given = run?.kwargs?.input?.messages ?? [];
        setEarlier((known) => merged(state.values?.messages ?? [], given, known));
      })
      .catch(() => {}); // The hook tells of a server that cannot be reached.
    // On a thread that the page was opened with, once.
  }, []);

  const asked = stream.interrupt?.value;
  const messages = merged(earlier, asked?.messages ?? [], stream.messages);

  function say(event) {
    event.preventDefault();
    const said = { type: "human", content: text, id: crypto.randomUUID() };
    setEarlier([...messages, said]);
    setText("");
    void stream.submit({ messages: [said] }, { streamMode: ["values", "messages-tuple"] });
  }

  function answer(approved) {
    setEarlier(messages);
    const command = { resume: approved };
    void stream.submit(undefined, { command, streamMode: ["values", "messages-tuple"] });
  }

  return (
    <main>
      <h1>Chat</h1>
      {messages.map((message) => (
        <div key={message.id} className={`message ${message.type}`}>
          {textOf(message)}
        </div>
      ))}
      {asked && !stream.isLoading && (
        <div className="question">
          <p>May I do this: {asked.action}?</p>
          <button id="approve" onClick={() => answer(true)}>Approve</button>{" "}
          <button id="reject" onClick={() => answer(false)}>Reject</button>
        </div>
      )}
      {stream.error && <p className="error">{String(stream.error.message ?? stream.error)}</p>}
      <form onSubmit={say}>
        <input
          value={text}
          onChange={(event) => setText(event.target.value)}
          placeholder="Say something, or: send a letter"
          autoFocus
        />
        {stream.isLoading ? (
          <button id="stop" type="button" onClick={() => void stream.stop()}>Stop</button>
        ) : (
          <button id="say" disabled={!text}>Say</button>
        )}
      </form>
    </main>
  );
}

createRoot(document.getElementById("root")).render(<Chat />);
