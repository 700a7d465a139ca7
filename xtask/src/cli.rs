//! The command line: what was asked for.

use crate::Result;
use crate::{clients, fuzz, parity, peers};

pub(crate) const HELP: &str = "\
usage: cargo xtask <command>

  test [--all] [--keep-going]   everything a change must pass, in half an hour on two cores;
                                --all adds the long suites, --keep-going runs the remaining
                                steps after one failed
  tidy                          the project's own rules about its sources
  redis                         prints the path of a redis-server, fetching one if needed
  bench [args..]                runs the benchmarks; the arguments are theirs: steps, fanout,
                                latency, resume, replay, stream, parked, takeover, payloads,
                                idle, scale-out, overload, http, --engine E,.., --repeat N,
                                --minutes N, --quick
  bench micro [args..]          small parts alone, by Criterion, whose the arguments are
  bench peers [--rounds N] [--minutes N] [--only NAME,..] [--quick]
                                the same workloads on LangGraph, Restate, BullMQ and apalis, which
                                it installs, and on Rethread in turn
  counts [--write | --tape] [WORKLOAD..]
                                what fixed workloads cost, counted: commands, syncs, bytes,
                                allocations, and how that differs from benches/counts.toml;
                                --write: makes the table anew; --tape: what is asked of the
                                storage, in its order
  parity [--graphs] [--seed N] [--count N] [--engine memory|embedded|redis|processes] [--evict]
                                compares random programs with the real LangGraph, which it
                                installs; --graphs: of the Graph API; --recorded: LangGraph with
                                the recorded traces
  sim [args..]                  the engine on a model store and a paused clock, by seed; the
                                arguments are the simulator's, by default --seeds 10000
  planted [--seeds N]           plants known bugs, and demands that the simulator catches each
  chaos [--profile smoke|ci|nightly] [--seed N] [--faults KIND,..]
                                random programs on real processes under faults
  check [DIRECTORY]             checks what a run of chaos has left in a directory; without one
                                measures how fast a million records are checked
  differential [--sequences N] [--seed N]
                                random operations on Redis and on disk, each against the model
                                in memory: the same answers
  embedded                      the embedded store: 500 kills, a fault at each write and sync,
                                10,000 damaged directories
  clients [--form dev|redis|processes] [--release] [--url URL [--reference]]
                                the stock Python and JavaScript clients and a browser, which it
                                installs, against the example `platform` in each form; or
                                against a server that runs; --reference: LangGraph's own
  schemathesis [--examples N] [--seed N] [--release] [--url URL]
                                requests made up from the OpenAPI document, against the example
                                `platform` or a server that runs: no answer of 5xx
  chat                          builds the script of the example's chat page
  fuzz [--seconds N] [--target NAME]
                                all fuzz targets, each for a minute
  fix                           formats the sources";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Test { all: bool, keep_going: bool },
    Tidy,
    Redis,
    Bench { args: Vec<String> },
    Counts { args: Vec<String> },
    MicroBench { args: Vec<String> },
    Peers(peers::Options),
    Parity(parity::Options),
    Sim { args: Vec<String> },
    Planted { args: Vec<String> },
    Differential { args: Vec<String> },
    Chaos { args: Vec<String> },
    Check { args: Vec<String> },
    Embedded { args: Vec<String> },
    Clients(clients::Options),
    Schemathesis(clients::Fuzzing),
    Chat,
    Fuzz(fuzz::Options),
    Fix,
    Help,
}

pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Command> {
    let mut args = args.into_iter();
    let Some(name) = args.next() else { return Err("no command was given".into()) };
    let mut rest: Vec<String> = args.collect();
    let command = match name.as_str() {
        "test" => {
            let all = take(&mut rest, "--all");
            let keep_going = take(&mut rest, "--keep-going");
            Command::Test { all, keep_going }
        }
        "tidy" => Command::Tidy,
        "redis" => Command::Redis,
        "bench" => bench(&mut rest)?,
        "counts" => Command::Counts { args: std::mem::take(&mut rest) },
        "parity" => Command::Parity(parity_options(&mut rest)?),
        "sim" => Command::Sim { args: std::mem::take(&mut rest) },
        "planted" => Command::Planted { args: std::mem::take(&mut rest) },
        "differential" => Command::Differential { args: std::mem::take(&mut rest) },
        "chaos" => Command::Chaos { args: std::mem::take(&mut rest) },
        "embedded" => Command::Embedded { args: std::mem::take(&mut rest) },
        "check" => Command::Check { args: std::mem::take(&mut rest) },
        "clients" => Command::Clients(clients_options(&mut rest)?),
        "schemathesis" => Command::Schemathesis(fuzzing_options(&mut rest)?),
        "chat" => Command::Chat,
        "fuzz" => Command::Fuzz(fuzz_options(&mut rest)?),
        "fix" => Command::Fix,
        "help" | "--help" | "-h" => Command::Help,
        other => return Err(format!("there is no command `{other}`")),
    };
    match rest.first() {
        None => Ok(command),
        Some(odd) => Err(format!("`{name}` takes no `{odd}`")),
    }
}

/// The benchmarks take arguments of their own.
fn bench(rest: &mut Vec<String>) -> Result<Command> {
    match rest.first().map(String::as_str) {
        Some("peers") => {
            rest.remove(0);
            Ok(Command::Peers(peers_options(rest)?))
        }
        Some("micro") => Ok(Command::MicroBench { args: rest.drain(..).skip(1).collect() }),
        _ => Ok(Command::Bench { args: std::mem::take(rest) }),
    }
}

fn peers_options(rest: &mut Vec<String>) -> Result<peers::Options> {
    let mut options = peers::Options { quick: take(rest, "--quick"), ..peers::Options::default() };
    if let Some(rounds) = take_value(rest, "--rounds")? {
        options.rounds = number("--rounds", &rounds)?;
    }
    if let Some(minutes) = take_value(rest, "--minutes")? {
        options.minutes = number("--minutes", &minutes)?;
    }
    if let Some(only) = take_value(rest, "--only")? {
        options.only = only.split(',').map(str::to_owned).collect();
    }
    Ok(options)
}

fn parity_options(rest: &mut Vec<String>) -> Result<parity::Options> {
    let mut options = parity::Options {
        evict: take(rest, "--evict"),
        graphs: take(rest, "--graphs"),
        recorded: take(rest, "--recorded"),
        ..parity::Options::default()
    };
    if let Some(seed) = take_value(rest, "--seed")? {
        options.seed = number("--seed", &seed)?;
    }
    if let Some(count) = take_value(rest, "--count")? {
        options.count = number("--count", &count)?;
    }
    if let Some(engine) = take_value(rest, "--engine")? {
        options.engine = engine;
    }
    Ok(options)
}

fn clients_options(rest: &mut Vec<String>) -> Result<clients::Options> {
    let form = take_value(rest, "--form")?.map(|name| clients::Form::named(&name)).transpose()?;
    Ok(clients::Options {
        form,
        url: take_value(rest, "--url")?,
        reference: take(rest, "--reference"),
        release: take(rest, "--release"),
    })
}

fn fuzzing_options(rest: &mut Vec<String>) -> Result<clients::Fuzzing> {
    let mut options = clients::Fuzzing {
        url: take_value(rest, "--url")?,
        release: take(rest, "--release"),
        ..Default::default()
    };
    if let Some(examples) = take_value(rest, "--examples")? {
        options.examples = number("--examples", &examples)?;
    }
    if let Some(seed) = take_value(rest, "--seed")? {
        options.seed = number("--seed", &seed)?;
    }
    Ok(options)
}

fn fuzz_options(rest: &mut Vec<String>) -> Result<fuzz::Options> {
    let mut options = fuzz::Options::default();
    if let Some(seconds) = take_value(rest, "--seconds")? {
        options.seconds = number("--seconds", &seconds)?;
    }
    options.target = take_value(rest, "--target")?;
    Ok(options)
}

fn number<T: std::str::FromStr>(flag: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| format!("`{flag}` takes a number, not `{text}`"))
}

/// Takes a flag with the word behind it.
fn take_value(args: &mut Vec<String>, flag: &str) -> Result<Option<String>> {
    let Some(place) = args.iter().position(|arg| arg == flag) else { return Ok(None) };
    args.remove(place);
    if place < args.len() {
        return Ok(Some(args.remove(place)));
    }
    Err(format!("`{flag}` takes a value"))
}

fn take(args: &mut Vec<String>, flag: &str) -> bool {
    let before = args.len();
    args.retain(|arg| arg != flag);
    args.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_commands_and_flags() {
        assert_eq!(parsed("test"), Ok(Command::Test { all: false, keep_going: false }));
        assert_eq!(
            parsed("test --keep-going --all"),
            Ok(Command::Test { all: true, keep_going: true })
        );
        let args = vec!["replay".to_owned(), "--quick".to_owned()];
        assert_eq!(parsed("bench replay --quick"), Ok(Command::Bench { args }));
        let args = vec!["scripts".to_owned()];
        assert_eq!(parsed("bench micro scripts"), Ok(Command::MicroBench { args }));
    }

    #[test]
    fn reads_values_of_flags() {
        let options = parity::Options { seed: 7, count: 3, evict: true, ..Default::default() };
        assert_eq!(parsed("parity --count 3 --evict --seed 7"), Ok(Command::Parity(options)));
        let options = parity::Options { graphs: true, recorded: true, ..Default::default() };
        assert_eq!(parsed("parity --recorded --graphs"), Ok(Command::Parity(options)));
        let options = fuzz::Options { seconds: 5, target: Some("ids".into()) };
        assert_eq!(parsed("fuzz --target ids --seconds 5"), Ok(Command::Fuzz(options)));
        let only = vec!["bullmq".into(), "apalis".into()];
        let options = peers::Options { only, quick: true, rounds: 2, ..Default::default() };
        assert_eq!(
            parsed("bench peers --only bullmq,apalis --rounds 2 --quick"),
            Ok(Command::Peers(options))
        );
        assert!(parsed("parity --seed").expect_err("no value").contains("--seed"));
        assert!(parsed("parity --seed x").expect_err("no number").contains("`x`"));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!(parsed("").is_err());
        assert!(parsed("tset").expect_err("typo").contains("tset"));
        assert!(parsed("tidy --all").expect_err("flag of another command").contains("--all"));
    }
}
