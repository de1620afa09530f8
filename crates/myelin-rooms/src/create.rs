//! Creating rooms: all first events in one write set, so that a room is there whole or not at all.

mod first_event;
mod settings;

use std::collections::BTreeSet;

use bytes::Bytes;
use myelin_store::{
    StoreError,
    account_data::{self, Key},
    aliases, directory, rooms, server_notice_rooms,
    transactions::Transaction,
};
use ruma::{
    CanonicalJsonObject, OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId, RoomId,
    RoomVersionId, UserId,
};

pub(crate) use first_event::empty_row;
pub use settings::{Preset, RoomSettings};
pub(crate) use settings::{creators_rule, room_id_is_random};

use crate::{
    AppendError, CanonicalAliasError, ClientTransaction, InviteError, Rooms, SendOptions,
    aliases::{CANONICAL_ALIAS, check_first_alias},
    append::Draft,
    membership::MEMBER,
    numbers::EventNumbers,
    open_room::OpenRoom,
};

/// Most users that can be invited while a room is created: with them its events still fit one
/// commit.
const INVITES_MAX: usize = 100;
/// Most state events that a client can ask for beyond those of the preset.
const INITIAL_STATE_MAX: usize = 100;

/// What a new room shall be.
#[derive(Debug)]
pub struct CreateRoom<'a> {
    /// A local user.
    pub creator: &'a UserId,
    /// The room version.
    pub room_version: RoomVersionId,
    /// The settings that come with the preset.
    pub settings: RoomSettings,
    /// The localpart of the room's first alias.
    pub alias_localpart: Option<&'a str>,
    /// The name.
    pub name: Option<&'a str>,
    /// The topic.
    pub topic: Option<&'a str>,
    /// Who is invited.
    pub invite: Vec<OwnedUserId>,
    /// Marks the invitations as the beginning of a direct chat.
    pub is_direct: bool,
    /// State events that replace those of the preset.
    pub initial_state: Vec<InitialState>,
    /// Additional keys of the create event.
    pub creation_content: CanonicalJsonObject,
    /// Keys that replace those of the power levels.
    pub power_levels_override: CanonicalJsonObject,
    /// Puts the room into the public directory.
    pub publish: bool,
    /// Names the request, if its repetition shall not create another room.
    pub transaction: Option<ClientTransaction<'a>>,
}

/// One state event of a new room.
#[derive(Clone, Debug)]
pub struct InitialState {
    /// The event's type.
    pub event_type: String,
    /// Its state key.
    pub state_key: String,
    /// Its content.
    pub content: CanonicalJsonObject,
}

impl InitialState {
    /// Whether it is the one state event of this type that counts.
    fn is(&self, event_type: &str) -> bool {
        self.event_type == event_type && self.state_key.is_empty()
    }
}

/// Why a room was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateRoomError {
    /// Another room has the alias.
    #[error("the alias {0} is taken")]
    AliasTaken(String),
    /// The alias breaks the grammar.
    #[error("{0} cannot be part of an alias")]
    InvalidAlias(String),
    /// More invitations or state than a new room can take.
    #[error(
        "a new room takes at most {INVITES_MAX} invitations and {INITIAL_STATE_MAX} state events"
    )]
    TooMuch,
    /// The settings asked for contradict each other or the room's rules.
    #[error("the room would not be valid: {event_type}: {error}")]
    InvalidState {
        /// The first event that is refused.
        event_type: String,
        /// Why.
        error: AppendError,
    },
    /// The room shall call itself by what does not lead to it.
    #[error(transparent)]
    CanonicalAlias(CanonicalAliasError),
    /// The database failed.
    #[error("the room could not be stored")]
    Store(#[from] StoreError),
}

/// A room that was created.
#[derive(Clone, Debug)]
pub struct Created {
    /// Its id.
    pub room_id: OwnedRoomId,
    /// Its alias, if one was asked for.
    pub alias: Option<OwnedRoomAliasId>,
}

impl Rooms {
    /// Creates a room, answering when it is durable.
    pub async fn create_room(&self, create: CreateRoom<'_>) -> Result<Created, CreateRoomError> {
        self.create_room_for(create, None).await
    }

    /// The same for a room in which the server tells a user something: who has one gets no other.
    pub(crate) async fn create_room_for(
        &self,
        create: CreateRoom<'_>,
        notices_for: Option<i64>,
    ) -> Result<Created, CreateRoomError> {
        if create.invite.len() > INVITES_MAX || create.initial_state.len() > INITIAL_STATE_MAX {
            return Err(CreateRoomError::TooMuch);
        }
        let alias = create
            .alias_localpart
            .map(|localpart| self.new_alias(localpart))
            .transpose()?;
        let names = create.initial_state.iter();
        for name in names.filter(|state| state.is(CANONICAL_ALIAS)) {
            let checked = check_first_alias(&name.content, alias.as_deref());
            checked.map_err(CreateRoomError::CanonicalAlias)?;
        }
        let creator = self.store.intern(&[create.creator.as_bytes()]).await?;
        let creator = *creator
            .first()
            .ok_or(StoreError::Missing { table: "interned" })?;
        let transaction = create.transaction.map(|named| named.of(creator, ""));
        let mut attempts = self.store.attempts();
        loop {
            if let Some(room) = self.answered(transaction.as_ref()).await? {
                let room_id = self.room_id(room).await?;
                return Ok(Created { room_id, alias });
            }
            if let Some(room) = self.notice_room_of(notices_for).await? {
                let room_id = self.room_id(room).await?;
                return Ok(Created { room_id, alias });
            }
            if let Some(alias) = &alias
                && aliases::find(&mut self.store.read(), alias.as_str())
                    .await?
                    .is_some()
            {
                return Err(CreateRoomError::AliasTaken(alias.to_string()));
            }
            let request = (creator, transaction.as_ref(), notices_for);
            if let Some(room_id) = self.try_create(&create, alias.as_deref(), request).await? {
                self.invite_others(&create, &room_id).await?;
                return Ok(Created { room_id, alias });
            }
            attempts.conflict()?;
        }
    }

    /// Creates the room unless its alias or its id is taken meanwhile (None).
    async fn try_create(
        &self,
        create: &CreateRoom<'_>,
        alias: Option<&RoomAliasId>,
        (creator, transaction, notices_for): (i64, Option<&Transaction>, Option<i64>),
    ) -> Result<Option<OwnedRoomId>, CreateRoomError> {
        let first = settings::create_event(create);
        let invalid = |error| CreateRoomError::InvalidState {
            event_type: first.event_type.clone(),
            error,
        };
        let named = if room_id_is_random(&create.room_version) {
            Some(self.random_room_id()?)
        } else {
            None
        };
        let content = first.content.clone();
        let version = &create.room_version;
        let event = self
            .first_event(create.creator, (version, named.as_deref()), content)
            .map_err(invalid)?;
        let room_id = event.room_id.clone();

        let numbers = self.store.intern(&[room_id.as_bytes()]).await?;
        let number = *numbers
            .first()
            .ok_or(StoreError::Missing { table: "interned" })?;
        if rooms::find(&mut self.store.read(), number).await?.is_some() {
            // The same create event was made on another node, in the same millisecond.
            return Ok(None);
        }
        let mut room = self
            .open_new(&room_id, empty_row(number, &create.room_version))
            .await?;
        let draft = self.initial_draft(create.creator, &first).await?;
        room.accept(event, &draft).await.map_err(invalid)?;
        if let Some(user) = notices_for {
            self.mark_for_notices(&mut room, user).await?;
        }
        self.append_initial(&mut room, create, alias).await?;
        if let Some(alias) = alias {
            aliases::insert(&mut room.writes, alias.as_str(), number, creator);
        }
        if create.publish {
            directory::publish_new(&mut room.writes, number);
        }
        self.remember(&mut room.writes, transaction, number);
        let committed = self.settle(room.submit()?).await?;
        Ok(committed.map(|_| room_id))
    }

    /// Invites the users of other servers to a room that was created. Those whose server does not
    /// take it are left out: the room is there, and they can be invited again.
    async fn invite_others(
        &self,
        create: &CreateRoom<'_>,
        room_id: &RoomId,
    ) -> Result<(), CreateRoomError> {
        let others = create.invite.iter();
        let others: BTreeSet<_> = others.filter(|user| !self.server.is_local(user)).collect();
        for user in others {
            let content = settings::invitation(create);
            let draft = self.member_draft((create.creator, user), content).await?;
            match self.invite_elsewhere(&draft, (room_id, user)).await {
                Ok(_) => {}
                Err(InviteError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::info!(%room_id, %user, %error, "not invited to a new room");
                }
            }
        }
        Ok(())
    }

    async fn notice_room_of(&self, user: Option<i64>) -> Result<Option<i64>, StoreError> {
        match user {
            Some(user) => server_notice_rooms::find(&mut self.store.read(), user).await,
            None => Ok(None),
        }
    }

    /// Makes a room the one for a user's notices, which the user's clients know by its tag.
    async fn mark_for_notices(&self, room: &mut OpenRoom<'_>, user: i64) -> Result<(), StoreError> {
        let key = Key::intern(&self.store, Some(room.id().as_str()), "m.tag").await?;
        let tags = Bytes::from_static(br#"{"tags":{"m.server_notice":{}}}"#);
        account_data::put(&mut room.writes, user, &key, (tags, None));
        let number = room.number();
        server_notice_rooms::insert(&mut room.writes, user, number);
        room.invites_all = true;
        Ok(())
    }

    /// Appends everything that follows the create event.
    async fn append_initial(
        &self,
        room: &mut OpenRoom<'_>,
        create: &CreateRoom<'_>,
        alias: Option<&RoomAliasId>,
    ) -> Result<(), CreateRoomError> {
        let is_of_other_server = |state: &InitialState| {
            let user = <&UserId>::try_from(state.state_key.as_str());
            let member = user.ok().filter(|_| state.event_type == MEMBER);
            member.is_some_and(|user| !self.server.is_local(user))
        };
        for state in settings::initial_state(create, alias) {
            // Their servers have to sign first: see `invite_others`.
            if is_of_other_server(&state) {
                continue;
            }
            let draft = self.initial_draft(create.creator, &state).await?;
            room.append_unasked(&draft)
                .await
                .map_err(|error| match error {
                    AppendError::Store(error) => CreateRoomError::Store(error),
                    error => CreateRoomError::InvalidState {
                        event_type: state.event_type.clone(),
                        error,
                    },
                })?;
        }
        Ok(())
    }

    pub(crate) async fn initial_draft<'a>(
        &self,
        sender: &'a UserId,
        state: &'a InitialState,
    ) -> Result<Draft<'a>, StoreError> {
        let key = Some(state.state_key.as_str());
        Ok(Draft {
            sender,
            event_type: &state.event_type,
            state_key: key,
            numbers: EventNumbers::intern(&self.store, &state.event_type, sender, key).await?,
            content: state.content.clone(),
            transaction: None,
            options: SendOptions::default(),
        })
    }

    fn new_alias(&self, localpart: &str) -> Result<OwnedRoomAliasId, CreateRoomError> {
        let invalid = || CreateRoomError::InvalidAlias(localpart.to_owned());
        if localpart.is_empty()
            || localpart.contains([':', '\0'])
            || localpart.chars().any(char::is_whitespace)
        {
            return Err(invalid());
        }
        let alias = format!("#{localpart}:{}", self.server.name);
        if alias.len() > 255 {
            Err(invalid())
        } else {
            RoomAliasId::parse(alias).map_err(|_| invalid())
        }
    }
}
