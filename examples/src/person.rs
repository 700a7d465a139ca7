use std::io::{IsTerminal, stdin};

use rethread::Console;
use serde_json::Value as Json;

/// The person at the terminal; where nobody sits at one, somebody who gives these answers.
///
/// So an example can be tried out, and also runs to its end in a script.
pub fn person(answers: impl IntoIterator<Item = Json>) -> Console {
    if stdin().is_terminal() { Console::new([]) } else { Console::new(answers) }
}
