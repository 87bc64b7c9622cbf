//! The two fingerprints of a file: git's blob id for what is downloaded, SHA-256 for what is stored.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use i3d::models::GitBlob;
use sha2::{Digest, Sha256};

/// The git blob id of a file: SHA-1 of `blob <length>\0` and the contents.
pub fn git_blob(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let mut blob = GitBlob::new(file.metadata()?.len());
    feed(file, |bytes| blob.update(bytes))?;
    Ok(blob.finish())
}

/// The SHA-256 of a file.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    feed(File::open(path)?, |bytes| hash.update(bytes))?;
    Ok(hex(&hash.finalize()))
}

/// The SHA-256 of bytes in memory.
pub fn sha256_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn feed(mut file: File, mut sink: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => sink(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_agree_with_git_and_sha256sum() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("hello");
        std::fs::write(&path, "hello\n")?;
        assert_eq!(git_blob(&path)?, "ce013625030ba8dba906f756967f9e9ca394464a");
        let sha = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(sha256(&path)?, sha);
        assert_eq!(sha256_bytes(b"hello\n"), sha);
        std::fs::write(&path, "")?;
        assert_eq!(git_blob(&path)?, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        Ok(())
    }
}
