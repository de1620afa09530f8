use super::*;

fn typing(room: i64, user: i64, until_ms: i64) -> TypingUser {
    TypingUser {
        room,
        user,
        until_ms,
    }
}

fn news(rooms: &[(i64, &[i64])], next: i64) -> TypingNews {
    TypingNews {
        rooms: rooms
            .iter()
            .map(|(room, users)| (*room, users.to_vec()))
            .collect(),
        next,
    }
}

#[test]
fn each_is_told_what_changed_since_it_asked() {
    let mut all = Typing::default();
    assert!(all.apply(10, typing(1, 7, 1_000), true));
    assert!(all.apply(11, typing(2, 8, 1_000), true));
    assert!(!all.apply(12, typing(1, 7, 2_000), true), "longer");
    let both = HashSet::from([1, 2]);
    let first = HashSet::from([1, 3]);
    for (told, rooms, wanted) in [
        (Told::Nobody, &both, news(&[(1, &[7]), (2, &[8])], 12)),
        (Told::Nobody, &first, news(&[(1, &[7])], 12)),
        (Told::UpTo(10), &both, news(&[(2, &[8])], 12)),
        (Told::UpTo(11), &both, news(&[], 12)),
        (Told::UpTo(99), &both, news(&[], 99)),
        (Told::Unknown, &first, news(&[(1, &[7]), (3, &[])], 12)),
    ] {
        assert_eq!(all.news(told, rooms, 12), wanted, "{told:?}");
    }
    assert!(all.apply(13, typing(1, 7, 0), true));
    assert!(!all.apply(14, typing(1, 7, 0), true));
    assert_eq!(
        all.news(Told::UpTo(12), &first, 14),
        news(&[(1, &[])], 0),
        "that it has ended is told once"
    );
    assert_eq!(all.news(Told::Nobody, &first, 14), news(&[], 0));
}

#[test]
fn time_runs_out_here_first() {
    let mut all = Typing::default();
    all.apply(1, typing(1, 7, 1_000), true);
    all.apply(2, typing(1, 8, 1_000), false);
    assert_eq!(all.expired(999, 500), []);
    assert_eq!(all.expired(1_000, 500), [typing(1, 7, 0)]);
    assert_eq!(
        all.expired(1_500, 500),
        [typing(1, 7, 0), typing(1, 8, 0)],
        "the other node is gone"
    );
    assert_eq!(all.own(), [typing(1, 7, 1_000)]);
}

#[test]
fn what_is_remembered_of_silent_rooms_is_bounded() {
    let mut all = Typing::default();
    let mut sequence = 0;
    let mut known_from = 0;
    for room in 0..30_000 {
        for until_ms in [1_000, 0] {
            sequence += 1;
            all.apply(sequence, typing(room, 7, until_ms), true);
        }
        if let Some(from) = all.forget() {
            known_from = from;
        }
    }
    assert!(all.rooms.len() <= SILENT_MAX + 1);
    assert_eq!(all.rooms.len(), all.changes.len());
    assert_eq!(all.rooms.len(), all.silent);
    assert!(
        all.changes
            .iter()
            .all(|(changed, _)| *changed >= known_from)
    );
}
