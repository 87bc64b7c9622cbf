//! Servers that answer with something other than the file.

use super::*;

/// Pulls `name` from a server that always answers `reply`; gives the message and the number of requests.
fn refused(name: &str, reply: Reply) -> (String, usize) {
    let cache = Cache::new();
    let server = Server::start(move |_, _| reply.clone());
    let models = cache.models(options(&server));
    let error = pull(&models, name).unwrap_err();
    assert_eq!(error.code(), "download", "{error}");
    assert!(!is_installed(&models, name));
    assert!(cache.files().is_empty(), "nothing of a wrong file stays: {:?}", cache.files());
    (error.to_string(), server.requests().len())
}

#[test]
fn other_bytes_of_the_right_length_are_refused() {
    let other = vec![7; 500];
    let (text, requests) = refused("tiny", Reply::whole(&other));
    let (expected, found) = (blob(&contents(FILES[0].0)), blob(&other));
    assert!(text.contains(&format!("expected git blob id {expected}, found {found} (500 bytes)")), "{text}");
    assert!(text.contains("/someone/weights/") && text.contains("rgb/model.ckpt.index"), "{text}");
    assert_eq!(requests, 1);
}

#[test]
fn another_length_is_refused_before_the_body_is_read() {
    let (text, requests) = refused("tiny", Reply::whole(&[7; 400_000]));
    assert!(text.contains("expected 500 bytes, found 400000"), "{text}");
    assert_eq!(requests, 1);
}

#[test]
fn a_missing_file_is_asked_for_once() {
    let (text, requests) = refused("tiny", Reply::status("404 Not Found"));
    assert!(text.contains("404 Not Found") && text.contains("not there any more"), "{text}");
    assert_eq!(requests, 1);
}

#[test]
fn a_web_page_is_called_a_web_page() {
    for name in ["tiny", "tiny-torch"] {
        let (text, requests) = refused(name, Reply::whole(b"\n<!DOCTYPE html><html><body>Log in"));
        assert!(text.contains("a web page in place of the file"), "{text}");
        assert_eq!(requests, 1);
    }
}

#[test]
fn a_git_lfs_pointer_is_called_one() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 150000\n";
    for name in ["tiny", "tiny-torch"] {
        let (text, _) = refused(name, Reply::whole(pointer));
        assert!(text.contains("a Git LFS pointer in place of the file"), "{text}");
    }
}

#[test]
fn a_busy_server_is_asked_again() {
    let cache = Cache::new();
    let server = Server::start(|request, nth| match nth {
        0 => Reply::status("503 Service Unavailable"),
        1 => Reply::status("429 Too Many Requests"),
        _ => Reply::ranged(&wanted(request), request),
    });
    pull(&cache.models(options(&server)), "tiny-torch").unwrap();
    assert_eq!(server.requests().len(), 3);

    let (text, requests) = refused("tiny", Reply::status("502 Bad Gateway"));
    assert!(text.contains("502 Bad Gateway, 3 times in a row"), "{text}");
    assert_eq!(requests, 3);
}
