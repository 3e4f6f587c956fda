//! What an operator does to a person's account: there is no other way to the first administrator.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::write_json;
use plaza_app::App;
use plaza_base::clock::Clock;
use plaza_config::Config;
use plaza_domain::{moderation, users};

/// How long it may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is done, and to whom.
#[derive(Debug, Args)]
pub struct AdminArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Makes a person an administrator.
    Grant(Whom),
    /// Makes an administrator a person like others.
    Revoke(Whom),
    /// Hides a person from everybody and ends their sessions.
    Suspend(Whom),
    /// Ends a suspension.
    Unsuspend(Whom),
    /// Gives a person a new password, which is printed, and ends their sessions.
    ResetPassword(Whom),
}

/// A person.
#[derive(Debug, Clone, Args)]
struct Whom {
    /// Their handle, with or without its @.
    handle: String,
    /// A JSON object of what was done, instead of a sentence.
    #[arg(long)]
    json: bool,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Done {
    /// To whom: their handle, without its @.
    pub handle: String,
    /// What, as the subcommand is called.
    pub action: &'static str,
    /// The new password, where they were given one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{} ", self.handle)?;
        match (self.action, &self.password) {
            (_, Some(password)) => {
                write!(f, "has the password {password}, their sessions end")
            }
            (GRANT, None) => f.write_str("is an administrator"),
            (REVOKE, None) => f.write_str("is no administrator"),
            (SUSPEND, None) => f.write_str("is suspended: nobody sees them, their sessions end"),
            (_, None) => f.write_str("is not suspended"),
        }
    }
}

const GRANT: &str = "grant";
const REVOKE: &str = "revoke";
const SUSPEND: &str = "suspend";
const UNSUSPEND: &str = "unsuspend";
const RESET_PASSWORD: &str = "reset-password";

impl What {
    fn whom(&self) -> &Whom {
        match self {
            Self::Grant(whom)
            | Self::Revoke(whom)
            | Self::Suspend(whom)
            | Self::Unsuspend(whom)
            | Self::ResetPassword(whom) => whom,
        }
    }
}

/// # Errors
/// Nobody of this handle; a shard that cannot be reached.
pub async fn run(config: Config, args: AdminArgs) -> anyhow::Result<()> {
    let app = App::build(config, Clock::System).await?;
    let done = act(&app, &args).await?;
    let mut out = std::io::stdout();
    match args.what.whom().json {
        true => write_json(&mut out, &done),
        false => Ok(writeln!(out, "{done}")?),
    }
}

/// Does it; what was done.
///
/// # Errors
/// As [`run`].
pub async fn act(app: &App, args: &AdminArgs) -> anyhow::Result<Done> {
    let handle = args.what.whom().handle.trim_start_matches('@').to_ascii_lowercase();
    let op = app.internal(TIMEOUT);
    let user = users::row_by_handle(&op, &handle)
        .await?
        .ok_or_else(|| anyhow::anyhow!("there is no @{handle}"))?
        .id;
    let mut password = None;
    let action = match args.what {
        What::Grant(_) => {
            moderation::grant(&op, user, true).await?;
            GRANT
        }
        What::Revoke(_) => {
            moderation::grant(&op, user, false).await?;
            REVOKE
        }
        What::Suspend(_) => {
            moderation::suspend_by_operator(&op, user, true).await?;
            SUSPEND
        }
        What::Unsuspend(_) => {
            moderation::suspend_by_operator(&op, user, false).await?;
            UNSUSPEND
        }
        What::ResetPassword(_) => {
            password = Some(moderation::reset_password(&op, user).await?);
            RESET_PASSWORD
        }
    };
    Ok(Done { handle, action, password })
}
