use super::*;

const START: i64 = 1_767_225_600_000;

fn lease(device: u64, state: PresenceState, until_ms: i64) -> Lease {
    Lease {
        device,
        state,
        until_ms,
    }
}

/// One user, whose updates are numbered.
#[derive(Default)]
struct One {
    all: Presences,
    sequence: i64,
}

impl One {
    fn apply(&mut self, update: Option<PresenceUpdate>) -> Option<bool> {
        self.sequence += 1;
        update.map(|update| self.all.apply(self.sequence, update, true))
    }

    fn poll(&mut self, at_ms: i64, device: u64, state: PresenceState) -> Option<bool> {
        let lease = lease(device, state, at_ms + 60_000);
        let update = self.all.poll((7, at_ms), lease, 60_000);
        self.apply(update)
    }

    fn act(&mut self, at_ms: i64, device: u64) -> Option<bool> {
        let update = self.all.act((7, at_ms), device);
        self.apply(update)
    }

    /// Lets time pass.
    fn wait(&mut self, now_ms: i64) {
        for update in self.all.due(now_ms, 5_000) {
            self.apply(Some(update));
        }
    }

    fn state(&self) -> PresenceState {
        self.all
            .find(7)
            .map_or(PresenceState::Offline, |found| found.state)
    }
}

#[test]
fn who_polls_is_online_and_who_stops_is_offline() {
    let mut one = One::default();
    assert_eq!(one.poll(START, 1, PresenceState::Online), Some(true));
    assert_eq!(one.state(), PresenceState::Online);
    assert_eq!(one.all.find(7).unwrap().last_active_ms, Some(START));
    assert_eq!(
        one.poll(START + 30_000, 1, PresenceState::Online),
        None,
        "the others know that it lasts so long"
    );
    assert_eq!(
        one.poll(START + 61_000, 1, PresenceState::Online),
        Some(false)
    );
    one.wait(START + 61_000 + 119_999);
    assert_eq!(one.state(), PresenceState::Online);
    one.wait(START + 61_000 + 120_000);
    assert_eq!(one.state(), PresenceState::Offline);
    assert!(one.all.deadlines.is_empty());
}

#[test]
fn who_does_nothing_is_unavailable_until_the_next_act() {
    let mut one = One::default();
    let mut now = START;
    while now <= START + IDLE_MS {
        one.poll(now, 1, PresenceState::Online);
        one.wait(now);
        assert_eq!(one.state(), PresenceState::Online);
        now += 30_000;
    }
    one.poll(now, 1, PresenceState::Online);
    one.wait(now);
    assert_eq!(one.state(), PresenceState::Unavailable);
    assert_eq!(one.act(now + 1, 1), Some(true));
    assert_eq!(one.state(), PresenceState::Online);
    assert_eq!(one.act(now + 2, 1), None, "acts close together are one");
}

#[test]
fn of_several_devices_the_most_active_counts() {
    let mut one = One::default();
    one.poll(START, 1, PresenceState::Unavailable);
    assert_eq!(one.state(), PresenceState::Unavailable);
    one.poll(START, 2, PresenceState::Online);
    assert_eq!(one.state(), PresenceState::Unavailable, "nobody has acted");
    one.act(START, 2);
    assert_eq!(one.state(), PresenceState::Online);
    one.poll(START + 1, 1, PresenceState::Unavailable);
    assert_eq!(one.state(), PresenceState::Online);
    let gone = PresenceUpdate {
        lease: Some(lease(2, PresenceState::Offline, 0)),
        ..PresenceUpdate::look(7, START + 2)
    };
    one.apply(Some(gone));
    assert_eq!(one.state(), PresenceState::Unavailable);
    assert_eq!(one.act(START + 3, 1), Some(true));
    assert_eq!(one.state(), PresenceState::Online, "it acts after all");
}

#[test]
fn an_act_alone_makes_nobody_online() {
    let mut one = One::default();
    assert_eq!(one.act(START, 1), Some(false));
    assert_eq!(one.state(), PresenceState::Offline);
    assert_eq!(one.all.find(7).unwrap().last_active_ms, Some(START));
}

#[test]
fn each_is_told_who_changed_since_it_asked() {
    let mut all = Presences::default();
    for (sequence, user) in [(10, 1), (11, 2), (12, 3), (13, 1)] {
        let update = PresenceUpdate {
            lease: Some(lease(1, PresenceState::Unavailable, START + 1_000)),
            status: Some(sequence.to_string()),
            ..PresenceUpdate::look(user, START)
        };
        assert!(all.apply(sequence, update, true));
    }
    assert_eq!(all.changed_since(0, 10), [1, 3, 2]);
    assert_eq!(all.changed_since(0, 2), [1, 3]);
    assert_eq!(all.changed_since(11, 10), [1, 3]);
    assert_eq!(all.changed_since(13, 10), [0_i64; 0]);
    let offline = PresenceUpdate {
        lease: Some(lease(1, PresenceState::Offline, 0)),
        ..PresenceUpdate::look(3, START)
    };
    assert!(all.apply(14, offline, true));
    assert_eq!(all.present(10), [1, 2]);
    assert_eq!(all.present(1), [1]);
}

#[test]
fn another_nodes_users_are_left_to_it_for_a_while() {
    let mut all = Presences::default();
    let update = PresenceUpdate {
        lease: Some(lease(1, PresenceState::Unavailable, START + 1_000)),
        ..PresenceUpdate::look(1, START)
    };
    all.apply(1, update, false);
    assert!(all.own(START).is_empty());
    assert!(all.due(START + 1_000, 5_000).is_empty());
    assert_eq!(all.due(START + 6_000, 5_000).len(), 1);
}

#[test]
fn another_server_judges_itself_who_is_idle() {
    let mut one = One::default();
    let online = PresenceUpdate {
        lease: Some(lease(
            REMOTE_DEVICE,
            PresenceState::Online,
            START + 1_800_000,
        )),
        active_ms: START,
        ..PresenceUpdate::look(7, START)
    };
    assert_eq!(one.apply(Some(online)), Some(true));
    one.wait(START + 600_000);
    assert_eq!(one.state(), PresenceState::Online);
    // What is not said again runs out.
    one.wait(START + 1_806_000);
    assert_eq!(one.state(), PresenceState::Offline);
}
