//! Sources as tokens: comments and texts are none, and what only tests see can be left out.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use crate::source::Source;

/// A path as it is written, with the line where it ends. An import of several things is several
/// paths; `*` stands for everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath {
    /// The module in which it is written.
    pub module: Vec<String>,
    pub segments: Vec<String>,
    pub line: usize,
}

/// All tokens of a source.
pub fn tokens(source: &Source) -> Vec<TokenTree> {
    let tokens = source.text.parse::<TokenStream>();
    tokens.unwrap_or_else(|error| panic!("{} is no Rust: {error}", source.path)).into_iter().collect()
}

/// The tokens of a source without the items under `#[cfg(test)]`.
pub fn program_tokens(source: &Source) -> Vec<TokenTree> {
    without_tests(&tokens(source))
}

fn without_tests(tokens: &[TokenTree]) -> Vec<TokenTree> {
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let [first, after @ ..] = rest {
        if let Some((attribute, after)) = attribute(rest)
            && text(attribute) == "cfg(test)"
        {
            rest = after_item(after);
            continue;
        }
        kept.push(match first {
            TokenTree::Group(group) => {
                let inner = without_tests(&inside(group)).into_iter().collect();
                let mut whole = Group::new(group.delimiter(), inner);
                whole.set_span(group.span());
                TokenTree::Group(whole)
            }
            other => other.clone(),
        });
        rest = after;
    }
    kept
}

/// What follows an item: it ends with a semicolon or with the first pair of braces.
fn after_item(tokens: &[TokenTree]) -> &[TokenTree] {
    let ends = |token: &TokenTree| match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    let end = tokens.iter().position(ends).map_or(tokens.len(), |end| end + 1);
    &tokens[end..]
}

/// The attribute that these tokens begin with, and what follows it.
pub fn attribute(tokens: &[TokenTree]) -> Option<(&Group, &[TokenTree])> {
    let after_hash = tokens.split_first().filter(|(first, _)| is_punct(first, '#'))?.1;
    let rest = match after_hash {
        [first, rest @ ..] if is_punct(first, '!') => rest,
        rest => rest,
    };
    match rest {
        [TokenTree::Group(group), rest @ ..] if group.delimiter() == Delimiter::Bracket => Some((group, rest)),
        _ => None,
    }
}

/// The files of the modules that a source declares for tests only.
pub fn test_modules(source: &Source) -> Vec<String> {
    let tokens = tokens(source);
    let declared = |at: usize| {
        let (_, rest) = attribute(&tokens[at..]).filter(|(group, _)| text(group) == "cfg(test)")?;
        match rest {
            [TokenTree::Ident(keyword), TokenTree::Ident(name), end, ..] if keyword == "mod" && is_punct(end, ';') => {
                Some(format!("{}/{name}.rs", source.path.trim_end_matches(".rs")))
            }
            _ => None,
        }
    };
    (0..tokens.len()).filter_map(declared).collect()
}

/// Every path that is written in the program, wherever it stands.
pub fn paths(source: &Source) -> Vec<NamedPath> {
    paths_among(&program_tokens(source), source)
}

/// Every path among some tokens of a source.
pub fn paths_among(tokens: &[TokenTree], source: &Source) -> Vec<NamedPath> {
    let mut found = Vec::new();
    let module: Vec<String> = source.module().into_iter().map(str::to_owned).collect();
    collect(tokens, &module, &mut found);
    found
}

fn collect(tokens: &[TokenTree], module: &[String], found: &mut Vec<NamedPath>) {
    let mut rest = tokens;
    loop {
        rest = match rest {
            [] => return,
            [TokenTree::Ident(keyword), TokenTree::Ident(name), TokenTree::Group(body), after @ ..]
                if keyword == "mod" =>
            {
                collect(&inside(body), &[module, &[name.to_string()]].concat(), found);
                after
            }
            [TokenTree::Ident(_), ..] => path(rest, module, &[], found),
            [TokenTree::Group(group), after @ ..] => {
                collect(&inside(group), module, found);
                after
            }
            [_, after @ ..] => after,
        };
    }
}

/// Reads the path that these tokens begin with; what follows it is returned.
fn path<'t>(
    tokens: &'t [TokenTree],
    module: &[String],
    prefix: &[String],
    found: &mut Vec<NamedPath>,
) -> &'t [TokenTree] {
    let mut segments = prefix.to_vec();
    let mut rest = tokens;
    let mut line = 0;
    while let [TokenTree::Ident(name), after @ ..] = rest {
        segments.push(name.to_string());
        line = name.span().start().line;
        rest = match after {
            [one, two, TokenTree::Ident(_), ..] if is_punct(one, ':') && is_punct(two, ':') => &after[2..],
            [one, two, star, after @ ..] if is_punct(one, ':') && is_punct(two, ':') && is_punct(star, '*') => {
                segments.push("*".to_owned());
                after
            }
            [one, two, TokenTree::Group(group), after @ ..] if is_punct(one, ':') && is_punct(two, ':') => {
                for part in inside(group).split(|token| is_punct(token, ',')) {
                    path(part, module, &segments, found);
                }
                return after;
            }
            after => {
                found.push(NamedPath { module: module.to_vec(), segments, line });
                return after;
            }
        };
    }
    if line > 0 {
        found.push(NamedPath { module: module.to_vec(), segments, line });
    }
    rest
}

/// All identifiers of the program with their lines, keywords included.
pub fn identifiers(tokens: &[TokenTree]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(name) => found.push((name.to_string(), name.span().start().line)),
            TokenTree::Group(group) => found.extend(identifiers(&inside(group))),
            _ => {}
        }
    }
    found
}

/// The tokens of a group.
pub fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

/// Whether a token is this sign.
pub fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

fn text(group: &Group) -> String {
    group.stream().to_string().replace(' ', "")
}

#[test]
fn every_way_to_write_a_path_is_read() {
    let source = Source::made_up(
        "src/app/scan.rs",
        "use crate::{nib, domain::{self, time::*, link::Link as L}};\n\
         fn f() -> super::x::Y<crate::wire::Z> { m!(pdsno::a::<u8>()) }\n\
         mod inner { fn g() { super::h() } }\n\
         // crate::not::this\n\
         const TEXT: &str = \"crate::nor::this\";\n\
         #[cfg(test)]\nmod tests { use crate::hidden::it; }\n\
         #[cfg(test)]\nuse crate::hidden::too;\n\
         fn after() { ::std::fs::read() }",
    );
    let found: Vec<(String, usize)> = paths(&source)
        .iter()
        .filter(|path| path.segments.len() > 1)
        .map(|path| (path.segments.join("::"), path.line))
        .collect();
    let expected = [
        ("crate::nib", 1),
        ("crate::domain::self", 1),
        ("crate::domain::time::*", 1),
        ("crate::domain::link::Link", 1),
        ("super::x::Y", 2),
        ("crate::wire::Z", 2),
        ("pdsno::a", 2),
        ("super::h", 3),
        ("std::fs::read", 10),
    ];
    assert_eq!(found, expected.map(|(path, line)| (path.to_owned(), line)));
    let inner = paths(&source).into_iter().find(|path| path.line == 3 && path.segments.len() > 1).unwrap();
    assert_eq!(inner.module, ["app", "scan", "inner"]);
}

#[test]
fn modules_for_tests_are_told_from_others() {
    let text = "mod one;\n#[cfg(test)]\nmod two;\n#[cfg(test)]\nmod three {}\n#[cfg(unix)]\nmod four;";
    assert_eq!(test_modules(&Source::made_up("src/a/b.rs", text)), ["src/a/b/two.rs"]);
}
