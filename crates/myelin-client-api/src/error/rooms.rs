//! Failures of the use cases about rooms.

mod policy;

use http::StatusCode;
use myelin_core::{event::EventError, json::JsonError};
use myelin_http::MatrixError;
use myelin_rooms::{
    AccessError, AliasError, AppendError, CanonicalAliasError, ChangeStateError, CreateRoomError,
    DirectoryError, ForgetError, HierarchyError, InviteError, JoinError, KnockError, LeaveError,
    ModerationError, NoticeError, PublishError, RemoteError, ReportError, SendError, SummaryError,
    UpgradeError,
};
use myelin_sync::MessagesError;
use ruma::api::error::ErrorCode;

use super::Error;

/// Content that is not canonical JSON.
pub(crate) fn json(error: JsonError) -> MatrixError {
    match error {
        JsonError::NotJson { .. } => MatrixError::not_json(format!("{error}.")),
        other => MatrixError::bad_json(format!("{other}.")),
    }
}

fn invite_blocked(error: &AppendError) -> MatrixError {
    MatrixError::new(
        StatusCode::FORBIDDEN,
        ErrorCode::InviteBlocked,
        format!("{error}."),
    )
}

fn append(error: AppendError) -> MatrixError {
    match error {
        AppendError::Forbidden(reason) => MatrixError::forbidden(format!("{reason}.")),
        AppendError::Invalid(error @ EventError::TooLarge { .. }) => {
            MatrixError::too_large(format!("{error}."))
        }
        AppendError::InviteBlocked(_) => invite_blocked(&error),
        AppendError::DuplicateAnnotation(_) => MatrixError::new(
            StatusCode::BAD_REQUEST,
            ErrorCode::DuplicateAnnotation,
            format!("{error}."),
        ),
        AppendError::NoThreadRoot(_) => MatrixError::new(
            StatusCode::BAD_REQUEST,
            ErrorCode::Unknown,
            format!("{error}."),
        ),
        AppendError::RedactsNothing => MatrixError::bad_json(format!("{error}.")),
        AppendError::Suspended => MatrixError::new(
            StatusCode::FORBIDDEN,
            ErrorCode::UserSuspended,
            format!("{error}."),
        ),
        AppendError::DelayedEventChanged => MatrixError::new(
            StatusCode::CONFLICT,
            ErrorCode::Unknown,
            format!("{error}."),
        ),
        AppendError::TooManySticky { retry_after_ms } => MatrixError {
            retry_after_ms: Some(retry_after_ms),
            ..MatrixError::new(
                StatusCode::TOO_MANY_REQUESTS,
                ErrorCode::LimitExceeded,
                format!("{error}."),
            )
        },
        AppendError::UnknownTarget(_) => MatrixError::not_found(format!("{error}.")),
        AppendError::Invalid(EventError::Json(error)) => json(error),
        AppendError::Invalid(error) => MatrixError::bad_json(format!("{error}.")),
        AppendError::Policy(error) => policy::policy(*error),
        AppendError::Overtaken(_) => MatrixError::forbidden(format!("{error}.")),
        AppendError::Store(error) => error.into(),
    }
}

/// What another server has answered: its refusals are for the client, its faults are not (spec:
/// `send_join` and `invite`, 400).
fn remote(error: RemoteError) -> MatrixError {
    let message = format!("{error}.");
    let bad_gateway =
        |message| MatrixError::new(StatusCode::BAD_GATEWAY, ErrorCode::Unknown, message);
    match error {
        RemoteError::NobodyToAsk(_) => MatrixError::not_found(message),
        RemoteError::Refused {
            status,
            errcode,
            room_version,
            ..
        } => match (status, &*errcode) {
            (400, "M_INCOMPATIBLE_ROOM_VERSION") => {
                let refused =
                    MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::from(errcode), message);
                refused.with("room_version", room_version)
            }
            (400, "M_UNABLE_TO_AUTHORISE_JOIN" | "M_UNABLE_TO_GRANT_JOIN") => {
                MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::from(errcode), message)
            }
            (403, "") => MatrixError::forbidden(message),
            (403, _) => MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::from(errcode), message),
            (404, _) => MatrixError::not_found(message),
            _ => bad_gateway(message),
        },
        RemoteError::Failed { .. } => bad_gateway(message),
        RemoteError::Store(error) => error.into(),
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        Self(match error {
            SendError::NotInRoom { .. } => MatrixError::forbidden(format!("{error}.")),
            SendError::NotAUser(_) | SendError::RelationTypes => {
                MatrixError::invalid_param(format!("{error}."))
            }
            SendError::NoMembership => MatrixError::bad_json(format!("{error}.")),
            SendError::Join(error) => return error.into(),
            SendError::Invite(error) => return error.into(),
            SendError::Leave(error) => return error.into(),
            SendError::CanonicalAlias(error) => canonical_alias(&error),
            SendError::Append(error) => append(error),
            SendError::Store(error) => error.into(),
        })
    }
}

fn canonical_alias(error: &CanonicalAliasError) -> MatrixError {
    let message = format!("{error}.");
    match error {
        CanonicalAliasError::Malformed(_) | CanonicalAliasError::TooMany => {
            MatrixError::invalid_param(message)
        }
        CanonicalAliasError::Elsewhere(_) | CanonicalAliasError::NoAnswer(_) => {
            MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::BadAlias, message)
        }
    }
}

impl From<ChangeStateError> for Error {
    fn from(error: ChangeStateError) -> Self {
        match error {
            ChangeStateError::Refused(reason) => Self(MatrixError::forbidden(format!("{reason}."))),
            ChangeStateError::Send(error) => error.into(),
        }
    }
}

impl From<JoinError> for Error {
    fn from(error: JoinError) -> Self {
        Self(match error {
            JoinError::UnknownRoom(_) => MatrixError::not_found(format!("{error}.")),
            JoinError::NoCondition(_)
            | JoinError::NoThirdPartyInvite(_)
            | JoinError::InvalidKey(_) => MatrixError::forbidden(format!("{error}.")),
            JoinError::NoAuthoriser(_) => MatrixError::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::UnableToGrantJoin,
                format!("{error}."),
            ),
            JoinError::GuestsForbidden(_) => MatrixError::new(
                StatusCode::FORBIDDEN,
                ErrorCode::GuestAccessForbidden,
                format!("{error}."),
            ),
            JoinError::Remote(error) => remote(error),
            JoinError::Append(error) => append(error),
            JoinError::Store(error) => error.into(),
        })
    }
}

impl From<InviteError> for Error {
    fn from(error: InviteError) -> Self {
        Self(match error {
            InviteError::NotInRoom { .. }
            | InviteError::AlreadyInRoom(_)
            | InviteError::Overtaken(_) => MatrixError::forbidden(format!("{error}.")),
            InviteError::Remote(error) => remote(error),
            InviteError::Append(error) => append(error),
            InviteError::Store(error) => error.into(),
        })
    }
}

impl From<LeaveError> for Error {
    fn from(error: LeaveError) -> Self {
        Self(match error {
            LeaveError::NotInRoom { .. } => MatrixError::forbidden(format!("{error}.")),
            LeaveError::ServerNotices(_) => MatrixError::new(
                StatusCode::FORBIDDEN,
                ErrorCode::CannotLeaveServerNoticeRoom,
                format!("{error}."),
            ),
            LeaveError::Append(error) => append(error),
            LeaveError::Store(error) => error.into(),
        })
    }
}

impl From<ModerationError> for Error {
    fn from(error: ModerationError) -> Self {
        Self(match error {
            ModerationError::NotInRoom { .. } | ModerationError::TargetNotInRoom(_) => {
                MatrixError::forbidden(format!("{error}."))
            }
            ModerationError::NotBanned(_) => MatrixError::new(
                StatusCode::FORBIDDEN,
                ErrorCode::BadState,
                format!("{error}."),
            ),
            ModerationError::Append(error) => append(error),
            ModerationError::Store(error) => error.into(),
        })
    }
}

impl From<KnockError> for Error {
    fn from(error: KnockError) -> Self {
        Self(match error {
            KnockError::UnknownRoom(_) => MatrixError::not_found(format!("{error}.")),
            KnockError::Remote(error) => remote(error),
            KnockError::Append(error) => append(error),
            KnockError::Store(error) => error.into(),
        })
    }
}

impl From<ForgetError> for Error {
    fn from(error: ForgetError) -> Self {
        Self(match error {
            ForgetError::StillInRoom { .. } => MatrixError::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::Unknown,
                format!("{error}."),
            ),
            ForgetError::Store(error) => error.into(),
        })
    }
}

impl From<AliasError> for Error {
    fn from(error: AliasError) -> Self {
        Self(match error {
            AliasError::Unknown(_) | AliasError::OtherServer(_) => {
                MatrixError::not_found(format!("{error}."))
            }
            AliasError::Invalid(_) => MatrixError::invalid_param(format!("{error}.")),
            AliasError::Taken(_) => MatrixError::new(
                StatusCode::CONFLICT,
                ErrorCode::Unknown,
                format!("{error}."),
            ),
            AliasError::NotInRoom { .. } | AliasError::NotYours(_) => {
                MatrixError::forbidden(format!("{error}."))
            }
            AliasError::Append(error) => append(error),
            AliasError::Federation(error) => error.into(),
            AliasError::Store(error) => error.into(),
        })
    }
}

impl From<NoticeError> for Error {
    fn from(error: NoticeError) -> Self {
        Self(match error {
            NoticeError::UnknownUser(_) => MatrixError::not_found(format!("{error}.")),
            NoticeError::SenderCanLogIn(_) => MatrixError::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::Unknown,
                format!("{error}: `server_notices.localpart` must name another."),
            ),
            NoticeError::Create(error) => return error.into(),
            NoticeError::Invite(error) => return error.into(),
            NoticeError::Send(error) => return error.into(),
            NoticeError::Store(error) => error.into(),
        })
    }
}

impl From<UpgradeError> for Error {
    fn from(error: UpgradeError) -> Self {
        Self(match error {
            UpgradeError::NotInRoom { .. } => MatrixError::forbidden(format!("{error}.")),
            UpgradeError::Append(error) => append(error),
            UpgradeError::Store(error) => error.into(),
        })
    }
}

impl From<PublishError> for Error {
    fn from(error: PublishError) -> Self {
        Self(match error {
            PublishError::Unknown(_) => MatrixError::not_found(format!("{error}.")),
            PublishError::Forbidden(_) => MatrixError::forbidden(format!("{error}.")),
            PublishError::Store(error) => error.into(),
        })
    }
}

impl From<DirectoryError> for Error {
    fn from(error: DirectoryError) -> Self {
        Self(match error {
            DirectoryError::UnknownToken | DirectoryError::Contradiction => {
                MatrixError::invalid_param(format!("{error}."))
            }
            DirectoryError::Federation(error) => error.into(),
            DirectoryError::Store(error) => error.into(),
        })
    }
}

impl From<HierarchyError> for Error {
    fn from(error: HierarchyError) -> Self {
        Self(match error {
            HierarchyError::Forbidden { .. } => MatrixError::forbidden(format!("{error}.")),
            HierarchyError::OtherWalk | HierarchyError::UnknownToken => {
                MatrixError::invalid_param(format!("{error}."))
            }
            HierarchyError::Store(error) => error.into(),
        })
    }
}

impl From<SummaryError> for Error {
    fn from(error: SummaryError) -> Self {
        Self(match error {
            SummaryError::Federation(error) => error.into(),
            SummaryError::Store(error) => error.into(),
        })
    }
}

impl From<AccessError> for Error {
    fn from(error: AccessError) -> Self {
        Self(match error {
            AccessError::NotInRoom { .. } => MatrixError::forbidden(format!("{error}.")),
            AccessError::Store(error) => error.into(),
        })
    }
}

impl From<MessagesError> for Error {
    fn from(error: MessagesError) -> Self {
        Self(match error {
            MessagesError::Store(error) => error.into(),
        })
    }
}

impl From<ReportError> for Error {
    fn from(error: ReportError) -> Self {
        let message = format!("{error}.");
        Self(match error {
            ReportError::UnknownRoom | ReportError::UnknownEvent | ReportError::UnknownUser => {
                MatrixError::not_found(message)
            }
            ReportError::ReasonTooLong | ReportError::InvalidScore => {
                MatrixError::invalid_param(message)
            }
            ReportError::Store(error) => error.into(),
        })
    }
}

impl From<CreateRoomError> for Error {
    fn from(error: CreateRoomError) -> Self {
        let bad_request =
            |kind| MatrixError::new(StatusCode::BAD_REQUEST, kind, format!("{error}."));
        Self(match error {
            CreateRoomError::AliasTaken(_) => bad_request(ErrorCode::RoomInUse),
            CreateRoomError::InvalidAlias(_) | CreateRoomError::TooMuch => {
                bad_request(ErrorCode::InvalidParam)
            }
            CreateRoomError::CanonicalAlias(error) => canonical_alias(&error),
            CreateRoomError::InvalidState {
                error: error @ AppendError::InviteBlocked(_),
                ..
            } => invite_blocked(&error),
            CreateRoomError::InvalidState {
                error: AppendError::Store(error),
                ..
            }
            | CreateRoomError::Store(error) => error.into(),
            CreateRoomError::InvalidState { .. } => bad_request(ErrorCode::InvalidRoomState),
        })
    }
}
