//! The command line: what was asked for.

use crate::Result;

pub(crate) const HELP: &str = "\
usage: cargo xtask <command>

  test [--all] [--keep-going]   everything a change must pass; --all adds the long suites,
                                --keep-going runs the remaining steps after one failed
  tidy                          the project's own rules about its sources
  redis                         prints the path of a redis-server, fetching one if needed
  bench [args..]                runs the benchmarks; the arguments are theirs
  fix                           formats the sources";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Test { all: bool, keep_going: bool },
    Tidy,
    Redis,
    Bench { args: Vec<String> },
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
        "fix" => Command::Fix,
        "help" | "--help" | "-h" => Command::Help,
        other => return Err(format!("there is no command `{other}`")),
    };
    match rest.first() {
        None => Ok(command),
        Some(odd) => Err(format!("`{name}` takes no `{odd}`")),
    }
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
    fn refuses_what_it_does_not_know() {
        assert!(parsed("").is_err());
        assert!(parsed("tset").expect_err("typo").contains("tset"));
        assert!(parsed("tidy --all").expect_err("flag of another command").contains("--all"));
    }
}
