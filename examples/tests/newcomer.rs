//! Runs each example as a newcomer does, in an empty folder, and looks at what it prints.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest time that an example may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(120);

/// The folder of this package.
const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// The folder with the built examples; builds them if they are not up to date.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let test = std::env::current_exe().expect("a test has a path");
        let target = test.parent().and_then(Path::parent).expect("target/<profile>/deps");
        let profile = if target.ends_with("release") { "release" } else { "dev" };
        let mut cargo = Command::new(env!("CARGO"));
        // What cargo tells this test about its package would have build scripts run again.
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_about_a_package(name)) {
            cargo.env_remove(name);
        }
        let status = cargo
            .args(["build", "--quiet", "-p", "rethread-examples", "--examples"])
            .args(["--profile", profile])
            .current_dir(PACKAGE)
            .status();
        assert!(status.is_ok_and(|status| status.success()), "the examples can be built");
        target.join("examples")
    })
}

fn is_about_a_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// Runs an example to its end, which must be a good one, and gives what it printed.
fn printed(name: &str, arguments: &[&str]) -> String {
    printed_with(name, arguments, &[])
}

fn printed_with(name: &str, arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let folder = TempDir::new().expect("a folder");
    let output = folder.path().join("output");
    let mut example = Command::new(built().join(name))
        .args(arguments)
        .current_dir(folder.path())
        .env_remove("MODEL_URL")
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(fs::File::create(&output).expect("a file"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example starts");
    let mut pipe = example.stderr.take().expect("piped");
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = pipe.read_to_string(&mut text);
        text
    });
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = example.try_wait().expect("a child can be waited for") {
            break Some(status);
        }
        if begin.elapsed() > PATIENCE {
            example.kill().expect("a child can be killed");
            break None;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let text = fs::read_to_string(&output).expect("text");
    let errors = errors.join().expect("read");
    let is_success = status.is_some_and(|status| status.success());
    assert!(is_success, "{name} ended with {status:?}\n{text}\n{errors}");
    text
}

macro_rules! examples {
    ($($name:ident $(($($argument:literal),*))?: [$($line:literal),* $(,)?],)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                let text = printed(stringify!($name), &[$($($argument),*)?]);
                let mut rest = text.as_str();
                $(
                    let Some((_, behind)) = rest.split_once($line) else {
                        panic!("`{}` is missing, or in another place, in\n{text}", $line);
                    };
                    rest = behind;
                )*
                let _ = rest;
            }
        )*
    };
}

// For each: the essential parts of what it prints, in order.
examples! {
    agent: ["In Rome it is sunny, 21 degrees; in Oslo it is rain, 4 degrees."],
    cache: [
        "adding 1 and 2\n1 + 2 = 3\n-- again\n1 + 2 = 3\n",
        "-- after the cache was cleared\nadding 1 and 2\n1 + 2 = 3\n",
    ],
    chatbot: ["model: You are Ada.", "-- another thread", "model: You have not told me."],
    child: [
        "{\"article\":\"butter\",\"price\":60",
        "{\"article\":\"bread\",\"price\":50",
        "total: 160\n",
    ],
    classifier: ["7: The number is odd.\n", "42: The number is even.\n"],
    conversation: [
        "{\"travel\":\"Aruba is warm all the year.\"}",
        "{\"hotels\":\"The inn at the beach has rooms.\"}",
        "{\"travel\":",
        "{\"last_agent\":\"travel\",\"turns\":3}\n",
    ],
    essay("cat", "--answer", "true"): [
        "Please approve/reject the essay",
        "{\"essay\":\"An essay about topic: cat\",\"is_approved\":true}\n",
    ],
    graph_agent: ["\"content\":\"42\"", "\"content\":\"It is 42.\""],
    graph_breakpoint: [
        "next [\"send\"], text: hey Ada, where is my money, sent: false\n",
        "next [\"send\"], text: Dear Ada, may I remind you of our bill?, sent: false\n",
        "sent: Dear Ada, may I remind you of our bill?\nto Ada, sent: true\n",
        "step 3: Loop, then []\nstep 2: Update, then [\"send\"]\nstep 1: Loop",
    ],
    graph_chatbot: [
        "person: I am Ada\nmodel: Nice to meet you.\n",
        "person: What is my name?\nmodel: You are Ada.\n",
        "-- the thread keeps 4 messages",
        "model: You have not told me.\n",
    ],
    graph_double: ["5 doubled twice is 20\n21 doubled is 42\n"],
    graph_handover: [
        "human: Rome\nai: Rome is lovely in spring.\nai: In Rome, take the inn at the river.\n",
    ],
    graph_histories: [
        "History::Inherit\n  preparing\n  1 question\n  prepared: 1, heard: [\"good\"]\n",
        "History::Inherit\n  preparing\n  1 question\n  prepared: 1, heard: [\"better\"]\n",
        "History::Thread\n  preparing\n  1 question\n  prepared: 1, heard: [\"good\"]\n",
        "  prepared: 2, heard: [\"good\", \"better\"]\n",
        "History::Off\n  preparing\n  1 question\n  preparing\n  prepared: 1, heard: [\"good\"]\n",
    ],
    graph_map_reduce: [
        "graph TD;",
        "lions never get lost?",
        "elephants never get lost?",
        "owls never get lost?",
        "best: Why do elephants never get lost?",
    ],
    graph_review: [
        "writing about owls\n{\"draft\":\"Owls have eyes",
        "writing about owls\n{\"draft\":\"Owls see at night.\"}",
        "\"is_published\":true",
    ],
    graph_router: [
        "The invoice came twice -> Billing",
        "The screen is black -> Technical",
        "Do you sell owls? -> Unknown: A person will call you.\n",
    ],
    graph_subgraphs: [
        "research / search\nresearch / read\nresearch\nwrite\n-- owls: a book about owls says so\n",
        "-- ducks: a book about owls says so; a book about ducks says so\n",
    ],
    graph_supervisor: [
        "person: Tell me about owls.\n",
        "researcher: Owls turn their heads by 270 degrees.\n",
        "writer: An owl looks behind itself with ease.\n",
    ],
    handover: ["Travel hands over to Hotels\n", "Hotels: In Rome, take the inn at the river.\n"],
    memory: [
        "Ada: Remember: I like owls\nmodel: I shall remember.\n",
        "model: You say: I like owls.\n",
        "Grace: What do you know about me?\nmodel: Nothing.\n",
    ],
    parallel: ["about owls", "about ducks", "about geese"],
    resume: ["slow work on 12\nfailed: nobody publishes anything today\npublished 144\n"],
    retry: [
        "fetch, attempt 1\nfetch, attempt 2\nfetch, attempt 3\ncharge, attempt 1\n",
        "the facts about owls, not paid: card 1234 was declined\n",
    ],
    review_tool_calls: [
        "{\"arguments\":{\"hotel\":\"Grand Hotel\",\"nights\":\"2\"},\"tool\":\"book\"}\n",
        "book({\"hotel\":\"Hostel\",\"nights\":\"3\"})\n",
        "book({\"hotel\":\"Inn at the airport\",\"nights\":\"2\"})\n",
        "Both rooms are reserved.",
    ],
    service("run", "workflow", "\"cat\"", "--answer", "true"): [
        "{\"essay\":\"An essay about topic: cat\",\"is_approved\":true}\n",
    ],
    side_effect: ["Ada comes: true\nsent from the body: 2\nsent from the task: 1\n"],
    streaming: [
        "custom: {\"looking_up\":\"owls\"}\nupdate of look_up: \"owls have feathers\"\n",
        "custom: \"now the model\"\ntoken: \"Feathers \"\ntoken: \"keep \"\ntoken: \"warm.\"\n",
        "update of explain: \"Feathers keep warm.\"\nupdate of tell:",
    ],
    time: ["offered at ", "1 question is open\noffered at ", "sold for 30\n"],
    wrapped: ["2 lines so far\n", "writer: an ode to ducks", "4 lines so far\n", "writer: a sonnet"],
}

/// A model server that says the same to everybody, for as long as the test runs.
fn model_server(text: &str) -> String {
    let body = format!("{{\"choices\": [{{\"message\": {{\"content\": \"{text}\"}}}}]}}");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/v1", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut reader = BufReader::new(connection.try_clone().expect("a handle"));
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|_| line != "\r\n") {
                let header = line.to_ascii_lowercase();
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                line.clear();
            }
            // Closed with unread bytes, a connection may take the answer down with it.
            reader.read_exact(&mut vec![0; length]).expect("a body");
            connection.write_all(answer.as_bytes()).expect("written");
        }
    });
    address
}

#[test]
fn the_environment_names_another_model() {
    let address = model_server("I am somebody else.");
    let settings = [("MODEL_URL", &*address), ("MODEL_NAME", "other")];
    let text = printed_with("chatbot", &[], &settings);
    assert!(text.contains("model: I am somebody else."), "{text}");
}

#[test]
fn a_replay_finds_what_the_clock_said() {
    let text = printed("time", &[]);
    let times: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("offered at ")).collect();
    assert!(times.len() == 2 && times[0] == times[1], "{text}");
}

#[test]
fn every_example_is_run_here_and_told_of_in_the_guide() {
    let manifest = fs::read_to_string(Path::new(PACKAGE).join("Cargo.toml")).expect("a manifest");
    let guide = Path::new(PACKAGE).join("../docs/guide/README.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    let mut files: Vec<String> = fs::read_dir(PACKAGE)
        .expect("a folder")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned()))
        .collect();
    files.sort();
    assert_eq!(files, NAMES, "files of examples, and those run here");
    for name in NAMES {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} in Cargo.toml");
        assert!(guide.contains(&format!("`{name}`")), "{name} in the guide");
    }
}
