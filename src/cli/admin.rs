//! What an operator does to a person's account: there is no other way to the first administrator.

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};

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
}

/// # Errors
/// Nobody of this handle; a shard that cannot be reached.
pub async fn run(config: Config, args: AdminArgs) -> anyhow::Result<()> {
    let app = App::build(config, Clock::System).await?;
    let said = act(&app, &args).await?;
    writeln!(std::io::stdout(), "{said}")?;
    Ok(())
}

/// Does it; what was done, in words.
///
/// # Errors
/// As [`run`].
pub async fn act(app: &App, args: &AdminArgs) -> anyhow::Result<String> {
    let (What::Grant(whom)
    | What::Revoke(whom)
    | What::Suspend(whom)
    | What::Unsuspend(whom)
    | What::ResetPassword(whom)) = &args.what;
    let handle = whom.handle.trim_start_matches('@').to_lowercase();
    let op = app.internal(TIMEOUT);
    let user = users::row_by_handle(&op, &handle)
        .await?
        .ok_or_else(|| anyhow::anyhow!("there is no @{handle}"))?
        .id;
    Ok(match args.what {
        What::Grant(_) => {
            moderation::grant(&op, user, true).await?;
            format!("@{handle} is an administrator")
        }
        What::Revoke(_) => {
            moderation::grant(&op, user, false).await?;
            format!("@{handle} is no administrator")
        }
        What::Suspend(_) => {
            moderation::suspend_by_operator(&op, user, true).await?;
            format!("@{handle} is suspended: nobody sees them, their sessions end")
        }
        What::Unsuspend(_) => {
            moderation::suspend_by_operator(&op, user, false).await?;
            format!("@{handle} is not suspended")
        }
        What::ResetPassword(_) => {
            let password = moderation::reset_password(&op, user).await?;
            format!("@{handle} has the password {password}, their sessions end")
        }
    })
}
