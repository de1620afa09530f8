//! A session in the database: begun, continued, and kept to a bounded number.

use bytes::Bytes;
use myelin_core::server::Server;
use myelin_store::{
    Attempts, Store, WriteSet, registration_tokens,
    uia_sessions::{self, UiaSession},
    users::{self, User},
};

use super::{
    Approval, Attempt, Progress, Proof, Stage, StageFailure, UiaError, Wish, stage,
    verify::{Verified, verify},
};
use crate::{AccountSettings, authenticate::hash_token};

/// Characters of a session id.
const ID_LENGTH: usize = 24;
/// Time enough to find a password, or to read the terms.
const LIFETIME_MS: u64 = 15 * 60 * 1_000;
/// Sessions that a user may have at once; the oldest go.
const SESSIONS_MAX: usize = 16;
/// Expired sessions deleted with each new one: more than one, so that there are never many.
const EXPIRED_PER_SESSION: i64 = 3;

pub(super) struct Session {
    pub(super) id: String,
    pub(super) row: UiaSession,
    pub(super) origin: Origin,
    completed: Vec<Stage>,
    /// The registration token as it was read, if it must be held until the flow is complete.
    held: Option<registration_tokens::RegistrationToken>,
    /// The account that was looked at.
    account: Option<User>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Stored,
    /// Begun by this request.
    Fresh,
    /// Begun by this request, which named one that there is not.
    OfUnknownId,
}

impl Session {
    pub(super) async fn open(
        server: &Server,
        store: &Store,
        settings: &AccountSettings,
        wish: &Wish,
        attempt: &Attempt,
    ) -> Result<Self, UiaError> {
        let found = match &attempt.session {
            Some(id) => Self::find(server, store, id).await?,
            None => None,
        };
        if let Some(session) = found.filter(|session| session.row.user_number == wish.user) {
            return if session.row.request[..] == wish.request {
                Ok(session)
            } else {
                Err(UiaError::RequestChanged)
            };
        }
        let id = server.random_token(ID_LENGTH);
        let has_terms = wish
            .flows
            .iter()
            .flatten()
            .any(|stage| *stage == Stage::Terms);
        let terms = settings.terms().filter(|_| has_terms);
        let row = UiaSession {
            id_hash: Bytes::copy_from_slice(&hash_token(&id)),
            request: Bytes::copy_from_slice(&wish.request),
            act: wish.act.name().to_owned(),
            user_number: wish.user,
            flows: stage::write_flows(&wish.flows),
            terms_version: terms.map(|terms| terms.version.clone()),
            expires_ms: server.now_ms().saturating_add(LIFETIME_MS).cast_signed(),
            version: 1,
            ..UiaSession::default()
        };
        let origin = match attempt.session {
            Some(_) => Origin::OfUnknownId,
            None => Origin::Fresh,
        };
        Ok(Self::of(id, row, origin))
    }

    /// The stored session with this id, unless it has expired.
    pub(super) async fn find(
        server: &Server,
        store: &Store,
        id: &str,
    ) -> Result<Option<Self>, UiaError> {
        let row = uia_sessions::find(&mut store.read(), &hash_token(id)).await?;
        let row = row.filter(|row| server.now_ms().cast_signed() < row.expires_ms);
        Ok(row.map(|row| Self::of(id.to_owned(), row, Origin::Stored)))
    }

    fn of(id: String, row: UiaSession, origin: Origin) -> Self {
        Self {
            completed: stage::read_stages(&row.completed),
            id,
            row,
            origin,
            held: None,
            account: None,
        }
    }

    pub(super) fn is_of_unknown_id(&self) -> bool {
        self.origin == Origin::OfUnknownId
    }

    /// Does the stage that the proof is for, if it is its turn. A stage that is done stays done.
    pub(super) async fn advance(
        &mut self,
        server: &Server,
        store: &Store,
        settings: &AccountSettings,
        proof: Option<&Proof>,
    ) -> Result<Option<StageFailure>, UiaError> {
        let Some(proof) = proof else {
            return Ok(None);
        };
        let Some(stage) = proof.stage() else {
            return Ok(Some(StageFailure::NotOnOffer));
        };
        if self.completed.contains(&stage) {
            return Ok(None);
        }
        if !self.is_next(stage) {
            return Ok(Some(StageFailure::NotOnOffer));
        }
        if let Some(user) = self.row.user_number {
            self.account = users::find(&mut store.read(), user).await?;
        }
        let verified = verify(
            (server, store, settings),
            &self.row,
            self.account.as_ref(),
            proof,
        );
        match verified.await? {
            Verified::Yes => {}
            Verified::Token(token) => {
                self.row.registration_token = Some(token.token.clone());
                self.held = Some(token);
            }
            Verified::No(failure) => return Ok(Some(failure)),
        }
        self.completed.push(stage);
        Ok(None)
    }

    pub(super) fn is_next(&self, stage: Stage) -> bool {
        let flows = stage::read_flows(&self.row.flows);
        flows.iter().any(|flow| {
            flow.starts_with(&self.completed) && flow.get(self.completed.len()) == Some(&stage)
        })
    }

    pub(super) fn is_complete(&self) -> bool {
        stage::read_flows(&self.row.flows).contains(&self.completed)
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            session: self.id.clone(),
            flows: stage::read_flows(&self.row.flows),
            completed: self.completed.clone(),
        }
    }

    pub(super) async fn approval(
        self,
        store: &Store,
        settings: &AccountSettings,
    ) -> Result<Approval, UiaError> {
        let account = match (self.account, self.row.user_number) {
            (None, Some(user)) => users::find(&mut store.read(), user).await?,
            (account, _) => account,
        };
        let accepts_terms = self.completed.contains(&Stage::Terms);
        let current = || settings.terms().map(|terms| terms.version.clone());
        let terms_version = self.row.terms_version.clone().or_else(current);
        let registration_token = self.row.registration_token.clone();
        // What this request has added is not stored, so the row is still as it was read.
        let mut row = self.row;
        if self.held.is_some() {
            row.registration_token = None;
        }
        Ok(Approval {
            session: (self.origin == Origin::Stored).then_some(row),
            account,
            registration_token,
            terms_version: terms_version.filter(|_| accepts_terms),
        })
    }

    /// Writes what has changed. False: somebody else was faster, and all is to be done again.
    pub(super) async fn store(
        &mut self,
        server: &Server,
        store: &Store,
        attempts: &mut Attempts<'_>,
    ) -> Result<bool, UiaError> {
        let completed = stage::write_stages(&self.completed);
        let is_stored = self.origin == Origin::Stored;
        if is_stored && completed == self.row.completed {
            return Ok(true);
        }
        self.row.completed = completed;
        let mut writes = WriteSet::new();
        if is_stored {
            uia_sessions::update(&mut writes, &self.row);
        } else {
            uia_sessions::insert(&mut writes, &self.row);
            self.make_room(server, store, &mut writes).await?;
        }
        if let Some(token) = &self.held {
            // Its use is counted by the sessions that hold it; the change of its row makes those
            // who want the last use meet each other.
            registration_tokens::update(&mut writes, token);
        }
        Ok(attempts.commit(writes).await?.is_some())
    }

    /// Deletes expired sessions, and the oldest of a user who has many.
    async fn make_room(
        &self,
        server: &Server,
        store: &Store,
        writes: &mut WriteSet,
    ) -> Result<(), UiaError> {
        let mut read = store.read();
        let now_ms = server.now_ms().cast_signed();
        let mut gone = uia_sessions::list_expired(&mut read, now_ms, EXPIRED_PER_SESSION).await?;
        if let Some(user) = self.row.user_number {
            let own = uia_sessions::list_of_user(&mut read, user).await?;
            let oldest = own.into_iter().skip(SESSIONS_MAX - 1);
            gone.extend(oldest.filter(|session| session.expires_ms > now_ms));
        }
        for session in gone {
            uia_sessions::delete(writes, &session);
        }
        Ok(())
    }
}
