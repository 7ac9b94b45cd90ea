//! Files that are cut, grow and have holes: what was not written is zeros, and what was cut off does not come back.

use hydrant_engine::{Buf, Core, File, OpenOptions};

use crate::host::{Place, check, filled, lease, memory, on_all};

const BLOCK: usize = 4096;

async fn make(core: &Core, place: &Place, name: &str, direct: bool) -> File {
    let options = OpenOptions::new().read().write().create_new().direct(direct);
    File::open(core, &place.path(&format!("{name}-{direct}")), &options).await.expect("made")
}

async fn write(core: &Core, file: &File, size: usize, seed: u64, offset: usize) {
    let data = filled(core, size, seed).await;
    let (written, _) = file.write_at(core, data, 0..size, offset as u64).await;
    assert_eq!(written.expect("written"), size);
}

async fn set_len(core: &Core, file: &File, len: usize) {
    file.set_len(core, len as u64).await.expect("set");
    assert_eq!(file.metadata(core).await.expect("statx").len_bytes, len as u64);
}

/// All of the file, which has `len` bytes.
async fn whole(core: &Core, file: &File, len: usize) -> Buf {
    let room = lease(core, len.next_multiple_of(BLOCK) + BLOCK).await;
    let (read, back) = file.read_at(core, room, 0..len + 1, 0).await;
    assert_eq!(read.expect("read"), len);
    back
}

#[track_caller]
fn check_zeros(bytes: &[u8]) {
    assert_eq!(bytes.iter().position(|&byte| byte != 0), None, "of {} bytes", bytes.len());
}

#[test]
fn what_was_cut_off_is_zeros_when_the_file_grows_again() {
    on_all(|core, place| async move {
        for direct in [false, true] {
            let file = make(&core, &place, "cut", direct).await;
            write(&core, &file, 5 * BLOCK, 3, 0).await;
            set_len(&core, &file, 5001).await;
            check(&memory(&mut whole(&core, &file, 5001).await)[..5001], 3);
            set_len(&core, &file, 20_000).await;
            let mut all = whole(&core, &file, 20_000).await;
            check(&memory(&mut all)[..5001], 3);
            check_zeros(&memory(&mut all)[5001..20_000]);
            set_len(&core, &file, 0).await;
            set_len(&core, &file, 1).await;
            check_zeros(&memory(&mut whole(&core, &file, 1).await)[..1]);
        }
    });
}

#[test]
fn what_nobody_wrote_between_two_writes_is_zeros() {
    on_all(|core, place| async move {
        for direct in [false, true] {
            let file = make(&core, &place, "holes", direct).await;
            write(&core, &file, 5000, 5, 0).await;
            // With O_DIRECT the block before it is padded, and else there is a hole.
            write(&core, &file, 3000, 6, 2 * BLOCK).await;
            write(&core, &file, BLOCK, 7, 10 * BLOCK).await;
            let mut all = whole(&core, &file, 11 * BLOCK).await;
            let bytes = &memory(&mut all)[..11 * BLOCK];
            check(&bytes[..5000], 5);
            check_zeros(&bytes[5000..2 * BLOCK]);
            check(&bytes[2 * BLOCK..2 * BLOCK + 3000], 6);
            check_zeros(&bytes[2 * BLOCK + 3000..10 * BLOCK]);
            check(&bytes[10 * BLOCK..], 7);
        }
    });
}
