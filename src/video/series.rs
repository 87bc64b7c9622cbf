//! Which pictures of a folder are one video: folders of data sets often hold several series, such as colours, flow and depth.
//!
//! Two pictures are of one series where their names have the same words; numbers tell them apart. Endings count where
//! both have the same numbers, as in `1.jpg` and `1.png`. Of several series the one is taken that is in colour by its
//! name, where there is just one. A file without fellows, such as a cover, is none of the video's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Words that name pictures in colour.
const COLOR: &[&str] = &[
    "color", "colors", "colour", "colours", "frame", "frames", "image", "images", "img", "imgs", "photo",
    "pic", "picture", "rgb",
];

/// Words that name something else, or one of several views.
const OTHER: &[&str] = &[
    "alpha",
    "annotation",
    "annotations",
    "back",
    "confidence",
    "depth",
    "disp",
    "disparity",
    "edge",
    "edges",
    "flow",
    "front",
    "gt",
    "heatmap",
    "infrared",
    "ir",
    "keypoints",
    "l",
    "label",
    "labels",
    "left",
    "mask",
    "masks",
    "matte",
    "nir",
    "normal",
    "normals",
    "overlay",
    "pose",
    "r",
    "right",
    "seg",
    "segmentation",
    "skeleton",
    "thermal",
    "thumb",
    "thumbnail",
    "thumbs",
    "u",
    "uv",
    "v",
    "x",
    "xy",
    "y",
    "z",
    "preview",
    "warp",
];

/// More series than this are none: such names differ for another reason.
const MOST_SERIES: usize = 24;

/// A series that has so many times the files of all others together is the video, and they are not.
const MUCH: usize = 8;

/// Pictures whose names have the same words.
#[derive(Debug)]
struct Series {
    words: Vec<String>,
    files: Vec<PathBuf>,
    /// The first name with stars for numbers.
    pattern: String,
}

/// The pictures that are the video, out of all in a folder.
///
/// # Errors
/// Several series, of which none is more likely the video: the end of a sentence that lists them.
pub(super) fn choose(folder: &Path, files: Vec<PathBuf>) -> Result<Vec<PathBuf>, String> {
    let total = files.len();
    let mut series = groups(files);
    let some = |series: &Series| series.files.len() > 1;
    let big = series.iter().filter(|series| some(series)).count();
    let covered: usize = series.iter().filter(|series| some(series)).map(|series| series.files.len()).sum();
    // Names that follow no system, such as `a.png` and `b.png` or hashes.
    if big == 0 || big > MOST_SERIES || 3 * covered < 2 * total {
        return Ok(series.into_iter().flat_map(|series| series.files).collect());
    }
    series.retain(some);
    if series.len() > 1 {
        match in_color(&series) {
            Some(chosen) => {
                let chosen = series.swap_remove(chosen);
                log::info!("{}: of several series of pictures {} is taken", folder.display(), chosen.pattern);
                series = vec![chosen];
            }
            None => return Err(told(folder, &series)),
        }
    }
    let files = series.remove(0).files;
    match views(&files) {
        Some(views) => Err(told(folder, &views)),
        None => Ok(files),
    }
}

/// The files by their words; those that differ only in their ending are apart where they have numbers in common.
fn groups(files: Vec<PathBuf>) -> Vec<Series> {
    let mut by_words: BTreeMap<Vec<String>, BTreeMap<String, Vec<PathBuf>>> = BTreeMap::new();
    for file in files {
        let words = words(&stem(&file));
        by_words.entry(words).or_default().entry(ending(&file)).or_default().push(file);
    }
    let mut series = Vec::new();
    for (words, endings) in by_words {
        let mut seen = BTreeSet::new();
        let apart = !endings.values().flatten().all(|file| seen.insert(stem(file)));
        let sets: Vec<Vec<PathBuf>> = if apart {
            endings.into_values().collect()
        } else {
            vec![endings.into_values().flatten().collect()]
        };
        series.extend(sets.into_iter().map(|files| Series {
            words: words.clone(),
            pattern: pattern(&files[0]),
            files,
        }));
    }
    series
}

/// The one series that is in colour by its name, or beside which the others hardly count.
fn in_color(series: &[Series]) -> Option<usize> {
    let has = |series: &Series, list: &[&str]| series.words.iter().any(|word| list.contains(&word.as_str()));
    let only = |wanted: &dyn Fn(&Series) -> bool| {
        let mut found =
            series.iter().enumerate().filter(|(_, series)| wanted(series)).map(|(index, _)| index);
        found.next().filter(|_| found.next().is_none())
    };
    let plain = |series: &Series| !has(series, OTHER);
    let color = |series: &Series| plain(series) && has(series, COLOR);
    // `1.jpg` beside `1_mask.png`: all but one are something else.
    let named = only(&color).or_else(|| if series.iter().any(color) { None } else { only(&plain) });
    let total: usize = series.iter().map(|series| series.files.len()).sum();
    named.or_else(|| {
        series.iter().position(|series| series.files.len() >= MUCH * (total - series.files.len()))
    })
}

/// The series of names such as `cam1_0001`, `cam2_0001`: two numbers in every name, in all combinations, of which the one
/// with fewer values belongs to a word.
fn views(files: &[PathBuf]) -> Option<Vec<Series>> {
    let mut pairs = BTreeSet::new();
    for file in files {
        let stem = stem(file);
        let numbers = numbers(&stem);
        let [a, b] = &numbers[..] else { return None };
        // Minutes and seconds are two numbers too, but of no word.
        if !stem[..a.start].ends_with(char::is_alphabetic) {
            return None;
        }
        pairs.insert((stem[a.clone()].to_owned(), stem[b.clone()].to_owned()));
    }
    let first: BTreeSet<_> = pairs.iter().map(|pair| &pair.0).collect();
    let second: BTreeSet<_> = pairs.iter().map(|pair| &pair.1).collect();
    let grid = first.len() > 1 && first.len() < second.len() && first.len() * second.len() == files.len();
    if !grid || first.len() > MOST_SERIES || pairs.len() != files.len() {
        return None;
    }
    let mut views: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in files {
        let stem = stem(file);
        let label = numbers(&stem).first().map(|range| stem[range.clone()].to_owned())?;
        views.entry(label).or_default().push(file.clone());
    }
    let series = |files: Vec<PathBuf>| {
        let stem = stem(&files[0]);
        let index = numbers(&stem).pop()?;
        let pattern = format!("{}*{}.{}", &stem[..index.start], &stem[index.end..], ending(&files[0]));
        Some(Series { words: Vec::new(), pattern, files })
    };
    views.into_values().map(series).collect()
}

fn told(folder: &Path, series: &[Series]) -> String {
    let list: Vec<_> = series.iter().map(|s| format!("{} ({})", s.pattern, s.files.len())).collect();
    format!(
        "the folder holds {} series of pictures, {}; choose one with a pattern, such as \"{}\"",
        series.len(),
        list.join(", "),
        folder.join(&series[0].pattern).display()
    )
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn ending(file: &Path) -> String {
    file.extension().unwrap_or_default().to_string_lossy().into_owned()
}

/// The words of a name, in small letters.
fn words(stem: &str) -> Vec<String> {
    stem.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Where the numbers of a name are.
fn numbers(stem: &str) -> Vec<std::ops::Range<usize>> {
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, _) in stem.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
        match found.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => found.push(at..at + 1),
        }
    }
    found
}

/// A name with stars for numbers.
fn pattern(file: &Path) -> String {
    let mut stem = stem(file);
    for range in numbers(&stem).into_iter().rev() {
        stem.replace_range(range, "*");
    }
    format!("{stem}.{}", ending(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Patterns of names, and how many files are named so.
    type Names = [(&'static str, usize)];

    /// What is chosen of files named by patterns with `{}` for 1 to `count`, and `{0}` for the same with leading zeros.
    fn chosen(names: &Names) -> Result<Vec<String>, String> {
        let name = |pattern: &str, i: usize| {
            let padded = pattern.replace("{0}", &format!("{i:05}"));
            PathBuf::from(format!("f/{}", padded.replace("{}", &i.to_string())))
        };
        let files = names.iter().flat_map(|(pattern, count)| (1..=*count).map(|i| name(pattern, i)));
        let files = choose(Path::new("f"), files.collect())?;
        Ok(files
            .iter()
            .map(|file| file.file_name().unwrap_or_default().to_string_lossy().into_owned())
            .collect())
    }

    #[test]
    fn the_series_in_colour_is_taken() {
        let cases: [&Names; 15] = [
            &[("img_{0}.jpg", 12), ("flow_x_{0}.jpg", 11), ("flow_y_{0}.jpg", 11)],
            &[("image_{0}.jpg", 12), ("flow_x_{0}.jpg", 11), ("flow_y_{0}.jpg", 11), ("warp_x_{0}.jpg", 3)],
            &[("rgb_{}.png", 5), ("depth_{}.png", 5)],
            &[("{}_rgb.png", 5), ("{}_depth.png", 5), ("{}_ir.png", 5)],
            &[("Color_{}.png", 5), ("Depth_{}.png", 5)],
            &[("colour{}.png", 3), ("normals{}.png", 3)],
            &[("{0}.jpg", 9), ("{0}_mask.png", 9)],
            &[("{0}.jpg", 9), ("{0}_mask.jpg", 9)],
            &[("walk{}.png", 9), ("walk{}-seg.png", 9), ("walk{}-depth.png", 9)],
            &[("frame{}.png", 9), ("cover.jpg", 1)],
            &[("frame{}.png", 2), ("thumbnail.gif", 1)],
            &[("frame{}.png", 100), ("cover.jpg", 1), ("Background.png", 1)],
            &[("frame_{0}.jpg", 8), ("other_{0}.jpg", 8)],
            &[("IMG_{}.JPG", 4), ("mask{}.png", 4)],
            &[("walk{}.png", 40), ("cover{}.png", 2), ("poster.png", 1)],
        ];
        for names in cases {
            let (pattern, count) = names[0];
            let want = chosen(&[(pattern, count)]).expect("one series");
            assert_eq!(want.len(), count);
            assert_eq!(chosen(names).as_ref(), Ok(&want), "{names:?}");
        }
    }

    #[test]
    fn one_series_stays_one() {
        let cases: [&Names; 15] = [
            &[("{}.png", 120)],
            &[("{}.png", 5), ("{0}.png", 3)],
            &[("frame{}.png", 12), ("frame{0}.png", 2)],
            &[("a.png", 1), ("b.png", 1), ("c.png", 1)],
            &[("a.png", 1)],
            &[("left.png", 1), ("right.png", 1)],
            &[("img.png", 1), ("img ({}).png", 5)],
            &[("frame_{}_v2.png", 9)],
            &[("2021-05-01 12-30-{}.png", 9), ("2021-05-01 12-31-{}.png", 9), ("2021-05-01 12-32-{}.png", 9)],
            &[("00-{}.png", 59), ("01-{}.png", 59)],
            &[("13050311.17{}.png", 9), ("13050312.1{}.png", 9)],
            &[("frame{}_0.04.png", 9)],
            &[("clip2_{0}.jpg", 9)],
            &[
                ("a3f9c1.png", 1),
                ("b7d210.png", 1),
                ("00ac17.png", 1),
                ("12.png", 1),
                ("13.png", 1),
                ("fe.png", 1),
            ],
            &[("v_ApplyEyeMakeup_g01_c01_{0}.jpg", 9)],
        ];
        for names in cases {
            let total: usize = names.iter().map(|(_, count)| count).sum();
            assert_eq!(chosen(names).map(|files| files.len()), Ok(total), "{names:?}");
        }
        // Half in one format, half in another, are one series; the same in both are two.
        let mixed = ["f/1.jpg", "f/2.jpg", "f/3.png", "f/4.PNG"].map(PathBuf::from).to_vec();
        assert_eq!(choose(Path::new("f"), mixed).map(|files| files.len()), Ok(4));
    }

    #[test]
    fn several_that_are_equal_are_listed() {
        let cases: [(&Names, &[&str]); 7] = [
            (
                &[("left_{}.png", 4), ("right_{}.png", 4)],
                &["2 series", "left_*.png (4)", "right_*.png (4)", "\"f/left_*.png\""],
            ),
            (&[("img_left_{}.png", 4), ("img_right_{}.png", 4)], &["img_right_*.png (4)"]),
            (&[("cam1_{0}.png", 4), ("cam2_{0}.png", 4)], &["cam1_*.png (4)", "cam2_*.png (4)"]),
            (&[("{}.png", 4), ("{}.jpg", 4)], &["*.png (4)", "*.jpg (4)"]),
            (&[("flow_x_{}.jpg", 4), ("flow_y_{}.jpg", 3)], &["flow_x_*.jpg (4)", "flow_y_*.jpg (3)"]),
            (&[("alice{}.png", 3), ("bob{}.png", 3), ("cover.png", 1)], &["alice*.png (3)", "bob*.png (3)"]),
            (&[("rgb{}.png", 3), ("img{}.png", 3)], &["2 series"]),
        ];
        for (names, words) in cases {
            let sentence = chosen(names).expect_err("several series");
            for word in words {
                assert!(sentence.contains(word), "`{word}` is missing in: {sentence}");
            }
        }
    }
}
