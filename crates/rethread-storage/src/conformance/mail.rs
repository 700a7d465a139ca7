//! Mail of workers: in order as long as nothing is lost, and never stored.

use bytes::Bytes;

use super::kit::*;
use crate::Mailbox;

async fn open(storage: &Shared, name: &str) -> Mailbox {
    storage.open_mailbox(&worker(name)).await.expect("open_mailbox succeeds")
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
