//! The clips of the self test: fetched once, verified whenever they are read.

use super::*;
use i3d::clip::Clip;
use i3d::models::Sample;

fn clip() -> Clip {
    Clip { frames: 2, height: 3, width: 3, channels: 2, data: (0..36).map(|i| i as f32 / 36.0).collect() }
}

fn sample(bytes: &[u8]) -> Sample {
    let file = SourceFile { path: "data/clip.npy", blob: blob(bytes).leak(), size: None };
    Sample { stream: Stream::Flow, file }
}

#[test]
fn a_sample_is_fetched_once_and_again_when_it_is_damaged() {
    let bytes = clip().to_npy();
    let (sample, cache) = (sample(&bytes), Cache::new());
    let server = Server::start(move |request, _| Reply::ranged(&bytes, request));
    let models = cache.models(options(&server));
    assert_eq!(models.sample(&sample).unwrap(), None);

    let mut heard = 0;
    let path = models.pull_sample(&sample, &mut |bytes, _| heard = bytes).unwrap();
    assert_eq!(cache.files(), ["samples/clip.npy"]);
    assert_eq!(heard, fs::metadata(&path).unwrap().len());
    assert_eq!(models.sample(&sample).unwrap(), Some(clip()));
    let requests = server.requests();
    let expected = "/deepmind/kinetics-i3d/0667e889a5904b4dc122e0ded4c332f49f8df42c/data/clip.npy";
    assert_eq!(requests.iter().map(|request| request.path.as_str()).collect::<Vec<_>>(), [expected]);

    models.pull_sample(&sample, &mut |_, _| ()).unwrap();
    assert_eq!(server.requests().len(), 1, "it was here");

    let mut damaged = fs::read(&path).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(&path, damaged).unwrap();
    let error = models.sample(&sample).unwrap_err().to_string();
    assert!(error.contains(sample.file.blob) && error.contains("i3d selftest --pull"), "{error}");
    models.pull_sample(&sample, &mut |_, _| ()).unwrap();
    assert_eq!(models.sample(&sample).unwrap(), Some(clip()));
}

#[test]
fn another_file_is_refused() {
    let (sample, cache) = (sample(&clip().to_npy()), Cache::new());
    let server = Server::start(|_, _| Reply::whole(&[7; 300]));
    let models = cache.models(options(&server));
    let error = models.pull_sample(&sample, &mut |_, _| ()).unwrap_err();
    assert_eq!(error.code(), "download", "{error}");
    assert!(cache.files().is_empty() && models.sample(&sample).unwrap().is_none());
}
