//! The stock Python and JavaScript clients against the example `platform`.
//!
//! ```text
//!   target/clients/  python/   virtual environment: langgraph-sdk, RemoteGraph, pytest
//!                    schemathesis/  virtual environment of its own
//!                    node/     Node.js, where the machine has none
//!                    js/       the JavaScript suite with its packages
//!                    browser/  the browser that came with them
//!                    logs/     what the processes have written
//!   target/chat/     the script of the chat page
//! ```

mod form;
mod node;
mod processes;
mod python;
mod schemathesis;
mod suite;

use std::path::Path;

use crate::Result;
use crate::repo::{Repo, run};
use form::Running;
use suite::{Count, Suite};

pub(crate) use form::Form;
pub(crate) use node::Node;
pub(crate) use processes::{free_address, redis_server};
pub(crate) use python::{install, requirements};
pub(crate) use schemathesis::{Options as Fuzzing, schemathesis};

/// What is run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// How the example is started; without it in each way, one after the other.
    pub(crate) form: Option<Form>,
    /// A server that runs already, instead of the example.
    pub(crate) url: Option<String>,
    /// The server is LangGraph's own: tests of what it does otherwise are left out.
    pub(crate) reference: bool,
    /// Starts an optimised build of the example.
    pub(crate) release: bool,
}

pub(crate) fn clients(repo: &Repo, options: &Options) -> Result<()> {
    let home = repo.target.join("clients");
    let python = python::set_up(repo, &home)?;
    let node = Node::find(&home)?;
    chat_with(repo, &node)?;
    let packages = node.install(&repo.root.join("tests/clients/js"), &home.join("js"))?;
    let browser = &home.join("browser");
    std::fs::create_dir_all(browser).map_err(|error| format!("{}: {error}", browser.display()))?;
    let program = build(repo, options.release)?;
    let mut counts = Vec::new();
    match &options.url {
        Some(url) => {
            let page = processes::page(&program, &home)?;
            let suite = Suite { url, page: &page.url, browser, reference: options.reference };
            counts.extend(suite.run(repo, "server", &python, &node, &packages));
        }
        None => {
            for form in options.form.map_or(Form::ALL.to_vec(), |form| vec![form]) {
                println!("==> example platform, {}", form.name());
                let Running { url, processes } = form.start(repo, &program, &home)?;
                let page = processes::page(&program, &home)?;
                let suite = Suite { url: &url, page: &page.url, browser, reference: false };
                counts.extend(suite.run(repo, form.name(), &python, &node, &packages));
                drop(processes);
            }
        }
    }
    report(&counts)
}

/// Builds the script of the chat page.
pub(crate) fn chat(repo: &Repo) -> Result<()> {
    let node = Node::find(&repo.target.join("clients"))?;
    println!("{}", chat_with(repo, &node)?.display());
    Ok(())
}

fn chat_with(repo: &Repo, node: &Node) -> Result<std::path::PathBuf> {
    let source = repo.root.join("examples/platform/chat");
    let home = repo.target.join("chat");
    let packages = node.install(&source, &home.join("packages"))?;
    let script = home.join("chat.js");
    let mut esbuild = node.program(&packages.join("node_modules/esbuild/bin/esbuild"));
    esbuild.arg(source.join("chat.jsx")).arg(format!("--outfile={}", script.display()));
    esbuild.args(["--bundle", "--minify", "--jsx=automatic", "--target=es2022"]);
    esbuild.args(["--legal-comments=eof", "--log-level=warning"]);
    esbuild.arg("--define:process.env.NODE_ENV=\"production\"");
    run(esbuild.env("NODE_PATH", packages.join("node_modules")))?;
    Ok(script)
}

fn build(repo: &Repo, release: bool) -> Result<std::path::PathBuf> {
    let mut build = repo.cargo();
    build.args(["build", "--locked", "-p", "rethread-examples", "--example", "platform"]);
    if release {
        build.arg("--release");
    }
    run(&mut build)?;
    let profile = if release { "release" } else { "debug" };
    Ok(repo.target.join(profile).join("examples").join("platform"))
}

fn report(counts: &[Count]) -> Result<()> {
    println!("==> stock clients");
    for count in counts {
        println!("    {count}");
    }
    let failed = counts.iter().filter(|count| !count.passed()).count();
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of {} suites failed", counts.len())) }
}

/// Copies the files of a folder that changed; it has no folders in it that matter.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    let told = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(to).map_err(|error| told(to, error))?;
    for entry in std::fs::read_dir(from).map_err(|error| told(from, error))? {
        let path = entry.map_err(|error| told(from, error))?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            std::fs::copy(&path, to.join(name)).map_err(|error| told(&path, error))?;
        }
    }
    Ok(())
}
