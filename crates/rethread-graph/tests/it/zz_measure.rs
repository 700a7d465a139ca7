use crate::driver::Thread;
use rethread_core::parts;
use rethread_core::payload::Payload;
use rethread_graph::{END, Field, START, Send, StateGraph};
use rethread_sdk::Error;
use serde_json::{Value, json};
use std::time::Instant;

#[test]
fn measure() {
    for len in [1_000_u32, 10_000, 100_000] {
        let old =
            Payload::encode(&(0..len).map(|n| format!("element {n}")).collect::<Vec<_>>(), "x")
                .unwrap();
        let one = Payload::encode(&["one more"], "x").unwrap();
        let t = Instant::now();
        let mut v = old.clone();
        for _ in 0..50 {
            let (a, b) = (parts::elements(&v).unwrap(), parts::elements(&one).unwrap());
            v = parts::list(a.iter().chain(&b));
        }
        let before = t.elapsed();
        let t = Instant::now();
        let w = parts::joined(&old, &vec![&one; 50]).unwrap();
        println!("append 50 updates to {len}: {before:?} -> {:?}", t.elapsed());
        assert_eq!(v, w);
    }
    for (name, field) in [("append", Field::append("log")), ("messages", Field::messages("log"))] {
        for tasks in [1_u32, 50] {
            let node = move |_: Value| async { Ok::<_, Error>(json!({ "log": ["one more"] })) };
            let graph = StateGraph::with_fields("g", [field.clone()])
                .add_node("w", rethread_graph::Node::new(node).sees(Vec::<String>::new()))
                .add_conditional_edges(START, move |_: Value| {
                    (0..tasks).map(|n| Send::new("w", n)).collect::<Vec<_>>()
                })
                .add_edge("w", END)
                .compile()
                .unwrap();
            for len in [100_u32, 1_000, 10_000] {
                let old: Vec<_> = (0..len).map(|n| json!({ "type": "human", "content": format!("element {n}"), "id": n.to_string() })).collect();
                let mut thread = Thread::new(&graph);
                thread.run(json!({ "log": old })).unwrap();
                let t = Instant::now();
                thread.run(json!({})).unwrap();
                println!("{name}: {tasks} tasks on {len}: {:?}", t.elapsed());
            }
        }
    }
}
