//! Whether `docs/ARCHITECTURE.md` says what is so: the tests that it names, and the layer table.

use std::path::Path;

use crate::imports::LAYERS;
use crate::source::{Source, files};

const DOCUMENT: &str = include_str!("../../docs/ARCHITECTURE.md");
const ATTACKS: &str = include_str!("../../docs/attacks.md");
const TROUBLE: &str = include_str!("../../docs/trouble.md");

/// The cells of each row of the tables in a section, without the head.
fn rows<'t>(text: &'t str, section: &str) -> Vec<Vec<&'t str>> {
    let text = text.split(section).nth(1).unwrap_or_default();
    let text = text.split("\n## ").next().unwrap_or_default();
    let lines = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let cells = |line: &'t str| line.trim_matches('|').split('|').map(str::trim).collect();
    lines
        .map(cells)
        .filter(|row: &Vec<&str>| !matches!(row.as_slice(), ["what holds" | "what there is not" | "layer", ..]))
        .collect()
}

/// The words of a text that are set as code.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What is named as holding an invariant and does not exist: a test by its name, or a file.
fn missing<'t>(document: &'t str, sources: &[Source]) -> Vec<&'t str> {
    let rows = rows(document, "## Invariants");
    let named: Vec<&str> = rows.iter().filter_map(|row| row.last()).flat_map(|cell| code(cell)).collect();
    let exists = |name: &str| match name.contains('.') {
        true => Path::new(env!("CARGO_MANIFEST_DIR")).join(name).exists(),
        false => sources.iter().any(|source| source.text.contains(&format!("fn {name}("))),
    };
    named.into_iter().filter(|name| !exists(name)).collect()
}

#[test]
fn every_test_that_holds_an_invariant_exists() {
    let sources = [files("src"), files("tests")].concat();
    assert!(rows(DOCUMENT, "## Invariants").len() > 20, "the tables are where they are looked for");
    assert_eq!(missing(DOCUMENT, &sources), [""; 0]);
}

/// The list of attacks is whole, and what it says shows each of them exists.
#[test]
fn every_attack_is_shown_by_tests_that_exist() {
    let attacks = rows(ATTACKS, "## The list");
    let numbers: Vec<String> = attacks.iter().map(|row| row[0].to_owned()).filter(|no| no != "no.").collect();
    assert_eq!(numbers, (1..=33).map(|number| number.to_string()).collect::<Vec<_>>());
    let sources = [files("src"), files("tests")].concat();
    let shown = attacks.iter().filter(|row| row[0] != "no.").map(|row| code(row[3]).collect::<Vec<_>>());
    let shown: Vec<Vec<&str>> = shown.collect();
    assert!(shown.iter().all(|tests| !tests.is_empty()));
    let lies = ATTACKS.split("## Refusals that are lies").nth(1).map(code).into_iter().flatten();
    let exists = |name: &str| sources.iter().any(|source| source.text.contains(&format!("fn {name}(")));
    let absent: Vec<&str> = shown.iter().flatten().copied().chain(lies).filter(|name| !exists(name)).collect();
    assert_eq!(absent, [""; 0]);
}

/// The list of trouble is whole, and what it says shows each of it exists.
#[test]
fn every_trouble_is_shown_by_tests_that_exist() {
    let troubles: Vec<Vec<&str>> = rows(TROUBLE, "## The list").into_iter().filter(|row| row[0] != "no.").collect();
    let numbers: Vec<String> = troubles.iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(numbers, (1..=24).map(|number| number.to_string()).collect::<Vec<_>>());
    let sources = [files("src"), files("tests")].concat();
    let exists = |name: &str| sources.iter().any(|source| source.text.contains(&format!("fn {name}(")));
    for trouble in troubles {
        let shown: Vec<&str> = code(trouble[3]).collect();
        assert!(!shown.is_empty(), "{trouble:?}");
        assert_eq!(shown.into_iter().filter(|name| !exists(name)).collect::<Vec<_>>(), [""; 0]);
    }
}

#[test]
fn the_layer_table_is_the_one_that_is_checked() {
    let written = rows(DOCUMENT, "## Layers");
    for row in &written {
        let [_, module, _, may_use] = row.as_slice() else { panic!("{row:?}") };
        let module = module.trim_matches('`');
        let (_, allowed) = LAYERS.iter().find(|(name, _)| *name == module).unwrap();
        let said: Vec<&str> = may_use.split(", ").filter(|name| *name != "nothing").collect();
        assert_eq!(said, *allowed, "{module}");
    }
    let expected = LAYERS.iter().filter(|(name, _)| *name != "bin").count();
    assert_eq!(written.len(), expected);
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    let document = "## Invariants\n| what holds | held by |\n| --- | --- |\n\
                    | A `b`. | `there`, `not_there` |\n| C. | the suite in `Cargo.toml`, `no.toml` |\n\n\
                    ## Layers\n| D. | `neither` |\n";
    let sources = [Source::made_up("tests/a.rs", "#[test]\nfn there() {}")];
    assert_eq!(missing(document, &sources), ["not_there", "no.toml"]);
}
