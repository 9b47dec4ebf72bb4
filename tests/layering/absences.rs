//! What is deliberately absent.

use proc_macro2::TokenTree;

use crate::source::{Source, files, hold, program};
use crate::tokens::{attribute, identifiers, inside, is_punct, paths, paths_among, program_tokens, tokens};

/// Names that must not be written in the program, with what is wrong with them.
const BANNED: [(&str, &str); 9] = [
    ("do_send", "it ignores the mailbox's bound and drops silently to a dead actor"),
    ("SyncArbiter", "its queue has no bound"),
    ("SystemService", "there is no registry: actors get recipients in their constructors"),
    ("ArbiterService", "there is no registry: actors get recipients in their constructors"),
    ("from_registry", "there is no registry: actors get recipients in their constructors"),
    ("thread_local", "there is no global state"),
    ("OnceLock", "there is no global state"),
    ("LazyLock", "there is no global state"),
    ("unbounded_channel", "every queue is bounded"),
];

/// What makes a static a variable.
const VARIABLE: [&str; 6] = ["mut", "Mutex", "RwLock", "RefCell", "Cell", "OnceCell"];

/// The files that may start threads, and what they start them with.
const THREADS: [(&str, &str); 6] = [
    ("src/actors/membership/keys.rs", "spawn_blocking"),
    ("src/actors/nib.rs", "spawn_blocking"),
    ("src/actors/sweeper.rs", "thread::Builder"),
    ("src/nib/sqlite/signing.rs", "thread::Builder"),
    ("src/nib/sqlite/signing.rs", "thread::scope"),
    ("src/nib/writer.rs", "thread::Builder"),
];

/// The one file with unsafe code.
const UNSAFE: &str = "src/southbound/packet_socket.rs";

fn violations(source: &Source) -> Vec<String> {
    let tokens = program_tokens(source);
    let mut said = Vec::new();
    for (name, line) in identifiers(&tokens) {
        let banned = BANNED.iter().find(|(banned, _)| *banned == name);
        said.extend(banned.map(|(name, reason)| source.say(line, &format!("no {name}: {reason}"))));
        if name == "unsafe" && source.path != UNSAFE {
            said.push(source.say(line, "unsafe code is in the packet socket only"));
        }
    }
    globals(source, &tokens, &mut said);
    for path in paths(source) {
        let name = path.segments.join("::");
        let means = ["thread::Builder", "thread::spawn", "thread::scope", "spawn_blocking"];
        let Some(started) = means.iter().find(|started| name.contains(**started)) else { continue };
        if !THREADS.contains(&(&source.path, started)) {
            said.push(source.say(path.line, "threads are few and named: see tests/layering/absences.rs"));
        }
    }
    said
}

fn globals(source: &Source, tokens: &[TokenTree], said: &mut Vec<String>) {
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if word == "static" && !(at > 0 && is_punct(&tokens[at - 1], '\'')) => {
                let declared = tokens[at..].split(|token| is_punct(token, '=') || is_punct(token, ';')).next();
                let words = identifiers(declared.unwrap_or_default());
                let varies = |word: &str| VARIABLE.contains(&word) || word.starts_with("Atomic");
                if let Some((_, line)) = words.into_iter().find(|(word, _)| varies(word)) {
                    said.push(source.say(line, "there is no global state"));
                }
            }
            TokenTree::Group(group) => globals(source, &inside(group), said),
            _ => {}
        }
    }
}

/// Lint exceptions that do not say why, or that hide instead of expecting.
fn unreasoned(source: &Source, tokens: &[TokenTree], said: &mut Vec<String>) {
    for at in 0..tokens.len() {
        match attribute(&tokens[at..]) {
            Some((group, _)) => exceptions(source, &inside(group), said),
            None => {
                if let TokenTree::Group(group) = &tokens[at] {
                    unreasoned(source, &inside(group), said);
                }
            }
        }
    }
}

fn exceptions(source: &Source, tokens: &[TokenTree], said: &mut Vec<String>) {
    for (at, token) in tokens.iter().enumerate() {
        let (TokenTree::Ident(word), Some(TokenTree::Group(lints))) = (token, tokens.get(at + 1)) else { continue };
        let line = word.span().start().line;
        let reasoned = identifiers(&inside(lints)).iter().any(|(word, _)| word == "reason");
        match word.to_string().as_str() {
            "allow" => said.push(source.say(line, "an exception is `expect`, so that it ends with its cause")),
            "expect" if !reasoned => said.push(source.say(line, "an exception has a reason")),
            "cfg_attr" => exceptions(source, &inside(lints), said),
            _ => {}
        }
    }
}

/// Waiting without knowing for what; in tests, too.
fn sleeps(source: &Source) -> Vec<String> {
    let paths = paths_among(&tokens(source), source).into_iter();
    let sleeps = paths.filter(|path| path.segments.join("::").ends_with("thread::sleep"));
    sleeps.map(|path| source.say(path.line, "nothing sleeps: wait for an event, with a deadline")).collect()
}

fn without_reason(source: &Source) -> Vec<String> {
    let mut said = Vec::new();
    unreasoned(source, &tokens(source), &mut said);
    said
}

#[test]
fn what_is_absent_stays_absent() {
    hold(&program(), violations);
}

#[test]
fn every_lint_exception_has_a_reason() {
    for folder in ["src", "tests", "benches"] {
        hold(&files(folder), without_reason);
    }
}

#[test]
fn nothing_sleeps() {
    for folder in ["src", "tests", "benches"] {
        hold(&files(folder), sleeps);
    }
    let asleep = "#[test]\nfn f() { std::thread::sleep(TIME); }\nuse std::thread::{sleep, spawn};";
    assert_eq!(sleeps(&Source::made_up("tests/a.rs", asleep)).len(), 2);
    assert_eq!(sleeps(&Source::made_up("tests/a.rs", "fn f() { std::thread::park(); }")), [""; 0]);
}

#[test]
fn what_must_be_absent_is_found() {
    for text in [
        "fn f(a: A) { a.do_send(M); }",
        "fn f() -> A { A::from_registry() }",
        "impl actix::SystemService for A {}",
        "static A: Mutex<u8> = Mutex::new(0);",
        "fn f() { static COUNT: std::sync::atomic::AtomicU64 = new(); }",
        "static mut A: u8 = 0;",
        "static A: std::sync::OnceLock<u8> = OnceLock::new();",
        "thread_local! { static A: u8 = 0; }",
        "fn f() { unsafe { g() } }",
        "fn f() { std::thread::spawn(g); }",
        "use std::thread::Builder;",
        "async fn f() { tokio::task::spawn_blocking(g).await }",
    ] {
        assert!(!violations(&Source::made_up("src/app/a.rs", text)).is_empty(), "{text}");
    }
    let harmless = "static A: [u8; 2] = [0, 1];\nfn f(a: &'static Mutex<u8>) { std::thread::current(); }";
    assert_eq!(violations(&Source::made_up("src/app/a.rs", harmless)), [""; 0]);
    assert_eq!(violations(&Source::made_up(UNSAFE, "fn f() { unsafe { g() } }")), [""; 0]);
    let thread = "fn f() { std::thread::Builder::new(); }";
    assert_eq!(violations(&Source::made_up("src/actors/sweeper.rs", thread)), [""; 0]);
}

#[test]
fn exceptions_without_a_reason_are_found() {
    for text in [
        "#[expect(dead_code)]\nfn f() {}",
        "#![expect(unsafe_code)]",
        "fn f() { #[expect(clippy::panic)] g() }",
        "#[cfg_attr(test, expect(dead_code))]\nfn f() {}",
        "#[allow(dead_code, reason = \"it is\")]\nfn f() {}",
    ] {
        assert_eq!(without_reason(&Source::made_up("src/a.rs", text)).len(), 1, "{text}");
    }
    let reasoned = "#[expect(dead_code, reason = \"it is\")]\nfn f(o: Option<u8>) { o.expect(\"some\"); }";
    assert_eq!(without_reason(&Source::made_up("src/a.rs", reasoned)), [""; 0]);
}
