//! Values as error messages quote them: literals as GraphQL prints them, variables' values as
//! graphql-js inspects JSON. Both are bounded, since they go back to whoever sent them.

use std::fmt::Write;

use serde_json::Value as Json;

use super::syntax::{Literal, Value};

/// Longest quotation, in bytes; what is longer is cut and ends in `..`.
const MAX_BYTES: usize = 1_000;
/// Most items of a list of JSON that are printed.
const MAX_ITEMS: usize = 10;
/// Deepest list or object of JSON that is printed.
const MAX_DEPTH: usize = 2;

fn full(out: &str) -> bool {
    out.len() > MAX_BYTES
}

fn bounded(mut out: String) -> String {
    if full(&out) {
        let end = (0..=MAX_BYTES).rev().find(|at| out.is_char_boundary(*at)).unwrap_or_default();
        out.truncate(end);
        out.push_str("..");
    }
    out
}

/// A literal.
pub fn literal(value: &Value<'_>) -> String {
    let mut out = String::new();
    write_literal(&mut out, value);
    bounded(out)
}

fn write_literal(out: &mut String, value: &Value<'_>) {
    if full(out) {
        return;
    }
    match &value.kind {
        Literal::Variable(name) => {
            out.push('$');
            out.push_str(name);
        }
        Literal::Int(text) | Literal::Float(text) | Literal::Enum(text) => out.push_str(text),
        Literal::Text(text) => write_string(out, text),
        Literal::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        Literal::Null => out.push_str("null"),
        Literal::List(items) => {
            out.push('[');
            for (number, item) in items.iter().enumerate() {
                out.push_str(if number == 0 { "" } else { ", " });
                write_literal(out, item);
            }
            out.push(']');
        }
        Literal::Object(fields) => {
            out.push('{');
            for (number, field) in fields.iter().enumerate() {
                out.push_str(if number == 0 { " " } else { ", " });
                out.push_str(field.name.text);
                out.push_str(": ");
                write_literal(out, &field.value);
            }
            out.push_str(if fields.is_empty() { "}" } else { " }" });
        }
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if full(out) {
            break;
        }
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// A value out of JSON.
pub fn json(value: &Json) -> String {
    let mut out = String::new();
    write_json(&mut out, value, 0);
    bounded(out)
}

fn write_json(out: &mut String, value: &Json, depth: usize) {
    if full(out) {
        return;
    }
    match value {
        Json::Number(number) => out.push_str(&self::number(number)),
        Json::String(text) => {
            let end = (0..=text.len().min(MAX_BYTES + 4))
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or_default();
            let text = Json::from(text.get(..end).unwrap_or_default());
            out.push_str(&text.to_string());
        }
        Json::Null | Json::Bool(_) => out.push_str(&value.to_string()),
        Json::Array(items) if items.is_empty() => out.push_str("[]"),
        Json::Array(_) if depth >= MAX_DEPTH => out.push_str("[Array]"),
        Json::Array(items) => {
            out.push('[');
            for (number, item) in items.iter().take(MAX_ITEMS).enumerate() {
                out.push_str(if number == 0 { "" } else { ", " });
                write_json(out, item, depth + 1);
            }
            match items.len().saturating_sub(MAX_ITEMS) {
                0 => {}
                1 => out.push_str(", ... 1 more item"),
                more => {
                    let _ = write!(out, ", ... {more} more items");
                }
            }
            out.push(']');
        }
        Json::Object(fields) if fields.is_empty() => out.push_str("{}"),
        Json::Object(_) if depth >= MAX_DEPTH => out.push_str("[Object]"),
        Json::Object(fields) => {
            out.push('{');
            for (number, (name, field)) in fields.iter().enumerate() {
                out.push_str(if number == 0 { " " } else { ", " });
                out.push_str(name);
                out.push_str(": ");
                write_json(out, field, depth + 1);
                if full(out) {
                    break;
                }
            }
            out.push_str(" }");
        }
    }
}

/// A number as JavaScript writes it: `1.0` is `1`.
fn number(number: &serde_json::Number) -> String {
    match (number.is_f64(), number.as_f64()) {
        (true, Some(float)) if float.fract() == 0.0 && float.abs() < 1e21 => format!("{float:.0}"),
        _ => number.to_string(),
    }
}
