//! HMDB-51: a file per class and split, `CLASS_test_splitK.txt`, whose lines are a video and a code: 1 for training, 2 for
//! the test, 0 for neither. Classes are in the order of their names, and names of videos may hold whatever a file's name can.

use std::collections::BTreeSet;
use std::path::Path;

use i3d::{Error, Result};

use super::{Line, Listed, at, lines};
use crate::eval::classes;
use crate::examples::entries;

pub(super) fn read(folder: &Path, splits: &[u8]) -> Result<Listed> {
    let files: BTreeSet<String> = entries(folder)?
        .iter()
        .filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
        .collect();
    let class = |name: &String| {
        let (class, rest) = name.rsplit_once("_test_split")?;
        let number = rest.strip_suffix(".txt")?;
        ["1", "2", "3"].contains(&number).then(|| class.to_string())
    };
    let classes: BTreeSet<String> = files.iter().filter_map(class).collect();
    let classes: Vec<String> = classes.into_iter().collect();
    let place = folder.display().to_string();
    if classes.is_empty() {
        let problem =
            "it has no file like brush_hair_test_split1.txt; give the folder testTrainMulti_7030_splits";
        return Err(Error::labels(place, problem));
    }
    classes::distinct(&place, &classes)?;
    let split = |number: &u8| {
        let mut all = Vec::new();
        for (label, class) in classes.iter().enumerate() {
            let name = format!("{class}_test_split{number}.txt");
            if !files.contains(&name) {
                let problem =
                    format!("it has no {name}, though it has the class for another split; add the file");
                return Err(Error::labels(&place, problem));
            }
            let path = folder.join(name);
            let tested = videos(&path, &lines(&path)?)?;
            all.extend(tested.into_iter().map(|file| Line { label, file }));
        }
        match all.is_empty() {
            true => {
                let problem =
                    format!("no video of split {number} has the code 2, so there is nothing to test");
                Err(Error::labels(&place, problem + "; give the lists as the data set has them"))
            }
            false => Ok((number.to_string(), all)),
        }
    };
    let splits = splits.iter().map(split).collect::<Result<_>>()?;
    Ok(Listed { classes, splits })
}

/// The videos with the code of the test.
fn videos(path: &Path, lines: &[(usize, String)]) -> Result<Vec<String>> {
    let mut tested = Vec::new();
    for (number, line) in lines {
        match line.rsplit_once(char::is_whitespace) {
            Some((video, "2")) => tested.push(video.trim_end().to_string()),
            Some((_, "0" | "1")) => {}
            _ => {
                let problem =
                    format!("it is {line:?}; expected a video and its code, 0, 1 (training) or 2 (test)");
                return Err(at(path, *number, problem));
            }
        }
    }
    Ok(tested)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_the_code_whatever_stands_before_it() -> Result<()> {
        let numbered = |text: &str| -> Vec<(usize, String)> {
            text.lines().enumerate().map(|(index, line)| (index + 1, line.to_string())).collect()
        };
        let path = Path::new("chew_test_split1.txt");
        let list = "Fun(1)_#20_chew!&_goo_0.avi 2\nb.avi 1\nc.avi 0\na b 1.avi 2";
        assert_eq!(videos(path, &numbered(list))?, ["Fun(1)_#20_chew!&_goo_0.avi", "a b 1.avi"]);
        for wrong in ["a.avi", "a.avi 3", "a.avi two"] {
            let error = videos(path, &numbered(wrong)).unwrap_err().to_string();
            let start = format!("chew_test_split1.txt, line 1: it is {wrong:?}; expected ");
            assert!(error.starts_with(&start), "{error}");
        }
        Ok(())
    }
}
