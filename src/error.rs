//! The one error type of the library.

use std::fmt::Display;

/// What went wrong. Every message is one sentence that says where, what was expected and found, and what to do.
///
/// [`Error::code`] is stable: the command line derives its exit status from it and the web page its advice.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{place}: {}", reason(source))]
    Io {
        /// The file, as the user named it, and what was tried.
        place: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A video, image or image folder cannot be decoded.
    #[error("{place}: {problem}")]
    Video {
        /// The file or folder, as the user named it.
        place: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// An array file (`.npy`, `.npz`) or an in-memory clip cannot be fed to a network.
    #[error("{place}: {problem}")]
    Clip {
        /// The file, or the name of the clip.
        place: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// A checkpoint is damaged, incomplete, or belongs to another network.
    #[error("{place}: {problem}")]
    Checkpoint {
        /// The checkpoint file, and the tensor where there is one.
        place: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// A label list does not fit the network.
    #[error("{place}: {problem}")]
    Labels {
        /// The label file.
        place: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// Training cannot go on.
    #[error("{place}: {problem}")]
    Training {
        /// The step, and the clips of its batch.
        place: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// A file could not be downloaded, or is not the file that was expected.
    #[error("{place}: {problem}")]
    Download {
        /// The address.
        place: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// Options that contradict each other or are out of range.
    #[error("{0}")]
    Usage(String),
    /// The requested device is not there.
    #[error("{problem}")]
    NoDevice {
        /// What was asked for, what was found, and what to do.
        problem: String,
    },
    /// The plan needs more than the device allows; found before any work starts.
    #[error("{0}")]
    Limits(String),
    /// The device failed while it worked.
    #[error("{place}: {problem}")]
    Device {
        /// The adapter's name.
        place: String,
        /// What the driver said.
        problem: String,
    },
}

/// Result with the library's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A short stable name of the kind of error, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Io { .. } => "io",
            Error::Video { .. } => "video",
            Error::Clip { .. } => "clip",
            Error::Checkpoint { .. } => "checkpoint",
            Error::Labels { .. } => "labels",
            Error::Training { .. } => "training",
            Error::Download { .. } => "download",
            Error::Usage(_) => "usage",
            Error::NoDevice { .. } => "no-device",
            Error::Limits(_) => "limits",
            Error::Device { .. } => "device",
        }
    }

    /// A file `place` that could not be read or written.
    pub fn io(place: impl Display, source: std::io::Error) -> Self {
        Error::Io { place: place.to_string(), source }
    }

    /// A video, image or folder `place` that cannot be decoded.
    pub fn video(place: impl Display, problem: impl Display) -> Self {
        Error::Video { place: place.to_string(), problem: problem.to_string() }
    }

    /// An array `place` that is no clip.
    pub fn clip(place: impl Display, problem: impl Display) -> Self {
        Error::Clip { place: place.to_string(), problem: problem.to_string() }
    }

    /// A checkpoint (or a tensor in it) `place` that cannot be used.
    pub fn checkpoint(place: impl Display, problem: impl Display) -> Self {
        Error::Checkpoint { place: place.to_string(), problem: problem.to_string() }
    }

    /// A label list `place` that does not fit.
    pub fn labels(place: impl Display, problem: impl Display) -> Self {
        Error::Labels { place: place.to_string(), problem: problem.to_string() }
    }

    /// A step of training, `place`, that cannot be made.
    pub fn training(place: impl Display, problem: impl Display) -> Self {
        Error::Training { place: place.to_string(), problem: problem.to_string() }
    }

    /// An address `place` that does not give the file that was expected.
    pub fn download(place: impl Display, problem: impl Display) -> Self {
        Error::Download { place: place.to_string(), problem: problem.to_string() }
    }

    /// A device `place` that failed while it worked.
    pub fn device(place: impl Display, problem: impl Display) -> Self {
        Error::Device { place: place.to_string(), problem: problem.to_string() }
    }
}

/// What the operating system said; its most frequent answers in plain words, with what to do.
fn reason(source: &std::io::Error) -> String {
    use std::io::ErrorKind::{IsADirectory, NotFound, PermissionDenied};
    // An error without a number was made by a program, which chose its own words.
    if source.raw_os_error().is_none() {
        return source.to_string();
    }
    match source.kind() {
        NotFound => "there is no such file or folder; check the name".to_string(),
        PermissionDenied => "access is denied; change its permissions, or choose another".to_string(),
        IsADirectory => "this is a folder; give a file".to_string(),
        _ => source.to_string(),
    }
}
