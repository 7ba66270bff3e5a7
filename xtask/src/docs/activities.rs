//! `docs/activities.md`: what a line of activity holds.
//!
//! The activity schema is what the structs in `model` say, so the page is read off them: names as
//! serde writes them, meanings as their comments tell.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use heck::{ToKebabCase, ToLowerCamelCase, ToSnakeCase};
use syn::{
    Attribute, Expr, Fields, GenericArgument, Item, ItemEnum, ItemStruct, Lit, Meta, PathArguments,
    Type,
};

use crate::step;

/// Where the page is.
pub(super) const PAGE: &str = "docs/activities.md";
/// Where the types are; of types that share a name, one in the same file is meant.
const SOURCES: &[&str] = &["sensor-user/src/json.rs", "sensor-user/crates/model/src"];
/// The line that `replay --activities` writes.
const ROOT: &str = "ActivityLine";

const INTRODUCTION: &str = "\
# Activities

What a sensor saw somebody do, as `goshawk-sensor replay FILE... --json --activities` writes it: one
JSON object a line, `\"kind\":\"activity\"`. Names are those of the RFC or [MS-*] document that is
cited. A field that is marked *optional* is absent where the wire did not tell it. Passwords, keys,
challenges and responses are never kept.

This page is made by `cargo xtask docs` from the types themselves; fields are only ever added.
";

/// The page as the types say it.
///
/// # Errors
/// If a source cannot be read.
pub(super) fn page() -> Result<String> {
    Ok(Schema::read()?.page())
}

/// A type's place: its file, and its name.
type Key = (PathBuf, String);

/// All types of the sources.
#[derive(Default)]
struct Schema {
    types: BTreeMap<Key, Shape>,
}

enum Shape {
    Struct(ItemStruct),
    Enum(ItemEnum),
}

impl Schema {
    fn read() -> Result<Self> {
        let mut schema = Self::default();
        for source in SOURCES {
            schema.read_path(&step::root().join(source))?;
        }
        Ok(schema)
    }

    fn read_path(&mut self, path: &Path) -> Result<()> {
        let failed = || format!("cannot read {}", path.display());
        if path.is_dir() {
            let entries = fs::read_dir(path).with_context(failed)?;
            for entry in entries.flatten() {
                self.read_path(&entry.path())?;
            }
            return Ok(());
        }
        let text = fs::read_to_string(path).with_context(failed)?;
        let file = syn::parse_file(&text).with_context(failed)?;
        for item in file.items {
            let (name, shape) = match item {
                Item::Struct(it) => (it.ident.to_string(), Shape::Struct(it)),
                Item::Enum(it) => (it.ident.to_string(), Shape::Enum(it)),
                _ => continue,
            };
            self.types.insert((path.to_owned(), name), shape);
        }
        Ok(())
    }

    /// The page: the line, and every type in it, in the order in which they are met.
    fn page(&self) -> String {
        let mut page = INTRODUCTION.to_owned();
        let mut seen = BTreeSet::new();
        let mut queue: VecDeque<Key> = self.find(Path::new(""), ROOT).into_iter().collect();
        while let Some(key) = queue.pop_front() {
            if !seen.insert(key.clone()) {
                continue;
            }
            let Some(shape) = self.types.get(&key) else {
                continue;
            };
            let mut mentioned = Vec::new();
            let section = self.section(&key, shape, &mut mentioned);
            page.push_str(&section);
            queue.extend(mentioned);
        }
        page
    }

    fn section(&self, key: &Key, shape: &Shape, mentioned: &mut Vec<Key>) -> String {
        let (file, _) = key;
        let mut text = format!("\n## {}\n\n", self.title(key));
        match shape {
            Shape::Struct(it) => {
                let _ = writeln!(text, "{}\n", comment(&it.attrs));
                if let Fields::Named(_) = &it.fields {
                    text.push_str("| Field | Value | Meaning |\n| --- | --- | --- |\n");
                    let naming = Naming::of(&it.attrs);
                    self.rows(file, &it.fields, &naming, &mut text, mentioned);
                }
            }
            Shape::Enum(it) => {
                let naming = Naming::of(&it.attrs);
                let _ = writeln!(text, "{}\n", comment(&it.attrs));
                text.push_str("| Value | Meaning |\n| --- | --- |\n");
                for variant in &it.variants {
                    let value = naming.of_variant(&variant.ident.to_string(), &variant.attrs);
                    let value = match &variant.fields {
                        Fields::Unit => format!("`\"{value}\"`"),
                        Fields::Unnamed(fields) => {
                            let of: Vec<_> = fields
                                .unnamed
                                .iter()
                                .map(|field| self.value(file, &field.ty, mentioned).0)
                                .collect();
                            format!("`{{\"{value}\": …}}` with {}", of.join(", "))
                        }
                        Fields::Named(_) => {
                            let mut fields = String::new();
                            for field in &variant.fields {
                                let (of, optional) = self.value(file, &field.ty, mentioned);
                                let name = field.ident.as_ref().map(ToString::to_string);
                                let optional = if optional { ", *optional*" } else { "" };
                                let _ = write!(
                                    fields,
                                    "<br>`{}`: {of}{optional}. {}",
                                    name.unwrap_or_default(),
                                    comment(&field.attrs)
                                );
                            }
                            format!("`{{\"{value}\": {{…}}}}` with{fields}")
                        }
                    };
                    let _ = writeln!(text, "| {value} | {} |", cell(&comment(&variant.attrs)));
                }
            }
        }
        text
    }

    fn rows(
        &self,
        file: &Path,
        fields: &Fields,
        naming: &Naming,
        text: &mut String,
        mentioned: &mut Vec<Key>,
    ) {
        for field in fields {
            let Some(ident) = &field.ident else { continue };
            let name = naming.of_field(&ident.to_string(), &field.attrs);
            let (value, optional) = self.value(file, &field.ty, mentioned);
            let optional = if optional || has(&field.attrs, "skip_serializing_if") {
                ", *optional*"
            } else {
                ""
            };
            let meaning = cell(&comment(&field.attrs));
            let _ = writeln!(text, "| `{name}` | {value}{optional} | {meaning} |");
        }
    }

    /// How a value of `ty` is written, and whether it may be absent.
    fn value(&self, file: &Path, ty: &Type, mentioned: &mut Vec<Key>) -> (String, bool) {
        match ty {
            Type::Reference(it) => self.value(file, &it.elem, mentioned),
            Type::Tuple(it) => {
                let parts: Vec<_> = it
                    .elems
                    .iter()
                    .map(|part| self.value(file, part, mentioned).0)
                    .collect();
                (format!("list of {}", parts.join(" and ")), false)
            }
            Type::Array(it) => (
                format!("list of {}", self.value(file, &it.elem, mentioned).0),
                false,
            ),
            Type::Path(it) => {
                let Some(last) = it.path.segments.last() else {
                    return (String::new(), false);
                };
                let name = last.ident.to_string();
                let inner: Vec<&Type> = match &last.arguments {
                    PathArguments::AngleBracketed(arguments) => arguments
                        .args
                        .iter()
                        .filter_map(|argument| match argument {
                            GenericArgument::Type(ty) => Some(ty),
                            _ => None,
                        })
                        .collect(),
                    _ => Vec::new(),
                };
                match (name.as_str(), inner.as_slice()) {
                    ("Option", [inner]) => (self.value(file, inner, mentioned).0, true),
                    ("Box" | "Arc" | "Cow", [inner]) => self.value(file, inner, mentioned),
                    ("Vec", [inner]) => (
                        format!("list of {}", self.value(file, inner, mentioned).0),
                        false,
                    ),
                    ("BTreeMap", [_, inner]) => (
                        format!("object of {}", self.value(file, inner, mentioned).0),
                        false,
                    ),
                    _ => (self.plain(file, &name, mentioned), false),
                }
            }
            _ => ("text".to_owned(), false),
        }
    }

    fn plain(&self, file: &Path, name: &str, mentioned: &mut Vec<Key>) -> String {
        match name {
            "str" | "String" => "text".into(),
            "bool" => "true or false".into(),
            "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" => {
                "number".into()
            }
            "IpAddr" | "Ipv4Addr" => "address".into(),
            "SocketAddr" => "address and port".into(),
            "Uuid" => "UUID".into(),
            "Timestamp" => "time, RFC 3339".into(),
            "Digest" | "ActivityId" => "digest, hexadecimal".into(),
            "Account" => "account, `name@dns.realm`".into(),
            _ => match self.find(file, name) {
                Some(key) => {
                    let title = self.title(&key);
                    let anchor = title.to_lowercase().replace(' ', "-");
                    mentioned.push(key);
                    format!("[{title}](#{anchor})")
                }
                None => name.into(),
            },
        }
    }

    /// The type called `name`: in the same file, or beside it, or anywhere.
    fn find(&self, file: &Path, name: &str) -> Option<Key> {
        let named = || self.types.keys().filter(|(_, it)| it == name);
        let same = named().find(|(path, _)| path == file);
        let beside = || named().find(|(path, _)| path.parent() == file.parent());
        same.or_else(beside).or_else(|| named().next()).cloned()
    }

    /// The heading of a type: its name, with its file's where others share it.
    fn title(&self, key: &Key) -> String {
        let (file, name) = key;
        if name == ROOT {
            return "The line".to_owned();
        }
        let shared = self.types.keys().filter(|(_, it)| it == name).count() > 1;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let folder = file.parent().and_then(Path::file_name).unwrap_or_default();
        match (shared, &*stem) {
            (false, _) => name.clone(),
            (true, "mod") => format!("{name} of {}", folder.to_string_lossy()),
            (true, stem) => format!("{name} of {stem}"),
        }
    }
}

/// How serde names the parts of a type.
#[derive(Clone, Default)]
struct Naming(Option<String>);

impl Naming {
    fn of(attrs: &[Attribute]) -> Self {
        Self(setting(attrs, "rename_all"))
    }

    fn of_field(&self, name: &str, attrs: &[Attribute]) -> String {
        let name = name.trim_start_matches("r#");
        setting(attrs, "rename").unwrap_or_else(|| match self.0.as_deref() {
            Some("camelCase") => name.to_lower_camel_case(),
            Some("kebab-case") => name.to_kebab_case(),
            _ => name.to_owned(),
        })
    }

    fn of_variant(&self, name: &str, attrs: &[Attribute]) -> String {
        setting(attrs, "rename").unwrap_or_else(|| match self.0.as_deref() {
            Some("lowercase") => name.to_lowercase(),
            Some("kebab-case") => name.to_kebab_case(),
            Some("snake_case") => name.to_snake_case(),
            Some("camelCase") => name.to_lower_camel_case(),
            _ => name.to_owned(),
        })
    }
}

/// The value of `name = "..."` in a serde attribute.
fn setting(attrs: &[Attribute], name: &str) -> Option<String> {
    let mut found = None;
    for attribute in attrs.iter().filter(|it| it.path().is_ident("serde")) {
        let _ = attribute.parse_nested_meta(|meta| {
            if meta.input.peek(syn::Token![=]) {
                let value: syn::LitStr = meta.value()?.parse()?;
                if meta.path.is_ident(name) {
                    found = Some(value.value());
                }
            }
            Ok(())
        });
    }
    found
}

fn has(attrs: &[Attribute], name: &str) -> bool {
    setting(attrs, name).is_some()
}

/// A documentation comment, in one paragraph for each of its own.
fn comment(attrs: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attrs {
        let Meta::NameValue(it) = &attribute.meta else {
            continue;
        };
        let Expr::Lit(literal) = &it.value else {
            continue;
        };
        let (true, Lit::Str(line)) = (it.path.is_ident("doc"), &literal.lit) else {
            continue;
        };
        let line = line.value();
        let line = line.trim();
        if line.is_empty() {
            text.push_str("\n\n");
        } else {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push(' ');
            }
            text.push_str(line);
        }
    }
    links_as_code(&text)
}

/// rustdoc's links lead nowhere on the page: [`Answer`] and [`error`](crate::error) become code.
fn links_as_code(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((name, behind)) = after.split_once("`]") else {
            break;
        };
        out.push_str(before);
        let _ = write!(out, "`{}`", name.trim_start_matches("crate::"));
        rest = match behind.strip_prefix('(').and_then(|it| it.split_once(')')) {
            Some((_, behind)) => behind,
            None => behind,
        };
    }
    out + rest
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace("\n\n", "<br>").replace('|', "\\|")
}
