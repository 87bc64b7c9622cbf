//! Kinetics: a CSV file with the columns label, youtube_id, time_start, time_end and split. A file is called by the video
//! and the second in which it begins and ends; lists of test videos may lack the label.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use i3d::{Error, Result};

use super::{Line, Listed, at};
use crate::eval::classes::plain;

pub(super) fn read(path: &Path, split: &str) -> Result<Listed> {
    let path = match path.is_dir() {
        true => path.join(format!("{split}.csv")),
        false => PathBuf::from(path),
    };
    let file = File::open(&path).map_err(|e| Error::io(path.display(), e))?;
    parse(&path, file, split)
}

fn parse(path: &Path, text: impl std::io::Read, split: &str) -> Result<Listed> {
    let place = path.display().to_string();
    let failed = |e: csv::Error| {
        let problem =
            format!("it is no CSV file ({e}); its columns are label,youtube_id,time_start,time_end,split");
        Error::labels(&place, problem)
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let header = reader.headers().map_err(failed)?.clone();
    let find = |name: &str| header.iter().position(|found| found == name);
    let column = |name: &str| {
        find(name).ok_or_else(|| {
            let found = header.iter().collect::<Vec<_>>().join(",");
            let problem = format!(
                "its first line is {found:?}, without {name}; it must be label,youtube_id,time_start,time_end,split"
            );
            Error::labels(&place, problem)
        })
    };
    let [id, start, end, of] =
        [column("youtube_id")?, column("time_start")?, column("time_end")?, column("split")?];
    let Some(label) = find("label") else {
        let problem = "it has no column label, so there is nothing to compare with; give a list that has one, such as that \
                       of the split val";
        return Err(Error::labels(place, problem));
    };
    // Copies differ in quotes and underscores, so a class is found by its plain name and called as where it is first met.
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let (mut rows, mut others) = (Vec::new(), BTreeSet::new());
    for record in reader.records() {
        let record = record.map_err(failed)?;
        let line = record.position().map_or(0, |position| position.line() as usize);
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let class = cell(label);
        if class.is_empty() || cell(id).is_empty() {
            return Err(at(path, line, "it lacks a label or a video; give both"));
        }
        let key = plain(class);
        names.entry(key.clone()).or_insert_with(|| class.to_string());
        if cell(of) != split {
            others.insert(cell(of).to_string());
            continue;
        }
        let second = |column: usize| match cell(column).parse::<f64>() {
            Ok(seconds) if (0.0..1e6).contains(&seconds) => Ok(seconds as u32),
            _ => {
                let found = cell(column);
                Err(at(path, line, format!("its time is {found:?}; it must be a number of seconds")))
            }
        };
        rows.push((key, format!("{}_{:06}_{:06}", cell(id), second(start)?, second(end)?)));
    }
    if rows.is_empty() {
        let found = others.into_iter().collect::<Vec<_>>().join(", ");
        let found = if found.is_empty() { "no videos at all".to_string() } else { format!("only {found}") };
        return Err(Error::labels(
            place,
            format!("it has no video of the split {split:?}, {found}; give another --split"),
        ));
    }
    let keys: Vec<&String> = names.keys().collect();
    let row = |(key, file): (String, String)| Line { label: keys.binary_search(&&key).unwrap_or(0), file };
    let lines = rows.into_iter().map(row).collect();
    Ok(Listed { splits: vec![(split.to_string(), lines)], classes: names.into_values().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "val.csv";

    fn list(text: &str) -> Result<Listed> {
        parse(Path::new(PLACE), text.as_bytes(), "val")
    }

    #[test]
    fn rows_become_the_names_of_files() -> Result<()> {
        let header = "label,youtube_id,time_start,time_end,split\r\n";
        let rows = "zumba,-kIRm_mc2nM,20,30,val\r\n\"massaging person's head\",abc,3.0,13.0,val\r\nabseiling,x,0,10,train\r\n\
                    massaging_persons_head,def,100000,100010,val\r\n";
        let Listed { classes, splits } = list(&format!("{header}{rows}"))?;
        assert_eq!(classes, ["abseiling", "massaging person's head", "zumba"]);
        let [(name, lines)] = &splits[..] else { panic!("one split") };
        let found: Vec<(usize, &str)> = lines.iter().map(|line| (line.label, line.file.as_str())).collect();
        let want = [(2, "-kIRm_mc2nM_000020_000030"), (1, "abc_000003_000013"), (1, "def_100000_100010")];
        assert_eq!((name.as_str(), found), ("val", want.to_vec()));
        Ok(())
    }

    #[test]
    fn lists_that_make_no_sense_are_told() {
        let problem = |text: &str| list(text).unwrap_err().to_string();
        let header = "label,youtube_id,time_start,time_end,split\n";
        assert_eq!(
            problem("youtube_id,time_start,time_end,split\nx,0,10,val\n"),
            "val.csv: it has no column label, so there is nothing to compare with; give a list that has one, such as that of \
             the split val"
        );
        assert_eq!(
            problem(&format!("{header}a,x,0,10,train\na,y,0,10,test\n")),
            "val.csv: it has no video of the split \"val\", only test, train; give another --split"
        );
        assert!(problem(header).contains("no videos at all"));
        assert!(problem("label,id\na,b\n").contains("without youtube_id"));
        assert_eq!(
            problem(&format!("{header}a,x,0,10,val\na,y,soon,10,val\n")),
            "val.csv, line 3: its time is \"soon\"; it must be a number of seconds"
        );
        assert!(problem(&format!("{header},x,0,10,val\n")).starts_with("val.csv, line 2: it lacks a label"));
        assert!(problem(&format!("{header}a,x,0\n")).starts_with("val.csv: it is no CSV file"));
    }
}
