use super::*;
use crate::test_stores;

const USER: i64 = 40;

async fn leave(store: &Store, kind: JobKind, data: &'static [u8], now_ms: i64) -> StoreResult<()> {
    let mut writes = WriteSet::new();
    let (mut read, what) = (store.read(), (kind, USER));
    enqueue(&mut read, &mut writes, what, data.into(), now_ms).await?;
    store.commit(writes).await.map(drop)
}

async fn take(store: &Store, holder: i64, now_ms: i64) -> Job {
    match claim(store, holder, now_ms, 500).await.unwrap() {
        Claim::Job(job) => job,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_node_at_a_time_holds_a_job() {
    for nodes in test_stores::both().await {
        assert_eq!(
            claim(&nodes.one, 1, 1_000, 500).await.unwrap(),
            Claim::Nothing
        );
        leave(&nodes.one, JobKind::LeaveAll, b"why", 1_000)
            .await
            .unwrap();
        let job = take(&nodes.two, 2, 1_000).await;
        assert_eq!((job.kind, job.subject), (JobKind::LeaveAll, USER));
        assert_eq!(
            (job.cursor, &job.data[..], job.failures),
            (0, &b"why"[..], 0)
        );
        let held = claim(&nodes.one, 1, 1_499, 500).await.unwrap();
        assert_eq!(held, Claim::Later(1_500));

        let again = take(&nodes.one, 1, 1_500).await;
        assert!(
            !finish(&nodes.two, &job).await.unwrap(),
            "its lease is over"
        );
        assert!(!put_back(&nodes.two, &job, 9).await.unwrap());
        assert!(finish(&nodes.one, &again).await.unwrap());
        let done = claim(&nodes.two, 2, 9_999, 500).await.unwrap();
        assert_eq!(done, Claim::Nothing);
        nodes.close().await;
    }
}

#[tokio::test]
async fn what_is_put_back_goes_on_where_it_stopped() {
    for nodes in test_stores::both().await {
        leave(&nodes.one, JobKind::Profile, b"", 0).await.unwrap();
        let job = Job {
            cursor: 70,
            failures: 2,
            ..take(&nodes.one, 1, 0).await
        };
        assert!(put_back(&nodes.one, &job, 300).await.unwrap());
        let early = claim(&nodes.two, 2, 299, 500).await.unwrap();
        assert_eq!(early, Claim::Later(300));
        let job = take(&nodes.two, 2, 300).await;
        assert_eq!((job.cursor, job.failures), (70, 2));
        nodes.close().await;
    }
}

#[tokio::test]
async fn a_newer_job_supersedes_the_older_one() {
    for nodes in test_stores::both().await {
        leave(&nodes.one, JobKind::Profile, b"a", 0).await.unwrap();
        let older = take(&nodes.one, 1, 0).await;
        leave(&nodes.two, JobKind::Profile, b"b", 5).await.unwrap();
        assert!(!finish(&nodes.one, &older).await.unwrap());
        let newer = take(&nodes.one, 1, 5).await;
        assert_eq!((newer.cursor, &newer.data[..]), (0, &b"b"[..]));
        nodes.close().await;
    }
}

#[tokio::test]
async fn two_who_leave_one_job_at_once_do_not_overwrite_each_other() {
    for nodes in test_stores::both().await {
        let mut sets = [WriteSet::new(), WriteSet::new()];
        for writes in &mut sets {
            let what = (JobKind::Profile, USER);
            enqueue(&mut nodes.one.read(), writes, what, Bytes::new(), 0)
                .await
                .unwrap();
        }
        let [one, two] = sets;
        nodes.one.commit(one).await.unwrap();
        let late = nodes.two.commit(two).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        nodes.close().await;
    }
}

#[tokio::test]
async fn jobs_are_taken_by_turns() {
    for nodes in test_stores::both().await {
        leave(&nodes.one, JobKind::LeaveAll, b"", 10).await.unwrap();
        leave(&nodes.one, JobKind::Profile, b"", 20).await.unwrap();
        let first = take(&nodes.one, 1, 30).await;
        assert_eq!(first.kind, JobKind::LeaveAll);
        assert!(put_back(&nodes.one, &first, 30).await.unwrap());
        assert_eq!(take(&nodes.one, 1, 30).await.kind, JobKind::Profile);
        assert_eq!(take(&nodes.one, 1, 30).await.kind, JobKind::LeaveAll);
        nodes.close().await;
    }
}

#[tokio::test]
async fn jobs_of_a_killed_run_can_be_freed() {
    for nodes in test_stores::both().await {
        leave(&nodes.one, JobKind::Profile, b"", 0).await.unwrap();
        take(&nodes.one, 1, 0).await;
        free_held(&nodes.two, 3).await.unwrap();
        assert_eq!(take(&nodes.two, 2, 3).await.kind, JobKind::Profile);
        nodes.close().await;
    }
}

#[tokio::test]
async fn whoever_waits_for_jobs_is_woken() {
    for nodes in test_stores::both().await {
        let watch = nodes.two.live().watch();
        watch.add(JOBS_SUBJECT);
        let mark = watch.mark();
        leave(&nodes.one, JobKind::Profile, b"", 0).await.unwrap();
        let woken =
            tokio::time::timeout(std::time::Duration::from_mins(1), watch.changed_since(mark));
        woken.await.unwrap();
        nodes.close().await;
    }
}
