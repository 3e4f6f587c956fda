//! Words to make posts, comments and products of.

use rand::Rng;
use rand::seq::IndexedRandom;

const OPENINGS: [&str; 8] = [
    "Today",
    "This morning",
    "Yesterday",
    "On the way home",
    "After lunch",
    "Before the rain",
    "Late at night",
    "At the market",
];
const SUBJECTS: [&str; 10] = [
    "I",
    "my neighbour",
    "the old baker",
    "our cat",
    "a stranger",
    "the whole street",
    "my sister",
    "the band",
    "somebody",
    "the sun",
];
const VERBS: [&str; 10] = [
    "found",
    "painted",
    "lost",
    "repaired",
    "sang about",
    "gave away",
    "photographed",
    "dreamt of",
    "tasted",
    "talked to",
];
const OBJECTS: [&str; 12] = [
    "a red bicycle",
    "the last plum cake",
    "two umbrellas",
    "an honest clock",
    "a letter from the sea",
    "the loudest kettle",
    "a map of the moon",
    "three lemons",
    "the quiet park",
    "a borrowed book",
    "a paper boat",
    "the first snow",
];
const REPLIES: [&str; 8] = [
    "Lovely!",
    "I was there too.",
    "Tell us more.",
    "Again?",
    "That made my day.",
    "No way.",
    "Where was that?",
    "Same here.",
];
const MATERIALS: [&str; 6] = ["Oak", "Linen", "Copper", "Glass", "Wool", "Clay"];
const THINGS: [&str; 8] =
    ["lamp", "teapot", "blanket", "bowl", "notebook", "chair", "mirror", "basket"];

fn one<'a>(random: &mut impl Rng, words: &[&'a str]) -> &'a str {
    words.choose(random).copied().unwrap_or_default()
}

/// A post's text.
pub fn post(random: &mut impl Rng) -> String {
    format!(
        "{} {} {} {}.",
        one(random, &OPENINGS),
        one(random, &SUBJECTS),
        one(random, &VERBS),
        one(random, &OBJECTS)
    )
}

/// A comment's text.
pub fn comment(random: &mut impl Rng) -> &'static str {
    one(random, &REPLIES)
}

/// A product's title.
pub fn product(random: &mut impl Rng) -> String {
    format!("{} {}", one(random, &MATERIALS), one(random, &THINGS))
}
