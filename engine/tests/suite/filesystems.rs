//! The tests of files on each file system that people keep objects on: ext4, xfs and btrfs on loop
//! devices, tmpfs, and ramfs, which refuses O_DIRECT.

use std::path::{Path, PathBuf};
use std::process::Command;

use hydrant_engine::testing::not_tested;
use hydrant_engine::{Direct, File, OpenOptions};

use crate::host::{TEST_DIR, config, directory, kernels};

/// Whether O_DIRECT is granted there: `yes`, `no`, or `any` where that depends on the kernel.
const DIRECT: &str = "HYDRANT_TEST_DIRECT";

/// Enough for the smallest xfs (300 MiB); sparse, so that the disk sees what is written only.
const IMAGE_BYTES: u64 = 512 << 20;

#[test]
fn ext4() {
    on_image("ext4", &["mkfs.ext4", "-q", "-F"]);
}

#[test]
fn xfs() {
    on_image("xfs", &["mkfs.xfs", "-q", "-f"]);
}

#[test]
fn btrfs() {
    on_image("btrfs", &["mkfs.btrfs", "-q", "-f"]);
}

#[test]
fn tmpfs() {
    on_memory("tmpfs", "any");
}

#[test]
fn ramfs() {
    on_memory("ramfs", "no");
}

/// O_DIRECT is granted or refused as this file system does, and either way that is told.
#[test]
fn direct_io_is_granted_or_told() {
    let expected = std::env::var(DIRECT).unwrap_or_else(|_| "any".into());
    for mut host in kernels(&config()) {
        let expected = expected.clone();
        host.run(move |core, place| async move {
            let options = OpenOptions::new().write().create().direct(true);
            let file = File::open(&core, &place.path("direct"), &options).await.expect("made");
            match (expected.as_str(), file.direct()) {
                ("yes" | "any", Direct::Yes { memory_align, offset_align }) => {
                    assert!(memory_align.is_power_of_two() && offset_align.is_power_of_two());
                    assert!(offset_align >= 512, "a sector at least: {offset_align}");
                }
                ("no" | "any", Direct::Refused) => {}
                other => panic!("{other:?}"),
            }
        });
        host.finish();
    }
}

fn on_image(name: &str, make: &[&str]) {
    let dir = directory();
    let image = dir.path().join("image");
    let file = std::fs::File::create(&image).expect("made");
    file.set_len(IMAGE_BYTES).expect("sized");
    if !may_mount(name) {
        return;
    }
    run(Command::new(make[0]).args(&make[1..]).arg(&image));
    let mut mount = Command::new("mount");
    mount.args(["-t", name, "-o", "loop"]).arg(&image);
    suite_there(mount, dir.path().join("mounted"), "yes");
}

fn on_memory(name: &str, direct: &str) {
    let dir = directory();
    if !may_mount(name) {
        return;
    }
    let mut mount = Command::new("mount");
    mount.args(["-t", name, "none"]);
    suite_there(mount, dir.path().join("mounted"), direct);
}

/// Runs the tests of files in a copy of this program, with its directories on the mounted system.
fn suite_there(mut mount: Command, at: PathBuf, direct: &str) {
    std::fs::create_dir(&at).expect("made");
    run(mount.arg(&at));
    let mounted = Mounted(&at);
    let mut copy = Command::new(std::env::current_exe().expect("this program"));
    copy.args(["files::", "lengths::", "dropped::on_the_kernel", "filesystems::direct_io"]);
    copy.env(TEST_DIR, &at).env(DIRECT, direct).env("HYDRANT_SEEDS", "1");
    let output = copy.output().expect("started");
    drop(mounted);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}: {text}", output.status);
    assert!(text.contains("test result: ok"), "{text}");
}

/// Mounting is for root alone; one that may not says so.
fn may_mount(name: &str) -> bool {
    // SAFETY: reads the effective user of this process.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        not_tested(format_args!("files on {name}, which takes root to mount it"));
    }
    root
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0).status();
        assert!(
            std::thread::panicking() || unmounted.is_ok_and(|status| status.success()),
            "{} stays mounted",
            self.0.display()
        );
    }
}
