//! Released models from files of this machine, known by their hashes. The user's own are tested with the whole program.

use super::*;

/// A folder like a clone of the repository, with these of [`FILES`].
fn clone(files: &[usize]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for &i in files {
        let path = folder.path().join(FILES[i].0);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents(FILES[i].0)).unwrap();
    }
    folder
}

/// No request is ever answered.
fn offline(cache: &Cache) -> Models {
    cache.models(options(&Server::start(|_, _| panic!("a request"))))
}

fn add(models: &Models, name: &str, what: Added) -> Result<Vec<Installed>> {
    models.add(name, &what, &convert, &mut |_| {})
}

fn from(paths: &[PathBuf]) -> Added<'_> {
    Added { paths, complete: true, ..Added::default() }
}

#[test]
fn a_clone_installs_what_a_pull_would() {
    let pulled = Cache::new();
    let server = faultless();
    let expected = pull(&pulled.models(options(&server)), "tiny").unwrap();
    let (cache, folder) = (Cache::new(), clone(&[0, 1, 2, 3, 4]));
    let models = offline(&cache);
    let paths = [folder.path().to_path_buf()];
    let installed = add(&models, "tiny", from(&paths)).unwrap();
    assert_eq!(cache.files(), pulled.files());
    for (one, other) in installed.iter().zip(&expected) {
        assert_eq!(one.record, other.record);
        assert_eq!(fs::read(&one.path).unwrap(), fs::read(&other.path).unwrap());
    }
    // Neither has anything left to do, and neither would the other.
    let seen = RefCell::new(Vec::new());
    models.add("tiny", &from(&paths), &convert, &mut |event| seen.borrow_mut().push(event)).unwrap();
    assert!(
        seen.borrow().contains(&Event::Present(Stream::Rgb))
            && seen.borrow().contains(&Event::Present(Stream::Flow))
    );
    pull(&models, "tiny").unwrap();
    assert_eq!(add(&models, "tiny-torch", from(&paths)).unwrap().len(), 1);
}

#[test]
fn one_stream_must_be_asked_for_alone() {
    let (cache, folder) = (Cache::new(), clone(&[2, 3]));
    let models = offline(&cache);
    let paths = [folder.path().to_path_buf()];
    let error = add(&models, "tiny", from(&paths)).unwrap_err().to_string();
    let advice =
        "the rgb weights of tiny are not there; add --streams flow to install the flow weights alone";
    assert!(error.ends_with(advice), "{error}");
    assert!(cache.files().is_empty());
    let flow = Added { only: Some(Stream::Flow), ..from(&paths) };
    assert_eq!(add(&models, "tiny", flow).unwrap().len(), 1);
    // Files that are named need not be all of it.
    let prefix = [folder.path().join("flow/model.ckpt")];
    add(&models, "tiny", Added { paths: &prefix, ..Added::default() }).unwrap();
    let rgb = Added { only: Some(Stream::Rgb), ..from(&paths) };
    let error = add(&models, "tiny", rgb).unwrap_err().to_string();
    assert!(error.ends_with("no file there has the hash of the released rgb weights of tiny"), "{error}");
    assert_eq!(models.streams("tiny"), [Stream::Flow]);
}

#[test]
fn a_released_name_is_for_the_released_files() {
    let (cache, folder) = (Cache::new(), clone(&[0, 1, 2, 3, 4]));
    let models = offline(&cache);
    let file = |name: &str| [folder.path().join(name)];
    let fails = |name: &str, paths: &[PathBuf], part: &str| {
        let error = add(&models, name, Added { paths, ..Added::default() }).unwrap_err().to_string();
        assert!(error.contains(part), "{error:?} lacks {part:?}");
        assert!(cache.files().is_empty());
    };
    let other = "these are the rgb weights of tiny-torch; install them under that name";
    fails("tiny", &file("charades.pt"), other);
    // One flipped bit in the weights, and in the index.
    let mut bytes = contents(FILES[4].0);
    bytes[77_000] ^= 4;
    fs::write(folder.path().join("charades.pt"), bytes).unwrap();
    let changed = "these are not the weights that were released as tiny-torch (git blob id ";
    fails("tiny-torch", &file("charades.pt"), changed);
    fails(
        "tiny-torch",
        &[folder.path().to_path_buf()],
        "no file there has the hash of a released file of tiny-torch",
    );
    let mut bytes = contents(FILES[0].0);
    bytes[77] ^= 4;
    fs::write(folder.path().join(FILES[0].0), bytes).unwrap();
    fails("tiny", &[folder.path().to_path_buf()], "the index beside it is another");
    fails("tiny", &file("nothing"), "nothing");
}

#[test]
fn names_that_cannot_be() {
    let (cache, folder) = (Cache::new(), clone(&[4]));
    let models = offline(&cache);
    let paths = [folder.path().join("charades.pt")];
    for name in ["", ".", "..", "../up", "a/b", "a\\b", "-a", "a b", "ä", "a.", &"a".repeat(65)] {
        let error = add(&models, name, Added { paths: &paths, ..Added::default() }).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("a model cannot be called {name:?}; give up to 64 letters")),
            "{error}"
        );
    }
    for name in ["samples", "random", "Demo", "none", "custom", "TINY"] {
        let error = add(&models, name, Added { paths: &paths, ..Added::default() }).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("a model cannot be called {name:?}, which means something else")),
            "{error}"
        );
    }
    assert!(cache.files().is_empty());
}
