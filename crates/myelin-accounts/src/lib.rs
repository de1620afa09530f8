//! Accounts: registration, login, access tokens, interactive authentication, devices, moderation, the
//! server's own signing key.
//!
//! The rules live here; the tables in `myelin-store`, HTTP in the API crates. Start reading at
//! [`register()`] and [`login()`], then at [`uia`].

mod account;
mod account_data;
mod authenticate;
mod change_password;
mod deactivate;
mod dehydrated_device;
mod devices;
mod encryption;
mod filter;
mod invite_permissions;
mod key_backup;
mod login;
mod login_token;
mod logout;
mod moderation;
mod openid;
mod own_keys;
mod password;
mod profile;
mod push_rules;
mod refresh;
mod register;
mod registration_token;
mod remote_profiles;
mod removal;
mod session;
mod settings;
pub mod shared_secret;
mod signing_key;
mod tags;
mod to_device;
pub mod uia;
mod user_directory;
mod username;

pub use account::{Account, LoginName, find_account, list_accounts};
pub use account_data::{
    AccountDataError, AccountDataPlace, IGNORED_USER_LIST, delete_account_data, get_account_data,
    ignored_in, ignored_users, set_account_data,
};
pub use authenticate::{AuthenticateError, Session, authenticate, can_read, touch};
pub use change_password::{ChangePassword, ChangePasswordError, change_password, set_password};
pub use deactivate::{DeactivateError, deactivate, deactivate_by_operator};
pub use dehydrated_device::{
    Dehydrate, DehydratedDeviceError, DehydratedEvents, dehydrated_events,
    delete_dehydrated_device, get_dehydrated_device, put_dehydrated_device,
};
pub use devices::{DeviceError, delete_devices, find_device, list_devices, rename_device};
pub use encryption::{
    ClaimedKeys, CrossSigningError, CrossSigningUpload, DeviceList, DeviceUpdate, KeyClaims,
    KeyFailures, KeyOwner, KeyQuery, KeyTotals, QueriedKeys, RemoteKeyChange, SignatureFailure,
    SignatureFailures, SignedKeys, UploadKeys, UploadKeysError, claim_keys, claim_remote_keys,
    device_list, key_totals, note_remote_key_change, query_all_keys, query_keys,
    upload_cross_signing_keys, upload_keys, upload_signatures,
};
pub use filter::{CreateFilterError, create_filter, find_filter};
pub use invite_permissions::{InviteWishes, invite_wishes};
pub use key_backup::{
    BackupMethod, BackupPage, BackupPlace, KeyBackupError, KeyUpload, KeyUploads, ShownKey,
    add_backup_keys, backup_page, create_backup, delete_backup, delete_backup_keys, get_backup,
    get_backup_keys, shown_auth_data, update_backup,
};
pub use login::{Credentials, Login, LoginError, login};
pub use login_token::{LOGIN_TOKEN_LIFETIME_MS, make_login_token};
pub use logout::{logout, logout_all};
pub use moderation::{
    Moderated, ModerationError, Restriction, exempt_from_rate_limits, moderated, restrict,
    restrict_by_operator, set_admin,
};
pub use openid::{OPENID_TOKEN_LIFETIME, find_openid_user, request_openid_token};
pub use own_keys::{OwnKey, has_newer_key, list_own_keys, published_keys, rotate_signing_key};
pub use password::PasswordCost;
pub use profile::{ProfileError, get_profile, set_profile_field};
pub use push_rules::{
    ChangePushRulesError, carry_push_rules, change_push_rules, get_push_rules, shown_push_rules,
    silence_other_threads, stored_push_rules,
};
pub use refresh::{RefreshError, Refreshed, refresh};
pub use register::{Permission, Register, RegisterError, Registered, guest_of_token, register};
pub use registration_token::{
    NewRegistrationToken, RegistrationTokenError, create_registration_token,
    delete_registration_token, is_registration_token_valid, list_registration_tokens,
};
pub use remote_profiles::RemoteProfiles;
pub use session::{LoggedIn, NewDevice, SeenFrom, Tokens};
pub use settings::{AccountSettings, RegistrationSettings, Terms};
pub use signing_key::{ImportedKey, SigningKeyError, find_or_make_signing_key};
pub use tags::{RoomTag, TagError, create_tag, delete_tag, get_tags};
pub use to_device::{
    Messages, ReceivedToDevice, SendToDevice, SendToDeviceError, acknowledge_to_device,
    receive_to_device, send_to_device,
};
pub use user_directory::{FoundUsers, UserSearch, search_users};
pub use username::{UsernameError, check_username, registration_flows};
