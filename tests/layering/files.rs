//! How long a file may be, and what it may be called.

use std::collections::BTreeSet;

use proc_macro2::TokenTree;

use crate::source::{Source, files, hold, program};
use crate::tokens::{attribute, inside, program_tokens};

/// Lines of code that a file may have: comments, blank lines and tests are not counted.
const MOST_LINES: usize = 400;

/// Words that say nothing about what a file holds.
const EMPTY_WORDS: [&str; 8] = ["mod", "util", "utils", "helper", "helpers", "common", "misc", "manager"];

fn too_long(source: &Source) -> Vec<String> {
    let mut lines = BTreeSet::new();
    count(&program_tokens(source), &mut lines);
    let said = format!("{} lines of code are more than {MOST_LINES}: split it by concept", lines.len());
    if lines.len() > MOST_LINES { vec![source.say(1, &said)] } else { Vec::new() }
}

/// Collects the lines on which there is code; a comment with documentation is none.
fn count(tokens: &[TokenTree], lines: &mut BTreeSet<usize>) {
    let mut rest = tokens;
    while let [first, after @ ..] = rest {
        if let Some((group, after)) = attribute(rest)
            && matches!(inside(group).as_slice(), [TokenTree::Ident(name), ..] if name == "doc")
        {
            rest = after;
            continue;
        }
        match first {
            TokenTree::Group(group) => {
                lines.extend([group.span_open().start().line, group.span_close().end().line]);
                count(&inside(group), lines);
            }
            token => lines.extend(token.span().start().line..=token.span().end().line),
        }
        rest = after;
    }
}

fn badly_named(source: &Source) -> Vec<String> {
    let words = source.path.trim_end_matches(".rs").split(['/', '_']);
    let empty = words.filter(|word| EMPTY_WORDS.contains(word));
    empty.map(|word| source.say(1, &format!("a file is named by what it holds, and {word} says nothing"))).collect()
}

#[test]
fn files_are_short() {
    hold(&program(), too_long);
}

#[test]
fn files_are_named_by_what_they_hold() {
    for folder in ["src", "tests", "benches"] {
        hold(&files(folder), badly_named);
    }
}

#[test]
fn only_code_counts() {
    let long = "const A: &str = \"\n\n\";\n".repeat(134);
    assert_eq!(
        too_long(&Source::made_up("src/a.rs", &long)),
        ["src/a.rs:1: 402 lines of code are more than 400: split it by concept"]
    );
    let commented = "//! a\n/// b\n// c\n/* d\n */\nfn e() {}\n\n".repeat(400);
    assert_eq!(too_long(&Source::made_up("src/a.rs", &commented.replace("//! a", ""))), [""; 0]);
    let tested = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}", "fn b() {}\n".repeat(500));
    assert_eq!(too_long(&Source::made_up("src/a.rs", &tested)), [""; 0]);
}

#[test]
fn names_that_say_nothing_are_refused() {
    for path in ["src/app/mod.rs", "src/utils.rs", "tests/common/lab.rs", "src/session_manager.rs"] {
        assert_eq!(badly_named(&Source::made_up(path, "")).len(), 1, "{path}");
    }
    assert_eq!(badly_named(&Source::made_up("src/nib/model.rs", "")), [""; 0]);
}
