//! Lines that break and disks that fill up.

use crate::{cache::CACHE_VARIABLE, models::download::BASE_VARIABLE};
use std::io::{self, Write};

use super::*;

#[test]
fn a_cut_download_goes_on_where_it_stopped() {
    let cache = Cache::new();
    let server = Server::start(|request, nth| {
        let reply = Reply::ranged(&wanted(request), request);
        if nth == 1 { reply.cut_after(70_000) } else { reply }
    });
    let models = cache.models(options(&server));
    let seen = RefCell::new(Vec::new());
    let installed =
        models.pull("tiny", Some(Stream::Rgb), &convert, &mut |event| seen.borrow_mut().push(event));
    assert_eq!(fs::read(&installed.unwrap()[0].path).unwrap(), tiny_rgb());

    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!((requests[1].range, requests[1].sent), (None, 70_000));
    assert_eq!((requests[2].range, requests[2].sent), (Some(70_000), 130_000), "only the rest is sent");

    let of_data = |event: &Event| match event {
        Event::Downloading { file, bytes, total, .. } if file.contains("data") => Some((*bytes, *total)),
        _ => None,
    };
    let progress: Vec<_> = seen.borrow().iter().filter_map(of_data).collect();
    assert!(progress.is_sorted(), "the bar never runs backwards");
    assert_eq!(progress.last(), Some(&(200_000, Some(200_000))));
}

#[test]
fn an_interrupted_pull_looks_like_nothing_and_the_next_one_continues_it() {
    let cache = Cache::new();
    let server = Server::start(|request, nth| {
        let reply = Reply::ranged(&wanted(request), request);
        if nth == 1 { reply.cut_after(70_000) } else { reply }
    });
    let models = cache.models(Options { attempts: 1, ..options(&server) });
    let error = pull(&models, "tiny").unwrap_err();
    assert_eq!(error.code(), "download");
    let text = error.to_string();
    assert!(text.contains("cut after 70000") && text.contains("continues at byte 70000"), "{text}");
    assert!(!is_installed(&models, "tiny"));
    assert!(cache.files().iter().all(|file| file.starts_with("tiny/downloads/")), "{:?}", cache.files());

    pull(&cache.models(options(&server)), "tiny").unwrap();
    let requests = server.requests();
    assert!(
        requests[2].path.ends_with("rgb/model.ckpt.data-00000-of-00001"),
        "the index is not fetched again"
    );
    assert_eq!((requests[2].range, requests[2].sent), (Some(70_000), 130_000));
    assert!(is_installed(&models, "tiny"));
}

#[test]
fn a_line_that_is_cut_often_gets_there_as_long_as_bytes_arrive() {
    let cache = Cache::new();
    let server = Server::start(|request, _| {
        let reply = Reply::ranged(&wanted(request), request);
        // Nine pieces, with an attempt limit of three.
        let left = 150_000 - request.range.unwrap_or(0);
        if left > 18_000 { reply.cut_after(18_000) } else { reply }
    });
    pull(&cache.models(options(&server)), "tiny-torch").unwrap();
    let ranges: Vec<_> = server.requests().iter().map(|request| request.range.unwrap_or(0)).collect();
    assert_eq!(ranges, (0..9).map(|piece| piece * 18_000).collect::<Vec<_>>());
}

#[test]
fn a_server_without_ranges_sends_everything_again() {
    let cache = Cache::new();
    let server = Server::start(|request, nth| {
        let reply = Reply::whole(&wanted(request));
        if nth == 1 { reply.cut_after(70_000) } else { reply }
    });
    let installed = pull(&cache.models(options(&server)), "tiny").unwrap();
    assert_eq!(fs::read(&installed[0].path).unwrap(), tiny_rgb());
    let requests = server.requests();
    assert_eq!((requests[2].range, requests[2].sent), (Some(70_000), 200_000));
}

#[test]
fn a_server_that_always_cuts_at_the_same_place_is_given_up() {
    let cache = Cache::new();
    let server = Server::start(|request, _| Reply::whole(&wanted(request)).cut_after(1_000));
    let error = pull(&cache.models(options(&server)), "tiny-torch").unwrap_err().to_string();
    assert!(error.contains("3 times in a row"), "{error}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn silence_in_the_middle_of_a_file_counts_as_a_cut() {
    let cache = Cache::new();
    let server = Server::start(|request, nth| {
        let reply = Reply::ranged(&wanted(request), request);
        if nth == 0 { reply.stall_after(40_000) } else { reply }
    });
    let impatient = Options { read_timeout: Duration::from_millis(500), attempts: 20, ..options(&server) };
    pull(&cache.models(impatient), "tiny-torch").unwrap();
    assert!(server.requests()[1].range.is_some());
}

#[test]
fn a_line_that_gives_no_answer_is_an_error_that_names_the_way_out() {
    // Takes every connection and hangs up at once.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let cache = Cache::new();
    let mute = Options { base: format!("http://{address}"), ..options(&faultless()) };
    let error = pull(&cache.models(mute), "tiny").unwrap_err().to_string();
    assert!(error.contains("no answer") && error.contains(BASE_VARIABLE), "{error}");
}

#[test]
fn a_part_file_with_wrong_bytes_is_dropped_and_fetched_anew() {
    let cache = Cache::new();
    let server = faultless();
    let models = cache.models(options(&server));
    let bytes = contents("charades.pt");
    let downloads = models.store.downloads("tiny-torch");
    fs::create_dir_all(&downloads).unwrap();
    let part = downloads.join(format!("{}.part", blob(&bytes)));
    // Right length at once, too short, too long: a crash can leave any of them.
    for length in [150_000, 100_000, 200_000] {
        fs::write(&part, vec![7; length]).unwrap();
        let installed = pull(&models, "tiny-torch").unwrap();
        assert!(fs::read(&installed[0].path).unwrap().ends_with(&bytes));
        models.remove("tiny-torch").unwrap();
        fs::create_dir_all(&downloads).unwrap();
    }
}

#[test]
fn a_part_file_that_is_whole_needs_no_byte_more() {
    let cache = Cache::new();
    let server = faultless();
    let models = cache.models(options(&server));
    let bytes = contents("charades.pt");
    let downloads = models.store.downloads("tiny-torch");
    fs::create_dir_all(&downloads).unwrap();
    fs::write(downloads.join(format!("{}.part", blob(&bytes))), &bytes).unwrap();
    pull(&models, "tiny-torch").unwrap();
    let requests = server.requests();
    assert_eq!((requests.len(), requests[0].range, requests[0].sent), (1, Some(150_000), 0));
}

/// A disk with room for 60 000 bytes more.
struct SmallDisk(fs::File, usize);

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = bytes.len().min(self.1);
        if room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.1 -= room;
        self.0.write(&bytes[..room])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn a_full_disk_is_one_sentence_and_the_part_file_stays() {
    let cache = Cache::new();
    let server = faultless();
    let small = |path: &std::path::Path, append: bool| {
        let file =
            fs::File::options().create(true).write(true).append(append).truncate(!append).open(path)?;
        Ok(Box::new(SmallDisk(file, 60_000)) as Box<dyn Write>)
    };
    let models = cache.models(Options { open_part: small, ..options(&server) });
    let error = pull(&models, "tiny").unwrap_err();
    assert_eq!(error.code(), "io");
    let text = error.to_string();
    let part = format!("{}.part", blob(&contents(FILES[1].0)));
    assert!(text.contains("the disk is full and this file needs 200000 bytes"), "{text}");
    assert!(text.contains(&part) && text.contains(CACHE_VARIABLE), "{text}");
    assert!(!is_installed(&models, "tiny"));

    let requests_before = server.requests().len();
    pull(&cache.models(options(&server)), "tiny").unwrap();
    assert_eq!(server.requests()[requests_before].range, Some(60_000), "what fitted is not fetched again");
}
