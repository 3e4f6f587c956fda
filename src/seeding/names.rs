//! Who users are: names, handles, and what they say of themselves.

use rand::Rng;
use rand::seq::IndexedRandom;

const FIRST: [&str; 64] = [
    "Ada", "Amara", "Andrés", "Anouk", "Aoife", "Bastian", "Beatriz", "Bo", "Camille", "Chidi",
    "Clara", "Dalia", "Darius", "Edda", "Elif", "Emeka", "Esme", "Farid", "Freya", "Gideon",
    "Hana", "Henrik", "Ida", "Imani", "Inês", "Iris", "Jonas", "Juno", "Kaito", "Kerstin", "Kwame",
    "Lars", "Leila", "Lena", "Lior", "Luca", "Maeve", "Malik", "Marisol", "Mateo", "Mira", "Nadia",
    "Nils", "Noor", "Oskar", "Paloma", "Priya", "Rafael", "Rania", "Rosa", "Sami", "Saoirse",
    "Selma", "Soren", "Tariq", "Tomás", "Tuva", "Uma", "Viktor", "Wanda", "Yara", "Yusuf", "Zadie",
    "Zoran",
];
const LAST: [&str; 80] = [
    "Abara", "Albrecht", "Almeida", "Andersen", "Aziz", "Bakker", "Barros", "Bauer", "Becker",
    "Bergman", "Blanc", "Brandt", "Byrne", "Castillo", "Chen", "Costa", "Cruz", "Dahl", "Diallo",
    "Duarte", "Eriksen", "Farah", "Fischer", "Flores", "Fontaine", "Garcia", "Haddad", "Hansen",
    "Hoffmann", "Ibarra", "Ito", "Jansen", "Joshi", "Kaya", "Keller", "Khan", "Kowalski", "Kruger",
    "Lam", "Larsen", "Laurent", "Lind", "Lopes", "Lund", "Mahmoud", "Marino", "Mendes", "Meyer",
    "Moreau", "Moreno", "Mwangi", "Nakamura", "Navarro", "Nguyen", "Novak", "Obi", "Okafor",
    "Olsen", "Osman", "Park", "Pereira", "Petrov", "Popescu", "Quinn", "Ramos", "Rao", "Reyes",
    "Rossi", "Sato", "Schmidt", "Silva", "Sousa", "Stern", "Suzuki", "Tanaka", "Torres", "Varga",
    "Weber", "Yilmaz", "Zimmer",
];
const CRAFTS: [&str; 24] = [
    "Potter",
    "Bookbinder",
    "Carpenter",
    "Baker",
    "Weaver",
    "Gardener",
    "Nurse",
    "Teacher",
    "Illustrator",
    "Bicycle mechanic",
    "Cook",
    "Printer",
    "Beekeeper",
    "Cellist",
    "Architect",
    "Ferry pilot",
    "Translator",
    "Photographer",
    "Tailor",
    "Cheesemaker",
    "Librarian",
    "Glassblower",
    "Postman",
    "Welder",
];
const PLACES: [&str; 24] = [
    "Lisbon",
    "Porto",
    "Bergen",
    "Utrecht",
    "Leipzig",
    "Galway",
    "Turin",
    "Granada",
    "Kraków",
    "Tallinn",
    "Ghent",
    "Bristol",
    "Lyon",
    "Aarhus",
    "Thessaloniki",
    "Kyoto",
    "Valparaíso",
    "Accra",
    "Nairobi",
    "Beirut",
    "Montréal",
    "Wellington",
    "Pune",
    "Oaxaca",
];
const SIDES: [&str; 24] = [
    "Plays the accordion, badly and with joy.",
    "Two cats, no plan.",
    "Swims in the sea all year.",
    "Collects maps of places that are not there any more.",
    "Always has a pencil behind one ear.",
    "Will talk about bread.",
    "Reads the last page first.",
    "Learning to sail.",
    "Mends what others throw away.",
    "Early riser.",
    "Writes letters by hand.",
    "Looking for the perfect lemon cake.",
    "Runs slowly and far.",
    "Father of twins.",
    "Mother of three, sister of four.",
    "Draws on napkins.",
    "Grows tomatoes on a balcony.",
    "Cycles everywhere.",
    "Sings in a choir on Tuesdays.",
    "Never without an umbrella.",
    "Keeps a list of good benches.",
    "Bakes on Sundays.",
    "Speaks four languages, dreams in one.",
    "Open to commissions.",
];

/// Numbers without a common factor with how many names there are: neighbours have nothing in
/// common.
const STRIDE: u64 = 3_527;

/// The first and the last name of a user, and how many before them have the same ones.
fn parts(number: u64) -> (&'static str, &'static str, u64) {
    let (firsts, lasts) =
        (u64::try_from(FIRST.len()).unwrap_or(1), u64::try_from(LAST.len()).unwrap_or(1));
    let names = firsts * lasts;
    let place = (number % names) * STRIDE % names;
    let at = |list: &'static [&'static str], index: u64| {
        usize::try_from(index).ok().and_then(|index| list.get(index)).copied().unwrap_or_default()
    };
    (at(&FIRST, place % firsts), at(&LAST, place / firsts), number / names)
}

/// A letter as handles have it.
fn plain(c: char) -> Option<char> {
    let c = match c {
        'á' | 'à' | 'ã' | 'â' => 'a',
        'é' | 'è' | 'ê' => 'e',
        'í' => 'i',
        'ó' | 'ö' | 'ø' => 'o',
        'ú' | 'ü' => 'u',
        'ń' => 'n',
        'ç' => 'c',
        c => c.to_ascii_lowercase(),
    };
    c.is_ascii_alphanumeric().then_some(c)
}

/// The `number`th user's handle; the first is alice.
pub(super) fn handle(number: u64) -> String {
    if number == 0 {
        return "alice".to_owned();
    }
    let (first, last, earlier) = parts(number);
    let mut handle: String = first.to_lowercase().chars().filter_map(plain).collect();
    handle.push('_');
    handle.extend(last.to_lowercase().chars().filter_map(plain));
    if earlier > 0 {
        handle.push_str(&(earlier + 1).to_string());
    }
    handle
}

/// Their name as shown.
pub(super) fn display_name(number: u64) -> String {
    if number == 0 {
        return "Alice Moreau".to_owned();
    }
    let (first, last, _) = parts(number);
    format!("{first} {last}")
}

fn one(list: &[&'static str], random: &mut impl Rng) -> &'static str {
    list.choose(random).copied().unwrap_or_default()
}

/// What they say of themselves.
pub(super) fn bio(number: u64, random: &mut impl Rng) -> String {
    if number == 0 {
        return "Paper, ink and too much coffee. I run the stall by the fountain.".to_owned();
    }
    let (craft, place) = (one(&CRAFTS, random), one(&PLACES, random));
    match random.random_range(0..4) {
        0 => format!("{craft} in {place}."),
        1 => one(&SIDES, random).to_owned(),
        2 => format!("{craft}. {}", one(&SIDES, random)),
        _ => format!("{craft} in {place}. {}", one(&SIDES, random)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::numbered;

    #[test]
    fn everybody_has_a_handle_of_their_own_that_is_one() {
        let handles: BTreeSet<String> = (0..30_000).map(handle).collect();
        assert_eq!(handles.len(), 30_000);
        for number in (0..30_000).chain([999_999, 5_000_000, u64::from(u32::MAX)]) {
            let handle = handle(number);
            assert!(
                (3..=30).contains(&handle.len())
                    && handle.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_')),
                "{number}: {handle}"
            );
        }
    }

    #[test]
    fn names_and_bios_are_what_a_profile_may_have_and_differ() {
        let mut bios = BTreeSet::new();
        for number in 0..2_000 {
            let name = display_name(number);
            assert!((1..=60).contains(&name.chars().count()), "{name}");
            let bio = bio(number, &mut numbered(1, "people", number));
            assert!((1..=500).contains(&bio.chars().count()), "{bio}");
            bios.insert(bio);
        }
        assert!(bios.len() > 800, "{} different ones", bios.len());
    }
}
