//! Planned root fields, the viewer, and pages of posts.

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::ID;
use async_graphql::parser::types::Field;

use super::arguments::{Argument, PageArguments};
use super::columns::{Arrived, Columns, Found, Listed, Wants};
use super::connection::{ConnectionField, Rows};
use super::post::{self, PostField};
use super::product::{self, ProductField};
use super::selection::{Asked, Key, Of, Reader, Set};
use super::user::{self, UserField};
use super::writer::Writer;
use crate::cursors::List;
use crate::error::{fault, missing};
use crate::ids::{argument, global_text};
use crate::lists::Listing;
use crate::users::queries::by_handle;
use crate::viewer::types::Viewer as ViewerType;
use plaza_base::ids::{Id, PostId, ProductId};
use plaza_domain::posts::{self, Post};
use plaza_domain::{DomainError, Operation, Page, PageRequest, Viewer, timelines};

/// A field of the root.
#[derive(Debug)]
pub enum QueryField {
    Viewer(Set<ViewerField>),
    Post(Argument<String>, Set<PostField>),
    Posts(PostList),
    Product(Argument<String>, Set<ProductField>),
    User { place: usize, handle: Argument<String>, set: Set<UserField> },
}

impl Asked for QueryField {
    fn type_name() -> Cow<'static, str> {
        "Query".into()
    }

    fn read(name: &str, field: &Field, reader: &mut Reader<'_>) -> Option<Self> {
        let required = |name, reader: &Reader<'_>| Argument::required(field, name, reader);
        Some(match name {
            "viewer" => Self::Viewer(reader.below(field)?),
            "post" => Self::Post(required("id", reader)?, reader.below(field)?),
            "posts" => Self::Posts(PostList::read(field, reader)?),
            "product" => Self::Product(required("id", reader)?, reader.below(field)?),
            "user" => Self::User {
                place: reader.place(),
                handle: required("handle", reader)?,
                set: reader.below(field)?,
            },
            _ => return None,
        })
    }

    fn fetches(&self) -> bool {
        match self {
            Self::Viewer(set) => set.fetches(),
            Self::Post(..) | Self::Posts(_) | Self::Product(..) | Self::User { .. } => true,
        }
    }
}

/// The id in an argument.
fn id_of<I: Id>(given: &Argument<String>, values: &async_graphql::Variables) -> FoundId<I> {
    argument(&ID(given.value(values).unwrap_or_default()))
}

type FoundId<I> = async_graphql::Result<I>;

impl Of<()> for QueryField {
    fn want(&self, (): &(), found: &Columns, wants: &mut Wants<'_>) {
        match self {
            Self::Viewer(set) => {
                if let Some(viewer) = wants.scope.op.viewer {
                    set.want(&viewer, found, wants);
                }
            }
            Self::Post(id, set) => {
                post::want(set, id_of::<PostId>(id, wants.variables).ok(), found, wants);
            }
            Self::Posts(list) => list.want(Listing::Posts, found, wants),
            Self::Product(id, set) => {
                product::want(set, id_of::<ProductId>(id, wants.variables).ok(), found, wants);
            }
            Self::User { place, handle, set } => match found.named.get(place) {
                Some(Ok(Some(id))) => user::want(set, *id, found, wants),
                Some(_) => {}
                None => {
                    let handle = handle.value(wants.variables).unwrap_or_default();
                    let place = *place;
                    wants.once(place, 0, |op| async move {
                        let read = by_handle(&op, &handle).await;
                        let arrived: Arrived =
                            Box::new(move |columns| drop(columns.named.insert(place, read)));
                        arrived
                    });
                }
            },
        }
    }

    fn write<'p>(&'p self, (): &(), key: &'p Key, out: &mut Writer<'p>) {
        let (found, values) = (out.found, out.variables);
        match self {
            Self::Viewer(set) => {
                let viewer = out.scope.op.viewer;
                out.object(key, Ok(viewer), |out, viewer| set.write(&viewer, out));
            }
            Self::Post(id, set) => {
                let post = id_of(id, values).and_then(|id: PostId| found.posts.get(id));
                out.object(key, post, |out, post| set.write(post, out));
            }
            Self::Posts(list) => list.write(Listing::Posts, key, out),
            Self::Product(id, set) => {
                let product = id_of(id, values).and_then(|id: ProductId| found.products.get(id));
                out.object(key, product, |out, product| set.write(product, out));
            }
            Self::User { place, set, .. } => {
                let id = found.named.get(place).cloned().unwrap_or(Ok(None));
                let user = id.and_then(|id| id.map_or(Ok(None), |id| found.users.get(id)));
                out.object(key, user, |out, user| set.write(user, out));
            }
        }
    }
}

/// A field of the viewer.
#[derive(Debug)]
pub enum ViewerField {
    Id,
    User(Set<UserField>),
    Home(PostList),
}

impl Asked for ViewerField {
    fn type_name() -> Cow<'static, str> {
        "Viewer".into()
    }

    fn read(name: &str, field: &Field, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match name {
            "id" => Self::Id,
            "user" => Self::User(reader.below(field)?),
            "home" => Self::Home(PostList::read(field, reader)?),
            _ => return None,
        })
    }

    fn fetches(&self) -> bool {
        matches!(self, Self::User(_) | Self::Home(_))
    }
}

impl Of<Viewer> for ViewerField {
    fn want(&self, viewer: &Viewer, found: &Columns, wants: &mut Wants<'_>) {
        match self {
            Self::Id => {}
            Self::User(set) => user::want(set, viewer.user_id, found, wants),
            Self::Home(list) => list.want(Listing::Home(viewer.user_id), found, wants),
        }
    }

    fn write<'p>(&'p self, viewer: &Viewer, key: &'p Key, out: &mut Writer<'p>) {
        match self {
            Self::Id => {
                out.name(&global_text(ViewerType::NOUN, &viewer.user_id.to_string()));
            }
            Self::User(set) => user::write(set, viewer.user_id, key, out),
            Self::Home(list) => list.write(Listing::Home(viewer.user_id), key, out),
        }
    }
}

/// A page of posts.
#[derive(Debug)]
pub struct PostList {
    place: usize,
    arguments: PageArguments,
    set: Set<ConnectionField<PostField>>,
}

/// A page of one of the lists of posts, and the shards whose posts it lacks.
async fn page(
    op: &Operation,
    listing: Listing,
    request: PageRequest,
) -> Result<(Page<Post>, Vec<usize>), DomainError> {
    let whole = |page| (page, Vec::new());
    match listing {
        Listing::Home(_) => timelines::home(op, request).await.map(whole),
        Listing::Posts => posts::newest(op, request).await,
        Listing::PostsOf(user) => posts::by_author(op, user, request).await.map(whole),
        Listing::CommentsOn(_) | Listing::RepliesTo(_) => Ok(whole(Page::default())),
    }
}

async fn read(
    op: Arc<Operation>,
    (listing, list): (Listing, List),
    (first, after): (i32, Option<String>),
) -> Listed<Post> {
    let request = list.page(first, after.as_deref())?;
    let read = page(&op, listing, request).await.map_err(|error| fault(&error));
    read.map(|(page, missing)| Found { request, page, missing })
}

impl PostList {
    /// What is asked of a page of posts.
    pub fn read(field: &Field, reader: &mut Reader<'_>) -> Option<Self> {
        let (place, arguments) = (reader.place(), PageArguments::read(field, reader)?);
        Some(Self { place, arguments, set: reader.below(field)? })
    }

    fn place_in(&self, listing: Listing) -> (usize, i64) {
        match listing {
            Listing::Home(user) | Listing::PostsOf(user) => (self.place, user.as_i64()),
            Listing::Posts | Listing::CommentsOn(_) | Listing::RepliesTo(_) => (self.place, 0),
        }
    }

    /// Asks for the page, and for what is asked of its posts.
    pub fn want(&self, listing: Listing, found: &Columns, wants: &mut Wants<'_>) {
        let (place, id) = self.place_in(listing);
        match found.posts_of.get(&(place, id)) {
            Some(Ok(listed)) => {
                let rows = Rows::new(listing, listed.request, &listed.page);
                self.set.want(&rows, found, wants);
            }
            Some(Err(_)) => {}
            None => {
                let list = (listing, listing.of(wants.scope));
                let arguments = self.arguments.values(wants.variables);
                wants.once(place, id, |op| async move {
                    let read = read(op, list, arguments).await;
                    let arrived: Arrived = Box::new(move |columns| {
                        columns.posts_of.insert((place, id), read);
                    });
                    arrived
                });
            }
        }
    }

    /// Writes the page.
    pub fn write<'p>(&'p self, listing: Listing, key: &'p Key, out: &mut Writer<'p>) {
        let listed = match out.found.posts_of.get(&self.place_in(listing)) {
            Some(Ok(listed)) => Ok(Some(listed)),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(None),
        };
        out.object(key, listed, |out, listed| {
            for shard in &listed.missing {
                out.beside(key, missing("posts", *shard));
            }
            self.set.write(&Rows::new(listing, listed.request, &listed.page), out);
        });
    }
}
