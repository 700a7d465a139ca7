//! What reaches the outside world belongs into a task: a body runs again, a finished task never.
//!
//! ```sh
//! cargo run --example side_effect
//! ```

use std::sync::Mutex;

use rethread::prelude::*;
use rethread::{App, Embedded, Outcome};

/// The outside world: letters that were sent.
static POST: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn send(letter: &str) -> Result<()> {
    let mut post = POST.lock().map_err(|_| Error::msg("the post office is closed"))?;
    post.push(letter.to_owned());
    Ok(())
}

fn sent(letter: &str) -> usize {
    POST.lock().map_or(0, |post| post.iter().filter(|sent| **sent == letter).count())
}

/// Sent once, however often the body around it runs.
#[task]
async fn send_invitation(guest: String) -> Result<()> {
    // A post office that knows the key would not deliver a second letter of a task that was lost
    // between sending and recording.
    let _key = idempotency_key()?;
    send(&format!("invitation to {guest}"))
}

#[entrypoint]
async fn invite(guest: String) -> Result<bool> {
    send("from the body")?; // the mistake: sent again by each replay
    send_invitation(guest.clone()).await?;
    interrupt(json!({ "does_come": guest })).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new().entrypoint(invite::def()).task(send_invitation::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    let outcome = thread.invoke(invite::def(), "Ada".into()).await?;
    println!("{} question is open", outcome.interrupts().len());
    if let Outcome::Done(does_come) = thread.resume(true).typed::<bool>().await? {
        println!("Ada comes: {does_come}");
    }
    println!("sent from the body: {}", sent("from the body"));
    println!("sent from the task: {}", sent("invitation to Ada"));
    engine.shutdown().await?;
    Ok(())
}
