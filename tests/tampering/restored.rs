//! Attack 31: the backup of a whole tier is put back, all controllers of it at once.

use std::time::Duration;

use pdsno::domain::event::EventType;

use crate::hierarchy::{Before, Hierarchy, count, fits_itself, goes_on, halted, happen, seen, size};
use crate::scene::{Machine, Scene};

/// Lets these go on from where a copy was taken, where their witnesses see it, and then stops them and
/// starts the copies. Tells what these witnesses were like in between.
async fn put_back(
    scene: &mut Scene,
    tier: &mut [(&mut Machine, &Machine)],
    witnesses: &[&Machine],
) -> (Vec<Machine>, Vec<Before>) {
    let mut copies: Vec<Machine> = tier.iter().map(|(machine, _)| scene.copy(machine)).collect();
    for (machine, _) in tier.iter() {
        happen(scene, machine, 20).await;
    }
    for (machine, witness) in tier.iter() {
        scene.until("the head of it", || seen(witness, machine) >= size(machine)).await;
    }
    for (machine, _) in tier.iter_mut() {
        machine.stop(scene).await;
    }
    let stopped: Vec<&Machine> = tier.iter().map(|(machine, _)| &**machine).collect();
    let before = witnesses.iter().map(|witness| Before::of(witness, &stopped)).collect();
    for copy in &mut copies {
        fits_itself(copy);
        copy.start(scene).await;
    }
    (copies, before)
}

#[actix::test]
async fn attack_31_all_regional_controllers_restored_at_once_are_noticed_by_the_global_controller() {
    let Hierarchy { mut scene, global, regional: [mut a, mut b], local: _local } = Hierarchy::new().await;
    let mut regions = [(&mut a, &global), (&mut b, &global)];
    let (copies, before) = put_back(&mut scene, &mut regions, &[&global]).await;
    scene.until("two alarms", || count(&global, EventType::LogFork) == 2).await;
    scene.pass(Duration::from_secs(3)).await;
    before[0].refused(&global, &[&copies[0], &copies[1]]);
    for copy in &copies {
        halted(copy).await;
    }
    happen(&scene, &global, 1).await;
}

#[actix::test]
async fn attack_31_all_local_controllers_of_a_region_restored_at_once_are_noticed_by_their_regional_one() {
    let Hierarchy { mut scene, global, regional: [a, b], local: [mut one, mut two, far] } = Hierarchy::new().await;
    let (copies, before) = put_back(&mut scene, &mut [(&mut one, &a), (&mut two, &a)], &[&a]).await;
    scene.until("two alarms", || count(&a, EventType::LogFork) == 2).await;
    scene.pass(Duration::from_secs(3)).await;
    before[0].refused(&a, &[&copies[0], &copies[1]]);
    for copy in &copies {
        halted(copy).await;
    }
    goes_on(&scene, &a, &global).await;
    goes_on(&scene, &far, &b).await;
    assert_eq!([&global, &b].map(|machine| count(machine, EventType::LogFork)), [0, 0]);
}

#[actix::test]
async fn attack_31_a_global_controller_that_was_restored_is_noticed_by_all_regional_ones() {
    let Hierarchy { mut scene, mut global, regional: [a, b], local: [one, _two, far] } = Hierarchy::new().await;
    let (copies, before) = put_back(&mut scene, &mut [(&mut global, &a)], &[&a, &b]).await;
    scene.until("an alarm each", || [&a, &b].iter().all(|regional| count(regional, EventType::LogFork) == 1)).await;
    scene.pass(Duration::from_secs(3)).await;
    for (before, regional) in before.iter().zip([&a, &b]) {
        before.refused(regional, &[&copies[0]]);
    }
    halted(&copies[0]).await;
    goes_on(&scene, &one, &a).await;
    goes_on(&scene, &far, &b).await;
}
