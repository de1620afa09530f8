//! Table `rate_limit_exemptions`: users who may ask as often as they like.

use crate::{OnConflict, Read, StoreResult, Table, WriteSet, int};

static EXEMPTIONS: Table = Table {
    name: "rate_limit_exemptions",
    key: &[int("user_number")],
    values: &[int("created_ms")],
    version: None,
    on_conflict: OnConflict::LastWins,
};

/// Whether a user is exempt.
pub async fn exists(read: &mut Read, user: i64) -> StoreResult<bool> {
    let row = read
        .query_one(
            EXEMPTIONS.name,
            "SELECT 1 FROM rate_limit_exemptions WHERE user_number = $1",
            &[user.into()],
        )
        .await?;
    Ok(row.is_some())
}

/// Exempts a user, who may be exempt already.
pub fn upsert(writes: &mut WriteSet, user: i64, now_ms: i64) {
    writes.put(&EXEMPTIONS, vec![user.into()], vec![now_ms.into()]);
}

/// Takes it back.
pub fn delete(writes: &mut WriteSet, user: i64) {
    writes.delete(&EXEMPTIONS, vec![user.into()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_stores;

    #[tokio::test]
    async fn a_user_is_exempt_until_it_is_taken_back() {
        for nodes in test_stores::both().await {
            // Twice, for it can be done again.
            come_and_go(&nodes).await;
            come_and_go(&nodes).await;
            nodes.close().await;
        }
    }

    async fn come_and_go(nodes: &test_stores::Nodes) {
        let exempt = async |user| exists(&mut nodes.two.read(), user).await.unwrap();
        assert!(!exempt(7).await);
        for now_ms in [1, 2] {
            let mut writes = WriteSet::new();
            upsert(&mut writes, 7, now_ms);
            nodes.one.commit(writes).await.unwrap();
        }
        assert!(exempt(7).await);
        assert!(!exempt(8).await);
        let mut writes = WriteSet::new();
        delete(&mut writes, 7);
        nodes.one.commit(writes).await.unwrap();
        assert!(!exempt(7).await);
    }
}
