//! Classes by name: data sets, folders and models write the same name in different ways.

use std::collections::HashMap;

use i3d::{Error, Result};

/// A name as it is compared: capitals, quotes, and whether words are joined by spaces or underscores do not count.
pub fn plain(name: &str) -> String {
    let kept = name.chars().filter(|c| !matches!(c, '\'' | '"' | '\u{2018}' | '\u{2019}'));
    let text: String = kept.map(|c| if c == '_' { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Fails where two names of a list mean the same class.
pub fn distinct(place: &str, names: &[String]) -> Result<()> {
    let mut seen = HashMap::new();
    for name in names {
        if let Some(first) = seen.insert(plain(name), name) {
            let problem = format!("{first:?} and {name:?} are the same class; leave one of them out");
            return Err(Error::labels(place, problem));
        }
    }
    Ok(())
}

/// Which logit of a model is each of `classes`; `own` are the model's names, in the order of its `logits` logits. A model
/// without names has the order of the data set, which is called `dataset`.
///
/// # Errors
/// Models whose classes are others.
pub fn order(
    place: &str,
    own: Option<&[String]>,
    logits: usize,
    dataset: &str,
    classes: &[String],
) -> Result<Vec<usize>> {
    let fail = |difference: String| {
        let (ours, what) = (classes.len(), "give a model that was trained on these classes");
        let problem = format!(
            "its classes are not those of {dataset}: {logits} found, {ours} expected{difference}; {what}"
        );
        Err(Error::labels(place, problem))
    };
    let Some(own) = own else {
        return if logits == classes.len() { Ok((0..logits).collect()) } else { fail(String::new()) };
    };
    distinct(place, own)?;
    let index: HashMap<String, usize> = own.iter().enumerate().map(|(i, name)| (plain(name), i)).collect();
    let wanted = classes.iter().map(|class| index.get(&plain(class)).copied());
    let lacking: Vec<&String> =
        classes.iter().zip(wanted.clone()).filter(|(_, at)| at.is_none()).map(|(class, _)| class).collect();
    match lacking[..] {
        [] if own.len() == classes.len() => Ok(wanted.flatten().collect()),
        [] => {
            let known: Vec<String> = classes.iter().map(|class| plain(class)).collect();
            let extra = own.iter().find(|name| !known.contains(&plain(name)));
            let extra = extra.map_or(String::new(), |name| format!(", and {name:?} is none of them"));
            fail(extra)
        }
        [first, ..] => fail(format!(", of which it lacks {}, such as {first:?}", lacking.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
        names.map(str::to_string).to_vec()
    }

    #[test]
    fn spelling_does_not_count() {
        assert_eq!(plain("massaging_person's  Head"), "massaging persons head");
        assert_eq!(plain("\"Massaging persons head\""), "massaging persons head");
        assert!(distinct("x", &names(["kick", "kick_ball"])).is_ok());
        assert_eq!(
            distinct("x", &names(["kick ball", "run", "Kick_Ball"])).unwrap_err().to_string(),
            "x: \"kick ball\" and \"Kick_Ball\" are the same class; leave one of them out"
        );
    }

    #[test]
    fn a_models_classes_are_found_whatever_their_order() -> Result<()> {
        let classes = names(["brush_hair", "cartwheel", "catch"]);
        let own = names(["Catch", "brush hair", "Cartwheel"]);
        assert_eq!(order("m", Some(&own), 3, "hmdb51", &classes)?, [1, 2, 0]);
        assert_eq!(order("m", None, 3, "hmdb51", &classes)?, [0, 1, 2]);
        Ok(())
    }

    #[test]
    fn other_classes_are_told() {
        let classes = names(["catch", "run"]);
        let problem = |own: Option<&[String]>, logits| {
            order("m", own, logits, "hmdb51", &classes).unwrap_err().to_string()
        };
        assert_eq!(
            problem(Some(&names(["catch", "jump"])), 2),
            "m: its classes are not those of hmdb51: 2 found, 2 expected, of which it lacks 1, such as \"run\"; give a model \
             that was trained on these classes"
        );
        assert!(problem(Some(&names(["catch", "run", "jump"])), 3).contains("and \"jump\" is none of them"));
        assert!(problem(None, 400).contains("400 found, 2 expected; give a model"));
    }
}
