//! `/_matrix/client/v3/keys/…`, and what `/sync` shows of it

mod claim_keys;
mod cross_signing;
mod device_lists;
pub(crate) mod material;
mod random;
mod remote;
mod signatures;
mod updates;
mod upload_keys;
