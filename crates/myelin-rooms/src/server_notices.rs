//! What the server has to tell its users: in a room for each, by a user of its own.

use myelin_core::membership::Membership;
use myelin_store::{
    StoreError, WriteSet, memberships, profiles, server_notice_rooms,
    users::{self, User},
};
use ruma::{
    CanonicalJsonObject, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, UserId,
};

use crate::{
    ClientTransaction, CreateRoom, CreateRoomError, Invite, InviteError, Preset, RoomSettings,
    Rooms, SendError, SendEvent, SendOptions, SetState,
};

/// How notices look.
#[derive(Clone, Debug)]
pub struct ServerNotices {
    /// The user that they come from, who cannot log in.
    pub sender: OwnedUserId,
    /// The sender's display name, and that of the rooms.
    pub display_name: String,
    /// The version of the rooms.
    pub room_version: RoomVersionId,
}

/// A notice for one user.
#[derive(Debug)]
pub struct ServerNotice<'a> {
    /// For whom it is.
    pub target: &'a UserId,
    /// The event's type.
    pub event_type: &'a str,
    /// Its state key, if it is state.
    pub state_key: Option<&'a str>,
    /// Its content.
    pub content: CanonicalJsonObject,
    /// Names the request, if its repetition shall not send again.
    pub transaction: Option<ClientTransaction<'a>>,
}

/// Why a notice was not sent.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// Nobody has an account of this name here.
    #[error("{0} is no user of this server")]
    UnknownUser(String),
    /// The user that notices shall come from has a password: somebody else may be behind it.
    #[error("notices cannot come from {0}, who can log in")]
    SenderCanLogIn(String),
    /// The room could not be made.
    #[error("{0}")]
    Create(CreateRoomError),
    /// The user could not be invited.
    #[error("{0}")]
    Invite(InviteError),
    /// The notice did not enter the room.
    #[error("{0}")]
    Send(SendError),
    /// The database failed.
    #[error("the notice could not be stored")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// Sends a notice, into a room made for it if it is the user's first.
    pub async fn send_server_notice(
        &self,
        notices: &ServerNotices,
        notice: ServerNotice<'_>,
    ) -> Result<OwnedEventId, NoticeError> {
        self.ensure_sender(notices).await?;
        let room_id = self.notice_room(notices, notice.target).await?;
        let sent = match notice.state_key {
            None => {
                let send = SendEvent {
                    room_id: &room_id,
                    sender: &notices.sender,
                    event_type: notice.event_type,
                    content: notice.content,
                    transaction: notice.transaction,
                    acting: None,
                    options: SendOptions::default(),
                };
                self.send(send).await
            }
            Some(state_key) => {
                let set = SetState {
                    room_id: &room_id,
                    sender: &notices.sender,
                    event_type: notice.event_type,
                    state_key,
                    content: notice.content,
                    guest: false,
                    options: SendOptions::default(),
                };
                self.set_state(set).await
            }
        };
        sent.map_err(|error| match error {
            SendError::Store(error) => NoticeError::Store(error),
            error => NoticeError::Send(error),
        })
    }

    /// Makes the user that notices come from, unless it is there and called as it shall be.
    async fn ensure_sender(&self, notices: &ServerNotices) -> Result<(), NoticeError> {
        let numbers = self.store.intern(&[notices.sender.as_bytes()]).await?;
        let number = *numbers
            .first()
            .ok_or(StoreError::Missing { table: "interned" })?;
        let mut attempts = self.store.attempts();
        loop {
            let mut read = self.store.read();
            let account = users::find(&mut read, number).await?;
            let can_log_in = |account: &User| account.password_hash.is_some();
            if account.as_ref().is_some_and(can_log_in) {
                return Err(NoticeError::SenderCanLogIn(notices.sender.to_string()));
            }
            let before = profiles::find(&mut read, number).await?;
            let mut writes = WriteSet::new();
            if account.is_none() {
                users::insert(&mut writes, &self.sender_account(notices, number));
            }
            if before.displayname.as_ref() != Some(&notices.display_name) {
                let mut profile = before.clone();
                profile.displayname = Some(notices.display_name.clone());
                profiles::update(&mut writes, number, &before, &profile);
            }
            if writes.is_empty() || attempts.commit(writes).await?.is_some() {
                return Ok(());
            }
        }
    }

    fn sender_account(&self, notices: &ServerNotices, number: i64) -> User {
        User {
            number,
            user_id: notices.sender.to_string(),
            password_hash: None,
            created_ms: i64::try_from(self.server.now_ms()).unwrap_or(i64::MAX),
            deactivated_ms: None,
            admin: false,
            guest: false,
            locked: false,
            suspended: false,
            erased_ms: None,
            terms_version: None,
            version: 1,
        }
    }

    /// The user's room for notices, to which the user is invited unless they are in it.
    async fn notice_room(
        &self,
        notices: &ServerNotices,
        target: &UserId,
    ) -> Result<OwnedRoomId, NoticeError> {
        let unknown = || NoticeError::UnknownUser(target.to_string());
        let user = self.store.find_interned(target.as_bytes()).await?;
        let user = user.ok_or_else(unknown)?;
        let mut read = self.store.read();
        let account = users::find(&mut read, user).await?;
        if account.is_none_or(|account| account.deactivated_ms.is_some()) {
            return Err(unknown());
        }
        let Some(room) = server_notice_rooms::find(&mut read, user).await? else {
            return self.create_notice_room(notices, (target, user)).await;
        };
        let room_id = self.room_id(room).await?;
        let found = memberships::find(&mut read, room, user).await?;
        let is_there = found
            .is_some_and(|found| matches!(found.membership, Membership::Join | Membership::Invite));
        if !is_there {
            self.invite_again(notices, &room_id, target).await?;
        }
        Ok(room_id)
    }

    async fn create_notice_room(
        &self,
        notices: &ServerNotices,
        (target, user): (&UserId, i64),
    ) -> Result<OwnedRoomId, NoticeError> {
        let levels = [("users_default".to_owned(), ruma::Int::from(-10).into())];
        let create = CreateRoom {
            creator: &notices.sender,
            room_version: notices.room_version.clone(),
            settings: RoomSettings::preset(Preset::PrivateChat),
            alias_localpart: None,
            name: Some(&notices.display_name),
            topic: None,
            invite: vec![target.to_owned()],
            is_direct: false,
            initial_state: Vec::new(),
            creation_content: CanonicalJsonObject::new(),
            power_levels_override: CanonicalJsonObject::from(levels),
            publish: false,
            transaction: None,
        };
        let created = self.create_room_for(create, Some(user)).await;
        created
            .map(|created| created.room_id)
            .map_err(|error| match error {
                CreateRoomError::Store(error) => NoticeError::Store(error),
                error => NoticeError::Create(error),
            })
    }

    async fn invite_again(
        &self,
        notices: &ServerNotices,
        room_id: &RoomId,
        target: &UserId,
    ) -> Result<(), NoticeError> {
        let invite = Invite {
            room_id,
            sender: &notices.sender,
            target,
            reason: None,
            transaction: None,
        };
        match self.invite(invite).await {
            Ok(()) | Err(InviteError::AlreadyInRoom(_)) => Ok(()),
            Err(InviteError::Store(error)) => Err(error.into()),
            Err(error) => Err(NoticeError::Invite(error)),
        }
    }
}
