//! The submissions that a device has not finished: how many there may be, and how much the next may hold.

use std::collections::VecDeque;

use web_time::Instant;

use super::Gpu;
use super::pacer::Pacer;
use super::submission::Submission;
use crate::error::Result;

/// Submissions that may be under way at once: one runs, one waits, so that the device never idles.
const IN_FLIGHT: usize = 2;

/// Submissions in the order in which they were handed over.
pub(super) struct UnderWay {
    pacer: Pacer,
    /// Oldest first.
    submissions: VecDeque<Entry>,
    /// When the last one was seen to be done.
    last_end: Option<Instant>,
}

/// A submission that may not be done yet.
struct Entry {
    run: u64,
    work: u64,
    submitted: Instant,
    submission: Submission,
}

/// A submission that is done.
pub(super) struct Settled {
    /// The number of its run.
    pub run: u64,
    /// Its work in multiply-accumulates.
    pub work: u64,
}

impl UnderWay {
    /// Nothing yet.
    pub fn new(gpu: &Gpu) -> UnderWay {
        let pacer = Pacer::new(gpu.adapter.is_hardware(), gpu.cautious);
        UnderWay { pacer, submissions: VecDeque::new(), last_end: None }
    }

    /// Work that the next submission may hold.
    pub fn budget(&self) -> u64 {
        self.pacer.budget()
    }

    /// Whether one has to be settled before the next is handed over.
    pub fn is_full(&self) -> bool {
        self.submissions.len() == IN_FLIGHT
    }

    /// The run of the oldest one.
    pub fn oldest(&self) -> Option<u64> {
        self.submissions.front().map(|next| next.run)
    }

    /// Hands `work` of a run to the device.
    pub fn hand_over(
        &mut self,
        gpu: &Gpu,
        encoder: wgpu::CommandEncoder,
        run: u64,
        work: u64,
    ) -> wgpu::SubmissionIndex {
        let submission = gpu.submit(encoder);
        let index = submission.index();
        self.submissions.push_back(Entry { run, work, submitted: Instant::now(), submission });
        index
    }

    /// Waits for the oldest one, if there is any, and learns from it how fast the device is.
    pub async fn settle(&mut self, gpu: &Gpu) -> Result<Option<Settled>> {
        let Some(Entry { run, work, submitted, submission }) = self.submissions.pop_front() else {
            return Ok(None);
        };
        gpu.wait(submission).await?;
        let end = Instant::now();
        let start = self.last_end.map_or(submitted, |last| submitted.max(last));
        self.pacer.finished(work, end - start);
        self.last_end = Some(end);
        Ok(Some(Settled { run, work }))
    }
}
