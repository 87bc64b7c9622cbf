//! Files that appear whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

use i3d::{Error, Result};
use tempfile::NamedTempFile;

/// A file to be written: opened under a temporary name before the work starts, so that a path which cannot be written
/// is found at once, and renamed when its content is complete.
pub struct Output {
    path: PathBuf,
    file: NamedTempFile,
}

impl Output {
    /// Prepares to write `path`.
    pub fn create(path: &Path) -> Result<Output> {
        let fail = |source| Error::io(format!("{} cannot be written", path.display()), source);
        if path.is_dir() {
            return Err(fail(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
        }
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file =
            tempfile::Builder::new().prefix(".i3d-").suffix(".part").tempfile_in(folder).map_err(fail)?;
        Ok(Output { path: path.to_path_buf(), file })
    }

    /// Writes the content and gives the file its name.
    pub fn finish(mut self, content: &[u8]) -> Result<()> {
        let fail = |source| Error::io(format!("{} cannot be written", self.path.display()), source);
        self.file.write_all(content).and_then(|()| self.file.flush()).map_err(fail)?;
        share(self.file.path());
        self.file.persist(&self.path).map(drop).map_err(|e| fail(e.error))
    }
}

/// Temporary files are private; a result should be as readable as any new file.
fn share(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A file system without permissions is no reason to fail.
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644));
    }
    #[cfg(not(unix))]
    let _ = path;
}
