use super::*;
use crate::test_stores;

fn signature(user: i64, key_id: &str, signer: i64, signature: &str) -> KeySignature {
    KeySignature {
        user,
        key_id: key_id.to_owned(),
        signer,
        signing_key: "ed25519:K".to_owned(),
        signature: signature.to_owned(),
    }
}

#[tokio::test]
async fn cross_signing_keys_are_read_as_they_were_written() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        put(&mut writes, (7, Usage::UserSigning), "user".into(), None);
        put(&mut writes, (7, Usage::Master), "master".into(), None);
        put(&mut writes, (8, Usage::Master), "other".into(), None);
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let found = list(&mut read, &[7, 9]).await.unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|key| (key.usage, &key.value[..]))
            .collect();
        let expected: [(Usage, &[u8]); 2] =
            [(Usage::Master, b"master"), (Usage::UserSigning, b"user")];
        assert_eq!(found, expected);
        let mut stale = WriteSet::new();
        expect(&mut stale, (7, Usage::Master), None);
        put(&mut stale, (7, Usage::SelfSigning), "self".into(), None);
        assert!(nodes.two.commit(stale).await.is_err());
        let mut writes = WriteSet::new();
        delete(&mut writes, (7, Usage::UserSigning), 1);
        put(&mut writes, (7, Usage::Master), "new".into(), Some(1));
        nodes.two.commit(writes).await.unwrap();
        let found = list(&mut read, &[7]).await.unwrap();
        assert_eq!((&found[0].value[..], found[0].version), (&b"new"[..], 2));
        assert_eq!(found.len(), 1);
        let mut writes = WriteSet::new();
        delete_of_user(&mut writes, 7);
        nodes.one.commit(writes).await.unwrap();
        assert_eq!(list(&mut read, &[7, 8]).await.unwrap().len(), 1);
        nodes.close().await;
    }
}

#[tokio::test]
async fn signatures_by_others_are_theirs_alone() {
    for nodes in test_stores::both().await {
        let mut writes = WriteSet::new();
        let own = signature(7, "DEVICE", 7, "own");
        let by_eight = signature(7, "MASTER", 8, "eight");
        let by_nine = signature(7, "MASTER", 9, "nine");
        for one in [&own, &by_eight, &by_nine] {
            put_signature(&mut writes, one);
        }
        nodes.one.commit(writes).await.unwrap();
        let mut read = nodes.two.read();
        let seen = list_signatures(&mut read, &[7], 8).await.unwrap();
        assert_eq!(seen, [own.clone(), by_eight]);
        let mut writes = WriteSet::new();
        put_signature(&mut writes, &signature(7, "MASTER", 9, "again"));
        delete_signatures(&mut writes, (7, "DEVICE"));
        nodes.two.commit(writes).await.unwrap();
        let seen = list_signatures(&mut read, &[7], 9).await.unwrap();
        assert_eq!(seen, [signature(7, "MASTER", 9, "again")]);
        nodes.close().await;
    }
}
