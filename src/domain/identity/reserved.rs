//! Handles that nobody may take: who had one would be taken for the house, or stand where a page
//! of it is. Accounts that have one keep it.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Names of the house, of its users, of its machines, and of its pages.
const RESERVED: &[&str] = &[
    // The house and those who work there.
    "admin",
    "administrator",
    "admins",
    "plaza",
    "plazateam",
    "plazasupport",
    "plazaofficial",
    "official",
    "root",
    "superuser",
    "sysadmin",
    "system",
    "sysop",
    "staff",
    "team",
    "support",
    "help",
    "helpdesk",
    "helpcenter",
    "moderator",
    "moderators",
    "moderation",
    "mod",
    "mods",
    "operator",
    "security",
    "abuse",
    "trust",
    "trustandsafety",
    "safety",
    "legal",
    "compliance",
    "copyright",
    "dmca",
    "press",
    "media",
    "contact",
    "feedback",
    "billing",
    "payment",
    "payments",
    "refund",
    "refunds",
    "sales",
    "noreply",
    "donotreply",
    "postmaster",
    "hostmaster",
    "webmaster",
    "mailerdaemon",
    "info",
    "marketing",
    "noc",
    "newsletter",
    "usenet",
    "uucp",
    "owner",
    "founder",
    "ceo",
    "employee",
    "bot",
    "robot",
    "daemon",
    "nobody",
    "anonymous",
    "everyone",
    "everybody",
    "all",
    "here",
    "channel",
    "deleted",
    "unknown",
    "verified",
    "verify",
    "verification",
    // Words that programs take for something else.
    "null",
    "undefined",
    "none",
    "nil",
    "nan",
    "true",
    "false",
    "void",
    "constructor",
    "prototype",
    "proto",
    "me",
    "self",
    "viewer",
    // Machines.
    "www",
    "api",
    "apis",
    "graphql",
    "graphiql",
    "rest",
    "rpc",
    "grpc",
    "websocket",
    "websockets",
    "socket",
    "sockets",
    "web",
    "mail",
    "email",
    "smtp",
    "imap",
    "pop3",
    "ftp",
    "sftp",
    "ssh",
    "dns",
    "cdn",
    "static",
    "asset",
    "assets",
    "image",
    "images",
    "upload",
    "uploads",
    "download",
    "downloads",
    "file",
    "files",
    "public",
    "private",
    "internal",
    "localhost",
    "localdomain",
    "server",
    "servers",
    "proxy",
    "status",
    "health",
    "healthz",
    "livez",
    "readyz",
    "metrics",
    "wellknown",
    "jwks",
    "robots",
    "robotstxt",
    "favicon",
    "faviconico",
    "sitemap",
    "manifest",
    "serviceworker",
    "schema",
    "docs",
    "documentation",
    "developer",
    "developers",
    // Pages, those there are and those there may be.
    "about",
    "account",
    "accounts",
    "analytics",
    "blog",
    "cart",
    "checkout",
    "compose",
    "cookies",
    "discover",
    "explore",
    "feed",
    "followers",
    "following",
    "hashtag",
    "hashtags",
    "home",
    "imprint",
    "inbox",
    "index",
    "invite",
    "jobs",
    "login",
    "logout",
    "logoff",
    "market",
    "marketplace",
    "message",
    "messages",
    "new",
    "notification",
    "notifications",
    "oauth",
    "oauth2",
    "openid",
    "order",
    "orders",
    "parts",
    "password",
    "passwords",
    "people",
    "post",
    "posts",
    "preferences",
    "privacy",
    "product",
    "products",
    "profile",
    "profiles",
    "register",
    "registration",
    "report",
    "reports",
    "requests",
    "reset",
    "rss",
    "search",
    "session",
    "sessions",
    "setting",
    "settings",
    "shop",
    "shops",
    "signin",
    "signout",
    "signup",
    "sso",
    "store",
    "tag",
    "tags",
    "terms",
    "termsofservice",
    "timeline",
    "tos",
    "trending",
    "user",
    "users",
    "welcome",
];

/// Each character that looks like a letter, and the letter.
const LETTERS: [(char, char); 12] = [
    ('0', 'o'),
    ('1', 'i'),
    ('l', 'i'),
    ('2', 'z'),
    ('3', 'e'),
    ('4', 'a'),
    ('5', 's'),
    ('6', 'b'),
    ('7', 't'),
    ('8', 'b'),
    ('9', 'g'),
    ('q', 'g'),
];
/// Each pair that looks like a letter, and the letter.
const PAIRS: [(&str, &str); 4] = [("rn", "m"), ("nn", "m"), ("vv", "w"), ("uu", "w")];
/// Pairs that look like a letter, or like two: a `c`, and what is taken for an `i`.
const OPEN: [(&str, &str); 2] = [("cl", "d"), ("c1", "d")];

/// A name as the eye takes it: without underscores, and with one letter for all that look like it.
/// In two ways, for pairs that may be one letter or two.
fn seen(name: &str) -> [String; 2] {
    let name = name.replace('_', "");
    let replaced = |name: String, pairs: &[(&str, &str)]| {
        pairs.iter().fold(name, |name, (pair, letter)| name.replace(pair, letter))
    };
    let letter =
        |c: char| LETTERS.iter().find(|(like, _)| *like == c).map_or(c, |(_, letter)| *letter);
    let two = replaced(name, &PAIRS);
    let one = replaced(two.clone(), &OPEN);
    [two, one].map(|name| name.chars().map(letter).collect())
}

/// Whether a handle, or one that looks like it, is kept for the house. One of underscores alone is.
pub fn is_reserved(handle: &str) -> bool {
    static SEEN: LazyLock<HashSet<String>> = LazyLock::new(|| {
        // What is said to be the house's own, too.
        let own = |name: &&str| [format!("plaza{name}"), format!("{name}plaza")];
        let names = RESERVED.iter().flat_map(own);
        let names = names.chain(RESERVED.iter().map(|name| (*name).to_owned()));
        names.flat_map(|name| seen(&name)).collect()
    });
    seen(handle).iter().any(|seen| seen.is_empty() || SEEN.contains(seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_reserved_name_is_reserved() {
        for name in RESERVED {
            assert_eq!(*name, name.to_ascii_lowercase());
            let between: String = name.chars().flat_map(|c| [c, '_']).collect();
            for like in [(*name).to_owned(), format!("_{name}_"), between] {
                assert!(is_reserved(&like), "{like}");
            }
            for (like, letter) in LETTERS {
                let like = name.replace(letter, &like.to_string());
                assert!(is_reserved(&like), "{like} for {name}");
            }
            for (like, letter) in PAIRS.into_iter().chain(OPEN) {
                let like = name.replace(letter, like);
                // That is read as an m and an n.
                assert!(like.contains("rnn") || is_reserved(&like), "{like} for {name}");
            }
        }
        for like in ["adrnin", "vvvvw", "p1aza", "pla2a", "ac1min", "aclmin", "adnnin", "___", "_"]
            .into_iter()
            .chain(["plaza_admin", "p1aza_support", "support_plaza", "info", "ceo", "b0t"])
        {
            assert!(is_reserved(like), "{like}");
        }
    }

    #[test]
    fn ordinary_names_are_free() {
        for name in
            ["ann", "bob", "alice", "seller", "buyer", "author", "admin_fan", "rootbeer", "u7"]
        {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
