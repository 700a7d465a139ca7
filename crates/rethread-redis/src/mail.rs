//! Mail of workers: published to a channel for each worker and each queue, and stored nowhere.

use bytes::Bytes;
use redis::cmd;
use rethread_storage::Result;

use crate::RedisStorage;
use crate::error::Effect;

impl RedisStorage {
    pub(crate) async fn publish_mail(&self, channel: &str, mail: Vec<Bytes>) -> Result<()> {
        let letters = mail.iter().map(|letter| {
            let mut publish = cmd("PUBLISH");
            publish.arg(channel).arg(&letter[..]);
            publish
        });
        for answer in self.link.run_all(letters.collect(), Effect::Write).await? {
            self.link.checked(answer)?;
        }
        Ok(())
    }
}
