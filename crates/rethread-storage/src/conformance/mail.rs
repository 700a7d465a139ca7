//! Mail of workers: in order as long as nothing is lost, and never stored.

use bytes::Bytes;

use super::kit::*;
use crate::Mailbox;

async fn open(storage: &Shared, name: &str) -> Mailbox {
    serve(storage, name, &[]).await
}

/// Opens the mailbox of a worker that serves these queues.
async fn serve(storage: &Shared, name: &str, queues: &[&str]) -> Mailbox {
    let queues: Vec<_> = queues.iter().map(|name| queue(name)).collect();
    storage.open_mailbox(&worker(name), &queues).await.expect("open_mailbox succeeds")
}

async fn tell_queue(storage: &Shared, name: &str, mail: Vec<Bytes>) {
    storage.tell_queue(&queue(name), mail).await.expect("tell_queue succeeds");
}

async fn tell(storage: &Shared, name: &str, mail: Vec<Bytes>) {
    storage.tell_worker(&worker(name), mail).await.expect("tell_worker succeeds");
}

/// The next letters; they must come.
async fn next(mailbox: &mut Mailbox, count: usize) -> Vec<Bytes> {
    let mut found = Vec::new();
    for _ in 0..count {
        let letter = tokio::time::timeout(PATIENT, mailbox.next()).await;
        found.push(letter.expect("a letter comes").expect("the mailbox stands"));
    }
    found
}

pub(super) async fn mail_comes_in_order(storage: Shared) {
    let attached = storage.attach().await.expect("attach succeeds");
    let mut mailbox = open(&storage, "w").await;
    for first in (0..500).step_by(50) {
        tell(&attached, "w", texts("m", first, 50)).await;
    }
    assert_eq!(next(&mut mailbox, 500).await, texts("m", 0, 500));
}

pub(super) async fn mail_of_another_worker_is_not_seen(storage: Shared) {
    let mut mailboxes = Vec::new();
    // Names that an adapter could mix up.
    let names = ["w", "w:1", "w*", "W", "{w}", "w\r\n", "é"];
    for name in names {
        mailboxes.push(open(&storage, name).await);
    }
    for name in names {
        tell(&storage, name, vec![bytes(name)]).await;
    }
    for name in names {
        tell(&storage, name, vec![bytes("last")]).await;
    }
    for (mailbox, name) in mailboxes.iter_mut().zip(names) {
        assert_eq!(next(mailbox, 2).await, [bytes(name), bytes("last")]);
    }
}

pub(super) async fn mail_to_nobody_is_no_error(storage: Shared) {
    tell(&storage, "nobody", texts("m", 0, 3)).await;
    tell(&storage, "nobody", Vec::new()).await;
    let mut mailbox = open(&storage, "nobody").await;
    tell(&storage, "nobody", vec![bytes("later")]).await;
    assert_eq!(next(&mut mailbox, 1).await, [bytes("later")], "nothing is stored");
}

pub(super) async fn a_mailbox_is_opened_again(storage: Shared) {
    for round in 0..5 {
        let mut mailbox = open(&storage, "w").await;
        tell(&storage, "w", texts("m", round, 2)).await;
        assert_eq!(next(&mut mailbox, 2).await, texts("m", round, 2));
        drop(mailbox);
        tell(&storage, "w", vec![bytes("lost")]).await;
    }
}

pub(super) async fn a_full_mailbox_holds_up_nobody(storage: Shared) {
    let mut full = open(&storage, "full").await;
    let mut other = open(&storage, "other").await;
    for first in (0..2 * Mailbox::WAITING_MAX).step_by(512) {
        tell(&storage, "full", texts("m", first, 512)).await;
    }
    tell(&storage, "other", vec![bytes("m")]).await;
    assert_eq!(next(&mut other, 1).await, [bytes("m")]);
    assert_eq!(next(&mut full, 1).await, [bytes("m0")], "the first are kept");
}

pub(super) async fn mail_is_binary(storage: Shared) {
    let mut mailbox = open(&storage, "w").await;
    let mut mail = awkward();
    mail.push(mebibyte());
    tell(&storage, "w", mail.clone()).await;
    assert!(next(&mut mailbox, mail.len()).await == mail, "it comes as it was sent");
}

pub(super) async fn mail_to_a_queue_reaches_its_workers(storage: Shared) {
    let attached = storage.attach().await.expect("attach succeeds");
    let mut both = serve(&storage, "both", &["q", "r"]).await;
    let mut first = serve(&attached, "first", &["q"]).await;
    let mut second = serve(&storage, "second", &["r"]).await;
    let mut neither = open(&storage, "neither").await;
    tell_queue(&storage, "q", texts("q", 0, 100)).await;
    assert_eq!(next(&mut both, 100).await, texts("q", 0, 100));
    assert_eq!(next(&mut first, 100).await, texts("q", 0, 100));
    tell_queue(&attached, "r", texts("r", 0, 2)).await;
    assert_eq!(next(&mut both, 2).await, texts("r", 0, 2));
    assert_eq!(next(&mut second, 2).await, texts("r", 0, 2), "and nothing of the other queue");
    for (name, mailbox) in [("first", &mut first), ("neither", &mut neither)] {
        tell(&storage, name, vec![bytes("last")]).await;
        assert_eq!(next(mailbox, 1).await, [bytes("last")], "{name} got nothing else");
    }
}

pub(super) async fn mail_to_a_queue_and_to_a_worker_keeps_its_order(storage: Shared) {
    let mut mailbox = serve(&storage, "w", &["q", "r"]).await;
    let mut expected = Vec::new();
    for round in 0..50 {
        let letter = bytes(format!("m{round}"));
        match round % 3 {
            0 => tell(&storage, "w", vec![letter.clone()]).await,
            1 => tell_queue(&storage, "q", vec![letter.clone()]).await,
            _ => tell_queue(&storage, "r", vec![letter.clone()]).await,
        }
        expected.push(letter);
    }
    assert_eq!(next(&mut mailbox, 50).await, expected);
}

pub(super) async fn mail_to_an_unserved_queue_is_no_error(storage: Shared) {
    tell_queue(&storage, "q", texts("m", 0, 3)).await;
    tell_queue(&storage, "q", Vec::new()).await;
    let mailbox = serve(&storage, "w", &["q"]).await;
    drop(mailbox);
    tell_queue(&storage, "q", texts("m", 0, 3)).await;
    let mut mailbox = serve(&storage, "w", &["q"]).await;
    tell_queue(&storage, "q", vec![bytes("later")]).await;
    assert_eq!(next(&mut mailbox, 1).await, [bytes("later")], "nothing is stored");
}

pub(super) async fn odd_queue_names_get_their_own_mail(storage: Shared) {
    // The same name for a worker and a queue, and names that an adapter could mix up.
    let names = ["w", "w:1", "w*", "W", "{w}", "w\r\n", "é", "q:w", "%"];
    let mut mailboxes = Vec::new();
    for name in names {
        mailboxes.push(serve(&storage, &format!("worker of {name}"), &[name]).await);
    }
    let mut namesake = open(&storage, "w").await;
    for name in names {
        tell_queue(&storage, name, vec![bytes(name), bytes("last")]).await;
    }
    for (mailbox, name) in mailboxes.iter_mut().zip(names) {
        assert_eq!(next(mailbox, 2).await, [bytes(name), bytes("last")]);
    }
    tell(&storage, "w", vec![bytes("own")]).await;
    assert_eq!(next(&mut namesake, 1).await, [bytes("own")], "not that of the queue");
}

pub(super) async fn a_mailbox_that_is_opened_again_serves_its_new_queues(storage: Shared) {
    let first = serve(&storage, "w", &["q"]).await;
    drop(first);
    let mut second = serve(&storage, "w", &["r"]).await;
    tell_queue(&storage, "q", vec![bytes("q")]).await;
    tell_queue(&storage, "r", vec![bytes("r")]).await;
    assert_eq!(next(&mut second, 1).await, [bytes("r")]);
}
