//! Tokens, as the specification cuts a text into them. One pass over the bytes, nothing is copied
//! but strings with escapes.

use std::borrow::Cow;

use async_graphql::Pos;

use super::strings;

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind<'a> {
    /// The text is over.
    End,
    /// One of `! $ & ( ) ... : = @ [ ] { | }`.
    Punctuator(&'static str),
    /// A name.
    Name(&'a str),
    /// A whole number.
    Int(&'a str),
    /// A number with a fraction or an exponent.
    Float(&'a str),
    /// A string, read.
    Text(Cow<'a, str>),
    /// A block string, read.
    Block(Cow<'a, str>),
}

impl Kind<'_> {
    /// As error messages call it: `Name "text"`.
    pub fn description(&self) -> String {
        match self {
            Self::End => "<EOF>".to_owned(),
            Self::Punctuator(text) => format!("\"{text}\""),
            Self::Name(text) => format!("Name \"{text}\""),
            Self::Int(text) => format!("Int \"{text}\""),
            Self::Float(text) => format!("Float \"{text}\""),
            Self::Text(text) => format!("String \"{text}\""),
            Self::Block(text) => format!("BlockString \"{text}\""),
        }
    }
}

/// A token and where it begins.
#[derive(Debug, Clone)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind<'a>,
    /// Its first character.
    pub pos: Pos,
}

/// Why a text is not GraphQL.
#[derive(Debug, Clone)]
pub struct SyntaxError {
    /// In words, without "Syntax Error: ".
    pub message: String,
    /// Where.
    pub pos: Pos,
}

/// Cuts a text into tokens.
#[derive(Debug)]
pub struct Lexer<'a> {
    text: &'a str,
    /// The next byte.
    at: usize,
    line: usize,
    line_start: usize,
    /// By how many the bytes of this line so far outnumber its UTF-16 code units: columns count
    /// those, as every editor and graphql-js do.
    wide: usize,
}

impl<'a> Lexer<'a> {
    /// Begins.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, line_start: 0, wide: 0 }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn pos(&self, at: usize) -> Pos {
        let column = at.saturating_sub(self.line_start).saturating_sub(self.wide) + 1;
        Pos { line: self.line, column }
    }

    /// The error at a byte of the text, wherever the lexer stands.
    fn error(&self, at: usize, message: impl Into<String>) -> SyntaxError {
        SyntaxError { message: message.into(), pos: position(self.text, at) }
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Past a line's end that is at `at`: the index after it.
    fn new_line(&mut self, at: usize) -> usize {
        let crlf = self.byte(at) == Some(b'\r') && self.byte(at + 1) == Some(b'\n');
        let next = at + if crlf { 2 } else { 1 };
        self.line += 1;
        self.line_start = next;
        self.wide = 0;
        next
    }

    /// Counts what of a part of the present line is wider in bytes than in UTF-16.
    fn count_wide(&mut self, from: usize, to: usize) {
        let part = self.slice(from, to);
        if !part.is_ascii() {
            self.wide += part.chars().map(|c| c.len_utf8() - c.len_utf16()).sum::<usize>();
        }
    }

    /// The next token.
    ///
    /// # Errors
    /// What stands there is none.
    pub fn next_token(&mut self) -> Result<Token<'a>, SyntaxError> {
        loop {
            let Some(byte) = self.byte(self.at) else {
                return Ok(Token { kind: Kind::End, pos: self.pos(self.at) });
            };
            match byte {
                b' ' | b'\t' | b',' => self.at += 1,
                b'\n' | b'\r' => self.at = self.new_line(self.at),
                b'#' => {
                    let start = self.at;
                    while self.byte(self.at).is_some_and(|byte| !matches!(byte, b'\n' | b'\r')) {
                        self.at += 1;
                    }
                    self.count_wide(start, self.at);
                }
                0xEF if self.slice(self.at, self.at + 3) == "\u{feff}" => {
                    self.at += 3;
                    self.wide += 2;
                }
                _ => return self.token(byte),
            }
        }
    }

    fn token(&mut self, first: u8) -> Result<Token<'a>, SyntaxError> {
        let (start, pos) = (self.at, self.pos(self.at));
        let kind = match first {
            b'!' => self.punctuator("!"),
            b'$' => self.punctuator("$"),
            b'&' => self.punctuator("&"),
            b'(' => self.punctuator("("),
            b')' => self.punctuator(")"),
            b':' => self.punctuator(":"),
            b'=' => self.punctuator("="),
            b'@' => self.punctuator("@"),
            b'[' => self.punctuator("["),
            b']' => self.punctuator("]"),
            b'{' => self.punctuator("{"),
            b'|' => self.punctuator("|"),
            b'}' => self.punctuator("}"),
            b'.' if self.slice(start, start + 3) == "..." => self.punctuator("..."),
            b'"' if self.slice(start, start + 3) == "\"\"\"" => self.block_string(start)?,
            b'"' => self.string(start)?,
            b'-' | b'0'..=b'9' => self.number(start)?,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                while self.byte(self.at).is_some_and(is_name_part) {
                    self.at += 1;
                }
                Kind::Name(self.slice(start, self.at))
            }
            b'\'' => {
                let message = "Unexpected single quote character ('), \
                               did you mean to use a double quote (\")?";
                return Err(self.error(start, message));
            }
            _ => {
                let message = format!("Unexpected character: {}.", self.character(start));
                return Err(self.error(start, message));
            }
        };
        Ok(Token { kind, pos })
    }

    fn punctuator(&mut self, text: &'static str) -> Kind<'a> {
        self.at += text.len();
        Kind::Punctuator(text)
    }

    /// A character as error messages print it.
    fn character(&self, at: usize) -> String {
        match self.text.get(at..).and_then(|rest| rest.chars().next()) {
            None => "<EOF>".to_owned(),
            Some('"') => "'\"'".to_owned(),
            Some(c @ ' '..='~') => format!("\"{c}\""),
            Some(c) => format!("U+{:04X}", u32::from(c)),
        }
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while self.byte(self.at).is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.no_digit(start)) } else { Ok(()) }
    }

    fn no_digit(&self, at: usize) -> SyntaxError {
        let found = self.character(at);
        self.error(at, format!("Invalid number, expected digit but got: {found}."))
    }

    fn number(&mut self, start: usize) -> Result<Kind<'a>, SyntaxError> {
        let mut whole = true;
        if self.byte(self.at) == Some(b'-') {
            self.at += 1;
        }
        if self.byte(self.at) == Some(b'0') {
            self.at += 1;
            if self.byte(self.at).is_some_and(|byte| byte.is_ascii_digit()) {
                let found = self.character(self.at);
                let message = format!("Invalid number, unexpected digit after 0: {found}.");
                return Err(self.error(self.at, message));
            }
        } else {
            self.digits()?;
        }
        if self.byte(self.at) == Some(b'.') {
            whole = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(self.at), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            if matches!(self.byte(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        if self.byte(self.at).is_some_and(|byte| byte == b'.' || is_name_start(byte)) {
            return Err(self.no_digit(self.at));
        }
        let text = self.slice(start, self.at);
        Ok(if whole { Kind::Int(text) } else { Kind::Float(text) })
    }

    fn string(&mut self, start: usize) -> Result<Kind<'a>, SyntaxError> {
        let mut end = start + 1;
        loop {
            match self.byte(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(b'\n' | b'\r') | None => break,
                Some(_) => end += 1,
            }
        }
        // An escape is read before the end is checked: of two faults, the first is named.
        let end = end.min(self.text.len());
        let body = self.slice(start + 1, end);
        let value = strings::unescape(body).map_err(|fault| {
            let at = start + 1 + fault.at;
            let rest = self.text.get(at..).unwrap_or_default();
            let found = strings::excerpt(rest, fault.units);
            self.error(at, format!("{}: \"{found}\".", fault.what))
        })?;
        if self.byte(end) != Some(b'"') {
            return Err(self.error(end, "Unterminated string."));
        }
        self.count_wide(start, end);
        self.at = end + 1;
        Ok(Kind::Text(value))
    }

    fn block_string(&mut self, start: usize) -> Result<Kind<'a>, SyntaxError> {
        let mut end = start + 3;
        loop {
            match self.byte(end) {
                None => return Err(self.error(end, "Unterminated string.")),
                Some(b'\\') if self.slice(end, end + 4) == "\\\"\"\"" => end += 4,
                Some(b'"') if self.slice(end, end + 3) == "\"\"\"" => break,
                Some(_) => end += 1,
            }
        }
        let mut from = start;
        let mut at = start + 3;
        while at < end {
            if matches!(self.byte(at), Some(b'\n' | b'\r')) {
                at = self.new_line(at);
                from = at;
            } else {
                at += 1;
            }
        }
        self.count_wide(from, end);
        self.at = end + 3;
        Ok(Kind::Block(strings::block(self.slice(start + 3, end))))
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn is_name_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where a byte of a text is.
fn position(text: &str, at: usize) -> Pos {
    let (mut line, mut column) = (1, 1);
    let mut after_cr = false;
    for (_, c) in text.char_indices().take_while(|(index, _)| *index < at) {
        match c {
            '\n' if after_cr => {}
            '\n' | '\r' => (line, column) = (line + 1, 1),
            _ => column += c.len_utf16(),
        }
        after_cr = c == '\r';
    }
    Pos { line, column }
}
