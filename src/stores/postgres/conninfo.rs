//! A replica's `primary_conninfo`: whom it follows.

use std::fmt::Write;

/// A port at which nobody is: a replica that is led there follows nobody, and still knows as whom
/// it would.
pub const NOBODY: u16 = 1;

/// The settings of a connection string in their order, as libpq reads it: words around `=`, values
/// with spaces in single quotes, a backslash before a quote.
fn settings(text: &str) -> Vec<(String, String)> {
    let (mut found, mut rest) = (Vec::new(), text.chars().peekable());
    loop {
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        let key: String =
            std::iter::from_fn(|| rest.next_if(|c| *c != '=' && !c.is_whitespace())).collect();
        if key.is_empty() {
            return found;
        }
        while rest.next_if(|c| c.is_whitespace() || *c == '=').is_some() {}
        let quoted = rest.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        while let Some(c) = rest.next() {
            match c {
                '\\' => value.extend(rest.next()),
                '\'' if quoted => break,
                c if !quoted && c.is_whitespace() => break,
                c => value.push(c),
            }
        }
        found.push((key, value));
    }
}

/// The host and the port that it names.
pub fn address_of(text: &str) -> Option<(String, u16)> {
    let settings = settings(text);
    let last = |name| settings.iter().rfind(|(key, _)| key == name).map(|(_, value)| value);
    Some((last("host")?.clone(), last("port").map_or(Some(5432), |port| port.parse().ok())?))
}

/// What names a fence: a setting that changes nothing where a name is given, as it always is.
const FENCE: &str = "fallback_application_name";

/// The same, and it leads to nobody: a fence of this name.
pub fn fenced(text: &str, host: &str, name: &str) -> String {
    format!("{} {FENCE}='{name}'", led_to(text, host, NOBODY))
}

/// The same with another host and port, and without a fence's name; all else as it was.
pub fn led_to(text: &str, host: &str, port: u16) -> String {
    let kept = settings(text).into_iter();
    let kept = kept.filter(|(key, _)| key != "host" && key != "port" && key != FENCE);
    let address = [("host".to_owned(), host.to_owned()), ("port".to_owned(), port.to_string())];
    let mut written = String::new();
    for (key, value) in address.into_iter().chain(kept) {
        let value = value.replace('\\', "\\\\").replace('\'', "\\'");
        let space = if written.is_empty() { "" } else { " " };
        let _ = write!(written, "{space}{key}='{value}'");
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_changed_and_nothing_else() {
        let text =
            "host=127.0.0.1 port=15000 user=postgres password='a \\'b\\\\' application_name=r1";
        assert_eq!(address_of(text), Some(("127.0.0.1".to_owned(), 15_000)));
        let led = led_to(text, "db-2", 15_001);
        assert_eq!(
            led,
            "host='db-2' port='15001' user='postgres' password='a \\'b\\\\' application_name='r1'"
        );
        assert_eq!(address_of(&led), Some(("db-2".to_owned(), 15_001)));
        assert_eq!(led_to(&led, "127.0.0.1", NOBODY).matches("port").count(), 1);
        assert_eq!(settings(&led_to(text, "h", 2))[3].1, "a 'b\\");
        let fence = fenced(&led, "db-2", "f1");
        assert_eq!(address_of(&fence), Some(("db-2".to_owned(), NOBODY)));
        assert_ne!(fence, fenced(&fence, "db-2", "f2"));
        assert_eq!(led_to(&fence, "db-2", 15_001), led);
        assert_eq!((address_of(""), address_of("host=h")), (None, Some(("h".to_owned(), 5432))));
    }
}
