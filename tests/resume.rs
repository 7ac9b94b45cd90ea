//! Copies that are carried on where an earlier one ended (DATA-3).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use hydrant::pipeline::Progress;
use hydrant::s3::{CreateMultipartUpload, ListMultipartUploads, SentChecksum, UploadPart};
use hydrant::{
    ChecksumAlgorithm, CopyOptions, CopyReport, CopyWay, Crc64, ErrorKind, Hydrant, OnFailure, Sum,
    Task, copy,
};
use hydrant_tests::{BUCKET, PART, Peer, World, noise, program, wait_until};

const PARTS: usize = 6;

/// A server of one object, which refuses what lies at and behind a part.
struct Source {
    peer: Peer,
    refused_from: Arc<AtomicUsize>,
    object: Arc<Mutex<(Vec<u8>, &'static str)>>,
    /// Who holds it keeps back what lies behind the first part.
    rest: Arc<Mutex<()>>,
    /// In so many answers that bring the third part a bit is flipped.
    flips: Arc<AtomicUsize>,
    /// Whether a HEAD tells the checksum.
    tells: Arc<AtomicBool>,
}

impl Source {
    fn start() -> Source {
        let refused_from = Arc::new(AtomicUsize::new(usize::MAX));
        let object = Arc::new(Mutex::new((noise(1, PARTS * PART - 99), "\"one\"")));
        let rest = Arc::new(Mutex::new(()));
        let (limit, shared) = (Arc::clone(&refused_from), Arc::clone(&object));
        let kept_back = Arc::clone(&rest);
        let (flips, tells) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (flips_left, tell) = (Arc::clone(&flips), Arc::clone(&tells));
        let peer = Peer::start(move |seen, wire| {
            if seen.method == "HEAD" {
                // Whoever has all ranges asks for a checksum.
                let (data, etag) = shared.lock().expect("no panic").clone();
                let (len, sum) = (data.len(), Sum::from(Crc64::of(&data)));
                let told =
                    tell.load(SeqCst).then(|| format!("x-amz-checksum-crc64nvme: {sum}\r\n"));
                let told = told.unwrap_or_default();
                let head = format!("ETag: {etag}\r\nContent-Length: {len}\r\n{told}");
                return wire.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes());
            }
            let (first, _) = seen.range().expect("a ranged GET");
            if first / PART >= limit.load(SeqCst) {
                return wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            }
            if first > 0 {
                drop(kept_back.lock().expect("no panic"));
            }
            let (mut data, etag) = shared.lock().expect("no panic").clone();
            if first == 2 * PART && flips_left.load(SeqCst) > 0 {
                flips_left.fetch_sub(1, SeqCst);
                data[first + 5] ^= 0x10;
            }
            let (head, body) = seen.ranged(&data, etag);
            wire.send(head.as_bytes())?;
            wire.send(body)
        });
        Source { peer, refused_from, object, rest, flips, tells }
    }

    fn data(&self) -> Vec<u8> {
        self.object.lock().expect("no panic").0.clone()
    }

    fn copy(&self, hydrant: &Hydrant, to: &str) -> hydrant::Result<CopyReport> {
        self.copy_as(hydrant, to, self.how())
    }

    fn how(&self) -> CopyOptions {
        let (on_failure, connections) = (OnFailure::Keep, Some(1));
        CopyOptions { on_failure, connections, ..CopyOptions::default() }
    }

    fn copy_as(
        &self,
        hydrant: &Hydrant,
        to: &str,
        options: CopyOptions,
    ) -> hydrant::Result<CopyReport> {
        self.begin(hydrant, to, options).wait()
    }

    fn begin(&self, hydrant: &Hydrant, to: &str, options: CopyOptions) -> Task<CopyReport> {
        let from = self.peer.url().replace("http://", "s3://");
        let source = hydrant.locate(&format!("{from}/{BUCKET}/source")).expect("a URI");
        let target = hydrant.locate(to).expect("a URI");
        copy(&source, &target, options)
    }

    /// Copies until part `from`, and leaves what has come.
    fn copy_some(&self, world: &World, hydrant: &Hydrant, to: &str, from: usize) {
        self.refused_from.store(from, SeqCst);
        let error = self.copy(hydrant, to).expect_err("a part is refused");
        assert!(matches!(error.kind(), ErrorKind::Kept { .. }), "{error}");
        assert!(error.to_string().contains("403"), "{error}");
        assert_eq!(world.files(), 2, "a temporary and its journal");
        assert!(!world.file("target").exists());
        self.refused_from.store(usize::MAX, SeqCst);
    }
}

#[test]
fn a_copy_is_carried_on_and_fetches_only_what_is_missing() {
    for scheme in ["file", "direct"] {
        let (world, source) = (World::new(), Source::start());
        let (hydrant, to) = (world.client(), world.uri(scheme, "target"));
        source.copy_some(&world, &hydrant, &to, 4);
        let before = source.peer.seen().len();
        let report = source.copy(&hydrant, &to).expect("carried on");
        // The first part is read to learn what the object is.
        assert_eq!(report.resumed_bytes, 3 * PART as u64, "{scheme}");
        let asked = source.peer.seen().split_off(before);
        let (heads, gets): (Vec<_>, Vec<_>) = asked.iter().partition(|it| it.method == "HEAD");
        assert_eq!(gets.len(), PARTS - 3, "{scheme}");
        assert_eq!(heads.len(), 1, "what was kept is compared with the rest (DATA-2)");
        assert_eq!((report.began_anew, report.crc64nvme), (None, Some(Crc64::of(&source.data()))));
        expect_done(&world, &source);
    }
}

/// Past the page cache the last part is padded to whole blocks; it must not stay so.
#[test]
fn what_was_begun_past_the_page_cache_is_carried_on_through_it() {
    let (world, source) = (World::new(), Source::start());
    let hydrant = world.client();
    // All parts have come when a folder stands where the file is to be.
    let (folder, size) = (world.file("target"), source.data().len() as u64);
    let progress: Progress = Arc::new(move |done, _| {
        if done == size {
            std::fs::create_dir(&folder).expect("made");
        }
    });
    let options = CopyOptions { progress: Some(progress), ..source.how() };
    let error = source.copy_as(&hydrant, &world.uri("direct", "target"), options);
    let error = error.expect_err("a folder is in the way");
    assert!(matches!(error.kind(), ErrorKind::Kept { .. }), "{error}");
    std::fs::remove_dir(world.file("target")).expect("removed");
    let report = source.copy(&hydrant, &world.uri("file", "target")).expect("carried on");
    assert_eq!(report.resumed_bytes, size - PART as u64);
    expect_done(&world, &source);
}

#[test]
fn an_object_that_has_changed_is_begun_anew_and_that_is_said() {
    let (world, source) = (World::new(), Source::start());
    let (hydrant, to) = (world.client(), world.uri("file", "target"));
    source.copy_some(&world, &hydrant, &to, 4);
    *source.object.lock().expect("no panic") = (noise(2, PARTS * PART - 99), "\"two\"");
    let report = source.copy(&hydrant, &to).expect("copied");
    assert!(report.began_anew.is_some_and(|why| why.contains("has changed")));
    assert_eq!(report.resumed_bytes, 0);
    expect_done(&world, &source);
}

#[test]
fn what_was_kept_and_is_broken_is_fetched_again() {
    let (world, source) = (World::new(), Source::start());
    let (hydrant, to) = (world.client(), world.uri("file", "target"));
    source.copy_some(&world, &hydrant, &to, 5);
    let kept = kept(&world, ".tmp");
    let mut bytes = std::fs::read(&kept).expect("a temporary");
    bytes[2 * PART + 7] ^= 1;
    std::fs::write(&kept, bytes).expect("written");
    let report = source.copy(&hydrant, &to).expect("carried on");
    assert_eq!(report.resumed_bytes, 3 * PART as u64);
    expect_done(&world, &source);

    // A temporary that is gone, and a journal that says nothing.
    for (end, resumed) in [(".tmp", 0), (".jnl", 0)] {
        std::fs::remove_file(world.file("target")).expect("removed");
        source.copy_some(&world, &hydrant, &to, 3);
        match end {
            ".tmp" => std::fs::remove_file(self::kept(&world, end)).expect("removed"),
            _ => std::fs::write(self::kept(&world, end), b"nonsense").expect("written"),
        }
        let report = source.copy(&hydrant, &to).expect("copied");
        assert_eq!((report.resumed_bytes, report.began_anew.is_some()), (resumed, true), "{end}");
        expect_done(&world, &source);
    }
}

/// DATA-2. The journal notes what had come, whether it was right or not: only all parts together tell.
#[test]
fn what_came_wrong_and_was_kept_is_not_believed() {
    for scheme in ["file", "direct", "s3"] {
        let (world, source) = (World::new(), Source::start());
        let (hydrant, to) = (world.client(), world.uri(scheme, "target"));
        source.tells.store(true, SeqCst);
        source.flips.store(1, SeqCst);
        source.refused_from.store(4, SeqCst);
        let error = source.copy(&hydrant, &to).expect_err("a part is refused");
        assert!(matches!(error.kind(), ErrorKind::Kept { .. }), "{error}");
        source.refused_from.store(usize::MAX, SeqCst);
        assert_eq!(source.flips.load(SeqCst), 0, "the third part has come, wrong");
        let report = source.copy(&hydrant, &to).expect("read once more");
        let why = report.began_anew.expect("told");
        assert!(why.contains("CRC64NVME"), "{why}");
        assert_eq!(report.resumed_bytes, 0);
        assert_eq!(report.crc64nvme, Some(Crc64::of(&source.data())));
        match scheme {
            "s3" => expect_uploaded(&world, &source.data()),
            _ => expect_done(&world, &source),
        }

        // What comes wrong every time is an error, and nothing of it is kept.
        source.flips.store(usize::MAX, SeqCst);
        let to = world.uri(scheme, "wrong");
        let error = source.copy(&hydrant, &to).expect_err("never whole");
        assert!(matches!(error.kind(), ErrorKind::IntegrityOfParts { .. }), "{error}");
        source.flips.store(0, SeqCst);
        let report = source.copy(&hydrant, &to).expect("whole");
        assert_eq!((report.resumed_bytes, report.began_anew), (0, None));
    }
}

#[test]
fn only_one_copy_at_a_time_carries_on() {
    let (world, source) = (World::new(), Source::start());
    let (hydrant, to) = (world.client(), world.uri("file", "target"));
    let held = source.rest.lock().expect("no panic");
    let first = source.begin(&hydrant, &to, source.how());
    wait_until("the first one has begun", || world.files() == 2);
    let error = source.copy(&hydrant, &to).expect_err("the first one is at work");
    assert!(error.to_string().contains("another copy"), "{error}");
    drop(held);
    assert_eq!(first.wait().expect("copied").bytes, source.data().len() as u64);
    expect_done(&world, &source);
}

#[test]
fn what_cannot_be_carried_on_is_refused_at_once() {
    let (world, source) = (World::new(), Source::start());
    let hydrant = world.client();
    let error = source.copy(&hydrant, &world.uri("mem", "target")).expect_err("not in memory");
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
}

/// A server that is slow enough to give a copy up in the middle, and a file to send there.
fn slow_world(data: &[u8]) -> World {
    let world = World::with(tempfile::tempdir().expect("a folder"), |config| {
        config.throttle_bytes_per_second = Some(10 << 20);
    });
    std::fs::write(world.file("source"), data).expect("a file");
    world
}

fn upload(world: &World, hydrant: &Hydrant, options: CopyOptions) -> hydrant::Result<CopyReport> {
    from(world, hydrant, "file", options).wait()
}

/// Copies to an object.
fn from(world: &World, hydrant: &Hydrant, scheme: &str, options: CopyOptions) -> Task<CopyReport> {
    let source = hydrant.locate(&world.uri(scheme, "source")).expect("a URI");
    let target = hydrant.locate(&world.uri("s3", "target")).expect("a URI");
    copy(&source, &target, options)
}

fn keeping() -> CopyOptions {
    CopyOptions { on_failure: OnFailure::Keep, connections: Some(1), ..CopyOptions::default() }
}

/// Sends parts until so many have come, and gives the copy up.
fn upload_some(world: &World, hydrant: &Hydrant, parts: usize) {
    some_from(world, hydrant, "file", keeping(), parts);
}

/// The same from any store.
fn some_from(world: &World, hydrant: &Hydrant, scheme: &str, how: CopyOptions, parts: usize) {
    let (come, given_up) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, may_go_on) = (Arc::clone(&come), Arc::clone(&given_up));
    // Holds its core, so that the copy gets no further until it is given up.
    let progress: Progress = Arc::new(move |_, _| {
        if count.fetch_add(1, SeqCst) + 1 >= parts {
            wait_until("the copy is given up", || may_go_on.load(SeqCst));
        }
    });
    let how = CopyOptions { progress: Some(progress), ..how };
    let task = from(world, hydrant, scheme, how);
    wait_until("some parts have come", || come.load(SeqCst) >= parts);
    drop(task);
    given_up.store(true, SeqCst);
    // The next copy may begin when this one has let go of the journal.
    wait_until("it is given up", || {
        let journals = world.journals();
        assert_eq!((journals.len(), world.uploads()), (1, 1));
        let file = std::fs::File::open(&journals[0]).expect("a journal");
        file.try_lock().is_ok()
    });
    assert!(!world.object("target").exists());
}

fn expect_uploaded(world: &World, data: &[u8]) {
    assert!(std::fs::read(world.object("target")).expect("an object") == data);
    assert_eq!((world.uploads(), world.journals().len()), (0, 0));
}

#[test]
fn an_upload_is_carried_on_and_sends_only_what_is_missing() {
    let data = noise(1, PARTS * PART - 99);
    let world = slow_world(&data);
    let hydrant = world.client();
    upload_some(&world, &hydrant, 4);
    let report = upload(&world, &hydrant, keeping()).expect("carried on");
    // The first part is read to learn what the object is, and sent.
    assert!(report.resumed_bytes >= 3 * PART as u64, "{}", report.resumed_bytes);
    assert_eq!((report.began_anew, report.crc64nvme), (None, Some(Crc64::of(&data))));
    expect_uploaded(&world, &data);
}

/// A server that copies slowly, an object on it, and what has its parts copied by the server.
fn slow_copies(data: &[u8]) -> (World, CopyOptions) {
    let world = slow_world(data);
    std::fs::write(world.object("source"), data).expect("an object");
    (world, CopyOptions { part_size_bytes: Some(PART as u64), ..keeping() })
}

#[test]
fn a_copy_by_the_server_is_carried_on_and_copies_only_what_is_missing() {
    let data = noise(1, PARTS * PART - 99);
    let (world, how) = slow_copies(&data);
    let hydrant = world.client();
    some_from(&world, &hydrant, "s3", how.clone(), 4);
    let before = world.server().stats().put;
    let report = from(&world, &hydrant, "s3", how).wait().expect("carried on");
    let resumed = (report.resumed_bytes / PART as u64) as usize;
    assert!((4..PARTS).contains(&resumed), "{} bytes", report.resumed_bytes);
    // The one that was under way when the first copy was given up may be counted late.
    let (copied, missing) = (world.server().stats().put - before, (PARTS - resumed) as u64);
    assert!((missing..=missing + 1).contains(&copied), "{copied} were copied, {missing} missing");
    assert_eq!((report.way, report.began_anew), (CopyWay::OnServer, None));
    assert_eq!((report.bytes, report.parts), (data.len() as u64, PARTS as u64));
    expect_uploaded(&world, &data);
}

#[test]
fn a_copy_by_the_server_of_what_has_changed_is_begun_anew_and_that_is_said() {
    let (world, how) = slow_copies(&noise(1, PARTS * PART - 99));
    let hydrant = world.client();
    some_from(&world, &hydrant, "s3", how.clone(), 2);
    let data = noise(2, PARTS * PART - 99);
    std::fs::write(world.object("source"), &data).expect("an object");
    let report = from(&world, &hydrant, "s3", how).wait().expect("copied");
    assert!(report.began_anew.is_some_and(|why| why.contains("has changed")));
    assert_eq!((report.resumed_bytes, report.way), (0, CopyWay::OnServer));
    expect_uploaded(&world, &data);
}

/// Of parts that the server has copied nobody knows the checksums, which the other way tells.
#[test]
fn what_the_server_has_begun_is_not_carried_on_by_others() {
    let data = noise(1, PARTS * PART - 99);
    let (world, how) = slow_copies(&data);
    let hydrant = world.client();
    let way = |streamed| CopyOptions { streamed, ..how.clone() };
    some_from(&world, &hydrant, "s3", way(false), 1);
    let report = from(&world, &hydrant, "s3", way(true)).wait().expect("copied");
    assert!(report.began_anew.is_some_and(|why| why.contains("in another way")));
    assert_eq!((report.resumed_bytes, report.crc64nvme.is_some()), (0, true));
    expect_uploaded(&world, &data);
}

/// A server that copies no parts would throw away with every copy what the one before has moved.
#[test]
fn what_was_streamed_is_carried_on_before_the_server_is_asked_to_copy() {
    let data = noise(1, PARTS * PART - 99);
    let (world, how) = slow_copies(&data);
    let hydrant = world.client();
    let way = |streamed| CopyOptions { streamed, ..how.clone() };
    some_from(&world, &hydrant, "s3", way(true), 4);
    let report = from(&world, &hydrant, "s3", way(false)).wait().expect("copied");
    assert_eq!((report.began_anew, report.way), (None, CopyWay::Streamed));
    assert!(report.fell_back.is_some_and(|why| why.contains("was streamed")));
    // The first part is read to learn what the object is, and sent.
    assert!(report.resumed_bytes >= 3 * PART as u64, "{}", report.resumed_bytes);
    assert_eq!(report.crc64nvme, Some(Crc64::of(&data)));
    expect_uploaded(&world, &data);
}

/// S3 as far as an upload of three parts needs it. The last part is refused while `refuses`, and
/// completions are kept: their heads are among the requests seen.
fn s3_of_an_upload(algorithm: ChecksumAlgorithm, refuses: Arc<AtomicBool>) -> (Peer, Bodies) {
    let (completions, stored) = (Bodies::default(), Mutex::new(BTreeMap::new()));
    let kept = Arc::clone(&completions);
    let peer = Peer::start(move |seen, wire| {
        let body = wire.receive_body()?;
        let number = seen.target.split('&').find_map(|field| field.split_once("partNumber="));
        let (status, document) = match (&*seen.method, number) {
            ("PUT", Some((_, "3"))) if refuses.load(SeqCst) => ("403 Forbidden", String::new()),
            ("PUT", Some((_, number))) => {
                let header = format!("x-amz-checksum-{}", algorithm.name().to_lowercase());
                let told = seen.header(&header).expect("a checksum").to_owned();
                stored.lock().expect("no panic").insert(number.to_owned(), (body.len(), told));
                ("200 OK\r\nETag: \"e\"", String::new())
            }
            ("POST", _) if seen.target.contains("uploads") => {
                ("200 OK", wrapped("InitiateMultipartUploadResult", "<UploadId>U</UploadId>"))
            }
            ("POST", _) => {
                kept.lock().expect("no panic").push(String::from_utf8(body).expect("XML"));
                ("200 OK", wrapped("CompleteMultipartUploadResult", "<ETag>\"e-3\"</ETag>"))
            }
            ("GET", _) => {
                let name = algorithm.name();
                let line = |(number, (bytes, told)): (&String, &(usize, String))| {
                    format!(
                        "<Part><PartNumber>{number}</PartNumber><ETag>\"e\"</ETag><Size>{bytes}</Size>\
                         <Checksum{name}>{told}</Checksum{name}></Part>"
                    )
                };
                let parts: String = stored.lock().expect("no panic").iter().map(line).collect();
                ("200 OK", wrapped("ListPartsResult", &parts))
            }
            other => panic!("{other:?} is not expected"),
        };
        let length = document.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{document}");
        wire.send(head.as_bytes())
    });
    (peer, completions)
}

type Bodies = Arc<Mutex<Vec<String>>>;

fn wrapped(name: &str, inside: &str) -> String {
    format!("<{name}>{inside}</{name}>")
}

/// S3 refuses a completion that does not name the checksums of parts that were sent with one.
#[test]
fn an_upload_keeps_the_checksum_that_it_was_begun_with() {
    let data = noise(1, 3 * PART - 99);
    for algorithm in [ChecksumAlgorithm::Crc64Nvme, ChecksumAlgorithm::Sha256] {
        let world = World::new();
        std::fs::write(world.file("source"), &data).expect("a file");
        let refuses = Arc::new(AtomicBool::new(true));
        let (peer, completions) = s3_of_an_upload(algorithm, Arc::clone(&refuses));
        let hydrant = world.client_with(|builder| {
            builder.s3(|s3| s3.checksums.sent = SentChecksum::Kept(algorithm))
        });
        let source = hydrant.locate(&world.uri("file", "source")).expect("a URI");
        let uri = format!("{}/{BUCKET}/target", peer.url().replace("http://", "s3://"));
        let target = hydrant.locate(&uri).expect("a URI");
        copy(&source, &target, keeping()).wait().expect_err("a part is refused");
        refuses.store(false, SeqCst);
        let report = copy(&source, &target, keeping()).wait().expect("carried on");
        assert!(report.resumed_bytes > 0, "{algorithm:?}");
        let completions = completions.lock().expect("no panic");
        let [document] = &completions[..] else { panic!("{completions:?}") };
        for part in data.chunks(PART) {
            let told = Sum::of(algorithm, part).to_string();
            assert!(document.contains(&told), "{document} has not {told}");
        }
    }
}

#[test]
fn a_source_that_has_changed_is_sent_anew_and_what_had_come_is_aborted() {
    let world = slow_world(&noise(1, PARTS * PART - 99));
    let hydrant = world.client();
    upload_some(&world, &hydrant, 2);
    let data = noise(2, PARTS * PART - 99);
    std::fs::write(world.file("source"), &data).expect("a file");
    let report = upload(&world, &hydrant, keeping()).expect("copied");
    assert!(report.began_anew.is_some_and(|why| why.contains("has changed")));
    assert_eq!(report.resumed_bytes, 0);
    expect_uploaded(&world, &data);
}

/// What is small now goes without parts, by this program or by the server.
#[test]
fn a_source_that_has_become_small_leaves_nothing_of_what_had_come() {
    let data = noise(1, PARTS * PART - 99);
    for scheme in ["file", "s3"] {
        let (world, how) = slow_copies(&data);
        let hydrant = world.client();
        some_from(&world, &hydrant, scheme, how.clone(), 2);
        let small = &data[..PART / 2];
        std::fs::write(world.file("source"), small).expect("a file");
        std::fs::write(world.object("source"), small).expect("an object");
        let report = from(&world, &hydrant, scheme, how.clone()).wait().expect("copied");
        assert_eq!((report.resumed_bytes, report.parts), (0, 1), "{scheme}");
        assert!(report.began_anew.is_some_and(|why| why.contains("in one request")), "{scheme}");
        expect_uploaded(&world, small);
        let again = from(&world, &hydrant, scheme, how).wait().expect("copied");
        assert_eq!(again.began_anew, None, "{scheme}");
    }
}

/// S3 tells nothing of an empty object when it refuses the first range of it.
#[test]
fn an_empty_object_is_copied_by_who_carries_on() {
    let world = World::new();
    let hydrant = world.client();
    std::fs::write(world.object("source"), b"").expect("an object");
    let source = hydrant.locate(&world.uri("s3", "source")).expect("a URI");
    for scheme in ["file", "direct"] {
        let target = hydrant.locate(&world.uri(scheme, "target")).expect("a URI");
        let report = copy(&source, &target, keeping()).wait().expect("copied");
        assert_eq!((report.bytes, world.files()), (0, 1), "{scheme}");
    }
}

#[test]
fn parts_that_are_not_what_was_sent_are_sent_again() {
    let data = noise(1, PARTS * PART - 99);
    let world = slow_world(&data);
    let hydrant = world.client();
    upload_some(&world, &hydrant, 5);
    // Somebody else writes a part of the same upload, as long as ours.
    let client = hydrant.s3(BUCKET).expect("a client");
    let uploads = client.send(ListMultipartUploads::default()).wait().expect("a listing").uploads;
    let [upload_of] = &uploads[..] else { panic!("{uploads:?}") };
    let part = UploadPart::new("target", &upload_of.upload_id, 3, noise(9, PART));
    client.send(part).wait().expect("a part");
    let report = upload(&world, &hydrant, keeping()).expect("carried on");
    let kept = report.resumed_bytes / PART as u64;
    assert!(report.began_anew.is_none() && (3..=4).contains(&kept), "{kept} parts");
    expect_uploaded(&world, &data);
}

#[test]
fn an_upload_that_is_gone_or_has_no_journal_is_begun_anew() {
    let data = noise(1, PARTS * PART - 99);
    for (lost, uploads_after) in [("upload", 0), ("journal", 1), ("head", 1)] {
        let world = slow_world(&data);
        let hydrant = world.client();
        upload_some(&world, &hydrant, 2);
        let journal = world.journals().remove(0);
        match lost {
            "journal" => std::fs::remove_file(journal).expect("removed"),
            "head" => std::fs::write(journal, b"nonsense").expect("written"),
            _ => {
                let mut abort = program(&world, &["uploads", "abort", &world.uri("s3", "target")]);
                assert!(abort.output().expect("ended").status.success());
            }
        }
        let report = upload(&world, &hydrant, keeping()).expect("copied");
        assert_eq!((report.resumed_bytes, report.began_anew.is_some()), (0, lost != "journal"));
        assert!(std::fs::read(world.object("target")).expect("an object") == data);
        // What nobody has noted stays until somebody aborts it.
        assert_eq!((world.uploads(), world.journals().len()), (uploads_after, 0), "{lost}");
    }
}

#[test]
fn the_program_shows_and_aborts_what_was_left() {
    let world = World::new();
    let client = world.client().s3(BUCKET).expect("a client");
    for key in ["foo", "foo/x", "foo.bak", "zoo"] {
        client.send(CreateMultipartUpload::new(key)).wait().expect("begun");
    }
    let lines = |arguments: &[&str]| {
        let output = program(&world, arguments).output().expect("ended");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let bucket = format!("s3://{BUCKET}");
    let named = |lines: &[String]| {
        let keys = lines.iter().map(|line| line.rsplit('/').next().unwrap_or_default().to_owned());
        keys.collect::<Vec<_>>()
    };
    assert_eq!(named(&lines(&["uploads", "ls", &bucket])), ["foo", "foo.bak", "x", "zoo"]);
    let json = lines(&["uploads", "ls", "--json", &format!("{bucket}/foo.")]);
    assert!(json.len() == 1 && json[0].contains("\"key\":\"foo.bak\""), "{json:?}");
    assert!(lines(&["uploads", "abort", "--older-than", "1h", &bucket]).is_empty());
    assert_eq!(named(&lines(&["uploads", "abort", &format!("{bucket}/foo")])), ["foo", "x"]);
    assert_eq!(named(&lines(&["uploads", "ls", &bucket])), ["foo.bak", "zoo"]);
    assert_eq!(lines(&["uploads", "abort", &bucket]).len(), 2);
    assert_eq!(world.uploads(), 0);
}

fn expect_done(world: &World, source: &Source) {
    assert!(std::fs::read(world.file("target")).expect("a file") == source.data());
    assert_eq!(world.files(), 1, "neither temporary nor journal");
}

fn kept(world: &World, end: &str) -> PathBuf {
    let folder = world.file("target");
    let folder = folder.parent().expect("a folder");
    let mut paths = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one"));
    paths
        .find(|entry| entry.file_name().to_string_lossy().ends_with(end))
        .map(|entry| entry.path())
        .expect("it is kept")
}
