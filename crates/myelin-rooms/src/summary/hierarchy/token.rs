//! Where a page of a hierarchy ends.

use std::{fmt, str::FromStr};

use ruma::{OwnedRoomId, serde::Base64, serde::base64::UrlSafe};

use super::{DEPTH_MAX, HierarchyError};

/// Where a walk goes on, and which walk it was. Printed as `h5_1_` and a list: the depth, whether
/// only what is suggested, and the rooms from the root to the last one shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HierarchyToken {
    pub(super) max_depth: usize,
    pub(super) suggested_only: bool,
    pub(super) path: Vec<OwnedRoomId>,
}

impl fmt::Display for HierarchyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suggested = i32::from(self.suggested_only);
        let path = serde_json::to_vec(&self.path).map_err(|_| fmt::Error)?;
        let path = Base64::<UrlSafe, _>::new(path);
        write!(f, "h{}_{suggested}_{path}", self.max_depth)
    }
}

impl FromStr for HierarchyToken {
    type Err = HierarchyError;

    fn from_str(text: &str) -> Result<Self, HierarchyError> {
        let parse = || {
            let (max_depth, rest) = text.strip_prefix('h')?.split_once('_')?;
            let (suggested, path) = rest.split_once('_')?;
            let path = Base64::<UrlSafe, Vec<u8>>::parse(path).ok()?;
            let path: Vec<OwnedRoomId> = serde_json::from_slice(path.as_bytes()).ok()?;
            let suggested_only = match suggested {
                "0" => false,
                "1" => true,
                _ => return None,
            };
            Some(Self {
                max_depth: max_depth.parse().ok()?,
                suggested_only,
                path: (path.len() <= DEPTH_MAX + 1).then_some(path)?,
            })
        };
        parse().ok_or(HierarchyError::UnknownToken)
    }
}
