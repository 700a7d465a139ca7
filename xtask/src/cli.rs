//! The command line: what was asked for.

use crate::Result;
use crate::{chaos, parity};

pub(crate) const HELP: &str = "\
usage: cargo xtask <command>

  test [--all] [--keep-going]   everything a change must pass; --all adds the long suites,
                                --keep-going runs the remaining steps after one failed
  tidy                          the project's own rules about its sources
  redis                         prints the path of a redis-server, fetching one if needed
  bench [args..]                runs the benchmarks; the arguments are theirs
  parity [--seed N] [--count N] [--engine memory|embedded|redis|processes] [--evict]
                                compares random programs with the real LangGraph, which it
                                installs; --recorded: LangGraph with the recorded traces
  chaos [--profile smoke|ci|nightly] [--seed N]
                                random programs on real processes under faults
  fix                           formats the sources";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Test { all: bool, keep_going: bool },
    Tidy,
    Redis,
    Bench { args: Vec<String> },
    Parity(parity::Options),
    Chaos(chaos::Options),
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
        "bench" => Command::Bench { args: std::mem::take(&mut rest) },
        "parity" => Command::Parity(parity_options(&mut rest)?),
        "chaos" => Command::Chaos(chaos_options(&mut rest)?),
        "fix" => Command::Fix,
        "help" | "--help" | "-h" => Command::Help,
        other => return Err(format!("there is no command `{other}`")),
    };
    match rest.first() {
        None => Ok(command),
        Some(odd) => Err(format!("`{name}` takes no `{odd}`")),
    }
}

fn parity_options(rest: &mut Vec<String>) -> Result<parity::Options> {
    let mut options = parity::Options {
        evict: take(rest, "--evict"),
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

fn chaos_options(rest: &mut Vec<String>) -> Result<chaos::Options> {
    let mut options = chaos::Options::default();
    if let Some(profile) = take_value(rest, "--profile")? {
        options.profile = profile;
    }
    if let Some(seed) = take_value(rest, "--seed")? {
        options.seed = number("--seed", &seed)?;
    }
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
    }

    #[test]
    fn reads_values_of_flags() {
        let options = parity::Options { seed: 7, count: 3, evict: true, ..Default::default() };
        assert_eq!(parsed("parity --count 3 --evict --seed 7"), Ok(Command::Parity(options)));
        let options = chaos::Options { profile: "ci".into(), seed: 7 };
        assert_eq!(parsed("chaos --seed 7 --profile ci"), Ok(Command::Chaos(options)));
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
