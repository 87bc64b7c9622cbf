//! What is on this machine after a pull, and what becomes of it.

use super::*;

#[test]
fn a_pull_installs_both_streams_and_leaves_nothing_else() {
    let cache = Cache::new();
    let server = faultless();
    let models = cache.models(options(&server));
    let seen = RefCell::new(Vec::new());
    let installed = models.pull("tiny", None, &convert, &mut |event| seen.borrow_mut().push(event)).unwrap();

    assert_eq!(fs::read(&installed[0].path).unwrap(), tiny_rgb());
    let expected = ["flow.safetensors", "flow.source.json", "rgb.safetensors", "rgb.source.json"];
    assert_eq!(cache.files(), expected.map(|file| format!("tiny/{file}")));
    let paths = Paths { rgb: Some(installed[0].path.clone()), flow: Some(installed[1].path.clone()) };
    assert_eq!(models.path("tiny").unwrap(), paths);
    assert_eq!(models.stream_path("tiny", Stream::Flow).unwrap(), installed[1].path);

    let record = &installed[0].record;
    let data = contents(FILES[1].0);
    assert_eq!(
        record.url,
        format!("{RAW_GITHUB}/{REPOSITORY}/{COMMIT}/{}", FILES[1].0),
        "the origin, not the mirror"
    );
    assert_eq!((record.blob.as_str(), record.size), (blob(&data).as_str(), tiny_rgb().len() as u64));

    let requests = server.requests();
    assert_eq!(requests.iter().map(|request| request.sent).collect::<Vec<_>>(), [500, 200_000, 510, 190_000]);
    assert!(requests.iter().all(|request| request.range.is_none()));
    let stored = |event: &Event| matches!(event, Event::Stored(..));
    assert_eq!(seen.borrow().iter().filter(|event| stored(event)).count(), 2);
}

#[test]
fn a_second_pull_makes_no_request() {
    let cache = Cache::new();
    let server = faultless();
    let models = cache.models(options(&server));
    pull(&models, "tiny").unwrap();
    let requests = server.requests().len();
    let seen = RefCell::new(Vec::new());
    models.pull("tiny", None, &convert, &mut |event| seen.borrow_mut().push(event)).unwrap();
    assert_eq!(server.requests().len(), requests);
    assert_eq!(seen.into_inner(), [Event::Present(Stream::Rgb), Event::Present(Stream::Flow)]);
}

#[test]
fn one_stream_can_be_pulled_alone() {
    let cache = Cache::new();
    let server = faultless();
    let models = cache.models(options(&server));
    models.pull("tiny", Some(Stream::Flow), &convert, &mut |_| {}).unwrap();
    assert_eq!(server.requests().len(), 2);
    assert!(models.stream_path("tiny", Stream::Flow).is_ok());
    // One stream is a state like any other, and everybody sees the same.
    let paths = models.path("tiny").unwrap();
    assert_eq!((paths.rgb, paths.flow.is_some()), (None, true));
    assert_eq!((models.streams("tiny"), models.installed()), (vec![Stream::Flow], vec!["tiny".to_string()]));
    assert!(models.list()[0].to_string().contains("flow only"));
    let checks = models.verify(Some("tiny")).unwrap();
    assert_eq!((checks.len(), checks[0].stream, &checks[0].health), (1, Stream::Flow, &Health::Good));
    let advice =
        "the rgb stream of tiny is not on this machine; fetch it with `i3d models pull tiny --streams rgb`";
    assert_eq!(models.stream_path("tiny", Stream::Rgb).unwrap_err().to_string(), advice);

    let error = models.pull("tiny-torch", Some(Stream::Flow), &convert, &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "tiny-torch has no flow stream; none was released");
}

#[test]
fn verify_finds_one_flipped_bit_and_the_next_pull_mends_it() {
    let cache = Cache::new();
    let server = faultless();
    let models = cache.models(options(&server));
    let installed = pull(&models, "tiny").unwrap();
    assert!(models.verify(Some("tiny")).unwrap().iter().all(|check| check.health == Health::Good));

    let mut bytes = tiny_rgb();
    bytes[100_000] ^= 1;
    fs::write(&installed[0].path, &bytes).unwrap();
    let checks = models.verify(None).unwrap();
    let (expected, found) = (installed[0].record.sha256.clone(), hash::sha256_bytes(&bytes));
    assert_eq!(checks[0].health, Health::Damaged { expected, found });
    assert_eq!(checks[1].health, Health::Good);
    assert!(checks[0].to_string().contains("`i3d models pull tiny --streams rgb`"));

    pull(&models, "tiny").unwrap();
    assert_eq!(fs::read(&installed[0].path).unwrap(), tiny_rgb());
    assert_eq!(server.requests().len(), 6, "the flow stream is left alone");
}

#[test]
fn a_file_without_its_record_or_of_another_length_is_not_installed() {
    let cache = Cache::new();
    let server = faultless();
    let models = cache.models(options(&server));
    let installed = pull(&models, "tiny-torch").unwrap();
    fs::write(&installed[0].path, &tiny_rgb()[..1_000]).unwrap();
    assert!(models.path("tiny-torch").is_err() && models.installed().is_empty());
    assert!(models.list()[1].to_string().contains("damaged"));
    let checks = models.verify(None).unwrap();
    let size = installed[0].record.size;
    assert_eq!(checks[0].health, Health::Length { expected: size, found: Some(1_000) });
    let error = models.stream_path("tiny-torch", Stream::Rgb).unwrap_err().to_string();
    assert!(error.contains("is damaged: expected") && error.contains("found 1000;"), "{error}");
    fs::remove_file(&installed[0].path).unwrap();
    let checks = models.verify(Some("tiny-torch")).unwrap();
    assert!(checks[0].to_string().contains("found no file"), "{}", checks[0]);
    pull(&models, "tiny-torch").unwrap();
    assert!(is_installed(&models, "tiny-torch"));
    let folder = models.store.folder("tiny-torch");
    fs::remove_file(folder.join("rgb.source.json")).unwrap();
    assert!(!is_installed(&models, "tiny-torch"));
}

#[test]
fn a_checkpoint_that_cannot_be_converted_is_not_installed_nor_fetched_twice() {
    let cache = Cache::new();
    let server = faultless();
    let models = cache.models(options(&server));
    let broken = |files: &SourceFiles| Err(Error::checkpoint(&files.place, "no"));
    let error = models.pull("tiny-torch", None, &broken, &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), "checkpoint");
    assert!(error.to_string().ends_with("charades.pt: no"));
    assert!(!is_installed(&models, "tiny-torch"));
    pull(&models, "tiny-torch").unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn remove_frees_the_space() {
    let cache = Cache::new();
    let server = faultless();
    let models = cache.models(options(&server));
    pull(&models, "tiny").unwrap();
    assert!(models.remove("tiny").unwrap() > 390_000);
    assert!(!is_installed(&models, "tiny") && cache.files().is_empty());
    assert!(models.remove("tiny").unwrap_err().to_string().contains("not on this machine"));
}

#[test]
fn two_pulls_of_one_model_do_not_mix() {
    let cache = Cache::new();
    let server = faultless();
    let models = cache.models(options(&server));
    let guard = models.store.lock("tiny").unwrap();
    let error = pull(&models, "tiny").unwrap_err().to_string();
    assert!(error.contains("is being pulled by another i3d"), "{error}");
    pull(&models, "tiny-torch").unwrap();
    drop(guard);
    pull(&models, "tiny").unwrap();
}

#[test]
fn names_that_are_unknown_or_not_installed_say_what_to_do() {
    let cache = Cache::new();
    let models = cache.models(options(&faultless()));
    let unknown = "there is no model called \"huge\"; choose one of tiny, tiny-torch";
    assert_eq!(pull(&models, "huge").unwrap_err().to_string(), unknown);
    assert_eq!(models.path("../tiny").unwrap_err().code(), "usage");
    let absent = "tiny is not on this machine; fetch it with `i3d models pull tiny`";
    assert_eq!(models.path("tiny").unwrap_err().to_string(), absent);
    assert_eq!(models.verify(Some("tiny")).unwrap_err().to_string(), absent);
    assert_eq!(models.remove("tiny").unwrap_err().to_string(), absent);
    assert!(models.verify(None).unwrap().is_empty());
    assert!(cache.files().is_empty(), "asking leaves no trace");
}

#[cfg(unix)]
#[test]
fn what_is_stored_is_for_everybody_whom_the_umask_lets() {
    use std::os::unix::fs::PermissionsExt;
    let cache = Cache::new();
    let models = cache.models(options(&faultless()));
    let installed = pull(&models, "tiny-torch").unwrap();
    // Whatever the umask is here: a file that is made without ceremony.
    let plain = cache.0.path().join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for file in [installed[0].path.clone(), installed[0].path.with_file_name("rgb.source.json")] {
        assert_eq!(mode(&file), mode(&plain), "{}", file.display());
    }
}

#[test]
fn the_list_shows_what_is_here() {
    let cache = Cache::new();
    let server = faultless();
    let models = cache.models(options(&server));
    pull(&models, "tiny").unwrap();
    let rows: Vec<_> = models.list().iter().map(Row::to_string).collect();
    assert_eq!(
        rows,
        [
            "tiny                  rgb + flow  400 classes     0.4 MiB  Apache-2.0  a stand-in",
            "tiny-torch            rgb         400 classes           -  Apache-2.0  a stand-in"
        ]
    );
}
