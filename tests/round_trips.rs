//! Every size through every pair of stores, in every way there is to read and write.

use hydrant::{Bytes, CopyOptions, GetOptions, Hydrant, ListRequest, Location, PutOptions, copy};
use hydrant_tests::{BUCKET, PART, World, noise, read_all};

const SCHEMES: [&str; 4] = ["s3", "file", "direct", "mem"];
const SIZES: [usize; 7] = [0, 1, 511, 512, PART, PART + 1, 3 * PART + 777];

#[test]
fn what_is_put_comes_back_in_every_way() {
    let world = World::new();
    let hydrant = world.client();
    for (size, scheme) in SIZES.iter().flat_map(|size| SCHEMES.map(|scheme| (*size, scheme))) {
        let data = Bytes::from(noise(size as u64, size));
        let at =
            hydrant.locate(&world.uri(scheme, &format!("put-{scheme}-{size}"))).expect("a URI");
        let meta = at.store.put(&at.key, data.clone()).wait().expect("put");
        assert_eq!(meta.size_bytes, size as u64, "{at}");
        expect_all_reads(&at, &data);
        at.store.delete(&at.key).wait().expect("delete");
        assert!(at.store.head(&at.key).wait().expect_err("gone").is_not_found(), "{at}");
    }
}

#[test]
fn copies_between_all_pairs_of_stores_are_the_same_bytes() {
    let world = World::new();
    let hydrant = world.client();
    for (size, from) in SIZES.iter().flat_map(|size| SCHEMES.map(|from| (*size, from))) {
        let data = Bytes::from(noise(!size as u64, size));
        let source =
            hydrant.locate(&world.uri(from, &format!("from-{from}-{size}"))).expect("a URI");
        source.store.put(&source.key, data.clone()).wait().expect("put");
        for to in SCHEMES {
            let name = format!("to-{from}-{to}-{size}");
            let target = hydrant.locate(&world.uri(to, &name)).expect("a URI");
            // Where nobody else could copy, once is enough.
            let ways = if from == to { vec![false, true] } else { vec![false] };
            for streamed in ways {
                let how = CopyOptions { streamed, ..CopyOptions::default() };
                let report = copy(&source, &target, how).wait();
                let report = report.unwrap_or_else(|error| panic!("{source} to {target}: {error}"));
                assert_eq!(report.bytes, size as u64, "{source} to {target}");
                assert_eq!(report.meta.size_bytes, size as u64, "{source} to {target}");
                assert!(read_all(&target).expect("read") == data, "{source} to {target}");
            }
        }
    }
    assert_eq!(world.uploads(), 0, "an upload was left");
}

#[test]
fn a_stream_may_be_written_in_chunks_of_any_size() {
    let world = World::new();
    let hydrant = world.client();
    for scheme in SCHEMES {
        let tiny = noise(1, 3000);
        write_and_compare(&world, &hydrant, scheme, "one-by-one", &tiny, 1);
        for size in SIZES {
            let data = noise(size as u64, size);
            write_and_compare(&world, &hydrant, scheme, &format!("odd-{size}"), &data, 1_234_567);
        }
    }
}

#[test]
fn bytes_given_away_may_be_longer_than_several_parts() {
    let world = World::new();
    let hydrant = world.client();
    for scheme in SCHEMES {
        let data = Bytes::from(noise(7, 5 * PART + 99));
        // Out of line with the parts at first, then longer than several of them.
        let cuts = [0, 10, 3 * PART + 5, 3 * PART + 6, data.len()];
        let at = hydrant.locate(&world.uri(scheme, "owned")).expect("a URI");
        let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
        for cut in cuts.windows(2) {
            writer.write_owned_wait(data.slice(cut[0]..cut[1])).expect("write");
        }
        assert_eq!(writer.bytes_written(), data.len() as u64);
        let meta = writer.finish_wait().expect("finish");
        assert_eq!(meta.size_bytes, data.len() as u64, "{at}");
        expect_all_reads(&at, &data);
    }
}

#[test]
fn keys_that_look_like_paths_or_urls_are_taken_as_they_are() {
    let keys = [
        "two words",
        "a+b",
        "100%",
        "%41",
        "a//b",
        "/leading",
        "//",
        "trailing/",
        "./x",
        "../x",
        "a/../b",
        "a/./b",
        "new\nline",
        "\u{1f980}/\u{1f4a7}",
        "?q=1&r#f",
        "a=b;c:d@e!$'()*,",
        "back\\slash",
        "\"quoted\"<&>",
        " ",
        "~tilde",
        "\u{7f}\u{1}",
    ];
    let world = World::new();
    let hydrant = world.client();
    let store = hydrant.store(&format!("s3://{BUCKET}/")).expect("a bucket");
    for key in keys {
        let data = Bytes::from(format!("the object {key:?}"));
        let put = store.put(key, data.clone()).wait();
        put.unwrap_or_else(|error| panic!("put {key:?}: {error}"));
    }
    for key in keys {
        let back = store.get_range(key, 0..1000).wait();
        let back = back.unwrap_or_else(|error| panic!("get {key:?}: {error}"));
        assert_eq!(back, format!("the object {key:?}"));
    }
    let mut listed: Vec<_> = store
        .list(ListRequest { entries_max: Some(5), ..ListRequest::default() })
        .entries_wait()
        .map(|entry| entry.expect("a page").key().to_owned())
        .collect();
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    assert_eq!(listed, sorted, "pages are in the order of the keys' bytes");
    for key in listed.drain(..) {
        store.delete(&key).wait().unwrap_or_else(|error| panic!("delete {key:?}: {error}"));
    }
    assert_eq!(store.list(ListRequest::default()).entries_wait().count(), 0);
}

fn write_and_compare(
    world: &World,
    hydrant: &Hydrant,
    scheme: &str,
    name: &str,
    data: &[u8],
    chunk: usize,
) {
    let at = hydrant.locate(&world.uri(scheme, name)).expect("a URI");
    let mut writer = at.store.writer(&at.key, PutOptions::default()).expect("a writer");
    for chunk in data.chunks(chunk) {
        writer.write_wait(chunk).expect("write");
    }
    assert_eq!(writer.finish_wait().expect("finish").size_bytes, data.len() as u64, "{at}");
    assert!(read_all(&at).expect("read") == data, "{at}");
}

/// Head, stream, stream of a range, one buffer from the pool, memory of the caller.
fn expect_all_reads(at: &Location, data: &Bytes) {
    let size = data.len();
    assert_eq!(at.store.head(&at.key).wait().expect("head").size_bytes, size as u64, "{at}");
    assert!(read_all(at).expect("stream") == *data, "streaming {at}");

    let whole = at.store.get_range(&at.key, 0..size as u64 + 5).wait().expect("get_range");
    assert!(whole == *data, "get_range of {at}");

    expect_whole_blocks_at_most(at, data);

    let middle = size / 3..size - size / 4;
    let range = middle.start as u64..middle.end as u64;
    let options = GetOptions { range: Some(range.clone()), ..GetOptions::default() };
    let mut stream = at.store.get(&at.key, options).expect("a stream");
    let mut pieces = Vec::new();
    while let Some(piece) = stream.next_wait() {
        pieces.extend_from_slice(&piece.expect("a piece"));
    }
    assert!(pieces == data[middle.clone()], "streaming {range:?} of {at}");
    let mut memory = vec![0; middle.len()];
    let count = at.store.get_into(&at.key, range.start, &mut memory).expect("get_into");
    assert!(count == middle.len() && memory == data[middle], "get_into {range:?} from {at}");
}

/// Memory with room behind the object, aligned and not: O_DIRECT reads whole blocks, and behind the
/// end of a file the kernel fills the last of them with zeros; nothing else is touched.
fn expect_whole_blocks_at_most(at: &Location, data: &Bytes) {
    const BLOCK: usize = 4096;
    let size = data.len();
    let mut memory = vec![0xee; size + 3 * BLOCK];
    let aligned = memory.as_ptr().align_offset(BLOCK);
    for start in [aligned, aligned + 1] {
        let memory = &mut memory[start..start + size + BLOCK + 100];
        memory.fill(0xee);
        let count = at.store.get_into(&at.key, 0, memory).expect("get_into");
        assert!(count == size && memory[..size] == data[..], "get_into from {at}");
        let is_direct = at.to_string().starts_with("direct:");
        let end_of_block = if is_direct { size.next_multiple_of(BLOCK) } else { size };
        let (block, behind) = memory[size..].split_at(end_of_block - size);
        assert!(block.iter().all(|byte| [0, 0xee].contains(byte)), "{at}: in the last block");
        assert!(behind.iter().all(|byte| *byte == 0xee), "{at}: behind the last block");
    }
}
