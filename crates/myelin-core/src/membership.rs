//! The five memberships, with the numbers under which they are stored.

/// A user's relation to a room, as the `membership` of its `m.room.member` event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Membership {
    // The numbers are stored: they never change.
    Join = 0,
    Invite = 1,
    Leave = 2,
    Ban = 3,
    Knock = 4,
}

impl Membership {
    pub const ALL: [Membership; 5] = [
        Membership::Join,
        Membership::Invite,
        Membership::Leave,
        Membership::Ban,
        Membership::Knock,
    ];

    pub fn as_number(self) -> i64 {
        self as i64
    }

    pub fn from_number(number: i64) -> Option<Membership> {
        Membership::ALL
            .into_iter()
            .find(|membership| membership.as_number() == number)
    }

    /// The name in events and APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Membership::Join => "join",
            Membership::Invite => "invite",
            Membership::Leave => "leave",
            Membership::Ban => "ban",
            Membership::Knock => "knock",
        }
    }

    pub fn from_name(name: &str) -> Option<Membership> {
        Membership::ALL
            .into_iter()
            .find(|membership| membership.as_str() == name)
    }

    /// The membership that an `m.room.member` event's content gives.
    pub fn of_content(content: &serde_json::value::RawValue) -> Option<Membership> {
        #[derive(serde::Deserialize)]
        struct Content<'a> {
            #[serde(borrow)]
            membership: std::borrow::Cow<'a, str>,
        }
        let content: Content<'_> = serde_json::from_str(content.get()).ok()?;
        Membership::from_name(&content.membership)
    }
}

impl std::fmt::Display for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Membership;

    #[test]
    fn numbers_and_names_are_stable() {
        let table = [
            (0, "join"),
            (1, "invite"),
            (2, "leave"),
            (3, "ban"),
            (4, "knock"),
        ];
        for (number, name) in table {
            let membership = Membership::from_number(number).unwrap();
            assert_eq!(membership.as_number(), number);
            assert_eq!(membership.as_str(), name);
            assert_eq!(Membership::from_name(name), Some(membership));
        }
        assert_eq!(Membership::from_number(5), None);
        assert_eq!(Membership::from_number(-1), None);
        assert_eq!(Membership::from_name("Join"), None);
    }
}
