//! Random histories of one-time keys: a device uploads, others claim side by side, servers are
//! killed in between. No key is given out twice, each taker gets them in the order of their upload,
//! and the fallback key only where there is no other. A failure names the seed.

use http::Method;
use myelin_testkit::{TestServer, User, random_histories};
use serde_json::json;

use super::material::{ALGORITHM, name_of, names, one_time_key, upload, upload_one_time_keys};
use crate::{chance::Chance, send_event_to_device::log_in};

random_histories!(case: 0..4, 100..101, 200..203);

/// Rounds of uploading and claiming in one history.
const ROUNDS: usize = 8;
/// Who claims at the same time.
const TAKERS: usize = 4;
const FALLBACK: usize = 99_999;

/// What one round's claims have brought, and how many of them nobody has an answer to.
#[derive(Default)]
struct Taken {
    numbers: Vec<usize>,
    fell_back: bool,
    unanswered: usize,
}

async fn case(server: &TestServer, seeds: std::ops::Range<u64>) {
    server.user("alice").await;
    let mut takers = Vec::new();
    for number in 0..TAKERS {
        takers.push(server.user(&format!("taker{number}")).await);
    }
    for seed in seeds {
        let mut chance = Chance(seed);
        let device = log_in(server, "alice", &format!("D{seed}")).await;
        let fallback = json!({name_of(FALLBACK): one_time_key(&device, FALLBACK)});
        upload(&device, json!({"fallback_keys": fallback}))
            .await
            .ok();
        let (mut uploaded, mut taken, mut lost) = (0, Vec::new(), 0);
        for _ in 0..ROUNDS {
            let more = chance.below(8);
            upload_one_time_keys(&device, uploaded..uploaded + more).await;
            uploaded += more;
            let round = claim_side_by_side(server, &mut chance, (&device, &takers)).await;
            taken.extend(round.numbers);
            lost += round.unanswered;
            let sync = device.sync(None).await;
            let left = sync["device_one_time_keys_count"][ALGORITHM].as_u64();
            let left = usize::try_from(left.unwrap_or_default()).unwrap();
            assert!(!round.fell_back || left == 0, "seed {seed}: {left} left");
            // Nothing has vanished but what was on its way when a server was killed.
            let gone = uploaded - taken.len() - left;
            assert!(gone <= lost, "seed {seed}: {gone} of {lost}");
        }
        let count = taken.len();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), count, "seed {seed}: a key was given out twice");
        device.post("/logout", json!({})).await.ok();
    }
}

async fn claim_side_by_side(
    server: &TestServer,
    chance: &mut Chance,
    (device, takers): (&User, &[User]),
) -> Taken {
    let mut tasks = tokio::task::JoinSet::new();
    for taker in takers {
        let (taker, device, claims) = (taker.clone(), device.clone(), chance.below(4));
        tasks.spawn(async move { claim_many(&taker, &device, claims).await });
    }
    if chance.below(3) == 0 {
        server.kill().await;
        server.start_again().await;
    }
    let mut round = Taken::default();
    for taken in tasks.join_all().await {
        round.numbers.extend(taken.numbers);
        round.fell_back |= taken.fell_back;
        round.unanswered += taken.unanswered;
    }
    round
}

/// Claims one key after the other.
async fn claim_many(taker: &User, device: &User, claims: usize) -> Taken {
    let mut taken = Taken::default();
    for _ in 0..claims {
        let body = json!({"one_time_keys": {&device.id: {&device.device: ALGORITHM}}});
        let answer = taker.try_request(Method::POST, "/keys/claim", body).await;
        let Some(answer) = answer.filter(|answer| answer.status == 200) else {
            taken.unanswered += 1;
            continue;
        };
        let names = names(&answer.body, device);
        assert_eq!(names.len(), 1, "there is always a key");
        let number = names[0].split_once(':').unwrap().1;
        match number.parse().unwrap() {
            FALLBACK => taken.fell_back = true,
            number => {
                assert!(!taken.fell_back, "{number} was there");
                assert!(taken.numbers.iter().all(|earlier| *earlier < number));
                taken.numbers.push(number);
            }
        }
    }
    taken
}
