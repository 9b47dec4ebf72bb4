//! Admission over a real file: whatever fails inside its commit, there is never a certificate without
//! its row and its event.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pdsno::actors::membership::keys::{KeyStore, MemoryKeys};
use pdsno::actors::registry::{IssueToken, TokenOrder};
use pdsno::domain::change::Change;
use pdsno::domain::controller::Role;
use pdsno::domain::event::EventType;
use pdsno::domain::log::Sealer;
use pdsno::domain::reason::Reason;
use pdsno::nib::sqlite::{OpenMode, SqliteNib, check};
use pdsno::nib::{Committed, NibError, NibReader, NibStore};
use pdsno::wire::validation::Verdict;
use rusqlite::Connection;

use crate::intruder::Candidate;
use crate::stage::{Node, Plan, Stage, ada};

const GLOBAL: &str = "global_cntl_1";

fn open(path: &Path, stage: &Stage) -> SqliteNib {
    SqliteNib::open(path, OpenMode::Migrate { actor: "standalone", at: stage.now() }).unwrap()
}

/// The tables of a NIB that a statement could fail at.
fn tables(path: &Path) -> Vec<String> {
    let sql = Connection::open(path).unwrap();
    let mut statement = sql
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name")
        .unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// How many children the parent has, which must agree in rows, events, the token's use and numbers.
fn admitted(parent: &Node, candidate: &Candidate) -> usize {
    let children = parent.children().len();
    assert_eq!(parent.events(EventType::ControllerValidated).len(), children);
    let token = parent.reader.token(candidate.token().id).unwrap().unwrap();
    assert_eq!(usize::from(token.used.is_some()), children);
    assert_eq!(parent.reader.next_serial().unwrap().number(), 2 + children as u64);
    children
}

#[actix::test]
async fn attack_14_whatever_statement_of_the_admission_is_the_last_nothing_is_half_done() {
    let sample = tempfile::tempdir().unwrap();
    let mut stage = Stage::new();
    open(&sample.path().join("pdsno.db"), &stage).close().unwrap();
    let mut fatal = Vec::new();
    for table in tables(&sample.path().join("pdsno.db")) {
        for moment in ["BEFORE INSERT", "AFTER INSERT", "BEFORE UPDATE", "AFTER UPDATE"] {
            if died(&mut stage, &table, moment).await {
                fatal.push(format!("{moment} {table}"));
            }
        }
    }
    // Those without which there is no admission were among them.
    for needed in ["bootstrap_tokens", "controllers", "certificates", "names", "events"] {
        assert!(fatal.iter().any(|statement| statement.ends_with(&format!(" {needed}"))), "{needed}: {fatal:?}");
    }
}

/// Lets the parent's transaction end at a statement, as a kill would end it, and the parent start again;
/// says whether the admission got there.
async fn died(stage: &mut Stage, table: &str, moment: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pdsno.db");
    let keys: Arc<dyn KeyStore> = Arc::new(MemoryKeys::new(stage.entropy()));
    let start = |stage: &mut Stage| {
        let store = open(&path, stage);
        stage.node_with(Plan::global(), Box::new(store), Some(Arc::clone(&keys)))
    };
    let global = start(stage);
    stage.seconds(1).await;
    let token = global.token(Role::Regional, "zone-A").await;
    let mut candidate = Candidate::new(stage, GLOBAL, Role::Regional, "zone-A", token).await;
    let response = candidate.prove(stage).await.unwrap();
    let trap = format!("CREATE TRIGGER trap {moment} ON {table} BEGIN SELECT RAISE(ROLLBACK, 'killed'); END");
    Connection::open(&path).unwrap().execute_batch(&trap).unwrap();
    let verdict = candidate.respond(&response).await;
    let got = matches!(&verdict, Some(Verdict::Validated(_)));
    assert_eq!(admitted(&global, &candidate), usize::from(got), "{moment} {table}: {verdict:?}");

    // It is started again, and asked again by the same key.
    stage.bus.detach(&GLOBAL.parse().unwrap());
    drop(global);
    Connection::open(&path).unwrap().execute_batch("DROP TRIGGER trap").unwrap();
    stage.seconds(1).await;
    let again = start(stage);
    stage.seconds(2).await;
    let verdict = candidate.join(stage).await;
    assert!(matches!(verdict, Some(Verdict::Validated(_))), "{moment} {table}: {verdict:?}");
    assert_eq!(admitted(&again, &candidate), 1, "{moment} {table}");
    stage.bus.detach(&GLOBAL.parse().unwrap());
    !got
}

/// A disk that is full when it is said to be.
struct Disk {
    store: SqliteNib,
    pages: Arc<AtomicU32>,
}

impl NibStore for Disk {
    fn commit_each(&mut self, commits: &[&[Change]]) -> Vec<Result<Committed, NibError>> {
        self.store.limit_pages(self.pages.load(Ordering::SeqCst)).unwrap();
        self.store.commit_each(commits)
    }

    fn reader(&self) -> Result<Box<dyn NibReader>, NibError> {
        self.store.reader()
    }

    fn open_log(&mut self, sealer: Box<dyn Sealer>) -> Result<(), NibError> {
        self.store.open_log(sealer)
    }
}

#[actix::test]
async fn attack_15_on_a_full_disk_nobody_comes_in_and_the_token_is_good_afterwards() {
    let mut stage = Stage::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pdsno.db");
    let pages = Arc::new(AtomicU32::new(1_000_000));
    let store = Disk { store: open(&path, &stage), pages: Arc::clone(&pages) };
    let global = stage.node_with(Plan::global(), Box::new(store), None);
    stage.seconds(1).await;
    let token = global.token(Role::Regional, "zone-A").await;
    let mut candidate = Candidate::new(&mut stage, GLOBAL, Role::Regional, "zone-A", token).await;
    let used: u32 = Connection::open(&path).unwrap().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    pages.store(used, Ordering::SeqCst);
    // Until not one event more fits.
    let order = || TokenOrder { role: Role::Regional, region: "zone-A".parse().unwrap(), lifetime: Default::default() };
    while global.registry.send(IssueToken { order: order(), by: ada() }).await.unwrap().is_ok() {}
    let verdict = candidate.join(&stage).await;
    let refused = matches!(&verdict, Some(Verdict::Error(no)) if no.reason == Reason::IdentityAssignmentFailed);
    assert!(refused, "{verdict:?}");
    assert_eq!(admitted(&global, &candidate), 0);

    pages.store(1_000_000, Ordering::SeqCst);
    stage.seconds(5).await;
    assert!(matches!(candidate.join(&stage).await, Some(Verdict::Validated(_))));
    assert_eq!(admitted(&global, &candidate), 1);
    assert!(check(&path).unwrap().is_sound());
}
