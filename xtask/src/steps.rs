//! Runs steps one after the other and says how each went.

use std::time::{Duration, Instant};

use crate::Result;

/// The steps that ran so far.
#[derive(Debug)]
pub(crate) struct Steps {
    keep_going: bool,
    began: Instant,
    passed: usize,
    failed: Vec<&'static str>,
}

impl Steps {
    /// With `keep_going`, a failed step does not stop the ones behind it.
    pub(crate) fn new(keep_going: bool) -> Self {
        Self { keep_going, began: Instant::now(), passed: 0, failed: Vec::new() }
    }

    /// Runs one step.
    ///
    /// # Errors
    /// When the step failed and the rest must not run.
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        println!("==> {name}");
        let began = Instant::now();
        let outcome = step();
        let took = seconds(began.elapsed());
        match outcome {
            Ok(()) => {
                println!("    {name}: ok ({took})");
                self.passed += 1;
                Ok(())
            }
            Err(message) => {
                println!("    {name}: FAILED ({took})");
                if !self.keep_going {
                    return Err(format!("step `{name}` failed: {message}"));
                }
                eprintln!("error: {message}");
                self.failed.push(name);
                Ok(())
            }
        }
    }

    /// Prints the closing line.
    ///
    /// # Errors
    /// When a step failed; names each.
    pub(crate) fn finish(self) -> Result<()> {
        let took = seconds(self.began.elapsed());
        if self.failed.is_empty() {
            println!("==> all {} steps passed in {took}", self.passed);
            return Ok(());
        }
        let total = self.passed + self.failed.len();
        Err(format!(
            "{} of {total} steps failed in {took}: {}",
            self.failed.len(),
            self.failed.join(", ")
        ))
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> Result<()> {
        Err("broken".into())
    }

    #[test]
    fn stops_at_the_first_failure() {
        let mut steps = Steps::new(false);
        steps.run("one", || Ok(())).expect("passes");
        let error = steps.run("two", broken).expect_err("fails");
        assert!(error.contains("`two`") && error.contains("broken"), "{error}");
    }

    #[test]
    fn keep_going_runs_the_rest_and_still_fails() {
        let mut steps = Steps::new(true);
        let mut ran = false;
        steps.run("one", broken).expect("goes on");
        steps
            .run("two", || {
                ran = true;
                Ok(())
            })
            .expect("passes");
        assert!(ran);
        let error = steps.finish().expect_err("one failed");
        assert!(error.starts_with("1 of 2 steps failed") && error.ends_with("one"), "{error}");
    }
}
