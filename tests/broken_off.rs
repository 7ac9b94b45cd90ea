//! Bodies that break off, and come wrong before or behind that: they are carried on, and compared as a
//! whole (DATA-2). What is written meanwhile is written over, or never seen (DATA-3).

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use hydrant::s3::GetObject;
use hydrant::{ChecksumAlgorithm, Class, CopyOptions, Crc64, Hydrant, Location, Sum, copy};
use hydrant_tests::{BUCKET, PART, Peer, client_with, noise, read_all};

#[test]
fn a_body_that_breaks_off_is_compared_as_a_whole() {
    // In the first of the pieces that it is received in, and in the third.
    for (bytes, cut) in [(50_000, 20_000), (5 << 20, 2_500_000)] {
        let data = noise(1, bytes);
        for chunks in [None, Some(700_000)] {
            // No bit is wrong; one is, once, before the cut or behind it; one is each time.
            let wrong_once = [Some(cut - 7), Some(cut + 7)];
            for (wrong, times) in
                [(None, 0), (wrong_once[0], 1), (wrong_once[1], 1), (wrong_once[1], 9)]
            {
                let peer = breaking_off(data.clone(), cut, chunks, wrong, times);
                let (_hydrant, at) = object(&peer);
                match read_all(&at) {
                    Ok(back) => assert!(times < 9 && back == data),
                    Err(error) => {
                        assert!(times == 9 && error.class() == Class::Integrity, "{error}")
                    }
                }
            }
        }
    }
}

/// Its second answer is about another version, which is larger, and then a smaller one.
#[test]
fn an_object_that_was_replaced_meanwhile_is_the_last_one_whole() {
    for sizes in [[5_000, 40_000, 40_000], [5_000, 40_000, 300], [40_000, 5_000, 40_000]] {
        let peer = Peer::start(move |seen, wire| {
            let data = noise(seen.number as u64, sizes[seen.number]);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", data.len());
            wire.send(head.as_bytes())?;
            if seen.number < 2 {
                wire.send(&data[..200])?;
                wire.close();
                return Ok(());
            }
            wire.send(&data)
        });
        let hydrant = client_with(&peer.url(), |builder| builder.cores(1));
        let client = hydrant.s3(BUCKET).expect("a bucket");
        let got = client.get_object(GetObject::new("key"), 64 << 10).wait().expect("the third");
        assert!(got.1 == noise(2, sizes[2]), "{sizes:?}");
        assert_eq!(peer.seen().len(), 3);
    }
}

/// What a file is copied from comes wrong or breaks off when pieces of it have been written already.
#[test]
fn pieces_that_came_wrong_are_written_over() {
    let data = noise(2, 2 * PART + 3_000_000);
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("copy");
    // In the middle of a piece and at the end of one; as it is, and in chunks large and small.
    let (middle, end) = (PART + 2_500_000, PART + (2 << 20));
    let ways = [
        ("file", middle, None),
        ("direct", middle, None),
        ("direct", end, None),
        ("direct", middle, Some(700_000)),
        ("direct", end, Some(1 << 20)),
        ("direct", middle, Some(5_000)),
    ];
    for (scheme, cut, chunks) in ways {
        let wrongs = [
            (None, 0),
            (Some(PART + 9), 1),
            (Some(cut - 7), 1),
            (Some(cut + 7), 1),
            (Some(cut + 7), 99),
        ];
        for (wrong, times) in wrongs {
            let peer = breaking_off(data.clone(), cut, chunks, wrong, times);
            let (hydrant, at) = object(&peer);
            let to = hydrant.locate(&format!("{scheme}://{}", target.display())).expect("a URI");
            match copy(&at, &to, CopyOptions::default()).wait() {
                Ok(report) => {
                    assert!(times < 99);
                    assert_eq!(report.crc64nvme, Some(Crc64::of(&data)));
                    assert!(std::fs::read(&target).expect("copied") == data, "{wrong:?}");
                    std::fs::remove_file(&target).expect("removed");
                }
                Err(error) => {
                    assert!(times == 99 && error.class() == Class::Integrity, "{error}");
                    let left = std::fs::read_dir(folder.path()).expect("a folder").count();
                    assert_eq!(left, 0, "DATA-3");
                }
            }
        }
    }
}

/// They tell another checksum than all of it has, which nobody knew when their bytes began to come.
#[test]
fn ranges_in_pieces_are_compared_with_what_they_tell() {
    let data = noise(3, 3 * PART);
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("copy");
    for times in [0, 1, 99] {
        let (served, flipped) = (data.clone(), AtomicUsize::new(0));
        let peer = Peer::start(move |seen, wire| {
            let whole = format!("x-amz-checksum-crc64nvme: {}", Sum::from(Crc64::of(&served)));
            if seen.method == "HEAD" {
                let size = served.len();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: \"v1\"");
                return wire.send(format!("{head}\r\n{whole}\r\n\r\n").as_bytes());
            }
            let (head, body) = seen.ranged(&served, "\"v1\"");
            let first = seen.range().expect("a ranged GET").0;
            let of_range = Sum::of(ChecksumAlgorithm::Sha256, body);
            let told =
                if first == 0 { whole } else { format!("x-amz-checksum-sha256: {of_range}") };
            let mut body = body.to_vec();
            if first == PART && flipped.fetch_add(1, SeqCst) < times {
                body[2_500_000] ^= 1;
            }
            let head = head.strip_suffix("\r\n").expect("a head ends so");
            wire.send(format!("{head}{told}\r\n\r\n").as_bytes())?;
            wire.send(&body)
        });
        let (hydrant, at) = object(&peer);
        let to = hydrant.locate(&format!("direct://{}", target.display())).expect("a URI");
        match copy(&at, &to, CopyOptions::default()).wait() {
            Ok(_) => {
                assert!(times < 99 && std::fs::read(&target).expect("copied") == data);
                std::fs::remove_file(&target).expect("removed");
            }
            Err(error) => assert!(times == 99 && error.class() == Class::Integrity, "{error}"),
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "DATA-3");
    }
}

/// Serves an object whose answers break off at `cut` where they do not begin there. Those from its start tell
/// the checksum of all of it, others that of their bytes. The bit at `wrong` is flipped in so many answers that
/// bring it.
fn breaking_off(
    data: Vec<u8>,
    cut: usize,
    chunks: Option<usize>,
    wrong: Option<usize>,
    times: usize,
) -> Peer {
    let sum = Sum::from(Crc64::of(&data)).to_string();
    let flipped = AtomicUsize::new(0);
    Peer::start(move |seen, wire| {
        let (first, last) = seen.range().expect("a ranged GET");
        let last = last.min(data.len() - 1);
        let mut body = data[first..=last].to_vec();
        let come =
            if (first..=last).contains(&cut) && first < cut { cut - first } else { body.len() };
        let at = wrong.and_then(|at| at.checked_sub(first)).filter(|at| *at < come);
        if let Some(at) = at.filter(|_| flipped.fetch_add(1, SeqCst) < times) {
            body[at] ^= 1;
        }
        let framing = match chunks {
            Some(_) => "Transfer-Encoding: chunked".to_owned(),
            None => format!("Content-Length: {}", body.len()),
        };
        let of_range = Sum::from(Crc64::of(&data[first..=last])).to_string();
        let told = if first == 0 { &sum } else { &of_range };
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\n{framing}\r\nETag: \"v1\"\r\n\
             x-amz-checksum-crc64nvme: {told}\r\nContent-Range: bytes {first}-{last}/{}\r\n\r\n",
            data.len()
        );
        wire.send(head.as_bytes())?;
        let step = chunks.unwrap_or(body.len());
        for start in (0..come).step_by(step) {
            let end = body.len().min(start + step);
            if chunks.is_some() {
                wire.send(format!("{:x}\r\n", end - start).as_bytes())?;
            }
            wire.send(&body[start..end.min(come)])?;
            // Where a chunk ends there, the body ends as if that were all of it.
            if end > come {
                wire.close();
                return Ok(());
            }
            if chunks.is_some() {
                wire.send(b"\r\n")?;
            }
        }
        if chunks.is_some() { wire.send(b"0\r\n\r\n") } else { Ok(()) }
    })
}

fn object(peer: &Peer) -> (Hydrant, Location) {
    let hydrant = client_with(&peer.url(), |builder| builder);
    let at = hydrant.locate(&format!("s3://{BUCKET}/key")).expect("a URI");
    (hydrant, at)
}
