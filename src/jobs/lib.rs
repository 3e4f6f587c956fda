//! RabbitMQ jobs: the handlers, and the runner that retries and gives up.

mod attempts;
mod backup_age;
mod depths;
mod feed_fan_out;
mod feed_resume_push;
mod follow_requests_grant;
pub mod housekeeping;
mod image_delete;
mod image_process;
pub mod old_notifications;
mod order_process;
mod runner;

use plaza_domain::{DomainError, Operation};
use plaza_protocol::jobs::Job;
use plaza_stores::StoreError;
use plaza_stores::server::Server;

pub use runner::{CAUSE, run};

/// How a job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobError {
    /// It may go well later.
    Retry(String),
    /// It could not begin for want of something of ours (a connection, Redis): that says nothing
    /// about the job, and is no attempt.
    Wait(String),
    /// It never will.
    Fail(String),
}

impl From<DomainError> for JobError {
    fn from(error: DomainError) -> Self {
        match &error {
            DomainError::Rejected(_)
            | DomainError::Unauthenticated
            | DomainError::Forbidden
            | DomainError::Limited { .. } => Self::Fail(error.to_string()),
            DomainError::Store(StoreError::Busy(_)) => Self::Wait(error.to_string()),
            DomainError::Store(StoreError::Unavailable { server, .. })
                if *server == Server::from("redis") =>
            {
                Self::Wait(error.to_string())
            }
            DomainError::Store(_) | DomainError::Internal(_) => Self::Retry(error.to_string()),
        }
    }
}

/// Every job and its handler. A handler may be run again at any time: what it does must come to the
/// same.
async fn handle(op: &Operation, job: &Job) -> Result<(), JobError> {
    match job {
        Job::FeedFanOut { post_id, author_id } => feed_fan_out::run(op, *post_id, *author_id).await,
        Job::FeedResumePush { author_id } => feed_resume_push::run(op, *author_id).await,
        Job::FollowRequestsGrant { user_id, above } => {
            follow_requests_grant::run(op, *user_id, *above).await
        }
        Job::ImageProcess { image_id } => image_process::run(op, *image_id).await,
        Job::ImageDelete { names } => image_delete::run(&op.domain, names).await,
        Job::OrderProcess { order_id } => order_process::run(op, *order_id).await,
    }
}
