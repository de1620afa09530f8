//! Hands the typing and presence of our own users to the queues of the servers that are told.

use myelin_store::{StoreResult, followers::Duty};

use crate::{edus::PendingEdus, sender::Sender};

impl Sender {
    /// Tells who has begun to type or ended; and takes note of who was heard of.
    pub(crate) async fn tell_typing(&mut self) -> StoreResult<()> {
        for server in self.context.store.live().take_heard() {
            self.try_again(server);
        }
        if !self.pass.has_others {
            return Ok(());
        }
        let (store, now_ms) = (self.context.store.clone(), self.context.now_ms());
        let typing = self.ephemeral.typing(&mut self.pass, &store, now_ms);
        for news in typing.await? {
            let push = |edus: &mut PendingEdus| {
                let (room_id, user_id) = (news.room_id.clone(), news.user_id.clone());
                edus.push_typing(room_id, user_id, news.typing);
            };
            self.push(&news.servers, push).await?;
        }
        Ok(())
    }

    /// Tells whose presence has changed.
    pub(crate) async fn tell_presence(&mut self) -> StoreResult<()> {
        let (store, now_ms) = (self.context.store.clone(), self.context.now_ms());
        for news in self.ephemeral.presence(&self.pass, &store, now_ms).await? {
            let push = |edus: &mut PendingEdus| edus.push_presence(news.presence.clone());
            self.push(&news.servers, push).await?;
        }
        Ok(())
    }

    /// Adds an EDU to what these servers are sent. Those that are not well are not told what is of
    /// use only at once.
    async fn push(&mut self, servers: &[i64], push: impl Fn(&mut PendingEdus)) -> StoreResult<()> {
        self.add_unknown(servers).await?;
        for server in servers {
            let destination = self.destinations.get_mut(server);
            if let Some(destination) = destination.filter(|destination| destination.is_well()) {
                push(&mut destination.edus);
                self.enqueue(*server);
            }
        }
        Ok(())
    }
}
