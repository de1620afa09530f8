//! The clusters start, stop and keep databases apart.

use myelin_testdb::Cluster;

#[test]
fn a_database_is_empty_and_takes_statements() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let (one, other) = (cluster.database(), cluster.database());
    assert_ne!(one.url(), other.url());
    one.execute("CREATE TABLE t (x BIGINT)");
    other.execute("CREATE TABLE t (x BIGINT)");
    one.disconnect_all();
    one.execute("INSERT INTO t VALUES (1)");
}

#[test]
fn a_private_cluster_survives_a_power_failure() {
    let Some(cluster) = Cluster::private() else {
        return;
    };
    let database = cluster.database();
    database.execute("CREATE TABLE t (x BIGINT)");
    cluster.stop_immediately();
    cluster.start();
    database.execute("INSERT INTO t VALUES (1)");
}
