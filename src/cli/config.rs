//! `plaza config`: the reference page, a sample file and a check, made from the doc comments and
//! defaults of `src/config`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::write_json;
use plaza_config::{Config, ConfigError};

/// Arguments of `plaza config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the reference page; write it to its file, or compare it with the file.
    Reference {
        /// Write the page to the file.
        #[arg(long, conflicts_with = "check")]
        write: bool,
        /// Fail if the file differs from the page.
        #[arg(long)]
        check: bool,
        /// The file of the page.
        #[arg(long, default_value = "docs/configuration.md")]
        file: PathBuf,
    },
    /// Print a sample configuration file with every option at its default.
    Example,
    /// Load the configuration and report the first error in it.
    Check {
        /// A JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// # Errors
/// The file cannot be written or differs; the configuration is invalid.
pub fn run(
    args: &ConfigArgs,
    file: Option<&Path>,
    load: impl Fn() -> Result<Config, ConfigError>,
) -> anyhow::Result<()> {
    match &args.action {
        Action::Reference { write: true, file, .. } => std::fs::write(file, reference())?,
        Action::Reference { check: true, file, .. } => {
            let held = std::fs::read_to_string(file).unwrap_or_default();
            anyhow::ensure!(
                held == reference(),
                "{} is out of date: run `plaza config reference --write`",
                file.display()
            );
        }
        Action::Reference { .. } => std::io::stdout().write_all(reference().as_bytes())?,
        Action::Example => std::io::stdout().write_all(example().as_bytes())?,
        Action::Check { json } => {
            let loaded = load();
            let source = file.map_or_else(|| "the environment".into(), Path::to_string_lossy);
            let mut out = std::io::stdout();
            if *json {
                let error = loaded.as_ref().err().map(ToString::to_string);
                let found = json!({ "valid": error.is_none(), "source": source, "error": error });
                write_json(&mut out, &found)?;
                loaded?;
            } else {
                loaded?;
                writeln!(out, "valid: {source}")?;
            }
        }
    }
    Ok(())
}

/// One option of a section.
struct Field {
    name: String,
    description: String,
    kind: String,
    is_required: bool,
    default: Option<Value>,
    example: Option<Value>,
}

/// A table of the file: `redis`, `media.s3`.
struct Section {
    name: String,
    description: String,
    /// Whether the file may leave it out although some of its options are required.
    is_optional: bool,
    fields: Vec<Field>,
}

fn text(schema: &Value, key: &str) -> String {
    let text = schema.get(key).and_then(Value::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The part of a schema that describes an object, also where null is allowed beside it.
fn object(schema: &Value) -> Option<&Map<String, Value>> {
    let forms = schema.get("anyOf").and_then(Value::as_array);
    let one = forms.and_then(|forms| forms.iter().find(|form| form.get("properties").is_some()));
    one.unwrap_or(schema).get("properties").and_then(Value::as_object)
}

fn required(schema: &Value, name: &str) -> bool {
    let names = schema.get("required").and_then(Value::as_array);
    names.is_some_and(|names| names.iter().any(|required| required.as_str() == Some(name)))
}

fn kind(schema: &Value) -> String {
    if let Some(forms) = schema.get("oneOf").and_then(Value::as_array) {
        let names = forms.iter().filter_map(|form| form.get("const").and_then(Value::as_str));
        return names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
    }
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or_default(),
        _ => "",
    };
    match (kind, schema.get("items")) {
        ("array", Some(items)) => format!("list of {}", self::kind(items)),
        _ => kind.to_owned(),
    }
}

fn field(name: &str, schema: &Value, is_required: bool) -> Field {
    let first = |list: &Value| list.as_array().and_then(|list| list.first().cloned());
    Field {
        name: name.to_owned(),
        description: text(schema, "description"),
        kind: kind(schema),
        is_required,
        default: schema.get("default").filter(|value| !value.is_null()).cloned(),
        example: schema.get("examples").and_then(first),
    }
}

/// Adds a section and the sections within it.
fn add(sections: &mut Vec<Section>, name: &str, schema: &Value) {
    let Some(properties) = object(schema) else { return };
    let inner = schema.get("anyOf").and_then(Value::as_array);
    let inner = inner.and_then(|forms| forms.iter().find(|form| form.get("properties").is_some()));
    let (fields, nested): (Vec<_>, Vec<_>) =
        properties.iter().partition(|(_, schema)| object(schema).is_none());
    sections.push(Section {
        name: name.to_owned(),
        description: text(schema, "description"),
        is_optional: inner.is_some(),
        fields: fields
            .into_iter()
            .map(|(name, schema_of)| {
                field(name, schema_of, required(inner.unwrap_or(schema), name))
            })
            .collect(),
    });
    for (inner, schema) in nested {
        add(sections, &format!("{name}.{inner}"), schema);
    }
}

fn sections() -> Vec<Section> {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<Config>().to_value();
    let mut sections = Vec::new();
    for (name, schema) in object(&schema).into_iter().flatten() {
        add(&mut sections, name, schema);
    }
    sections
}

const HEAD: &str = "# Configuration

Generated from `src/config` by `plaza config reference --write`; do not edit it.

An option is read from three places, each overriding the one before:

1. its default;
2. a TOML file: the argument of `--config`, else `PLAZA_CONFIG`, else `.local/plaza.toml` of the
   current folder or the nearest one above it;
3. the environment: `PLAZA_<SECTION>__<OPTION>`, for example `PLAZA_SERVER__LISTEN`.

An unknown option, a missing required one and a value out of bounds stop the process at its start.
`plaza config example` prints a sample file with every option.
`plaza config check` reports the first error in a configuration, and `plaza doctor` also tests
everything that the configuration names.
";

/// The text of `docs/configuration.md`.
fn reference() -> String {
    let mut page = HEAD.to_owned();
    for section in sections() {
        let _ = writeln!(page, "\n## {}\n\n{}", section.name, section.description);
        if section.is_optional {
            page.push_str("The section may be left out.\n");
        }
        page.push_str("\n| option | type | default | description |\n|---|---|---|---|\n");
        for field in section.fields {
            let default = match (&field.default, field.is_required) {
                (_, true) => "required".to_owned(),
                (Some(value), false) => format!("`{value}`"),
                (None, false) => "not set".to_owned(),
            };
            let description = field.description.replace('|', "\\|");
            let _ =
                writeln!(page, "| `{}` | {} | {default} | {description} |", field.name, field.kind);
        }
    }
    page
}

/// A comment of the sample file, in lines of at most 100 columns.
fn comment(file: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 100 {
            let _ = writeln!(file, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(file, "{line}");
}

/// The text of a sample file: required options have a sample value, all others are commented out.
fn example() -> String {
    let mut file = String::from("# Every option of plaza; docs/configuration.md explains them.\n");
    for section in sections() {
        file.push('\n');
        comment(&mut file, &section.description);
        let off = if section.is_optional { "# " } else { "" };
        let _ = writeln!(file, "{off}[{}]", section.name);
        for field in section.fields {
            comment(&mut file, &field.description);
            let value = field.default.as_ref().or(field.example.as_ref()).unwrap_or(&Value::Null);
            let _ = match (field.is_required, &field.default) {
                (true, _) => writeln!(file, "{off}{} = {value}", field.name),
                (false, Some(_)) => writeln!(file, "# {} = {value}", field.name),
                (false, None) => writeln!(file, "# {} = {value} # not set", field.name),
            };
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plaza.toml");
        std::fs::write(&file, text).unwrap();
        format!("{:?}", Config::load(Some(&file)).unwrap())
    }

    /// The sample file with the options in force whose lines `takes` accepts.
    fn with(takes: impl Fn(&str) -> bool) -> String {
        let is_option = |line: &str| {
            line.strip_prefix("# ").and_then(|line| line.split_once(" = ")).is_some_and(
                |(name, _)| {
                    name.chars().all(|c| c.is_ascii_lowercase() || "_0123456789".contains(c))
                },
            )
        };
        let mut lines = Vec::new();
        for line in example().lines() {
            let taken = (is_option(line) || line.starts_with("# [")) && takes(line);
            lines.push(if taken {
                line.trim_start_matches("# ").to_owned()
            } else {
                line.to_owned()
            });
        }
        lines.join("\n")
    }

    #[test]
    fn the_reference_page_is_up_to_date() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        assert!(
            std::fs::read_to_string(file).unwrap_or_default() == reference(),
            "docs/configuration.md is out of date: run `plaza config reference --write`"
        );
    }

    #[test]
    fn every_option_is_described_with_its_default_or_an_example() {
        let sections = sections();
        let options: usize = sections.iter().map(|section| section.fields.len()).sum();
        assert!(sections.len() >= 15 && options > 80, "{} sections, {options}", sections.len());
        for section in &sections {
            assert!(section.description.split(' ').count() > 1, "{}", section.name);
            for field in &section.fields {
                let name = format!("{}.{}", section.name, field.name);
                assert!(field.description.split(' ').count() > 2, "{name} has no description");
                assert!(field.default.is_some() || field.example.is_some(), "{name}: no value");
                assert!(!field.kind.is_empty(), "{name} has no type");
            }
        }
    }

    #[test]
    fn the_sample_file_states_the_defaults_that_the_code_has() {
        let in_bucket = with(|line| line.contains("[media.s3]") || line.contains("plaza-media"));
        let all = with(|line| !line.ends_with("# not set"));
        assert_ne!(example(), all, "nothing was in force");
        assert_eq!(loaded(&in_bucket), loaded(&all));
    }

    #[test]
    fn the_sample_file_loads_as_printed_and_with_every_option_in_force() {
        loaded(&example());
        let debug = loaded(&with(|_| true));
        assert!(
            debug.contains("plaza-media") && debug.contains("trusted-documents.json"),
            "{debug}"
        );
    }
}
