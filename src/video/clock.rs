//! One clock out of the times that frames carry. Recorders restart, streams are concatenated, counters jump; players go on, and so does
//! this.

/// Longest time for which a frame may stand, in containers that do not say how long a frame is shown. ffmpeg closes longer gaps in
/// transport streams too (`-dts_delta_threshold`).
const LONGEST_GAP: f64 = 10.0;

/// The same where the container states how long each frame is shown: ffplay's bound for such files.
const LONGEST_STATED: f64 = 3600.0;

/// A gap of so many usual steps is no surprise: slow videos have long steps.
const USUAL_STEPS: f64 = 8.0;

/// A step back of so many usual steps is beyond what frames out of order make: codecs reorder 16 frames at most (ITU-T H.264, A.3.1).
const REORDERED: f64 = 16.0;

/// Frames that may be out of order in a row; more mean that the clock was set back.
const OUT_OF_ORDER: u32 = 2;

/// Seconds between frames where nothing else is known.
const DEFAULT_STEP: f64 = 0.04;

/// Turns the times of frames into times that never go back.
///
/// Where a time is before the one before, or after it by more than a frame can stand, the clock goes on by the usual distance of two
/// frames, and later times count from there. Equal times stay equal, and a frame or two that are out of order get the time of the frame
/// before.
#[derive(Debug, Clone)]
pub struct Clock {
    step: f64,
    longest: f64,
    state: Option<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// The time of the first frame.
    first: f64,
    /// Clock minus frame time.
    offset: f64,
    /// The time of the last frame.
    frame: f64,
    clock: f64,
    /// After a short step back: either a few frames are out of order, or the clock was set back.
    doubt: Option<Doubt>,
}

#[derive(Debug, Clone, Copy)]
struct Doubt {
    /// The time of the frame before the step.
    before: f64,
    /// That of the frame behind it.
    behind: f64,
    /// Frames since the step.
    count: u32,
}

impl Clock {
    /// A clock for a video of about `fps` frames per second; `stated` where the container says how long each frame is shown.
    pub fn new(fps: Option<f64>, stated: bool) -> Clock {
        let step = fps.map(|fps| 1.0 / fps).filter(|step| step.is_finite() && *step > 0.0);
        Clock {
            step: step.unwrap_or(DEFAULT_STEP),
            longest: if stated { LONGEST_STATED } else { LONGEST_GAP },
            state: None,
        }
    }

    /// The clock at a frame whose own time is `frame` seconds. A time that is not finite is taken to be that of the frame before.
    pub fn at(&mut self, frame: f64) -> f64 {
        let Some(mut state) = self.state else {
            if frame.is_finite() {
                self.state = Some(State { first: frame, offset: 0.0, frame, clock: frame, doubt: None });
            }
            return frame;
        };
        let frame = if frame.is_finite() { frame } else { state.frame };
        self.advance(&mut state, frame);
        state.frame = frame;
        self.state = Some(state);
        state.clock
    }

    fn advance(&mut self, state: &mut State, frame: f64) {
        let longest = self.longest.max(USUAL_STEPS * self.step);
        let step = frame - state.frame;
        match state.doubt {
            // Behind the last frame in order: it was out of order.
            Some(doubt) if (0.0..=longest).contains(&(frame - doubt.before)) => {
                state.doubt = None;
                state.clock = (frame + state.offset).max(state.clock);
            }
            Some(doubt) if doubt.count < OUT_OF_ORDER && step.abs() <= longest => {
                state.doubt = Some(Doubt { count: doubt.count + 1, ..doubt });
            }
            // The clock was set back where the doubt began.
            Some(doubt) if (0.0..=longest).contains(&(frame - doubt.behind)) => {
                state.doubt = None;
                state.offset = state.clock + self.step - doubt.behind;
                state.clock = frame + state.offset;
            }
            None if (0.0..=longest).contains(&step) => {
                if step > 0.0 {
                    self.step = step;
                }
                state.clock = (frame + state.offset).max(state.clock);
            }
            None if (-REORDERED * self.step..0.0).contains(&step)
                && frame > state.first + self.step / 4.0 =>
            {
                state.doubt = Some(Doubt { before: state.frame, behind: frame, count: 1 });
            }
            _ => {
                state.doubt = None;
                state.clock += self.step;
                state.offset = state.clock - frame;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(fps: Option<f64>, stated: bool, times: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let mut clock = Clock::new(fps, stated);
        times.into_iter().map(|time| (clock.at(time) * 1e6).round() / 1e6).collect()
    }

    fn steady(count: usize, first: f64) -> Vec<f64> {
        (0..count).map(|k| ((first + k as f64 * 0.04) * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn steady_times_stay_as_they_are() {
        for first in [0.0, 3.0, 100.0] {
            assert_eq!(clock(Some(25.0), false, steady(50, first)), steady(50, first));
        }
        // Steps of different length, equal times, and a still of 9 seconds.
        let times = [0.0, 0.033, 0.067, 0.067, 0.5, 9.5, 9.533];
        assert_eq!(clock(None, false, times), times);
    }

    #[test]
    fn a_restart_goes_on() {
        let times = [steady(50, 0.0), steady(50, 0.0), steady(50, 0.4)].concat();
        assert_eq!(clock(Some(25.0), false, times), steady(150, 0.0));
    }

    #[test]
    fn a_jump_goes_on() {
        for jump in [11.0, 600.0, 1e6, 1e300] {
            let times = [steady(50, 0.0), steady(50, 2.0).into_iter().map(|t| t + jump).collect()].concat();
            let got = clock(Some(25.0), false, times);
            let expected = steady(100, 0.0);
            // A double counts 1e300 in steps of more than a second.
            let count = if jump > 1e9 { 51 } else { 100 };
            assert_eq!(got[..count], expected[..count], "{jump}");
        }
    }

    #[test]
    fn stills_are_shown_where_the_container_states_them_and_where_all_are_slow() {
        let times = [0.0, 0.04, 60.04, 60.08];
        assert_eq!(clock(Some(25.0), true, times), times);
        assert_eq!(clock(Some(25.0), false, times), [0.0, 0.04, 0.08, 0.12]);
        let slow = [0.0, 30.0, 60.0, 150.0];
        assert_eq!(clock(Some(1.0 / 30.0), false, slow), slow);
    }

    #[test]
    fn frames_out_of_order_do_not_stretch_the_clock() {
        let times = [0.0, 0.04, 0.12, 0.08, 0.16, 0.2, 0.32, 0.28, 0.24, 0.36];
        let expected = [0.0, 0.04, 0.12, 0.12, 0.16, 0.2, 0.32, 0.32, 0.32, 0.36];
        assert_eq!(clock(Some(25.0), false, times), expected);
        // Set back by a few frames, not to the beginning: nothing is lost but the frames in doubt.
        let times = [steady(20, 1.0), steady(20, 1.6)].concat();
        let got = clock(Some(25.0), false, times);
        assert_eq!((got[19], got[21], got[22], got[39]), (1.76, 1.76, 1.88, 2.56));
    }

    #[test]
    fn short_pieces_that_begin_again_go_on() {
        let times = std::iter::repeat_n(steady(6, 0.0), 10).collect::<Vec<_>>().concat();
        assert_eq!(clock(Some(25.0), false, times), steady(60, 0.0));
    }

    #[test]
    fn times_that_are_not_finite_stand_still() {
        assert_eq!(
            clock(Some(25.0), false, [0.0, f64::NAN, 0.04, f64::INFINITY, 0.08]),
            [0.0, 0.0, 0.04, 0.04, 0.08]
        );
        assert!(Clock::new(Some(f64::NAN), false).at(f64::NAN).is_nan());
    }
}
