//! Stages, flows, and what is asked for.

use crate::LoginName;

/// Something that who makes a request can prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// `m.login.password`: that they know the password.
    Password,
    /// `m.login.dummy`: nothing.
    Dummy,
    /// `m.login.registration_token`: that they were invited.
    RegistrationToken,
    /// `m.login.terms`: that they accept the terms.
    Terms,
}

/// Stages to be done in this order.
pub type Flow = Vec<Stage>;

/// How a stage is done.
#[derive(Clone)]
pub enum Proof {
    /// The password of the user who is logged in, and how they call themselves if they say so.
    Password {
        /// The name.
        name: Option<LoginName>,
        /// The password.
        password: String,
    },
    /// Nothing to prove.
    Dummy,
    /// A registration token.
    RegistrationToken(String),
    /// The terms are accepted.
    Terms,
    /// A stage that this server does not know.
    Unknown,
}

/// What is to be done once it is approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Make an account.
    Register,
    /// Change the password.
    ChangePassword,
    /// End the account.
    Deactivate,
    /// Remove devices.
    DeleteDevices,
    /// Add an email address or a phone number.
    AddAddress,
    /// Let another device log in.
    MakeLoginToken,
    /// Replace cross-signing keys.
    UploadSigningKeys,
}

impl Stage {
    /// The specification's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => "m.login.password",
            Self::Dummy => "m.login.dummy",
            Self::RegistrationToken => "m.login.registration_token",
            Self::Terms => "m.login.terms",
        }
    }

    /// The stage of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Password,
            Self::Dummy,
            Self::RegistrationToken,
            Self::Terms,
        ]
        .into_iter()
        .find(|stage| stage.name() == name)
    }
}

impl Proof {
    /// The stage that it is for.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Password { .. } => Some(Stage::Password),
            Self::Dummy => Some(Stage::Dummy),
            Self::RegistrationToken(_) => Some(Stage::RegistrationToken),
            Self::Terms => Some(Stage::Terms),
            Self::Unknown => None,
        }
    }
}

impl Act {
    const ALL: [Self; 7] = [
        Self::Register,
        Self::ChangePassword,
        Self::Deactivate,
        Self::DeleteDevices,
        Self::AddAddress,
        Self::MakeLoginToken,
        Self::UploadSigningKeys,
    ];

    /// Its name in the database.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::ChangePassword => "change_password",
            Self::Deactivate => "deactivate",
            Self::DeleteDevices => "delete_devices",
            Self::AddAddress => "add_address",
            Self::MakeLoginToken => "make_login_token",
            Self::UploadSigningKeys => "upload_signing_keys",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.name() == name)
    }
}

/// Stages by spaces, flows by newlines.
pub(super) fn write_flows(flows: &[Flow]) -> String {
    let flows: Vec<_> = flows.iter().map(|flow| write_stages(flow)).collect();
    flows.join("\n")
}

/// The reverse; stages that this version does not know, as a newer node may write them, make their
/// flow impossible.
pub(super) fn read_flows(text: &str) -> Vec<Flow> {
    let read = |line: &str| line.split(' ').map(Stage::from_name).collect();
    text.lines().filter_map(read).collect()
}

/// Stages by spaces.
pub(super) fn write_stages(stages: &[Stage]) -> String {
    let names: Vec<_> = stages.iter().map(|stage| stage.name()).collect();
    names.join(" ")
}

/// The reverse.
pub(super) fn read_stages(text: &str) -> Vec<Stage> {
    text.split(' ').filter_map(Stage::from_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_read_as_they_were_written() {
        let flows = vec![
            vec![Stage::RegistrationToken, Stage::Terms],
            vec![Stage::Password],
        ];
        assert_eq!(read_flows(&write_flows(&flows)), flows);
        assert_eq!(read_stages(&write_stages(&flows[0])), flows[0]);
        assert!(read_stages("").is_empty());
        let newer = "m.login.terms m.login.telepathy\nm.login.dummy";
        assert_eq!(read_flows(newer), [[Stage::Dummy]]);
    }

    #[test]
    fn names_are_unique() {
        for act in Act::ALL {
            assert_eq!(Act::from_name(act.name()), Some(act));
        }
    }
}
