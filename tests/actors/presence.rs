//! Who is there is noticed, written, and told, in this order.

use std::time::Duration;

use pdsno::actors::nib::Close;
use pdsno::actors::presence::ReadPresence;
use pdsno::domain::change::Change;
use pdsno::domain::event::EventType;
use pdsno::domain::registry::{ControllerRow, RegistryChange, Standing};
use pdsno::wire::presence::State;

use crate::offices::{GC, RC, START, Station, Tiers, lc, name, pass};

const TURNS: [EventType; 4] =
    [EventType::ControllerOffline, EventType::ControllerOnline, EventType::ParentReached, EventType::ParentUnreachable];

fn turns(station: &Station) -> Vec<(EventType, String)> {
    station.events(&TURNS).into_iter().map(|event| (event.event_type, event.subject)).collect()
}

#[actix::test]
async fn controllers_find_each_other_and_notice_when_one_is_away() {
    let mut tiers = Tiers::new(1);
    let (gc, rc, local) = tiers.three().await;
    pass(15.0).await;
    assert_eq!((gc.told(), local.told()), (vec![format!("{RC} online")], vec!["reached".to_owned()]));
    assert_eq!(turns(&local), [(EventType::ParentReached, RC.to_owned())]);
    assert_eq!(turns(&gc), [(EventType::ControllerOnline, RC.to_owned())]);
    tiers.faults.cut(name(RC), name(&lc(1)));
    let cut = pdsno::domain::time::Clock::elapsed(tiers.clock.as_ref());
    pass(45.0).await;
    for (station, text) in [(&local, "lost".to_owned()), (&rc, format!("{} offline", lc(1)))] {
        // Thirty seconds after the last heartbeat, which was at most twelve before the cut.
        let after = station.told_at(&text) - cut;
        assert!((Duration::from_secs(17)..=Duration::from_secs(32)).contains(&after), "{text}: {after:?}");
    }
    assert_eq!(local.ask(ReadPresence).await.unwrap().state, State::Offline);
    assert_eq!(rc.ask(ReadPresence).await.unwrap().state, State::Active, "its own parent is there");
    tiers.faults.heal();
    pass(15.0).await;
    let of_local: Vec<EventType> = turns(&local).into_iter().map(|(event_type, _)| event_type).collect();
    assert_eq!(of_local, [EventType::ParentReached, EventType::ParentUnreachable, EventType::ParentReached]);
    let of_rc: Vec<_> = turns(&rc).into_iter().filter(|(_, subject)| *subject == lc(1)).map(|turn| turn.0).collect();
    assert_eq!(of_rc, [EventType::ControllerOnline, EventType::ControllerOffline, EventType::ControllerOnline]);
    assert_eq!(local.told(), ["reached", "lost", "reached"]);
}

#[actix::test]
async fn who_has_found_its_parent_says_so_at_once() {
    let mut tiers = Tiers::new(1);
    let (gc, rc, _local) = tiers.three().await;
    pass(2.0).await;
    for above in [&rc, &gc] {
        let report = above.ask(ReadPresence).await.unwrap();
        assert_eq!(report.children[0].state, Some(State::Active), "{:?}", report.children[0]);
    }
    // The same after an absence: at the first answer, which comes within twelve seconds, and not at the next.
    tiers.faults.cut(name(RC), name(&lc(1)));
    pass(45.0).await;
    tiers.faults.heal();
    while rc.told().last() != Some(&format!("{} online", lc(1))) {
        pass(0.5).await;
    }
    pass(1.0).await;
    assert_eq!(rc.ask(ReadPresence).await.unwrap().children[0].state, Some(State::Active));
}

#[actix::test]
async fn who_is_heard_now_and_then_is_not_told_to_be_away() {
    let mut tiers = Tiers::new(1);
    let bad = pdsno::eastwest::faults::Conditions { loss: 0.1, ..pdsno::eastwest::faults::Conditions::PERFECT };
    tiers.faults.everywhere(bad);
    let (gc, _rc, local) = tiers.three().await;
    pass(600.0).await;
    assert_eq!((gc.told().len(), local.told().len()), (1, 1), "{:?}", local.told());
}

#[actix::test]
async fn a_restart_of_the_parent_is_no_absence_of_its_children() {
    let mut tiers = Tiers::new(1);
    let (_gc, rc, _local) = tiers.three().await;
    pass(70.0).await;
    let before = turns(&rc).len();
    let rc = tiers.restart(rc).await;
    pass(15.0).await;
    assert_eq!(rc.told().iter().filter(|told| **told == format!("{} online", lc(1))).count(), 1);
    let since: Vec<_> = turns(&rc).drain(before..).collect();
    assert_eq!(since, [(EventType::ParentReached, GC.to_owned())]);
}

#[actix::test]
async fn who_is_revoked_is_not_online() {
    let mut tiers = Tiers::new(2);
    let (_gc, rc, _one) = tiers.three().await;
    let _two = tiers.start(&lc(2)).await;
    pass(15.0).await;
    let online = |report: pdsno::algorithms::presence::PresenceReport| {
        report.children.into_iter().filter(|child| child.online).map(|child| child.id).collect::<Vec<_>>()
    };
    assert_eq!(online(rc.ask(ReadPresence).await.unwrap()), [name(&lc(1)), name(&lc(2))]);
    let revoked = ControllerRow { standing: Standing::Revoked, ..rc.row(&lc(1)) };
    rc.commit(Change::Registry(RegistryChange::UpdateController(Box::new(revoked)))).await;
    assert_eq!(online(rc.ask(ReadPresence).await.unwrap()), [name(&lc(2))]);
    pass(1.0).await;
    assert_eq!(rc.told().last(), Some(&format!("{} offline", lc(1))));
    assert_eq!(turns(&rc).iter().filter(|turn| turn.0 == EventType::ControllerOffline).count(), 0);
}

#[actix::test]
async fn the_global_controller_sees_who_is_below_its_regions() {
    let mut tiers = Tiers::new(2);
    let (gc, _rc, _one) = tiers.three().await;
    pass(50.0).await;
    let report = gc.ask(ReadPresence).await.unwrap();
    let below = &report.children[0].children;
    let seen: Vec<_> = below.iter().map(|child| (child.id.to_string(), child.online)).collect();
    assert_eq!(seen, [(lc(1), true), (lc(2), false)]);
    assert_eq!(below[0].policy_version.map(|version| version.number()), Some(1));
    let notes = gc.watcher.notes.lock().unwrap();
    let note = notes.iter().rfind(|note| note.section == "presence").unwrap();
    assert_eq!(note.value["children"][0]["children"][0]["online"], true);
}

#[actix::test]
async fn last_contacts_are_written_about_once_a_minute() {
    let mut tiers = Tiers::new(1);
    let (_gc, rc, _local) = tiers.three().await;
    pass(5.0).await;
    let first = rc.row(&lc(1)).version.number();
    pass(600.0).await;
    let row = rc.row(&lc(1));
    let commits = row.version.number() - first;
    assert!((5..=11).contains(&commits), "{commits}");
    let age = START + 605_000 - row.last_contact.unwrap().as_millis();
    assert!(age <= 75_000, "{age}");
}

#[actix::test]
async fn a_nib_that_cannot_be_used_is_no_reason_to_look_dead_and_nobody_is_told_what_is_not_written() {
    let mut tiers = Tiers::new(1);
    let (_gc, rc, local) = tiers.three().await;
    pass(15.0).await;
    local.nib.send(Close).await.unwrap().unwrap();
    pass(90.0).await;
    assert!(!rc.told().contains(&format!("{} offline", lc(1))), "{:?}", rc.told());
    tiers.end(rc);
    pass(60.0).await;
    assert_eq!(local.told(), ["reached"], "that it is lost could not be written");
    assert_eq!(local.ask(ReadPresence).await.unwrap().state, State::Offline);
}

/// Attack 33: fifty Local Controllers lose their Regional Controller for thirty seconds and more.
#[actix::test]
async fn fifty_that_lost_their_parent_do_not_return_at_once() {
    let mut tiers = Tiers::new(50);
    let rc = tiers.start(RC).await;
    let mut locals = Vec::new();
    for number in 1..=50 {
        locals.push(tiers.start(&lc(number)).await);
    }
    pass(30.0).await;
    assert!(locals.iter().all(|local| local.told() == ["reached"]));
    let store = tiers.end(rc);
    pass(60.0).await;
    assert!(locals.iter().all(|local| local.told() == ["reached", "lost"]));
    let _rc = tiers.start_over(RC, store).await;
    let back = pdsno::domain::time::Clock::elapsed(tiers.clock.as_ref());
    pass(60.0).await;
    let mut random = fastrand::Rng::with_seed(33);
    let mut sends: Vec<Duration> = locals
        .iter()
        .map(|local| {
            let (at, spread) = *local.watcher.spreads.lock().unwrap().last().unwrap();
            assert_eq!(spread, Duration::from_millis(2_500), "fifty milliseconds for each of the fifty");
            assert!(at >= back);
            // What a listener does with it.
            at + spread.mul_f64(random.f64()) - back
        })
        .collect();
    sends.sort_unstable();
    let within = |span: Duration| {
        sends.iter().map(|from| sends.iter().filter(|at| **at >= *from && **at < *from + span).count()).max().unwrap()
    };
    assert!(sends[49] <= Duration::from_millis(15_000), "{sends:?}");
    assert!(sends[49] - sends[0] >= Duration::from_secs(7), "{sends:?}");
    assert!(within(Duration::from_millis(100)) <= 5, "{sends:?}");
    assert!(within(Duration::from_secs(1)) <= 15, "{sends:?}");
}
