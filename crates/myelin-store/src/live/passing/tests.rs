use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::time::timeout;

use super::*;
use crate::{Watch, WriteSet, test_stores};
use myelin_core::membership::Membership;

const START: i64 = 1_767_225_600_000;
const SOON: Duration = Duration::from_mins(1);

fn alone() -> Live {
    Live::alone(0)
}

fn rooms() -> HashSet<i64> {
    HashSet::from([1, 2])
}

#[test]
fn typing_is_told_once_and_so_is_its_end() {
    let live = alone();
    assert_eq!(live.typing_since(0, &rooms()).rooms, []);
    live.set_typing(START, (1, 7), Some(START + 1_000));
    let news = live.typing_since(0, &rooms());
    assert_eq!(news.rooms, [(1, vec![7])]);
    let same = live.typing_since(news.next, &rooms());
    assert_eq!((same.rooms, same.next), (vec![], news.next));
    live.pass_time(START + 1_000);
    let end = live.typing_since(news.next, &rooms());
    assert_eq!((end.rooms, end.next), (vec![(1, vec![])], 0));
}

#[test]
fn a_token_of_another_life_is_told_everything() {
    let live = alone();
    live.set_typing(START, (1, 7), Some(START + 1_000));
    let told = live.typing_since(0, &rooms()).next;
    for later in [0, 5_000] {
        let live = alone();
        if later > 0 {
            live.set_typing(START + later, (2, 8), Some(START + later + 1_000));
        }
        let news = live.typing_since(told, &rooms());
        assert_eq!(news.rooms[0], (1, vec![]), "he no longer types");
        let again = live.typing_since(news.next, &rooms());
        assert_eq!(again.rooms, [], "and that is told once");
    }
}

#[test]
fn presence_is_told_once() {
    let live = alone();
    let poll = PresencePoll {
        user: 7,
        device: "PHONE",
        state: PresenceState::Online,
        until_ms: START + 1_000,
    };
    live.note_poll(START, poll);
    let news = live.presence_since(0, 10);
    assert_eq!(news.users, [7]);
    assert_eq!(live.presence_since(news.next, 10).users, [0_i64; 0]);
    live.pass_time(START + 1_000 + SLACK_MS);
    let news = live.presence_since(news.next, 10);
    assert_eq!(news.users, [7]);
    let offline = live.presence(7).unwrap();
    assert_eq!(offline.state, PresenceState::Offline);
    assert_eq!(offline.last_active_ms, Some(START));
    assert_eq!(live.presence_since(0, 10).users, [0_i64; 0]);
}

#[tokio::test]
async fn typing_wakes_those_in_the_room_and_presence_nobody() {
    let live = alone();
    let (here, elsewhere) = (watching(&live, 1), watching(&live, 2));
    live.set_typing(START, (1, 7), Some(START + 1_000));
    assert!(is_woken(&here).await);
    assert!(!is_woken(&elsewhere).await);
    live.set_typing(START, (1, 7), Some(START + 2_000));
    assert!(!is_woken(&here).await, "nothing new");
    let new = NewPresence {
        user: 7,
        device: "PHONE",
        state: PresenceState::Online,
        status_msg: Some("here"),
        until_ms: START + 1_000,
    };
    live.set_presence(START, &new);
    live.pass_time(START);
    assert!(!is_woken(&here).await);
    live.pass_time(START + 2_000);
    assert!(is_woken(&here).await, "he types no longer");
}

#[tokio::test]
async fn nodes_agree_about_who_types_and_who_is_there() {
    for nodes in test_stores::both().await {
        let (one, two) = (nodes.one.live(), nodes.two.live());
        let woken = two.watch();
        woken.add(1);
        let mark = woken.mark();
        one.set_typing(START, (1, 7), Some(START + 1_000));
        timeout(SOON, woken.changed_since(mark)).await.unwrap();
        let news = two.typing_since(0, &rooms());
        assert_eq!(news.rooms, [(1, vec![7])]);
        // What one node has told counts on the other.
        until(|| one.typing_since(0, &rooms()).next >= news.next).await;
        assert_eq!(one.typing_since(news.next, &rooms()).rooms, []);
        let new = NewPresence {
            user: 7,
            device: "PHONE",
            state: PresenceState::Unavailable,
            status_msg: Some("at lunch"),
            until_ms: START + 1_000,
        };
        two.set_presence(START, &new);
        for live in [one, two] {
            until(|| live.presence(7).is_some()).await;
            let found = live.presence(7).unwrap();
            assert_eq!(found.status_msg.as_deref(), Some("at lunch"));
            assert_eq!(found.state, PresenceState::Unavailable);
        }
        let mark = woken.mark();
        one.pass_time(START + 1_000);
        timeout(SOON, woken.changed_since(mark)).await.unwrap();
        assert_eq!(two.typing_since(news.next, &rooms()).rooms, [(1, vec![])]);
        two.pass_time(START + 1_000);
        let offline = |live: &Live| live.presence(7).unwrap().state == PresenceState::Offline;
        until(|| offline(one) && offline(two)).await;
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_node_that_starts_is_told_what_the_others_know() {
    let Some(nodes) = test_stores::postgres().await else {
        return;
    };
    nodes
        .one
        .live()
        .set_typing(START, (1, 7), Some(START + 1_000));
    until(|| !nodes.one.live().typing_since(0, &rooms()).rooms.is_empty()).await;
    let third = nodes.third().await;
    until(|| !third.live().typing_since(0, &rooms()).rooms.is_empty()).await;
    third.close().await;
    nodes.close().await;
}

#[tokio::test]
async fn who_leaves_types_no_longer() {
    for nodes in test_stores::both().await {
        let (one, two) = (nodes.one.live(), nodes.two.live());
        one.set_typing(START, (1, 7), Some(START + 1_000));
        until(|| !two.typing_since(0, &rooms()).rooms.is_empty()).await;
        let mut writes = WriteSet::new();
        for membership in [Membership::Join, Membership::Leave] {
            writes.log(crate::LogWrite {
                kind: LogKind::Membership,
                subject: 7,
                reference: 1,
                data: vec![u8::try_from(membership.as_number()).unwrap(); 9].into(),
            });
        }
        nodes.two.commit(writes).await.unwrap();
        until(|| one.typing_since(0, &rooms()).rooms.is_empty()).await;
        nodes.close().await;
    }
}

fn watching(live: &Live, subject: i64) -> Arc<Watch> {
    let watch = live.watch();
    watch.add(subject);
    Arc::new(watch)
}

async fn is_woken(watch: &Watch) -> bool {
    timeout(Duration::ZERO, watch.changed()).await.is_ok()
}

async fn until(condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, met).await.unwrap();
}

#[tokio::test]
async fn who_sends_to_other_servers_is_told_who_types_and_who_was_heard_of() {
    for nodes in test_stores::both().await {
        let live = nodes.one.live();
        live.set_typing(1_000, (3, 7), Some(9_000));
        live.set_typing(1_000, (2, 8), Some(9_000));
        nodes.two.live().note_heard(1_000, 20);
        nodes.two.live().note_heard(1_001, 20);
        nodes.two.live().note_heard(1_000, 21);
        let mut heard = Vec::new();
        while heard.len() < 2 || live.typing_now().len() < 2 {
            live.stirred().await;
            heard.extend(live.take_heard());
        }
        heard.sort_unstable();
        heard.dedup();
        assert_eq!(heard, [20, 21]);
        assert_eq!(live.typing_now(), [(2, 8), (3, 7)]);
        live.set_typing(1_000, (3, 7), None);
        while live.typing_now().len() > 1 {
            live.stirred().await;
        }
        assert_eq!(live.typing_now(), [(2, 8)]);
        nodes.close().await;
    }
}
