//! Each rule of the specification, in each room version that has it: what it allows and what it refuses.

use serde_json::json;

use crate::test_support::{TestRoom, all_versions, creator};

#[test]
fn the_creator_joins_and_speaks() {
    for version in all_versions() {
        let mut room = TestRoom::new(&version);
        let join = room.event(
            creator(),
            "m.room.member",
            Some(creator().as_str()),
            json!({ "membership": "join" }),
        );
        room.check(&join).unwrap();
        room.put_member(creator(), "join");
        let message = room.event(creator(), "m.room.message", None, json!({}));
        room.check(&message).unwrap();
        room.remove("m.room.member", creator().as_str());
        assert!(room.check(&message).is_err());
    }
}
