//! The clips with published outputs: `<cache>/i3d/models/samples/`.

use std::fs;
use std::path::PathBuf;

use i3d::clip::Clip;
use i3d::models::Sample;
use i3d::{Error, Result};

use super::download::Expected;
use super::{Models, hash};

/// The folder beside the models'; no model has this name.
const FOLDER: &str = "samples";

impl Models {
    fn sample_path(&self, sample: &Sample) -> PathBuf {
        self.store.folder(FOLDER).join(sample.file.name())
    }

    /// The clip of a sample, where it is on this machine.
    ///
    /// # Errors
    /// A file that is not, byte by byte, the published one.
    pub fn sample(&self, sample: &Sample) -> Result<Option<Clip>> {
        let path = self.sample_path(sample);
        if !path.exists() {
            return Ok(None);
        }
        let failed = |error| Error::io(path.display(), error);
        let found = hash::git_blob(&path).map_err(failed)?;
        if found != sample.file.blob {
            let expected = sample.file.blob;
            let problem = format!(
                "expected git blob {expected}, found {found}: it is damaged; fetch it again with `i3d selftest --pull`"
            );
            return Err(Error::clip(path.display(), problem));
        }
        let bytes = fs::read(&path).map_err(failed)?;
        Clip::from_npy(&path.display().to_string(), &bytes).map(Some)
    }

    /// Brings a sample here, verified; one that is here and intact costs no request. `progress` hears the bytes so far and the
    /// total where it is known.
    pub fn pull_sample(
        &self,
        sample: &Sample,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<PathBuf> {
        let path = self.sample_path(sample);
        let failed = |error| Error::io(path.display(), error);
        let blob = sample.file.blob;
        if path.exists() && hash::git_blob(&path).map_err(failed)? == blob {
            return Ok(path);
        }
        let guard = self.store.lock(FOLDER)?;
        let downloads = self.store.downloads(FOLDER);
        let arriving = downloads.join(blob);
        let expected = Expected { blob, size: sample.file.size };
        self.downloader.fetch(&sample.url(self.downloader.base()), expected, &arriving, progress)?;
        fs::rename(&arriving, &path).map_err(failed)?;
        drop(guard);
        fs::remove_dir_all(&downloads).map_err(|e| Error::io(downloads.display(), e))?;
        Ok(path)
    }
}
