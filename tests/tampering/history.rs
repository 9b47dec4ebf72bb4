//! Attacks 29 and 30: a log is cut off, written anew and signed, or goes on in two ways.

use std::time::Duration;

use pdsno::domain::event::EventType;
use pdsno::domain::registry::Standing;
use pdsno::domain::time::Clock as _;

use crate::hierarchy::{Before, Hierarchy, count, fits_itself, goes_on, halted, happen, nib, seen, size};
use crate::vandal::{cut_off, forge};

/// How a log is given another past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Another {
    CutOff,
    /// Cut off, and so many other events put there, by its own key.
    Rewritten(usize),
}

/// A Local Controller whose log is edited while it is stopped, and started again.
async fn edited(how: Another) {
    let Hierarchy { scene, global, regional: [regional, other_region], local: [mut local, other, far] } =
        Hierarchy::new().await;
    happen(&scene, &local, 20).await;
    scene.until("the head of it", || seen(&regional, &local) >= size(&local)).await;
    local.stop(&scene).await;
    let shown = seen(&regional, &local);
    cut_off(&nib(&local), shown - 10);
    if let Another::Rewritten(events) = how {
        assert_eq!(forge(local.folder(), events, scene.clock.now()), shown - 10 + events as u64);
    }
    fits_itself(&local);
    let before = Before::of(&regional, &[&local]);
    let [above, beside] = [&global, &other_region].map(|machine| count(machine, EventType::SecurityAlert));

    local.start(&scene).await;
    scene.until("an alarm", || count(&regional, EventType::LogFork) > 0).await;
    scene.pass(Duration::from_secs(3)).await;
    before.refused(&regional, &[&local]);
    halted(&local).await;
    // Nobody else is concerned, and nothing comes of more time.
    goes_on(&scene, &other, &regional).await;
    goes_on(&scene, &regional, &global).await;
    goes_on(&scene, &far, &other_region).await;
    scene.pass(Duration::from_secs(1_500)).await;
    assert_eq!(count(&regional, EventType::LogFork), 1);
    assert_eq!(regional.row(&local).standing, Standing::Suspended);
    assert_eq!([&global, &other_region].map(|machine| count(machine, EventType::SecurityAlert)), [above, beside]);
}

#[actix::test]
async fn attack_29_a_whole_controller_whose_log_was_cut_off_is_suspended() {
    edited(Another::CutOff).await;
}

#[actix::test]
async fn attack_29_a_whole_controller_whose_log_was_rewritten_and_signed_anew_is_suspended() {
    edited(Another::Rewritten(60)).await;
}

#[actix::test]
async fn attack_29_a_whole_controller_whose_log_was_rewritten_and_is_shorter_is_suspended() {
    edited(Another::Rewritten(5)).await;
}

#[actix::test]
async fn attack_29_a_whole_controller_whose_log_goes_on_in_two_ways_is_suspended() {
    let Hierarchy { mut scene, global, regional: [regional, _b], local: [mut local, other, _far] } =
        Hierarchy::new().await;
    let mut copy = scene.copy(&local);
    happen(&scene, &local, 20).await;
    scene.until("the head of it", || seen(&regional, &local) >= size(&local)).await;
    local.stop(&scene).await;
    // The copy has another history from there on, longer than the first.
    forge(copy.folder(), 60, scene.clock.now());
    fits_itself(&copy);
    assert!(size(&copy) > seen(&regional, &local));
    let before = Before::of(&regional, &[&local]);
    copy.start(&scene).await;
    scene.until("an alarm", || count(&regional, EventType::LogFork) > 0).await;
    scene.pass(Duration::from_secs(3)).await;
    before.refused(&regional, &[&copy]);
    halted(&copy).await;
    // The first history is not believed again either: which of the two is true nobody knows.
    copy.stop(&scene).await;
    local.start(&scene).await;
    scene.pass(Duration::from_secs(5)).await;
    happen(&scene, &local, 30).await;
    scene.pass(Duration::from_secs(120)).await;
    before.refused(&regional, &[&local]);
    goes_on(&scene, &other, &regional).await;
    goes_on(&scene, &regional, &global).await;
}

#[actix::test]
async fn attack_30_a_whole_lc_and_its_rc_that_rewrite_together_are_refused_by_the_global_controller() {
    let Hierarchy { mut scene, global, regional: [mut regional, other_region], local: [mut local, mut idle, far] } =
        Hierarchy::new().await;
    let (mut rewritten, mut accomplice) = (scene.copy(&regional), scene.copy(&local));
    for machine in [&regional, &local] {
        happen(&scene, machine, 20).await;
    }
    scene.until("the head of it", || seen(&global, &regional) >= size(&regional)).await;
    scene.until("the head of it", || seen(&regional, &local) >= size(&local)).await;
    for machine in [&mut idle, &mut local, &mut regional] {
        machine.stop(&scene).await;
    }
    for machine in [&rewritten, &accomplice] {
        forge(machine.folder(), 80, scene.clock.now());
        fits_itself(machine);
    }
    assert!(size(&rewritten) > seen(&global, &regional), "it takes nothing back, it tells another past");
    let before = Before::of(&global, &[&regional]);
    rewritten.start(&scene).await;
    accomplice.start(&scene).await;
    scene.until("an alarm", || count(&global, EventType::LogFork) > 0).await;
    scene.pass(Duration::from_secs(3)).await;
    before.refused(&global, &[&rewritten]);
    halted(&rewritten).await;
    assert_eq!(count(&rewritten, EventType::LogFork), 0, "the two agree");
    assert_eq!(rewritten.row(&accomplice).standing, Standing::Active);
    goes_on(&scene, &far, &other_region).await;
    goes_on(&scene, &other_region, &global).await;
}
