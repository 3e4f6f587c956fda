//! Words to make posts, comments and products of. `~` stands for a line break.

use rand::Rng;
use rand::seq::IndexedRandom;

const OPENINGS: [&str; 16] = [
    "Today",
    "This morning",
    "Yesterday",
    "On the way home",
    "After lunch",
    "Before the rain",
    "Late at night",
    "At the market",
    "Between two meetings",
    "While the kettle sang",
    "At the ferry",
    "In the queue for bread",
    "Under the plane trees",
    "On the last train",
    "Just before closing",
    "On the stairs",
];
const SUBJECTS: [&str; 18] = [
    "I",
    "my neighbour",
    "the old baker",
    "our cat",
    "a stranger",
    "the whole street",
    "my sister",
    "the band",
    "somebody",
    "the woman from the kiosk",
    "my grandfather",
    "the ferry captain",
    "a small boy",
    "the new tenant",
    "our teacher",
    "the florist",
    "half the choir",
    "my better half",
];
const VERBS: [&str; 16] = [
    "found",
    "painted",
    "lost",
    "repaired",
    "sang about",
    "gave away",
    "photographed",
    "dreamt of",
    "talked about nothing but",
    "could not stop laughing about",
    "traded a sandwich for",
    "carried home",
    "wrote a poem about",
    "almost bought",
    "hid",
    "was given",
];
const OBJECTS: [&str; 24] = [
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
    "a chair with five legs",
    "somebody's left shoe",
    "a jar of buttons",
    "a very serious pigeon",
    "the key to nothing",
    "a radio that only plays tango",
    "the good scissors",
    "a photograph of strangers",
    "forty candles",
    "a blue door",
    "an accordion",
    "a postcard from 1962",
];
const TAILS: [&str; 20] = [
    "",
    "",
    "",
    "",
    " It made the day.",
    " I have no explanation.",
    " Nobody asked why.",
    " I would do it again.",
    " Photographs to follow.",
    " It suits the kitchen.",
    " The cat disapproves.",
    " My mother was right, as always.",
    " Now what?",
    " You had to be there.",
    " It smells of oranges.",
    " We laughed for an hour.",
    " And then the lights went out.",
    " Best week in a long time.",
    " It still works.",
    " The weather held, just.",
];
const WHOLE: [&str; 72] = [
    "The kiln is open. Eleven of twelve bowls came out whole, and the twelfth is mine now.",
    "Rain all morning, then the whole square smelled of stone and oranges.",
    "Hot take: soup is a drink you are allowed to chew.",
    "Third coat of varnish. Touching it with one finger every ten minutes to see whether it is dry. It is not dry.",
    "If you need me, I am in the bath with a book about glaciers.",
    "Learned today that my neighbour has been feeding *my* cat a second breakfast for two years.",
    "The bakery on the corner is closing after 41 years. Go and buy something. Say thank you.",
    "Somebody returned my umbrella with a note: “It rained. I am sorry. It is a good umbrella.”",
    "Bread, day one: brick.~Bread, day nine: bread.",
    "What is the best thing you have repaired this year? Mine is a music box.",
    "There is a kind of light in October that makes even the bins look like a painting.",
    "My daughter asked whether the moon follows everybody or only us. I said only us.",
    "Small victory: I parallel parked in front of the whole café.",
    "I have been told that I narrate when I cook. I said: “and now she adds the salt.”",
    "The library let me keep the withdrawn atlas. Half of the countries have other names now.",
    "Five kilometres, two hills, one very judgmental goat.",
    "A question for those who know wood: can walnut be left outside if it is oiled every spring?",
    "Nobody tells you that half of beekeeping is lifting heavy boxes while something hums.",
    "Today's order went to a lighthouse. An actual lighthouse. I put in an extra candle.",
    "Tried to write a short letter. It took the whole evening. The long ones are faster.",
    "Our street had a long table for lunch. Forty people, nine kinds of potato salad.",
    "I fixed the tap. The tap is now louder. I have chosen to call it character.",
    "Swam before work. Fourteen degrees. I am made of tin now.",
    "First tomatoes. Three of them. We held a small ceremony.",
    "Reminder that you may put the book down after fifty pages. Life is short.",
    "The choir needs basses. No experience needed, only a coat for the cold rehearsal room.",
    "I asked for a haircut and received a philosophy.",
    "New shelf is up. It is level if you tilt your head, and we all tilt our heads.",
    "Things I carried home from the flea market:~– a lamp~– another lamp~– regret",
    "The ferry was late, so eighteen strangers played cards. I lost a button.",
    "You can hear the sea from the post office when the door is open. I had never noticed.",
    "Found my grandmother's recipe. It says: “flour, enough. Bake until done.”",
    "It took four people and a philosophy student to get the sofa up the stairs.",
    "I sharpened every pencil I own. I feel invincible.",
    "Looking for a second-hand loom, any condition, will travel.",
    "The fountain is running again! Somebody put a rubber duck in it within the hour.",
    "My advice after ten years of running a stall: bring a chair, bring change, bring a hat.",
    "We have a new apprentice. She asked why we do it like that. Nobody knew. We do it differently now.",
    "Printed the programme for the school play. Two hundred copies, one typo, in the title.",
    "Sunday plan: none. Going well so far.",
    "There was a wedding in the courtyard and the bride danced with the postman.",
    "Every plant I was told is impossible to kill has now been proved otherwise.",
    "Somebody chalked a hopscotch that goes on for three streets. I am at 214.",
    "The smell of fresh ink at six in the morning is the best argument for my profession.",
    "I would like to thank whoever invented the second pillow.",
    "Cycled to the end of the tram line to see what is there. A very good kiosk is there.",
    "A customer paid in plums. We need a better policy, but also: these plums.",
    "Three drafts, two pots of tea, one sentence I like.",
    "What are you reading? I need something with weather in it.",
    "The cat has discovered the printer. The printer has discovered fear.",
    "Saw a heron standing on a parked van like it had paid for it.",
    "We glazed forty cups today and only argued about the blue.",
    "New rule at our place: whoever says “it will only take five minutes” makes dinner.",
    "My phone fell into the dough. Both are resting.",
    "I can recommend the night train. I cannot recommend the pillow.",
    "It is the season in which everybody gives you courgettes. I have a locked door.",
    "Bought a jacket with a button missing, found the button in the pocket. A sign of something.",
    "The old cinema shows one film a week now, and everybody goes, whatever it is.",
    "If anybody lost a glove in Rua das Flores: it is on the fountain's left hand.",
    "I repaired a chair for a woman who said: it was my father's. I repaired it twice.",
    "Working title for my autobiography: “Where Did I Put the Other One”.",
    "The tide took the sandcastle and left a shell in exchange. Fair.",
    "Band practice was six people, one song and the best pasta I have had this month.",
    "A short list of sounds that mean home: kettle, key, neighbour's radio, rain on the skylight.",
    "I keep a jar for every time I say “interesting” in a meeting. We are going to Greece.",
    "The apprentice's first drawer closes with a sigh. Mine still click. She is better than me already.",
    "My son sold lemonade and kept books. Revenue 4.20, costs 6.10. He calls it growth.",
    "Please look at the clouds right now if you can.",
    "I finally understood the tax form. I miss not understanding it.",
    "Today I taught my father to send pictures. I have received 61 pictures.",
    "Snow on the market roofs. Sold nothing, talked to everybody.",
    "Anybody else walk slower when the shop windows are lit?",
];
const REPLIES: [&str; 36] = [
    "Lovely!",
    "I was there too.",
    "Tell us more.",
    "Again?",
    "That made my day.",
    "No way.",
    "Where was that?",
    "Same here.",
    "I need a picture of this.",
    "You always say that.",
    "This is the way.",
    "Saving this for a bad day.",
    "My grandmother used to say exactly that.",
    "How long did it take?",
    "I would buy one.",
    "The cat has a point.",
    "Count me in.",
    "Wait, the one by the fountain?",
    "I laughed out loud on the tram.",
    "Try a little more salt.",
    "Walnut is fine outside if it can dry. Ours has stood for six years.",
    "I can lend you mine until Sunday.",
    "We did the same last year, no regrets.",
    "Strong disagree, but with affection.",
    "Somebody had to say it.",
    "Can I bring my sister?",
    "That light was unreal.",
    "I have questions.",
    "You are my favourite account.",
    "Bravo.",
    "Which blue won?",
    "Oil it twice, thinly.",
    "Happy for you!",
    "Next time call me.",
    "I heard it from across the river.",
    "It was the goat, wasn't it.",
];
const ANSWERS: [&str; 16] = [
    "It was!",
    "Promise.",
    "Thank you, that helps a lot.",
    "Ha, exactly.",
    "Only on weekdays.",
    "Bring cake and we will talk.",
    "I will post a picture tonight.",
    "Good point.",
    "You know me too well.",
    "Of course, come by.",
    "About three evenings.",
    "The darker one.",
    "Not telling.",
    "I had no idea!",
    "Yes, the one by the fountain.",
    "Deal.",
];
/// What is said to somebody at the end of a post; `@` stands for their handle.
const CALLS: [&str; 8] = [
    " Ask @, who was there.",
    " Thank you, @!",
    " (Yes, @, that one.)",
    " What do you say, @?",
    " @ will not believe it.",
    " Next time with @, please.",
    " @ has seen it too.",
    " You were right, @!",
];
/// What is said of a post that is quoted.
const QUOTES: [&str; 16] = [
    "This, exactly this.",
    "Read this with a cup of tea.",
    "I have thought about it all day.",
    "We had the same at ours last week.",
    "Somebody frame this.",
    "For everybody who asked me yesterday.",
    "My whole street, in one post.",
    "I was there, and it was even better.",
    "Disagree, and still smiling.",
    "Adding this to the list of reasons to get up.",
    "My mother needs to see this.",
    "And that is how it is done.",
    "The best thing in here today.",
    "I laughed, then I understood.",
    "Now I want one too.",
    "Told you so. Lovingly.",
];
/// Kept in their normal form, as they are stored beside the text.
const HASHTAGS: [&str; 14] = [
    "market",
    "handmade",
    "bread",
    "repair",
    "garden",
    "ceramics",
    "reading",
    "music",
    "sea",
    "woodwork",
    "cats",
    "slowmorning",
    "streetlife",
    "letters",
];
const MATERIALS: [&str; 16] = [
    "Oak",
    "Linen",
    "Copper",
    "Glass",
    "Wool",
    "Clay",
    "Walnut",
    "Brass",
    "Cotton",
    "Slate",
    "Ash",
    "Leather",
    "Stoneware",
    "Cork",
    "Beeswax",
    "Paper",
];
const THINGS: [(&str, &str); 20] = [
    ("lamp", "Gives a warm, low light that is kind to faces."),
    ("teapot", "Pours without a drop going astray; we tested it for a month."),
    ("blanket", "Wide enough for two and a book."),
    ("bowl", "For soup, keys or a single perfect pear."),
    ("notebook", "Lies flat when it is open, 144 pages, sewn."),
    ("chair", "Sits like an old friend."),
    ("mirror", "A little darker than the world."),
    ("basket", "Carries a market's worth of vegetables."),
    ("candle holder", "Heavy in the hand, steady in a draught."),
    ("serving board", "Oiled twice, ready for cheese."),
    ("apron", "Deep pockets, long strings."),
    ("clock", "Ticks softly enough for a bedroom."),
    ("vase", "Narrow at the neck: three stems are a bouquet."),
    ("stool", "For the top shelf and for conversations in the kitchen."),
    ("pendant", "On a cord that can be made shorter."),
    ("box", "With a lid that closes with a sigh."),
    ("cup", "Holds 250 ml and the heat."),
    ("shelf", "Two brackets and four screws are in the parcel."),
    ("rug", "Woven from what the mill had left over."),
    ("set of six plates", "No two alike, all of one family."),
];
const SHADES: [&str; 12] = [
    "sea green",
    "smoke",
    "ochre",
    "natural",
    "deep blue",
    "rust",
    "bone",
    "moss",
    "charcoal",
    "rose",
    "sand",
    "ink",
];
const MAKING: [&str; 8] = [
    "Made by hand, one at a time.",
    "Turned, sanded and oiled in a small workshop.",
    "From a series of twelve.",
    "Every piece is a little different from the picture in your head.",
    "Made to order in about a week.",
    "The material comes from within fifty kilometres.",
    "Repairs are free for as long as I can hold a tool.",
    "Wrapped in paper, without plastic.",
];

fn one<'a>(random: &mut impl Rng, words: &[&'a str]) -> &'a str {
    words.choose(random).copied().unwrap_or_default()
}

/// A post's text, and the hashtag in it, if there is one; whoever has the handle is mentioned.
pub(super) fn post(
    random: &mut impl Rng,
    mentioned: Option<&str>,
) -> (String, Option<&'static str>) {
    let mut text = if random.random_ratio(2, 5) {
        one(random, &WHOLE).replace('~', "\n")
    } else {
        format!(
            "{} {} {} {}.{}",
            one(random, &OPENINGS),
            one(random, &SUBJECTS),
            one(random, &VERBS),
            one(random, &OBJECTS),
            one(random, &TAILS)
        )
    };
    if let Some(handle) = mentioned {
        text.push_str(&one(random, &CALLS).replace('@', &format!("@{handle}")));
    }
    let tag = random.random_ratio(1, 4).then(|| one(random, &HASHTAGS));
    if let Some(tag) = tag {
        text.push_str(" #");
        text.push_str(tag);
    }
    (text, tag)
}

/// What somebody says of a post that they quote.
pub(super) fn quote(random: &mut impl Rng) -> &'static str {
    one(random, &QUOTES)
}

/// A comment's text.
pub(super) fn comment(random: &mut impl Rng) -> &'static str {
    one(random, &REPLIES)
}

/// What the author says to a comment.
pub(super) fn answer(random: &mut impl Rng) -> &'static str {
    one(random, &ANSWERS)
}

/// A product's title and description.
pub(super) fn product(random: &mut impl Rng) -> (String, String) {
    let (thing, praise) = THINGS.choose(random).copied().unwrap_or_default();
    let title = match random.random_range(0..3) {
        0 => format!("{} {thing}", one(random, &MATERIALS)),
        1 => format!("{} {thing}, {}", one(random, &MATERIALS), one(random, &SHADES)),
        _ => format!("{} {thing}, no. {}", one(random, &MATERIALS), random.random_range(1..90)),
    };
    let (first, second) = (one(random, &MAKING), one(random, &MAKING));
    let making = if first == second { first.to_owned() } else { format!("{first} {second}") };
    (title, format!("{praise}\n\n{making}"))
}
