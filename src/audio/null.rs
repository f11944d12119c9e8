//! A sink that is heard by nobody but takes exactly as long: the device callback, driven by a clock.
//!
//! It needs no thread. Whoever touches the sink first runs the periods that have become due since, one by one, through the
//! same [`Playback::run`] as a sound card; until then nothing could have told the difference. So underruns, stops and
//! pauses happen here as they do there, and with a simulated clock they happen the same way every time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::bell::lock;
use super::clock::Clock;
use super::feed::{Feed, FeedConfig, samples_of};
use super::playback::Playback;
use super::player::{Outlet, Player};
use super::{AudioError, Reference, Sink, SinkConfig};

struct NullDevice {
    clock: Clock,
    rate_hz: u32,
    state: Mutex<State>,
}

struct State {
    playback: Playback,
    /// One period, overwritten for ever.
    period: Vec<f32>,
    /// When the first period of the current run began, and how many have begun since.
    run_start: Duration,
    periods: u64,
}

/// Opens a silent sink on the machine's clock.
///
/// # Errors
/// The rate is 0.
pub(super) fn open(config: &SinkConfig) -> Result<Box<dyn Sink>, AudioError> {
    open_with_clock(config, Clock::system())
}

/// Opens a silent sink on a clock of the caller's.
///
/// # Errors
/// The rate is 0.
pub fn open_with_clock(config: &SinkConfig, clock: Clock) -> Result<Box<dyn Sink>, AudioError> {
    let rate_hz = config.sample_rate_hz;
    let (feed, reader) = Feed::new(FeedConfig {
        voice_hz: rate_hz,
        device_hz: rate_hz,
        ring_ms: config.ring_ms,
        prefill_ms: config.prefill_ms,
    })?;
    let state = State {
        playback: Playback::new(
            reader.with_tap(config.reference.as_ref().and_then(Reference::lend)),
            rate_hz,
            1,
        ),
        period: vec![0.0; samples_of(config.period_ms, rate_hz).max(1) as usize],
        run_start: clock.now(),
        periods: 0,
    };
    Ok(Box::new(Player::new(Arc::new(feed), NullDevice { clock, rate_hz, state: Mutex::new(state) })))
}

impl State {
    /// When the period after `ahead` more is due. Counted from the start of the run, so that nothing drifts.
    fn due(&self, ahead: u64, rate_hz: u32) -> Duration {
        let samples = u128::from(self.periods + ahead) * self.period.len() as u128;
        let elapsed_ns = samples * 1_000_000_000 / u128::from(rate_hz);
        self.run_start + Duration::from_nanos(elapsed_ns.min(u128::from(u64::MAX)) as u64)
    }
}

impl Outlet for NullDevice {
    fn catch_up(&self) {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let now = self.clock.now();
        while state.due(0, self.rate_hz) <= now {
            if state.playback.is_dormant() {
                // As a card whose stream is paused: it starts when there is something to play.
                (state.run_start, state.periods) = (now, 0);
                return;
            }
            state.playback.run(&mut state.period, |sample| sample);
            state.periods += 1;
        }
    }

    fn wait(&self, feed: &Feed, seen: u64, time: Duration) -> Result<(), AudioError> {
        if feed.is_paused() {
            // No time makes room now.
            feed.bell.wait(seen, None);
            return Ok(());
        }
        let then = {
            let state = lock(&self.state);
            let period_s = state.period.len() as f64 / f64::from(self.rate_hz);
            let periods = (time.as_secs_f64() / period_s).ceil().max(1.0) as u64;
            state.due(periods - 1, self.rate_hz)
        };
        self.clock.wait_until(then, &feed.bell, seen);
        Ok(())
    }

    fn wait_for_tail(&self) {
        let then = lock(&self.state).due(0, self.rate_hz);
        let bell = super::bell::Bell::default();
        self.clock.wait_until(then, &bell, bell.count());
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::audio::{Control, Progress, Target};

    const RATE_HZ: u32 = 1000;

    /// 100 ms of ring, periods of 10 ms; a sample is a millisecond.
    fn config() -> SinkConfig {
        SinkConfig { ring_ms: 100, prefill_ms: 20, period_ms: 10, ..SinkConfig::new(RATE_HZ, Target::Stdout) }
    }

    fn simulated() -> (Box<dyn Sink>, Control, Clock) {
        let clock = Clock::simulated();
        let sink = open_with_clock(&config(), clock.clone()).unwrap();
        let control = sink.control();
        (sink, control, clock)
    }

    fn ms(duration: u64) -> Duration {
        Duration::from_millis(duration)
    }

    #[test]
    fn takes_as_long_as_the_sound_and_ten_minutes_have_no_gap() {
        let clock = Clock::simulated();
        let config = SinkConfig::new(22_050, Target::Stdout);
        let mut sink = open_with_clock(&config, clock.clone()).unwrap();
        let control = sink.control();
        let window = [0.1; 22_050 / 5];
        for _ in 0..10 * 60 * 5 {
            // Each window takes three quarters of its duration to compute.
            clock.advance(ms(150));
            sink.write(&window).unwrap();
            assert!(control.buffered_ms().unwrap() <= 1000);
        }
        let played = sink.finish().unwrap();
        assert_eq!(played.underruns, 0);
        let elapsed = clock.now().as_secs_f64();
        assert!((elapsed - 600.15).abs() < 0.05, "{elapsed}");
        assert_eq!(control.played_samples(), 600 * 22_050);
    }

    #[test]
    fn every_gap_of_a_slow_writer_is_counted_and_a_rest_is_none() {
        let (mut sink, control, clock) = simulated();
        for _ in 0..10 {
            sink.write(&[0.1; 50]).unwrap();
            clock.advance(ms(70));
        }
        assert_eq!(control.underruns(), 10);
        sink.write(&[0.1; 50]).unwrap();
        sink.rest().unwrap();
        clock.advance(ms(60_000));
        assert!(control.is_idle());
        sink.write(&[0.1; 50]).unwrap();
        assert_eq!(sink.finish().unwrap().underruns, 10);
    }

    #[test]
    fn the_counts_follow_the_clock() {
        let (mut sink, control, clock) = simulated();
        assert!(control.is_idle());
        sink.write(&[0.1; 80]).unwrap();
        assert_eq!(
            (control.played_samples(), control.buffered_ms()),
            (10, Some(70)),
            "the first period at once"
        );
        clock.advance(ms(35));
        assert_eq!((control.played_samples(), control.buffered_samples()), (40, Some(40)));
        assert!(!control.is_idle());
        // Room for 60; the rest waits for the clock.
        sink.write(&[0.1; 100]).unwrap();
        assert_eq!(control.progress().written_samples, 180);
        assert_eq!(clock.now(), ms(70));
    }

    #[test]
    fn a_stop_keeps_the_place_and_drops_the_rest() {
        let (mut sink, control, clock) = simulated();
        sink.write(&[0.1; 90]).unwrap();
        clock.advance(ms(25));
        control.stop();
        assert_eq!((control.buffered_samples(), control.is_idle()), (Some(0), true));
        clock.advance(ms(10));
        let Progress { played_samples, written_samples, underruns, .. } = control.progress();
        assert_eq!((played_samples, written_samples, underruns), (35, 90, 0), "30, and the fade of 5");
        clock.advance(ms(1000));
        assert_eq!(control.played_samples(), 35);
        sink.write(&[0.1; 40]).unwrap();
        clock.advance(ms(10));
        assert_eq!((control.played_samples(), control.buffered_samples()), (110, Some(20)));
        sink.finish().unwrap();
        assert_eq!(control.played_samples(), 130);
    }

    #[test]
    fn what_is_too_short_for_the_prefill_is_heard_when_it_rests() {
        let (mut sink, control, clock) = simulated();
        sink.write(&[0.1; 10]).unwrap();
        clock.advance(ms(500));
        assert_eq!((control.played_samples(), control.is_idle()), (0, false));
        sink.rest().unwrap();
        clock.advance(ms(20));
        assert_eq!((control.played_samples(), control.underruns()), (10, 0));
    }

    #[test]
    fn a_pause_holds_the_place_and_a_resume_goes_on() {
        let (mut sink, control, clock) = simulated();
        sink.write(&[0.1; 90]).unwrap();
        clock.advance(ms(25));
        control.pause();
        clock.advance(ms(3000));
        assert_eq!((control.played_samples(), control.is_paused()), (35, true));
        control.resume();
        clock.advance(ms(10));
        assert_eq!(control.played_samples(), 55);
        assert_eq!(control.underruns(), 0);
    }

    #[test]
    fn a_stop_frees_a_write_that_waits_and_tells_what_was_lost() {
        let clock = Clock::system();
        let mut sink = open_with_clock(&config(), clock).unwrap();
        let control = sink.control();
        control.pause();
        let writer = thread::spawn(move || {
            sink.write(&[0.1; 5000]).unwrap();
            sink
        });
        // Full, and nothing will make room.
        while control.buffered_samples() < Some(100) {
            thread::yield_now();
        }
        control.stop();
        let mut sink = writer.join().unwrap();
        assert_eq!((control.progress().written_samples, control.played_samples()), (5000, 0));
        control.resume();
        sink.write(&[0.1; 30]).unwrap();
        sink.finish().unwrap();
        assert_eq!(control.played_samples(), 5030);
    }

    #[test]
    fn a_stop_frees_a_finish_that_waits() {
        let mut sink = open_with_clock(&config(), Clock::system()).unwrap();
        let control = sink.control();
        sink.write(&[0.1; 100]).unwrap();
        control.pause();
        let finisher = thread::spawn(move || sink.finish().unwrap());
        while control.buffered_samples() >= Some(100) {
            thread::yield_now();
        }
        control.stop();
        assert_eq!(finisher.join().unwrap().underruns, 0);
    }

    #[test]
    fn control_goes_where_it_is_needed() {
        fn takes<T: Clone + Send + Sync + 'static>(_: &T) {}
        let (sink, control, _) = simulated();
        takes(&control);
        drop(sink);
        control.stop();
        assert!(control.is_idle());
    }
}
