//! What must be documented: every module, every public item, and every way in which it can fail.
//!
//! The modules of the command line are private and named by their verbs; only their heads count.

use std::collections::BTreeSet;

use syn::{Attribute, Expr, Fields, ImplItem, Item, Lit, Meta, ReturnType, Signature, TraitItem, Type, Visibility};

use crate::source::{Source, hold, program};

fn violations(source: &Source) -> Vec<String> {
    let file = syn::parse_file(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.path));
    let mut said = Said { source, lines: Vec::new() };
    if documentation(&file.attrs).is_empty() {
        said.lines.push(source.say(1, "a file says at its head what it holds"));
    }
    if !source.path.starts_with("src/cli/") {
        said.items(&file.items);
    }
    said.lines
}

struct Said<'s> {
    source: &'s Source,
    lines: Vec<String>,
}

impl Said<'_> {
    fn items(&mut self, items: &[Item]) {
        let hidden: BTreeSet<String> = items.iter().filter_map(hidden_type).collect();
        for item in items {
            match item {
                Item::Const(item) if is_public(&item.vis) => self.needs(&item.attrs, &item.ident),
                Item::Static(item) if is_public(&item.vis) => self.needs(&item.attrs, &item.ident),
                Item::Type(item) if is_public(&item.vis) => self.needs(&item.attrs, &item.ident),
                Item::Fn(item) if is_public(&item.vis) => self.function(&item.attrs, &item.sig),
                Item::Struct(item) if is_public(&item.vis) => {
                    self.needs(&item.attrs, &item.ident);
                    self.fields(&item.fields, is_public);
                }
                Item::Enum(item) if is_public(&item.vis) => {
                    self.needs(&item.attrs, &item.ident);
                    for variant in &item.variants {
                        self.needs(&variant.attrs, &variant.ident);
                        self.fields(&variant.fields, |_| true);
                    }
                }
                Item::Trait(item) if is_public(&item.vis) => {
                    self.needs(&item.attrs, &item.ident);
                    for item in &item.items {
                        match item {
                            TraitItem::Fn(item) => self.function(&item.attrs, &item.sig),
                            TraitItem::Const(item) => self.needs(&item.attrs, &item.ident),
                            TraitItem::Type(item) => self.needs(&item.attrs, &item.ident),
                            _ => {}
                        }
                    }
                }
                Item::Impl(item)
                    if item.trait_.is_none() && !name_of(&item.self_ty).is_some_and(|name| hidden.contains(&name)) =>
                {
                    for item in &item.items {
                        match item {
                            ImplItem::Fn(item) if is_public(&item.vis) => self.function(&item.attrs, &item.sig),
                            ImplItem::Const(item) if is_public(&item.vis) => self.needs(&item.attrs, &item.ident),
                            _ => {}
                        }
                    }
                }
                Item::Mod(item) if !is_test(&item.attrs) => {
                    if let Some((_, items)) = &item.content {
                        if is_public(&item.vis) {
                            self.needs(&item.attrs, &item.ident);
                        }
                        self.items(items);
                    }
                }
                _ => {}
            }
        }
    }

    /// A field without a name is said by its type.
    fn fields(&mut self, fields: &Fields, counts: impl Fn(&Visibility) -> bool) {
        for field in fields {
            if let Some(name) = field.ident.as_ref().filter(|_| counts(&field.vis)) {
                self.needs(&field.attrs, name);
            }
        }
    }

    fn function(&mut self, attributes: &[Attribute], signature: &Signature) {
        self.needs(attributes, &signature.ident);
        let fails = match &signature.output {
            ReturnType::Type(_, returned) => name_of(returned).is_some_and(|name| name == "Result"),
            ReturnType::Default => false,
        };
        if fails && !documentation(attributes).lines().any(|line| line.trim() == "# Errors") {
            self.say(&signature.ident, "can fail and has no `# Errors`");
        }
    }

    fn needs(&mut self, attributes: &[Attribute], name: &syn::Ident) {
        if documentation(attributes).is_empty() {
            self.say(name, "is public and not documented");
        }
    }

    fn say(&mut self, name: &syn::Ident, what: &str) {
        self.lines.push(self.source.say(name.span().start().line, &format!("{name} {what}")));
    }
}

/// A type that only this crate can name; what it can do needs no documentation.
fn hidden_type(item: &Item) -> Option<String> {
    let (vis, name) = match item {
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Enum(item) => (&item.vis, &item.ident),
        _ => return None,
    };
    (!is_public(vis)).then(|| name.to_string())
}

fn is_public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

fn is_test(attributes: &[Attribute]) -> bool {
    let names_test = |attribute: &Attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    };
    attributes.iter().any(names_test)
}

fn name_of(named: &Type) -> Option<String> {
    match named {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

fn documentation(attributes: &[Attribute]) -> String {
    let line = |attribute: &Attribute| match &attribute.meta {
        Meta::NameValue(value) if value.path.is_ident("doc") => match &value.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => Some("made by a macro".to_owned()),
        },
        _ => None,
    };
    attributes.iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_public_is_documented() {
    hold(&program(), violations);
}

#[test]
fn what_lacks_documentation_is_found() {
    for (text, name) in [
        ("pub fn f() {}", "f"),
        ("pub struct S;", "S"),
        ("/// a\npub struct S { pub f: u8, g: u8 }", "f"),
        ("/// a\npub enum E { V }", "V"),
        ("/// a\npub enum E {\n/// b\nV { f: u8 } }", "f"),
        ("/// a\npub trait T { fn f(); }", "f"),
        ("impl super::S { pub fn f() {} fn g() {} }", "f"),
        ("pub const C: u8 = 1;", "C"),
        ("pub type T = u8;", "T"),
        ("pub mod m {}", "m"),
        ("mod m { pub struct S; }", "S"),
    ] {
        let said = violations(&Source::made_up("src/app/a.rs", &format!("//! a\n{text}")));
        assert!(said.iter().any(|line| line.contains(&format!(": {name} is public"))), "{text}: {said:?}");
    }
    let headless = violations(&Source::made_up("src/app/a.rs", "fn f() {}"));
    assert_eq!(headless, ["src/app/a.rs:1: a file says at its head what it holds"]);
}

#[test]
fn what_can_fail_must_say_how() {
    let said = |text: &str| violations(&Source::made_up("src/app/a.rs", &format!("//! a\n{text}")));
    for returned in ["Result<(), E>", "io::Result<()>", "std::result::Result<u8, E>"] {
        let text = format!("/// a\npub fn f() -> {returned} {{}}");
        assert_eq!(said(&text), ["src/app/a.rs:3: f can fail and has no `# Errors`"]);
        assert_eq!(said(&format!("/// a\n///\n/// # Errors\n/// b\n{}", &text[6..])), [""; 0]);
    }
    assert_eq!(said("/// a\npub trait T {\n/// b\nfn f() -> Result<(), E>;\n}").len(), 1);
    assert_eq!(said("/// a\npub fn f() -> Option<u8> {}"), [""; 0]);
}

#[test]
fn what_nobody_else_can_name_needs_no_documentation() {
    let text = "//! a\npub(crate) fn f() {}\nstruct S;\nimpl S { pub fn f() {} }\n\
                impl T for U { fn f() {} }\n#[cfg(test)]\nmod tests { pub fn f() {} }";
    assert_eq!(violations(&Source::made_up("src/app/a.rs", text)), [""; 0]);
    assert_eq!(violations(&Source::made_up("src/cli/a.rs", "//! a\npub fn f() -> Result<(), E> {}")), [""; 0]);
}
