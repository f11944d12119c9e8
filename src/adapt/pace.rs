//! Leaving the machine to what matters more: no heat that the case cannot carry away, no core that somebody speaks on.

use std::path::Path;
use std::time::Duration;

/// Where Linux tells temperatures.
const THERMAL_ZONES: &str = "/sys/class/thermal";
/// It must have cooled down by this much before the work goes on.
const COOLER_BY_CELSIUS: f32 = 5.0;
/// How long it waits before it looks again.
const COOLING_STEP: Duration = Duration::from_secs(1);
/// It never waits longer than this for it to cool down: a sensor may be stuck.
const LONGEST_COOLING: Duration = Duration::from_secs(120);
/// Standing in line for more than this share of a step means that somebody else wants the cores.
const CROWDED_SHARE: f64 = 0.3;
/// Longest rest after a step.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// The hottest sensor of the machine, in degrees Celsius; `None` where there is none.
pub(super) fn hottest_celsius() -> Option<f32> {
    hottest_of(Path::new(THERMAL_ZONES))
}

fn hottest_of(zones: &Path) -> Option<f32> {
    let readings = std::fs::read_dir(zones).ok()?.filter_map(|zone| {
        let text = std::fs::read_to_string(zone.ok()?.path().join("temp")).ok()?;
        let thousandths: f32 = text.trim().parse().ok()?;
        // Some drivers answer with absurd values while a sensor is off.
        Some(thousandths / 1000.0).filter(|celsius| (-40.0..=150.0).contains(celsius))
    });
    readings.max_by(f32::total_cmp)
}

/// How long this process's threads have stood in line for a core so far, where Linux tells.
pub(super) fn waited_for_cores() -> Option<Duration> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let waits = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        // Time on a core, time in line for one, times on one.
        text.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    Some(Duration::from_nanos(waits.sum()))
}

/// How long to rest after a step of `wall` in which the threads stood in line for `waited`: as long as that, if it is much.
pub(super) fn rest(wall: Duration, waited: Duration) -> Duration {
    if waited < wall.mul_f64(CROWDED_SHARE) { Duration::ZERO } else { waited.min(LONGEST_REST) }
}

/// Waits while the machine is hotter than `most`; `read` and `wait` are the machine's. How long it has waited.
pub(super) fn cool_down(
    most_celsius: f32,
    mut read: impl FnMut() -> Option<f32>,
    mut wait: impl FnMut(Duration),
) -> Duration {
    let mut waited = Duration::ZERO;
    let mut limit = most_celsius;
    while waited < LONGEST_COOLING && read().is_some_and(|celsius| celsius > limit) {
        limit = most_celsius - COOLER_BY_CELSIUS;
        wait(COOLING_STEP);
        waited += COOLING_STEP;
    }
    waited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hot_machine_cools_down_before_it_goes_on() {
        let mut temperature = 90.0;
        let seen = std::cell::RefCell::new(Vec::new());
        let waited = cool_down(
            85.0,
            || {
                temperature -= 1.0;
                seen.borrow_mut().push(temperature);
                Some(temperature)
            },
            |_| {},
        );
        assert_eq!(waited.as_secs(), 9, "until 80, not 85: {seen:?}");
        assert_eq!(cool_down(85.0, || Some(84.0), |_| unreachable!()), Duration::ZERO);
        assert_eq!(cool_down(85.0, || None, |_| unreachable!()), Duration::ZERO);
        assert_eq!(cool_down(85.0, || Some(140.0), |_| {}), LONGEST_COOLING, "a stuck sensor");
    }

    #[test]
    fn it_rests_as_long_as_it_stood_in_line() {
        let ms = Duration::from_millis;
        assert_eq!(rest(ms(100), ms(10)), Duration::ZERO);
        assert_eq!(rest(ms(100), ms(70)), ms(70));
        assert_eq!(rest(ms(90_000), ms(80_000)), LONGEST_REST);
    }

    #[test]
    fn sensors_are_read_and_absurd_ones_are_not_believed() {
        let zones = tempfile::tempdir().unwrap();
        for (zone, text) in [("a", "47250\n"), ("b", "61500\n"), ("c", "-274000\n"), ("d", "?")] {
            std::fs::create_dir(zones.path().join(zone)).unwrap();
            std::fs::write(zones.path().join(zone).join("temp"), text).unwrap();
        }
        std::fs::create_dir(zones.path().join("off")).unwrap();
        assert_eq!(hottest_of(zones.path()), Some(61.5));
        assert_eq!(hottest_of(&zones.path().join("none")), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn threads_that_crowd_one_another_stand_in_line() {
        let before = waited_for_cores().unwrap();
        let cores = std::thread::available_parallelism().unwrap().get();
        std::thread::scope(|scope| {
            for _ in 0..4 * cores {
                scope.spawn(|| (0..20_000_000u64).fold(1u64, |x, i| std::hint::black_box(x ^ i)));
            }
            // While they run: a thread's share is gone with it.
            while waited_for_cores().unwrap() <= before {
                std::thread::yield_now();
            }
        });
    }
}
