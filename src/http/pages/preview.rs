//! What a page is about, in its head: what is shown of a link to it elsewhere. Nothing but what
//! everybody may see.

use std::net::IpAddr;
use std::time::Duration;

use crate::Served;
use crate::limits::Payer;
use plaza_base::ids::{PostId, ProductId};
use plaza_domain::operation::ConsistencyToken;
use plaza_domain::products::Product;
use plaza_domain::{Operation, posts, products, users};
use plaza_graphql::ids::parse;

/// The page is shown without it when it takes longer.
const TIMEOUT: Duration = Duration::from_millis(500);
/// Most characters of a title, and of a description.
const TITLE: usize = 70;
const DESCRIPTION: usize = 200;
/// Between these two marks of the page stands what it is about.
const MARKS: (&str, &str) = ("<!--about-->", "<!--/about-->");

/// What a page is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    title: String,
    description: String,
    /// As the Open Graph protocol has it.
    kind: &'static str,
}

/// Points that it costs whoever opens the page, as an operation with as many statements would.
const COST: u64 = 60;

/// Nobody in particular, with a short timeout: `None` when there is too much to do already, or the
/// address has asked for more than it may.
async fn loaded<T>(
    served: &Served,
    address: IpAddr,
    load: impl AsyncFnOnce(&Operation) -> Option<T>,
) -> Option<T> {
    let payer = Payer::of(&served.app.config.limits, None, address);
    payer.check_credit(&served.app).ok()?;
    let _admitted = served.admit().await.ok()?;
    payer.owe(&served.app, COST).await;
    let op = Operation::request(&served.app.domain, None, &ConsistencyToken::default(), TIMEOUT);
    tokio::time::timeout(TIMEOUT, load(&op)).await.ok().flatten()
}

/// A post, by its global id.
pub(super) async fn of_post(served: &Served, address: IpAddr, id: &str) -> Option<About> {
    let (_domain, id) = (&served.app.domain, parse::<PostId>(id)?);
    loaded(served, address, async |op| {
        let post = posts::get_many(op, &[id]).await.ok()?.remove(&id)?;
        let author = post.author_id;
        let author = users::get_many(op, &[author]).await.ok()?.remove(&author)?;
        Some(About {
            title: format!("{} (@{}) on plaza", author.display_name, author.handle),
            description: post.text.clone(),
            kind: "article",
        })
    })
    .await
}

/// A user, by their handle.
pub(super) async fn of_person(served: &Served, address: IpAddr, handle: &str) -> Option<About> {
    let _domain = &served.app.domain;
    loaded(served, address, async |op| {
        let id = users::by_handle(op, handle).await.ok()??;
        let person = users::get_many(op, &[id]).await.ok()?.remove(&id)?;
        Some(About {
            title: format!("{} (@{})", person.display_name, person.handle),
            description: person.bio.clone(),
            kind: "profile",
        })
    })
    .await
}

/// A product, by its global id.
pub(super) async fn of_product(served: &Served, address: IpAddr, id: &str) -> Option<About> {
    let (_domain, id) = (&served.app.domain, parse::<ProductId>(id)?);
    loaded(served, address, async |op| {
        let Product { title, description, .. } =
            products::get_many(op, &[id]).await.ok()?.remove(&id)?;
        Some(About { title, description, kind: "product" })
    })
    .await
}

/// The page with what it is about; as it is when it has no place for it.
pub(super) fn with_preview(page: &str, about: &About, url: &str) -> String {
    let Some((before, rest)) = page.split_once(MARKS.0) else { return page.to_owned() };
    let Some((_, after)) = rest.split_once(MARKS.1) else { return page.to_owned() };
    let title = escaped(&shortened(&about.title, TITLE));
    let description = match shortened(&about.description, DESCRIPTION) {
        empty if empty.is_empty() => "On plaza: people, posts and a marketplace.".to_owned(),
        some => escaped(&some),
    };
    let (kind, url) = (about.kind, escaped(url));
    format!(
        "{before}{}<title>{title} · plaza</title>\
         <meta name=\"description\" content=\"{description}\" />\
         <meta property=\"og:site_name\" content=\"plaza\" />\
         <meta property=\"og:type\" content=\"{kind}\" />\
         <meta property=\"og:title\" content=\"{title}\" />\
         <meta property=\"og:description\" content=\"{description}\" />\
         <meta property=\"og:url\" content=\"{url}\" />\
         <meta name=\"twitter:card\" content=\"summary\" />\
         <link rel=\"canonical\" href=\"{url}\" />{}{after}",
        MARKS.0, MARKS.1
    )
}

/// One line, at most so many characters.
fn shortened(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let mut short: String = line.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// For HTML's text and for attributes in either kind of quotes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => {}
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<head><!--about--><title>plaza</title><!--/about--></head>";

    #[test]
    fn nothing_that_somebody_wrote_becomes_markup() {
        for text in [
            "</title><script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "' onload='x",
            "<!--/about--><b>",
            "&lt;b&gt;",
            "a\u{0}\u{1b}b",
        ] {
            let about =
                About { title: text.to_owned(), description: text.to_owned(), kind: "article" };
            let page = with_preview(PAGE, &about, &format!("https://plaza.example/p/{text}"));
            let inside = page.split_once(MARKS.0).unwrap().1.rsplit_once(MARKS.1).unwrap().0;
            let mut rest = inside.to_owned();
            for own in ["<title>", "</title>", "<meta ", "<link ", " />"] {
                rest = rest.replace(own, "");
            }
            assert!(!rest.contains(['<', '>']), "{inside}");
            // Eight elements with two values in double quotes each, and nothing that could end one early.
            assert_eq!(inside.matches('"').count(), 32, "{inside}");
            assert!(!inside.contains('\''), "{inside}");
        }
    }

    #[test]
    fn texts_are_one_line_and_not_too_long() {
        assert_eq!(shortened("a\n\n b\tc ", 10), "a b c");
        assert_eq!(shortened(&"🌿".repeat(11), 10), format!("{}…", "🌿".repeat(9)));
        assert_eq!(shortened(&"x".repeat(10), 10), "x".repeat(10));
    }

    #[test]
    fn a_page_without_a_place_for_it_stays_as_it_is() {
        let about = About { title: "t".to_owned(), description: String::new(), kind: "profile" };
        assert_eq!(with_preview("<head></head>", &about, "u"), "<head></head>");
        assert!(with_preview(PAGE, &about, "u").contains("<title>t · plaza</title>"));
    }
}
