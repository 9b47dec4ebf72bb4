//! The texts that are looked at, and what is said about them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::tokens::test_modules;

/// A file: its path from the root of the repository on, and what is in it.
#[derive(Debug, Clone)]
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    /// A text that is in no file.
    pub fn made_up(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The module that the file is: `src/nib/sqlite/open.rs` is `[nib, sqlite, open]`. None of these
    /// is the crate's root.
    pub fn module(&self) -> Vec<&str> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        if path == "lib" { Vec::new() } else { path.split('/').collect() }
    }

    /// What is said about a line of it.
    pub fn say(&self, line: usize, rule: &str) -> String {
        format!("{}:{line}: {rule}", self.path)
    }
}

/// All Rust files of a folder, ascending by path; none when there is no such folder.
pub fn files(folder: &str) -> Vec<Source> {
    fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push(Source { path: name, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    if root.join(folder).is_dir() {
        collect(root, &root.join(folder), &mut found);
    }
    found.sort_by(|one, next| one.path.cmp(&next.path));
    found
}

/// The program: the files of `src/` without those that are tests only.
pub fn program() -> Vec<Source> {
    let all = files("src");
    let tests: BTreeSet<String> = all.iter().flat_map(test_modules).collect();
    let program: Vec<Source> = all.into_iter().filter(|source| !tests.contains(&source.path)).collect();
    assert!(program.len() > 50, "the sources are where they are looked for");
    program
}

/// Fails with everything that the rule says about the sources.
pub fn hold(sources: &[Source], rule: impl Fn(&Source) -> Vec<String>) {
    let said: Vec<String> = sources.iter().flat_map(rule).collect();
    assert!(said.is_empty(), "\n{}\n", said.join("\n"));
}

#[test]
fn files_are_found_and_test_modules_are_no_program() {
    let all: Vec<String> = files("src").into_iter().map(|source| source.path).collect();
    let program: Vec<String> = program().into_iter().map(|source| source.path).collect();
    assert!(all.contains(&"src/wire/snmp/tests.rs".to_owned()) && all.is_sorted());
    assert!(program.contains(&"src/wire/snmp.rs".to_owned()));
    assert!(!program.contains(&"src/wire/snmp/tests.rs".to_owned()));
    assert!(files("no_such_folder").is_empty());
}
