//! What a running plan has read, by key, and what it wants to read next.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_graphql::Variables;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quick_cache::DefaultHashBuilder;

use crate::context::Scope;
use crate::error::fault;
use crate::loaders::{
    BATCH, BatchRead, FirstComments, FirstReplies, Loaded, ViewerBlocks, ViewerLikes, ViewerReposts,
};
use plaza_base::ids::{PostId, UserId};
use plaza_domain::comments::Comment;
use plaza_domain::follows::Tie;
use plaza_domain::posts::{Post, PostCounts, ShareCounts};
use plaza_domain::products::Product;
use plaza_domain::profile_counts::{FollowerCount, ProfileCounts};
use plaza_domain::relations::{self, Relations};
use plaza_domain::users::User;
use plaza_domain::{DomainError, Operation, Page, PageRequest};

type Fast<K, V> = HashMap<K, V, DefaultHashBuilder>;

/// Puts what was read where it belongs.
pub type Arrived = Box<dyn FnOnce(&mut Columns) + Send>;

/// Values of one kind, as far as they were read.
pub struct Column<R: BatchRead>(Fast<R::Key, Loaded<R::Value>>);

impl<R: BatchRead> Default for Column<R> {
    fn default() -> Self {
        Self(Fast::default())
    }
}

impl<R: BatchRead> Column<R> {
    /// A value that was read; `None` when it does not exist or the viewer may not see it.
    ///
    /// # Errors
    /// The failure of the batch that its key was in.
    pub fn get(&self, key: R::Key) -> async_graphql::Result<Option<&R::Value>> {
        match self.0.get(&key) {
            Some(Ok(value)) => Ok(value.as_ref()),
            Some(Err(error)) => Err(fault(error)),
            None => Err(fault(&DomainError::Internal(format!("{key:?} was not planned for")))),
        }
    }

    /// A value that is there and can be shown.
    pub fn shown(&self, key: R::Key) -> Option<&R::Value> {
        self.0.get(&key)?.as_ref().ok()?.as_ref()
    }

    fn put(&mut self, key: R::Key, read: Result<R::Value, Arc<DomainError>>) {
        self.0.insert(key, read.map(Some));
    }

    fn take(&mut self, keys: &[R::Key], read: Result<HashMap<R::Key, R::Value>, DomainError>) {
        match read {
            Ok(mut found) => self.0.extend(keys.iter().map(|key| (*key, Ok(found.remove(key))))),
            Err(error) => {
                let error = Arc::new(error);
                self.0.extend(keys.iter().map(|key| (*key, Err(Arc::clone(&error)))));
            }
        }
    }
}

/// Keys of one kind that were asked for.
pub struct Wanted<R: BatchRead> {
    asked: HashSet<R::Key, DefaultHashBuilder>,
    new: Vec<R::Key>,
}

impl<R: BatchRead> Default for Wanted<R> {
    fn default() -> Self {
        Self { asked: HashSet::default(), new: Vec::new() }
    }
}

impl<R: BatchRead> Wanted<R> {
    /// Asks for a value, once.
    pub fn want(&mut self, key: R::Key) {
        if self.asked.insert(key) {
            self.new.push(key);
        }
    }

    /// Leaves out what is newly asked for.
    fn leave(&mut self) {
        self.new.clear();
    }

    /// Begins to read what is newly asked for.
    fn begin(
        &mut self,
        op: &Arc<Operation>,
        column: fn(&mut Columns) -> &mut Column<R>,
        begun: &mut Vec<BoxFuture<'static, Arrived>>,
    ) {
        for keys in std::mem::take(&mut self.new).chunks(BATCH) {
            let (op, keys) = (Arc::clone(op), keys.to_vec());
            let reading = async move {
                let read = R::read(&op, &keys).await;
                let arrived: Arrived = Box::new(move |columns| column(columns).take(&keys, read));
                arrived
            };
            begun.push(reading.boxed());
        }
    }
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident: $read:ty,)*) => {
        /// All that was read.
        #[derive(Default)]
        pub struct Columns {
            $($(#[$doc])* pub $name: Column<$read>,)*
            /// Pages of posts, by the place of the plan and whose they are.
            pub posts_of: Fast<(usize, i64), Listed<Post>>,
            /// Who has a handle, by the place of the plan.
            pub named: Fast<usize, async_graphql::Result<Option<UserId>>>,
            /// The viewer's.
            pub relations: Option<async_graphql::Result<Arc<Relations>>>,
        }

        /// Keys of all kinds.
        #[derive(Default)]
        pub struct Keys {
            $($(#[$doc])* pub $name: Wanted<$read>,)*
        }

        impl Keys {
            fn begin(&mut self, op: &Arc<Operation>, begun: &mut Vec<BoxFuture<'static, Arrived>>) {
                $(self.$name.begin(op, |columns| &mut columns.$name, begun);)*
            }
        }
    };
}

columns! {
    /// Users.
    users: User,
    /// What they have done, counted.
    profile_counts: ProfileCounts,
    /// Who follows them, counted.
    follower_counts: FollowerCount,
    /// What is between them and the viewer.
    ties: Tie,
    /// Whether the viewer blocks them.
    blocks: ViewerBlocks,
    /// Posts.
    posts: Post,
    /// Their likes and comments, counted.
    post_counts: PostCounts,
    /// Their reposts and quotes, counted.
    share_counts: ShareCounts,
    /// Whether the viewer likes them.
    likes: ViewerLikes,
    /// Whether the viewer reposts them.
    reposts: ViewerReposts,
    /// The first comments on them.
    first_comments: FirstComments,
    /// Comments.
    comments: Comment,
    /// The first replies to them.
    first_replies: FirstReplies,
    /// Products.
    products: Product,
}

/// A page of a list.
pub struct Found<T> {
    /// What was asked for.
    pub request: PageRequest,
    /// The page.
    pub page: Page<T>,
    /// Shards whose rows it lacks.
    pub missing: Vec<usize>,
}

/// A page, or why there is none.
pub type Listed<T> = async_graphql::Result<Found<T>>;

/// What a running plan wants to read next.
pub struct Wants<'r> {
    /// Who asks.
    pub scope: &'r Arc<Scope>,
    /// The operation's.
    pub variables: &'r Variables,
    /// Values by key.
    pub keys: Keys,
    asked: HashSet<(usize, i64)>,
    has_asked_for_relations: bool,
    /// Whether what is each viewer's own is left out.
    is_of_all: bool,
    begun: Vec<BoxFuture<'static, Arrived>>,
}

impl<'r> Wants<'r> {
    /// Nothing yet.
    pub fn new(scope: &'r Arc<Scope>, variables: &'r Variables) -> Self {
        let (keys, asked, begun) = (Keys::default(), HashSet::new(), Vec::new());
        let (has_asked_for_relations, is_of_all) = (false, false);
        Self { scope, variables, keys, asked, has_asked_for_relations, is_of_all, begun }
    }

    /// Nothing yet; what is each viewer's own will not be read.
    pub fn of_all(scope: &'r Arc<Scope>, variables: &'r Variables) -> Self {
        Self { is_of_all: true, ..Self::new(scope, variables) }
    }

    /// Has something read that is in no batch, once for a place of the plan and an object.
    pub fn once<F>(&mut self, place: usize, id: i64, read: impl FnOnce(Arc<Operation>) -> F)
    where
        F: Future<Output = Arrived> + Send + 'static,
    {
        if self.asked.insert((place, id)) {
            self.begun.push(read(Arc::clone(&self.scope.op)).boxed());
        }
    }

    /// Has it read whether the viewer likes a post, together with other viewers of an event.
    pub fn like_among_many(&mut self, post: PostId) {
        let Some(viewer) = self.scope.op.viewer else { return };
        let domain = Arc::clone(&self.scope.op.domain);
        let reading = async move {
            let key = (post, viewer.user_id);
            let read = domain.viewer_batches.likes.load(&domain, key).await;
            let arrived: Arrived = Box::new(move |columns| columns.likes.put(post, read));
            arrived
        };
        self.begun.push(reading.boxed());
    }

    /// The same of reposts.
    pub fn repost_among_many(&mut self, post: PostId) {
        let Some(viewer) = self.scope.op.viewer else { return };
        let domain = Arc::clone(&self.scope.op.domain);
        let reading = async move {
            let key = (viewer.user_id, post);
            let read = domain.viewer_batches.reposts.load(&domain, key).await;
            let arrived: Arrived = Box::new(move |columns| columns.reposts.put(post, read));
            arrived
        };
        self.begun.push(reading.boxed());
    }

    /// Has the viewer's relations read.
    pub fn relations(&mut self) {
        if std::mem::replace(&mut self.has_asked_for_relations, true) {
            return;
        }
        let op = Arc::clone(&self.scope.op);
        let reading = async move {
            let read = relations::of_viewer(&op).await.map_err(|error| fault(&error));
            let arrived: Arrived = Box::new(move |columns| columns.relations = Some(read));
            arrived
        };
        self.begun.push(reading.boxed());
    }

    /// What is to be read of all that was newly asked for.
    pub fn begin(&mut self) -> Vec<BoxFuture<'static, Arrived>> {
        if self.is_of_all {
            self.keys.ties.leave();
            self.keys.blocks.leave();
            self.keys.likes.leave();
            self.keys.reposts.leave();
        }
        let mut begun = std::mem::take(&mut self.begun);
        self.keys.begin(&self.scope.op, &mut begun);
        begun
    }
}
