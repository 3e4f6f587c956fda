//! The figures of the case.

use super::{Capstone, Rest};
use crate::cases::case::Results;
use crate::cases::outcome::{Figure, median, medians};
use crate::celebrity::Celebrated;
use crate::crowd::Crowded;
use crate::report::{OperationReport, float};

/// The harder of the two p95 beside the connections.
const TOLD: &str = "p95 in a minute in which one post is told to all of them, ms";
const GOAL_MS: f64 = 50.0;

fn whole(number: u64) -> f64 {
    float(usize::try_from(number).unwrap_or(usize::MAX))
}

/// A p95 that is to be low.
fn fast(figure: Figure) -> Figure {
    let met = figure.after < GOAL_MS;
    figure.aimed("< 50", met)
}

/// A size that is to be reached.
fn reached(what: impl Into<String>, number: usize, target: usize, words: &str) -> Figure {
    Figure::plain(what, None, float(number)).aimed(words, number >= target)
}

/// The table.
pub fn figures(
    case: &Capstone<'_>,
    results: &Results<OperationReport>,
    rest: &Rest,
) -> Vec<Figure> {
    let first = &results.first;
    let p95 = medians(&first.values(|round| round.p95_ms));
    let rounds = || first.pairs.iter().map(|pair| &pair.after);
    let all = || rounds().chain([&rest.beside.held]).chain(&rest.beside.told);
    let failed: usize = all().map(|round| round.failed).sum();
    let asked: usize = all().map(|round| round.requests).sum();
    let none = |what: String, count: usize, of: usize| {
        Figure::plain(what, None, float(count)).none().of(float(of))
    };
    let mut figures = vec![
        reached("people", case.there, 1_000_000, "1,000,000"),
        fast(Figure::pair(format!("p95 of the mix at {} requests/s, ms", first.rate), p95)),
        fast(Figure::plain("p95 beside the live connections, ms", None, rest.beside.held.p95_ms)),
        none(format!("requests that failed, of {asked}"), failed, asked),
        none(
            format!("home feeds that differ from the rows, of {}", rest.audited.feeds),
            rest.audited.wrong,
            rest.audited.feeds,
        ),
    ];
    if let Some(told) = &rest.beside.told {
        figures.push(fast(Figure::plain(TOLD, None, told.p95_ms)));
    }
    figures.extend(of_crowd(&rest.crowd));
    figures.extend(of_celebrity(&rest.celebrated));
    figures
}

fn of_crowd(crowd: &Crowded) -> Vec<Figure> {
    let middle = |place: usize| {
        let arrivals = crowd.arrivals_ms.iter().filter_map(|post| post.get(place));
        median(arrivals.map(|ms| whole(ms.unsigned_abs())))
    };
    let none = |what: String, count: usize| Figure::plain(what, None, float(count)).none();
    vec![
        reached(
            format!("live connections open at {} servers", crowd.servers),
            crowd.open,
            100_000,
            "100,000",
        ),
        none(format!("of them closed in {} minutes", crowd.minutes), crowd.dropped),
        none("posts not told to a connection".to_owned(), crowd.not_told),
        Figure::plain("bytes a connection at plaza", None, whole(crowd.server_bytes)),
        Figure::plain(
            "bytes a connection in all: plaza, kernel (both ends), generator",
            None,
            whole(crowd.server_bytes + crowd.kernel_bytes + crowd.generator_bytes),
        ),
        Figure::plain("from a post to half of the connections, ms", None, middle(0)),
        Figure::plain("from a post to 99 % of them, ms", None, middle(1)),
    ]
}

fn of_celebrity(found: &Celebrated) -> Vec<Figure> {
    let [before, meanwhile, after] = &found.others;
    vec![
        Figure::plain(
            format!("seconds until a post is in the last home of {} followers", found.followers),
            None,
            median(found.last_home_s.iter().copied()),
        ),
        Figure::plain("others' p95 before and during it, ms", before.p95_ms, meanwhile.p95_ms),
        Figure::plain("others' p95 before and after it, ms", before.p95_ms, after.p95_ms),
    ]
}

/// Why figures were missed, if any were.
pub fn why_missed(figures: &[Figure], crowd: &Crowded) -> Option<String> {
    let missed = figures.iter().filter(|figure| figure.met == Some(false));
    let missed: Vec<&str> = missed.map(|figure| figure.what.as_str()).collect();
    if missed.is_empty() {
        return None;
    }
    let mut why = format!("{}: everything shares this machine's cores", missed.join("; "));
    if missed.contains(&TOLD) {
        let took_ms =
            median(crowd.arrivals_ms.iter().map(|[_, most, _]| whole(most.unsigned_abs())));
        why.push_str(&format!(
            ", and to tell {} connections of a post keeps them busy for {:.1} s",
            crowd.open,
            took_ms / 1_000.0
        ));
    }
    Some(why + ".")
}
