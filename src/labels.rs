//! Names of the classes: the two built-in Kinetics lists and lists of the user's own.
//!
//! A list has one name per line; line `i`, counted from 0, names logit `i`. The built-in lists are those of
//! deepmind/kinetics-i3d (`data/label_map.txt`, `data/label_map_600.txt`).

use crate::error::{Error, Result};

const KINETICS_400: &str = include_str!("labels/kinetics400.txt");
const KINETICS_600: &str = include_str!("labels/kinetics600.txt");

/// The 400 classes of Kinetics-400, in the order of the logits.
pub fn kinetics_400() -> Vec<String> {
    KINETICS_400.lines().map(str::to_owned).collect()
}

/// The 600 classes of Kinetics-600, in the order of the logits.
pub fn kinetics_600() -> Vec<String> {
    KINETICS_600.lines().map(str::to_owned).collect()
}

/// The built-in list for a network with that many classes: 400 and 600 have one, other numbers do not.
pub fn for_classes(classes: usize) -> Option<Vec<String>> {
    match classes {
        400 => Some(kinetics_400()),
        600 => Some(kinetics_600()),
        _ => None,
    }
}

/// The labels in `text`, one per line. `place` is the file's name and appears in errors.
///
/// Byte order mark, CRLF line ends and blank lines at the end are accepted. A blank line in the middle is an
/// error: skipping it would give every label after it to the wrong class.
pub fn parse(place: &str, text: &str) -> Result<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end();
    if text.is_empty() {
        return Err(Error::labels(place, "the list is empty; give a list with one line per class"));
    }
    let label = |(number, line): (usize, &str)| match line.trim() {
        "" => Err(Error::labels(
            place,
            format!("line {} is empty; give every class a name, one per line", number + 1),
        )),
        name => Ok(name.to_owned()),
    };
    text.lines().enumerate().map(label).collect()
}

/// Fails where a list does not have one label for each of the network's classes.
pub fn check(place: &str, labels: &[String], classes: usize) -> Result<()> {
    if labels.len() == classes {
        return Ok(());
    }
    let problem = format!(
        "{} labels for a network with {classes} classes; give a list with one line per class",
        labels.len()
    );
    Err(Error::Labels { place: place.to_owned(), problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(labels: &[String], name: &str) -> Option<usize> {
        labels.iter().position(|label| label == name)
    }

    #[test]
    fn kinetics_400_has_deepminds_order() {
        let labels = kinetics_400();
        assert_eq!(labels.len(), 400);
        assert!(labels.is_sorted(), "bytewise sorted and therefore without duplicates to check apart");
        assert_eq!((labels[0].as_str(), labels[399].as_str()), ("abseiling", "zumba"));
        assert_eq!(index(&labels, "playing cricket"), Some(227));
        assert_eq!(index(&labels, "hurling (sport)"), Some(161));
        assert_eq!(index(&labels, "playing kickball"), Some(237));
        assert!(index(&labels, "massaging person's head").is_some());
    }

    #[test]
    fn kinetics_600_has_deepminds_order() {
        let labels = kinetics_600();
        assert_eq!(labels.len(), 600);
        assert!(labels.is_sorted());
        assert_eq!(index(&labels, "playing cricket"), Some(336));
    }

    #[test]
    fn built_in_names_are_unique_and_neat() {
        for labels in [kinetics_400(), kinetics_600()] {
            let unique: std::collections::HashSet<_> = labels.iter().collect();
            assert_eq!(unique.len(), labels.len());
            assert!(
                labels.iter().all(|label| label.trim() == label && !label.is_empty() && label.is_ascii())
            );
        }
    }

    #[test]
    fn only_400_and_600_classes_have_a_built_in_list() {
        assert_eq!(for_classes(400), Some(kinetics_400()));
        assert_eq!(for_classes(600), Some(kinetics_600()));
        assert_eq!(for_classes(157), None);
    }

    #[test]
    fn a_list_survives_windows_line_ends_a_byte_order_mark_and_blank_lines_at_the_end() -> Result<()> {
        for text in
            ["run\nwalk", "run\nwalk\n", "run\r\nwalk\r\n", "\u{feff}run\nwalk\n\n", "run \r\nwalk\r\n\r\n"]
        {
            assert_eq!(parse("labels.txt", text)?, ["run", "walk"], "{text:?}");
        }
        assert_eq!(parse("labels.txt", KINETICS_600)?, kinetics_600());
        Ok(())
    }

    #[test]
    fn an_empty_line_is_named() {
        for text in ["run\n\nwalk\n", "run\r\n \r\nwalk"] {
            let error = parse("labels.txt", text).unwrap_err();
            assert_eq!(
                error.to_string(),
                "labels.txt: line 2 is empty; give every class a name, one per line"
            );
            assert_eq!(error.code(), "labels");
        }
        assert!(parse("labels.txt", "\nrun").unwrap_err().to_string().contains("line 1 is empty"));
        assert!(parse("labels.txt", "\u{feff}\r\n").unwrap_err().to_string().contains("the list is empty"));
    }

    #[test]
    fn a_list_must_fit_the_network() {
        assert!(check("labels.txt", &kinetics_400(), 400).is_ok());
        assert_eq!(
            check("labels.txt", &kinetics_400(), 600).unwrap_err().to_string(),
            "labels.txt: 400 labels for a network with 600 classes; give a list with one line per class"
        );
    }
}
