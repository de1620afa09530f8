//! `POST /_matrix/client/v3/user_directory/search`

use myelin_accounts::{UserSearch, search_users as search};
use myelin_http::Client;
use myelin_store::user_directory::DirectoryUser;
use ruma::{
    OwnedMxcUri, OwnedUserId,
    api::client::user_directory::search_users::v3::{Request, Response, User},
};

use crate::{ClientApi, Error};

pub(crate) async fn search_users(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let wanted = UserSearch {
        user: client.user_number,
        term: &client.body.search_term,
        limit: usize::try_from(client.body.limit).unwrap_or(usize::MAX),
    };
    let found = search(&mut api.app.store.read(), wanted).await?;
    let users = found.users.into_iter().filter_map(shown);
    Ok(Response::new(users.collect(), found.limited))
}

fn shown(user: DirectoryUser) -> Option<User> {
    let mut shown = User::new(OwnedUserId::try_from(user.user_id).ok()?);
    shown.display_name = user.displayname;
    shown.avatar_url = user.avatar_url.map(OwnedMxcUri::from);
    Some(shown)
}
