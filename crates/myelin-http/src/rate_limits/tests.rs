use super::*;

const NOW_MS: u64 = 1_767_225_600_000;

fn limiter() -> Limiter {
    Limiter::new(Some(RateLimits {
        login: "0.5/3".parse().unwrap(),
        ..RateLimits::default()
    }))
}

fn caller(text: &str) -> Caller {
    Caller::address(text.parse().unwrap())
}

#[test]
fn a_burst_is_allowed_and_then_one_at_a_time() {
    let limiter = limiter();
    let alice = || Caller::User(1);
    for _ in 0..3 {
        assert_eq!(limiter.count(Kind::Login, alice(), NOW_MS), Ok(()));
    }
    for _ in 0..2 {
        assert_eq!(limiter.count(Kind::Login, alice(), NOW_MS), Err(2_000));
    }
    assert_eq!(limiter.count(Kind::Login, Caller::User(2), NOW_MS), Ok(()));
    assert_eq!(limiter.count(Kind::Joins, alice(), NOW_MS), Ok(()));
    assert_eq!(
        limiter.count(Kind::Login, alice(), NOW_MS + 1_500),
        Err(500)
    );
    assert_eq!(limiter.check(Kind::Login, alice(), NOW_MS + 2_000), Ok(()));
    assert_eq!(limiter.count(Kind::Login, alice(), NOW_MS + 2_000), Ok(()));
    assert_eq!(
        limiter.check(Kind::Login, alice(), NOW_MS + 2_000),
        Err(2_000)
    );
    for _ in 0..3 {
        let much_later = NOW_MS + 60_000;
        assert_eq!(limiter.count(Kind::Login, alice(), much_later), Ok(()));
    }
}

#[test]
fn a_clock_set_back_locks_nobody_out() {
    let limiter = limiter();
    for _ in 0..3 {
        assert_eq!(limiter.count(Kind::Login, Caller::User(1), NOW_MS), Ok(()));
    }
    let earlier = NOW_MS - 86_400_000;
    for _ in 0..3 {
        assert_eq!(limiter.count(Kind::Login, Caller::User(1), earlier), Ok(()));
    }
    assert_eq!(
        limiter.count(Kind::Login, Caller::User(1), earlier),
        Err(2_000)
    );
}

#[test]
fn a_network_is_one_caller() {
    assert_eq!(caller("2001:db8:1:2::1"), caller("2001:db8:1:2:ffff::"));
    assert_ne!(caller("2001:db8:1:2::1"), caller("2001:db8:1:3::1"));
    assert_eq!(caller("::ffff:192.0.2.1"), caller("192.0.2.1"));
    assert_ne!(caller("192.0.2.1"), caller("192.0.2.2"));
}

#[test]
fn idle_counters_are_dropped() {
    let limiter = limiter();
    for n in 0..200_000 {
        let now_ms = NOW_MS + n;
        let user = i64::try_from(n).unwrap();
        assert_eq!(
            limiter.count(Kind::Login, Caller::User(user), now_ms),
            Ok(())
        );
    }
    let kept = limiter.counters.lock().used_until.len();
    assert!(kept <= 2 * SWEEP_FROM, "{kept}");
}

#[test]
fn what_no_limiter_limits_is_never_refused() {
    let limiter = Limiter::new(None);
    for _ in 0..10_000 {
        assert_eq!(limiter.count(Kind::Login, Caller::User(1), NOW_MS), Ok(()));
    }
    assert_eq!(limiter.counters.lock().used_until.len(), 0);
}

#[test]
fn rates_are_read_from_text() {
    assert_eq!("0.5/3".parse(), Ok(Rate::new(2_000_000, 3)));
    assert_eq!(" 10 / 100 ".parse(), Ok(Rate::new(100_000, 100)));
    for text in [
        "", "1", "/", "1/0", "0/1", "-1/1", "NaN/1", "1/-1", "1/1.5", "inf/1",
    ] {
        assert!(text.parse::<Rate>().is_err(), "{text}");
    }
}
