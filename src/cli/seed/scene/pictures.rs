//! Posts with pictures, by those whom most follow, and what others make of them: they are in
//! everybody's home, and the first that is said to whoever is not logged in.

use futures_util::future::try_join_all;

use super::{Scene, TIMEOUT, nth};
use plaza_base::ids::{ImageId, PostId, UserId};
use plaza_domain::{likes, posts, users};

/// What is said with a picture, whatever light it was made in; `@` stands for somebody's handle.
const PICTURED: [&str; 24] = [
    "Left early, stopped twice, arrived late. Worth it.",
    "The view from where the bus turns round.",
    "Somebody asked why I walk. This is why.",
    "@ said there was nothing to see up there.",
    "Four hours for one picture, and the sandwich fell in the stream.",
    "I tried to paint this. The hills were patient, I was not.",
    "No filter, no plan, no signal. #slowmorning",
    "For @, who is stuck at a desk today.",
    "Same hill as last year. It has not moved, and I have.",
    "The bench is still there. The view too.",
    "Took the wrong turn on purpose.",
    "My grandmother's village is behind the second ridge.",
    "Sound on: one bird, one cow bell, one very happy dog.",
    "If anybody has lost a red scarf: it is on the summit and has the best place of all. @, yours?",
    "Every time I think I know this road.",
    "We carried the accordion all the way up. Nobody regrets it. #music",
    "The light lasted four minutes. I counted.",
    "Postcards never get the colour right. Nor did I.",
    "Tea from a flask at the top. There is no better kitchen.",
    "@ took the same picture and will say theirs is better. It is.",
    "Clay for the new glaze comes from down there. #ceramics",
    "Ran until it hurt, walked until it did not.",
    "Good night from the other side of the valley.",
    "Ask me again why I get up at five.",
];
/// What is said of some of them.
const QUOTES: [&str; 4] = [
    "I know that bench.",
    "Can we go on Saturday? All of us?",
    "My screen has never looked this good.",
    "And I was at the dentist.",
];
/// Who writes them: alice is not among them.
const WRITERS: usize = 16;
/// Pictures that are drawn at a time.
const AT_ONCE: usize = 4;
/// The first drawing of theirs: what alice's friends show has lower numbers.
const DRAWING: u64 = 100;

impl Scene<'_> {
    /// Writes them, one after the other, with what others make of each.
    pub(super) async fn pictures(&self, first: &[UserId]) -> anyhow::Result<()> {
        let others = self.friends.iter().chain(first).copied().filter(|who| *who != self.alice);
        let mut writers: Vec<UserId> = Vec::new();
        for who in others {
            if writers.len() < WRITERS && !writers.contains(&who) {
                writers.push(who);
            }
        }
        let known = users::get_many(&self.app.internal(TIMEOUT), &writers).await?;
        let planned: Vec<(usize, UserId)> = (0..PICTURED.len())
            .filter_map(|number| Some((number, nth(&writers, number)?)))
            .collect();
        for some in planned.chunks(AT_ONCE) {
            let drawn = some.iter().map(|(number, who)| self.picture(*number, *who));
            let drawn = try_join_all(drawn).await?;
            for ((number, who), image) in some.iter().zip(drawn) {
                let called = nth(&writers, number + 1);
                let handle = called.and_then(|called| known.get(&called));
                let handle = handle.map_or("somebody", |called| called.handle.as_str());
                let text = nth(&PICTURED, *number).unwrap_or_default();
                let text = text.replace('@', &format!("@{handle}"));
                let step = format!("pictured {number}");
                let post = self.write(*who, &step, &text, None, None, vec![image]).await?;
                self.reactions(*number, post, &writers).await?;
            }
        }
        Ok(())
    }

    async fn picture(&self, number: usize, who: UserId) -> anyhow::Result<ImageId> {
        let drawing = DRAWING + u64::try_from(number)?;
        self.landscape(who, &format!("pictured {number}"), drawing).await
    }

    /// Up to four like it; some are passed on or quoted.
    async fn reactions(
        &self,
        number: usize,
        post: PostId,
        writers: &[UserId],
    ) -> anyhow::Result<()> {
        let other = |place: usize| nth(writers, number + place);
        for fan in (1..=number % 5).filter_map(other) {
            likes::like(&self.operation(fan, &format!("like of picture {number}")), post).await?;
        }
        match (number % 6, other(2)) {
            (1, Some(who)) => {
                let op = self.operation(who, &format!("repost of picture {number}"));
                posts::repost(&op, post).await?;
            }
            (4, Some(who)) => {
                let text = nth(&QUOTES, number / 6).unwrap_or_default();
                let step = format!("quote of picture {number}");
                self.write(who, &step, text, None, Some(post), Vec::new()).await?;
            }
            _ => {}
        }
        Ok(())
    }
}
