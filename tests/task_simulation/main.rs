//! Random graphs of tasks, run by simulated workers in virtual time: no thread, no clock.
//!
//! A seed decides everything. One that fails says so, and
//! `RAYBATCH_SEED=… RAYBATCH_STEPS=… cargo test --test task_simulation` runs it again exactly; with `RAYBATCH_TRACE=1` it tells
//! what it does, and `RAYBATCH_SEEDS=…` runs so many from the given one on.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod check;
mod driver;
mod model;
mod oracle;
mod random;
mod worker;

use driver::World;

const SEEDS: u64 = 60;
const STEPS: u64 = 400;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Returns what tells two runs apart.
fn simulate(seed: u64, steps: u64) -> u64 {
    let run = std::panic::AssertUnwindSafe(|| {
        let mut world = World::new(seed);
        for _ in 0..steps {
            world.step();
        }
        world.finish()
    });
    std::panic::catch_unwind(run).unwrap_or_else(|panic| {
        eprintln!("to run it again: RAYBATCH_SEED={seed} RAYBATCH_STEPS={steps} cargo test --test task_simulation");
        std::panic::resume_unwind(panic)
    })
}

#[test]
fn random_graphs_of_tasks_have_the_right_values_and_leave_nothing() {
    let steps = number("RAYBATCH_STEPS").unwrap_or(STEPS);
    let (first, seeds) = match number("RAYBATCH_SEED") {
        Some(seed) => (seed, number("RAYBATCH_SEEDS").unwrap_or(1)),
        None => (1, number("RAYBATCH_SEEDS").unwrap_or(SEEDS)),
    };
    for seed in first..first + seeds {
        simulate(seed, steps);
    }
}

#[test]
fn a_seed_runs_the_same_way_twice() {
    for seed in 1000..1004 {
        assert_eq!(simulate(seed, STEPS), simulate(seed, STEPS), "seed {seed}");
    }
}
