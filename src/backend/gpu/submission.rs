//! Work handed to the device, and waiting for it and no more: what was submitted later goes on meanwhile.

use futures_channel::oneshot;

use super::Gpu;
use crate::error::{Error, Result};

/// Commands that the device has or will run.
pub(super) struct Submission {
    index: wgpu::SubmissionIndex,
    done: oneshot::Receiver<()>,
}

impl Submission {
    /// What [`Gpu::read`] wants to know.
    pub fn index(&self) -> wgpu::SubmissionIndex {
        self.index.clone()
    }
}

impl Gpu {
    /// Hands commands over.
    pub(super) fn submit(&self, encoder: wgpu::CommandEncoder) -> Submission {
        let index = self.queue.submit([encoder.finish()]);
        let (sender, done) = oneshot::channel();
        self.queue.on_submitted_work_done(move || {
            // Nobody waits any more after an error.
            let _ = sender.send(());
        });
        Submission { index, done }
    }

    /// Waits until a submission is done.
    pub(super) async fn wait(&self, submission: Submission) -> Result<()> {
        self.poll(Some(submission.index))?;
        self.outcome(submission.done).await
    }

    /// Submits and waits until it is done.
    pub(super) async fn finish(&self, encoder: wgpu::CommandEncoder) -> Result<()> {
        self.wait(self.submit(encoder)).await
    }

    /// Reads back the numbers of `buffer`, which must have been made for mapping and was last written by the submission `after`, or by any
    /// so far.
    pub(super) async fn read<T: bytemuck::Pod>(
        &self,
        buffer: &wgpu::Buffer,
        after: Option<wgpu::SubmissionIndex>,
    ) -> Result<Vec<T>> {
        let (sender, mapped) = oneshot::channel();
        buffer.map_async(wgpu::MapMode::Read, .., move |outcome| {
            if outcome.is_ok() {
                // A receiver that has gone away no longer wants the news.
                let _ = sender.send(());
            }
        });
        self.poll(after)?;
        self.outcome(mapped).await?;
        let bytes = buffer.get_mapped_range(..).map_err(|e| Error::device(&self.adapter, e))?;
        let values = bytemuck::pod_collect_to_vec(&bytes);
        drop(bytes);
        buffer.unmap();
        Ok(values)
    }

    /// Native drivers call back from `poll` only; in a browser the event loop does.
    fn poll(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        if cfg!(not(target_arch = "wasm32")) {
            let wait = wgpu::PollType::Wait { submission_index, timeout: None };
            self.device.poll(wait).map_err(|e| Error::device(&self.adapter, e))?;
        }
        Ok(())
    }

    async fn outcome(&self, done: oneshot::Receiver<()>) -> Result<()> {
        let outcome = done.await;
        self.check()?;
        outcome.map_err(|_| Error::device(&self.adapter, "the driver dropped a submission; try --device cpu"))
    }
}
