//! Several questions at once.

use rethread::prelude::*;

#[task]
pub(crate) async fn ask(q: String) -> Result<String> {
    let answer: String = interrupt(json!({ "question": q })).await?;
    Ok(format!("{q}={answer}"))
}

#[entrypoint]
pub(crate) async fn parallel_interrupts(questions: Vec<String>) -> Result<Vec<String>> {
    let asked: Vec<_> = questions.into_iter().map(ask).collect(); // all of them run
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await?);
    }
    Ok(answers)
}
