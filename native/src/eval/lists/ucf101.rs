//! UCF-101: `classInd.txt` numbers the classes from 1, `testlist01.txt` to `testlist03.txt` name the test videos. Some
//! copies put the number of the class behind each video, lines end as on Windows in some, and one class is spelt in two ways.

use std::path::Path;

use i3d::Result;

use super::{Line, Listed, at, lines};
use crate::eval::classes::{self, plain};

pub(super) fn read(folder: &Path, splits: &[u8]) -> Result<Listed> {
    let index = folder.join("classInd.txt");
    let classes = class_names(&index, &lines(&index)?)?;
    let split = |number: &u8| {
        let list = folder.join(format!("testlist{number:02}.txt"));
        Ok((number.to_string(), videos(&list, &lines(&list)?, &classes)?))
    };
    let splits = splits.iter().map(split).collect::<Result<_>>()?;
    Ok(Listed { classes, splits })
}

fn class_names(path: &Path, lines: &[(usize, String)]) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for (number, line) in lines {
        let expected = names.len() + 1;
        let name = match line.split_once(char::is_whitespace) {
            Some((index, name)) if index.parse() == Ok(expected) => name.trim(),
            _ => {
                let problem =
                    format!("it is {line:?}; expected the number {expected} and the name of a class");
                return Err(at(path, *number, problem));
            }
        };
        names.push(name.to_string());
    }
    classes::distinct(&path.display().to_string(), &names)?;
    Ok(names)
}

fn videos(path: &Path, lines: &[(usize, String)], classes: &[String]) -> Result<Vec<Line>> {
    let video = |(number, line): &(usize, String)| {
        let fail = |problem: String| Err(at(path, *number, problem));
        let (video, index) = match line.rsplit_once(char::is_whitespace) {
            Some((video, index)) => (video.trim_end(), Some(index)),
            None => (line.as_str(), None),
        };
        let Some((class, file)) = video.split_once('/').filter(|(_, file)| !file.is_empty()) else {
            return fail(format!(
                "it is {line:?}; expected CLASS/VIDEO.avi, and perhaps the number of the class"
            ));
        };
        let Some(label) = classes.iter().position(|known| plain(known) == plain(class)) else {
            return fail(format!("the class {class:?} is not in classInd.txt; correct one of the two files"));
        };
        match index.map(str::parse::<usize>) {
            Some(Err(_)) => fail(format!("it is {line:?}; expected a number behind the video, or nothing")),
            Some(Ok(index)) if index != label + 1 => fail(format!(
                "the class {class:?} has the number {} in classInd.txt and {index} here; correct one of the two files",
                label + 1
            )),
            _ => Ok(Line { label, file: file.to_string() }),
        }
    };
    lines.iter().map(video).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(text: &str) -> Vec<(usize, String)> {
        text.lines().enumerate().map(|(index, line)| (index + 1, line.to_string())).collect()
    }

    #[test]
    fn lists_with_and_without_numbers_are_read() -> Result<()> {
        let path = Path::new("classInd.txt");
        let classes = class_names(path, &numbered("1 ApplyEyeMakeup\n2 Hammering\n3 HandstandPushups"))?;
        assert_eq!(classes, ["ApplyEyeMakeup", "Hammering", "HandstandPushups"]);
        let list =
            "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\nHandStandPushups/v_HandStandPushups_g01_c02.avi 3";
        let videos = videos(Path::new("testlist01.txt"), &numbered(list), &classes)?;
        let want = [(0, "v_ApplyEyeMakeup_g01_c01.avi"), (2, "v_HandStandPushups_g01_c02.avi")];
        assert_eq!(videos, want.map(|(label, file)| Line { label, file: file.into() }));
        Ok(())
    }

    #[test]
    fn lines_that_make_no_sense_are_named() {
        let path = Path::new("classInd.txt");
        let index = |text: &str| class_names(path, &numbered(text)).unwrap_err().to_string();
        assert_eq!(
            index("1 Archery\n3 Biking"),
            "classInd.txt, line 2: it is \"3 Biking\"; expected the number 2 and the name of a class"
        );
        assert!(index("Archery").starts_with("classInd.txt, line 1: "));
        assert!(index("1 Archery\n2 archery").contains("\"archery\""), "twice");
        let list = |text: &str| {
            let classes = ["Archery".to_string(), "Biking".to_string()];
            videos(Path::new("testlist02.txt"), &numbered(text), &classes).unwrap_err().to_string()
        };
        assert_eq!(
            list("Archery/a.avi\nBowling/b.avi"),
            "testlist02.txt, line 2: the class \"Bowling\" is not in classInd.txt; correct one of the two files"
        );
        assert!(list("Archery/a.avi 2").contains("has the number 1 in classInd.txt and 2 here"));
        assert!(list("Archery/a.avi x").contains("expected a number behind the video"));
        assert!(list("a.avi").contains("expected CLASS/VIDEO.avi"));
        assert!(list("Archery/").contains("expected CLASS/VIDEO.avi"));
    }
}
