//! That the tests here show what the specification names, and that what it names is there.

use myelin_testkit::Coverage;

#[test]
fn every_endpoint_is_tested() {
    coverage().assert_every_endpoint_is_tested();
}

#[test]
fn what_is_missing_is_written_down() {
    coverage().assert_what_is_missing_is_written_down();
}

fn coverage() -> Coverage<'static> {
    Coverage {
        crate_folder: env!("CARGO_MANIFEST_DIR"),
        endpoints: myelin_client_api::endpoints(),
        statuses_elsewhere: &["302", "401", "429"],
        roles: &[("{roomid}", "outsider"), ("/user/{userid}", "other_user")],
    }
}
