//! Attack 14: the process of a parent dies inside an admission, at every place there is.
//!
//! The victim is this test's binary, started once more: a Global Controller and the Regional Controller that
//! it lets in, each over a folder of its own. The kernel ends it where the test says:
//!
//! * at the n-th row that the commit inserts or changes: a trigger writes more than the process may write to
//!   a file (RLIMIT_FSIZE, setrlimit(2)), which is SIGXFSZ;
//! * at the n-th octet that the commit writes to the write-ahead log: no more may be written to it;
//! * before the commit, and after it with nothing answered: SIGKILL.
//!
//! Who is not ended has come past the last place, and says so.

use std::env;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, exit};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, System};
use pdsno::actors::identity::{Became, Own};
use pdsno::actors::nib::{NibActor, READERS};
use pdsno::actors::post::Carrier;
use pdsno::actors::registry::IssueToken;
use pdsno::algorithms::audit::examine::Outcome;
use pdsno::algorithms::validation::operator::TokenOrder;
use pdsno::app::audit::verify_own;
use pdsno::app::clock::SystemClock;
use pdsno::app::entropy::SystemEntropy;
use pdsno::app::keys::KeyFiles;
use pdsno::app::node::{Node, Surroundings};
use pdsno::domain::change::Change;
use pdsno::domain::controller::Role;
use pdsno::domain::event::EventType;
use pdsno::domain::log::Sealer;
use pdsno::domain::operator::Operator;
use pdsno::domain::registry::{RegistryChange, Standing};
use pdsno::domain::time::Clock;
use pdsno::domain::token::TokenLifetime;
use pdsno::eastwest::bus::Bus;
use pdsno::nib::sqlite::{OpenMode, SqliteNib, SqliteReader, check};
use pdsno::nib::writer::NibWriter;
use pdsno::nib::{Committed, EventQuery, NibError, NibReader, NibStore, RegistryReader};
use rusqlite::Connection;
use rustix::process::{Resource, Rlimit, Signal, getpid, kill_process, setrlimit};
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::scene::controller::Place;
use crate::vandal::{lay_traps, remove_traps};

/// Set in the process that is to die: where, and in which folder.
const VICTIM: &str = "PDSNO_TEST_DEATH";
const FOLDER: &str = "PDSNO_TEST_DEATH_FOLDER";

/// How a victim ends that came past the place.
const SURVIVED: i32 = 77;

/// A frame of the write-ahead log: its header and a page (<https://www.sqlite.org/fileformat2.html#walformat>).
const FRAME: u64 = 24 + 4_096;

const REGIONAL: &str = "regional_cntl_zoneA_1";

/// Where a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// With nothing of the admission written.
    Before,
    /// At this row of the commit, from 1: before and after it is inserted, changed or deleted.
    Row(u64),
    /// When so much of the commit is in the write-ahead log.
    Written(u64),
    /// With all of it written, and nothing answered.
    After,
}

impl Death {
    fn text(self) -> String {
        match self {
            Self::Before => "before 0".to_owned(),
            Self::Row(row) => format!("row {row}"),
            Self::Written(octets) => format!("written {octets}"),
            Self::After => "after 0".to_owned(),
        }
    }

    fn read(text: &str) -> Self {
        let (kind, number) = text.split_once(' ').unwrap();
        let number = number.parse().unwrap();
        match kind {
            "before" => Self::Before,
            "row" => Self::Row(number),
            "written" => Self::Written(number),
            _ => Self::After,
        }
    }
}

fn kill_myself() -> ! {
    kill_process(getpid(), Signal::KILL).unwrap();
    unreachable!("SIGKILL was sent")
}

/// The kernel ends this process when it writes beyond this place of any file, and keeps no core of it.
fn write_no_further_than(octets: u64) {
    let limit = |most| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::Core, limit(0)).unwrap();
    setrlimit(Resource::Fsize, limit(octets)).unwrap();
}

fn log_of(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

/// A store whose process ends inside the admission.
struct Doomed {
    store: SqliteNib,
    path: PathBuf,
    death: Death,
}

impl NibStore for Doomed {
    fn commit_each(&mut self, commits: &[&[Change]]) -> Vec<Result<Committed, NibError>> {
        let admits = |change: &Change| matches!(change, Change::Registry(RegistryChange::Admit { .. }));
        if !commits.iter().any(|changes| changes.iter().any(admits)) {
            return self.store.commit_each(commits);
        }
        let written = fs::metadata(log_of(&self.path)).unwrap().len();
        match self.death {
            Death::Before => kill_myself(),
            Death::Row(row) => {
                lay_traps(&self.path, row);
                write_no_further_than(written + (2 << 20));
            }
            Death::Written(octets) => write_no_further_than(written + octets),
            Death::After => {}
        }
        let answers = self.store.commit_each(commits);
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        if self.death == Death::After {
            kill_myself();
        }
        exit(SURVIVED)
    }

    fn reader(&self) -> Result<Box<dyn NibReader>, NibError> {
        self.store.reader()
    }

    fn open_log(&mut self, sealer: Box<dyn Sealer>) -> Result<(), NibError> {
        self.store.open_log(sealer)
    }
}

/// Tells the test who a controller became.
struct Door(Option<oneshot::Sender<Arc<Own>>>);

impl Actor for Door {
    type Context = Context<Self>;
}

impl Handler<Became> for Door {
    type Result = ();

    fn handle(&mut self, Became(own): Became, _: &mut Self::Context) {
        if let Some(tell) = self.0.take() {
            tell.send(own).unwrap();
        }
    }
}

/// The folders of a Global Controller and of a Regional one, and the token that the one made for the other.
struct House(PathBuf);

impl House {
    fn nib(&self, tier: &str) -> PathBuf {
        self.0.join(tier).join("pdsno.db")
    }

    fn reader(&self, tier: &str) -> SqliteReader {
        SqliteReader::open(&self.nib(tier)).unwrap()
    }

    fn open(&self, tier: &str) -> SqliteNib {
        fs::create_dir_all(self.0.join(tier)).unwrap();
        let mode = OpenMode::Migrate { actor: "standalone", at: SystemClock::start().now() };
        SqliteNib::open(&self.nib(tier), mode).unwrap()
    }

    /// Starts a controller over its store; the answer comes when it has a name.
    async fn start(&self, bus: &Bus, role: Role, store: Box<dyn NibStore>) -> (Node, oneshot::Receiver<Arc<Own>>) {
        let is_global = role == Role::Global;
        let token = || fs::read_to_string(self.0.join("token")).unwrap().parse().unwrap();
        let region = (!is_global).then(|| "zone-A".parse().unwrap());
        let parent = (!is_global).then(|| "global_cntl_1".parse().unwrap());
        let settings = Place { role, region, subnets: Vec::new() }.settings(parent);
        let readers = (0..READERS).map(|_| store.reader().unwrap()).collect();
        let port = bus.port().start();
        let folder = self.0.join(role.to_string());
        let around = Surroundings {
            clock: Arc::new(SystemClock::start()),
            entropy: Arc::new(SystemEntropy),
            nib: NibActor::new(NibWriter::start(store).unwrap(), readers).start(),
            keys: Arc::new(KeyFiles::new(&folder, Arc::new(SystemEntropy))),
            carrier: Carrier { dispatch: port.clone().recipient(), attach: port.recipient() },
            sweep: None,
            token: (!is_global).then(token),
        };
        let (tell, named) = oneshot::channel();
        let door = Door(Some(tell)).start().recipient();
        let (node, entrance) = Node::prepare(settings, around, vec![door]).await.unwrap();
        entrance.enter();
        (node, named)
    }

    /// A Global Controller that has made a token, and has stopped.
    fn prepared() -> (TempDir, Self) {
        let folder = TempDir::new().unwrap();
        let house = Self(folder.path().to_owned());
        System::new().block_on(async {
            let store = house.open("global");
            let (global, named) = house.start(&Bus::new(), Role::Global, Box::new(store)).await;
            named.await.unwrap();
            let order = TokenOrder {
                role: Role::Regional,
                region: "zone-A".parse().unwrap(),
                lifetime: TokenLifetime::default(),
            };
            let by = Operator { user: Some("ada".to_owned()), uid: 1_000 };
            let registry = global.parts.registry.clone().unwrap();
            let token = registry.send(IssueToken { order, by }).await.unwrap().unwrap();
            fs::write(house.0.join("token"), token.reveal().expose_secret()).unwrap();
            global.stop(Duration::from_secs(30), serde_json::json!({})).await.unwrap();
            // A newcomer that has a file and no key yet.
            house.open("regional").close().unwrap();
        });
        (folder, house)
    }

    fn copied(&self) -> (TempDir, Self) {
        let folder = TempDir::new().unwrap();
        for path in ["global/pdsno.db", "regional/pdsno.db", "global/keys/first.key", "token"] {
            let to = folder.path().join(path);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(self.0.join(path), to).unwrap();
        }
        let house = Self(folder.path().to_owned());
        (folder, house)
    }

    /// Lets a process live here until it dies, or comes past the place where it was to die.
    fn die(&self, test: &str, death: Death) -> ExitStatus {
        let mut victim = Command::new(env::current_exe().unwrap());
        victim.args(["--exact", test, "--nocapture"]).env(VICTIM, death.text()).env(FOLDER, &self.0);
        let ended = victim.output().unwrap();
        let survived = ended.status.code() == Some(SURVIVED);
        assert!(ended.status.signal().is_some() || survived, "{death:?}: {ended:?}");
        ended.status
    }

    /// How many the Global Controller has let in: every place that tells of it says the same.
    fn admitted(&self) -> u64 {
        let sql = Connection::open(self.nib("global")).unwrap();
        let count = |query: &str| sql.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
        let rows = count("SELECT count(*) FROM controllers");
        for told in [
            "SELECT count(*) FROM certificates",
            "SELECT count(*) FROM events WHERE event_type = 'CONTROLLER_VALIDATED'",
            "SELECT count(*) FROM bootstrap_tokens WHERE used_at IS NOT NULL",
            "SELECT next_serial - 2 FROM counters",
            "SELECT coalesce(sum(next_regional - 1), 0) FROM names",
        ] {
            assert_eq!(count(told), rows, "{told}");
        }
        assert_eq!(count("SELECT size FROM event_log"), count("SELECT count(*) FROM events"));
        assert_eq!(count("SELECT count(*) FROM log_entries"), count("SELECT count(*) FROM events"));
        rows.unsigned_abs()
    }

    fn key(&self) -> Vec<u8> {
        fs::read(self.0.join("regional/keys/first.key")).unwrap()
    }

    /// Both are started again: the same key gets in, once.
    fn go_on(&self, death: Death) {
        let key = self.key();
        System::new().block_on(async {
            let bus = Bus::new();
            let (global, named) = self.start(&bus, Role::Global, Box::new(self.open("global"))).await;
            named.await.unwrap();
            let (regional, named) = self.start(&bus, Role::Regional, Box::new(self.open("regional"))).await;
            let own = tokio::time::timeout(Duration::from_secs(30), named).await.expect("it is let in").unwrap();
            assert_eq!(own.id.as_str(), REGIONAL, "{death:?}");
            let row = self.reader("global").controller(&own.id).unwrap().unwrap();
            assert_eq!((row.public_key, row.standing), (own.key.public_key(), Standing::Active), "{death:?}");
            for node in [regional, global] {
                node.stop(Duration::from_secs(30), serde_json::json!({})).await.unwrap();
            }
        });
        assert_eq!((self.admitted(), self.key()), (1, key), "{death:?}");
        for tier in ["global", "regional"] {
            assert!(check(&self.nib(tier)).unwrap().is_sound(), "{death:?}");
            let examination = verify_own(&self.reader(tier)).unwrap();
            assert_eq!(examination.outcome, Outcome::Verified, "{death:?}: {:?}", examination.findings);
        }
    }
}

/// The process that dies.
fn live_until_killed(death: &str) -> ! {
    let house = House(env::var_os(FOLDER).unwrap().into());
    System::new().block_on(async {
        let bus = Bus::new();
        let store = Doomed { store: house.open("global"), path: house.nib("global"), death: Death::read(death) };
        let (_global, named) = house.start(&bus, Role::Global, Box::new(store)).await;
        named.await.unwrap();
        let (_regional, named) = house.start(&bus, Role::Regional, Box::new(house.open("regional"))).await;
        let own = tokio::time::timeout(Duration::from_secs(30), named).await;
        panic!("it was let in, or nobody answered: {}", own.is_ok());
    })
}

/// Dies at each of these places, in order, until one is past the last; returns how many there were.
fn die_at_each(test: &str, deaths: impl Iterator<Item = Death>) -> usize {
    let (_folder, prepared) = House::prepared();
    for (count, death) in deaths.enumerate() {
        let (_folder, house) = prepared.copied();
        let status = house.die(test, death);
        let survived = status.code() == Some(SURVIVED);
        let killed = match death {
            Death::Before | Death::After => Signal::KILL,
            Death::Row(_) | Death::Written(_) => Signal::XFSZ,
        };
        assert_eq!(status.signal(), (!survived).then_some(killed.as_raw()), "{death:?}");
        let expected = u64::from(survived || death == Death::After);
        assert_eq!(house.admitted(), expected, "{death:?}");
        let events = EventQuery { types: vec![EventType::ControllerValidated], ..EventQuery::default() };
        assert_eq!(house.reader("global").events(&events).unwrap().len() as u64, expected, "{death:?}");
        assert_eq!(house.reader("regional").membership().unwrap(), None, "nobody told it, {death:?}");
        remove_traps(&house.nib("global"));
        house.go_on(death);
        if survived {
            return count;
        }
    }
    usize::MAX
}

#[test]
fn attack_14_a_process_that_dies_at_any_row_of_an_admission_leaves_no_half_of_it() {
    if let Ok(death) = env::var(VICTIM) {
        live_until_killed(&death);
    }
    let test = "admission::attack_14_a_process_that_dies_at_any_row_of_an_admission_leaves_no_half_of_it";
    let rows = die_at_each(test, (1..1_000).map(Death::Row));
    // Token, number of the name and of the certificate, row, certificate, event, entry, edge: before and after.
    assert!((16..1_000).contains(&rows), "{rows} places");
}

#[test]
fn attack_14_a_process_that_dies_while_an_admission_is_written_leaves_no_half_of_it() {
    if let Ok(death) = env::var(VICTIM) {
        live_until_killed(&death);
    }
    let test = "admission::attack_14_a_process_that_dies_while_an_admission_is_written_leaves_no_half_of_it";
    // At the beginning of each frame, inside its header, and inside its page.
    let places = (0..1_000).flat_map(|frame| [0, 12, 24 + 2_000].map(|octet| Death::Written(frame * FRAME + octet)));
    let written = die_at_each(test, places);
    assert!((15..3_000).contains(&written) && written.is_multiple_of(3), "{written} places");
}

#[test]
fn attack_14_a_process_that_dies_before_or_after_an_admission_is_written_lets_the_same_key_in_once() {
    if let Ok(death) = env::var(VICTIM) {
        live_until_killed(&death);
    }
    let test =
        "admission::attack_14_a_process_that_dies_before_or_after_an_admission_is_written_lets_the_same_key_in_once";
    assert_eq!(die_at_each(test, [Death::Before, Death::After].into_iter()), usize::MAX);
}
