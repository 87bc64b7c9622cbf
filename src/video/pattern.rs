//! Patterns for files, in which a name that exists means itself.

use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};

/// Every file and folder that the pattern `path` matches, sorted. A part of the path that exists as it is written is no
/// pattern, so `clips [2024]/*.mp4` looks into the folder `clips [2024]`; and where nothing matches, brackets are taken
/// for themselves, so `[2024] *.mp4` finds `[2024] a.mp4`.
///
/// # Errors
/// Patterns that are none, such as one with a bracket that is not closed.
pub fn matches(path: &Path) -> Result<Vec<PathBuf>, PatternError> {
    let found = walk(path, &Pattern::new);
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        other => match walk(path, &literal_brackets)? {
            found if found.is_empty() => other,
            found => Ok(found),
        },
    }
}

/// Whether a path has what makes it a pattern. A file of the name is no pattern all the same.
pub fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[".contains(byte))
}

/// The pattern with brackets that stand for themselves.
fn literal_brackets(text: &str) -> Result<Pattern, PatternError> {
    let escaped: Vec<String> = text.split('[').map(|part| part.replace(']', "[]]")).collect();
    Pattern::new(&escaped.join("[[]"))
}

fn walk(
    path: &Path,
    compile: &dyn Fn(&str) -> Result<Pattern, PatternError>,
) -> Result<Vec<PathBuf>, PatternError> {
    let mut bases = vec![PathBuf::new()];
    for component in path.components() {
        let Component::Normal(name) = component else {
            bases.iter_mut().for_each(|base| base.push(component));
            continue;
        };
        if !is_pattern(Path::new(name)) {
            bases.iter_mut().for_each(|base| base.push(name));
            continue;
        }
        let text = name.to_string_lossy();
        let pattern = if text == "**" { None } else { Some(compile(&text)?) };
        let mut found = Vec::new();
        for base in bases {
            let literal = base.join(name);
            match &pattern {
                _ if literal.exists() => found.push(literal),
                Some(pattern) => {
                    entries(&base, |entry| pattern.matches_with(entry, MatchOptions::new()), &mut found)
                }
                None => below(&base, &mut found),
            }
        }
        bases = found;
    }
    bases.retain(|found| found.exists());
    bases.sort();
    bases.dedup();
    Ok(bases)
}

/// What lies in a folder and has a name that is wanted.
fn entries(folder: &Path, wanted: impl Fn(&str) -> bool, found: &mut Vec<PathBuf>) {
    let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        if wanted(&entry.file_name().to_string_lossy()) {
            found.push(folder.join(entry.file_name()));
        }
    }
}

/// A folder and all folders below it, without those that links lead to.
fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    found.push(folder.to_path_buf());
    let mut inside = Vec::new();
    entries(folder, |_| true, &mut inside);
    for entry in inside {
        if entry.symlink_metadata().is_ok_and(|entry| entry.is_dir()) {
            below(&entry, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_exist_mean_themselves() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("clips [2024]");
        for name in
            ["a.mp4", "b.mp4", "[x] c.mkv", "x c.mkv", "day [1]/d.mp4", "day [1]/e/f.mp4", "day 1/g.mp4"]
        {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            std::fs::write(path, "").expect("it is written");
        }
        let found = |pattern: &str| -> Vec<String> {
            let found = matches(&root.join(pattern)).expect("a pattern");
            let name =
                |path: PathBuf| path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
            found.into_iter().map(name).collect()
        };
        assert_eq!(found("*.mp4"), ["a.mp4", "b.mp4"]);
        assert_eq!(found("[ab].mp4"), ["a.mp4", "b.mp4"]);
        assert_eq!(found("[!a].mp4"), ["b.mp4"]);
        assert_eq!(found("day [1]/*.mp4"), ["day [1]/d.mp4"], "the folder itself, not `day 1`");
        assert_eq!(found("day [1-9]/*.mp4"), ["day 1/g.mp4"]);
        assert_eq!(found("*/*.mp4"), ["day 1/g.mp4", "day [1]/d.mp4"]);
        assert_eq!(found("**/*.mp4").len(), 5);
        assert_eq!(found("[x] *.mkv"), ["x c.mkv"], "a pattern that matches is one");
        assert_eq!(found("[x] ?.m[k]v"), ["x c.mkv"]);
        assert_eq!(found("day [1]/[x] *"), [""; 0]);
        std::fs::remove_file(root.join("x c.mkv")).expect("it is there");
        assert_eq!(found("[x] *.mkv"), ["[x] c.mkv"], "or else brackets are brackets");
        assert_eq!(found("[x] c.*"), ["[x] c.mkv"]);
        assert!(matches(&root.join("[a*.mp4")).is_err());
    }
}
