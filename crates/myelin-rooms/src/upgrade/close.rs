//! The end of an old room, besides the event that says so: it loses its name and falls silent.

use ruma::{CanonicalJsonObject, UserId};

use super::{Kept, UpgradeError, UpgradeRoom, levels, optional, state};
use crate::{InitialState, Rooms, open_room::OpenRoom};

impl Rooms {
    /// Takes the old room's name away, and lets nobody but moderators speak in it or invite to it,
    /// as far as the user may say so.
    pub(super) async fn close(
        &self,
        old: &mut OpenRoom<'_>,
        user: &UserId,
        kept: &Kept,
    ) -> Result<(), UpgradeError> {
        for last in last_words(old, kept) {
            let draft = self.initial_draft(user, &last).await?;
            optional(old.append_unasked(&draft).await)?;
        }
        Ok(())
    }

    /// The same in a room that uses a policy server: that is asked about each event, so they come
    /// one by one and after the upgrade.
    pub(super) async fn close_policed(
        &self,
        upgrade: &UpgradeRoom<'_>,
        user: i64,
    ) -> Result<(), UpgradeError> {
        let left = {
            let mut old = self.open_old(upgrade, user).await?;
            if old.policy_server().await?.is_none() {
                return Ok(());
            }
            let kept = self.kept(&mut old).await?;
            last_words(&mut old, &kept)
        };
        for last in left {
            let mut attempts = self.store.attempts();
            while !self.say_last(upgrade, (user, &last)).await? {
                attempts.conflict()?;
            }
        }
        Ok(())
    }

    /// Says one of these, as far as the room and its policy server let it; false if the room has
    /// changed meanwhile.
    async fn say_last(
        &self,
        upgrade: &UpgradeRoom<'_>,
        (user, last): (i64, &InitialState),
    ) -> Result<bool, UpgradeError> {
        let draft = self.initial_draft(upgrade.user, last).await?;
        let old = self.open_old(upgrade, user).await?;
        let room = match old.append(&draft).await {
            Ok(appended) => appended.room,
            refused => {
                optional(refused)?;
                return Ok(true);
            }
        };
        Ok(self.settle(room.submit()?).await?.is_some())
    }
}

/// What is still to be said in an old room.
fn last_words(old: &mut OpenRoom<'_>, kept: &Kept) -> Vec<InitialState> {
    let mut last = Vec::new();
    if kept.has_canonical_alias {
        let nothing = CanonicalJsonObject::new();
        last.push(state("m.room.canonical_alias", "", nothing));
    }
    let levels = old.head().and_then(|head| crate::aliases::levels(head));
    if let (Some(before), Some(levels)) = (&kept.power_levels, levels) {
        let silent = levels::of_old(before.clone(), &levels);
        if silent != *before {
            last.push(state("m.room.power_levels", "", silent));
        }
    }
    last
}
