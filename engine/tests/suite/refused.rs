//! What the kernel refuses is done another way and told (FALL-1); what cannot be done is refused
//! with words that help; a forked child is told so (FORK-1).

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use hydrant_engine::testing::{NOT_TESTED, not_tested};
use hydrant_engine::{
    CORES_MAX, Core, DriverChoice, Engine, Error, FeatureState, File, OpenOptions, RecvMode,
    Service, TcpListener, TcpStream, ZeroCopyChoice, block_on,
};

use crate::host::{
    Host, LIMIT, WITHOUT_URING, check, config, filled, join, kernels, lease, memory,
};

/// Tells a copy of this test, in a process of its own, that it is the child.
const CHILD: &str = "HYDRANT_TEST_CHILD";

const NOBODY: u32 = 65_534;

#[test]
fn an_ordinary_user_gets_an_arena_that_is_not_registered() {
    if std::env::var_os(CHILD).is_some() {
        return ordinary_user();
    }
    let one = ["--exact", "refused::an_ordinary_user_gets_an_arena_that_is_not_registered"];
    let text = AsOrdinaryUser::new().run(&one);
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
fn a_limit_that_another_engine_uses_up_is_told_when_it_is_met() {
    if std::env::var_os(CHILD).is_some() {
        return a_second_engine();
    }
    if !is_root() {
        // The limit is for all processes of a user, and other tests run as this one.
        return not_tested("two engines under one limit, which takes root to be a user alone");
    }
    let one = ["--exact", "refused::a_limit_that_another_engine_uses_up_is_told_when_it_is_met"];
    let text = AsOrdinaryUser::new().run_as(NOBODY - 1, &one);
    assert!(text.contains("1 passed"), "{text}");
}

/// Everything but this room, which would start itself without end, and what root alone can do.
const SUITE: [&str; 4] = ["--skip", "refused::", "--skip", "filesystems::"];

#[test]
fn the_suite_passes_for_an_ordinary_user_with_8_mib_of_locked_memory() {
    let text = AsOrdinaryUser::new().run(&SUITE);
    assert!(text.contains("stopping::with_everything_in_flight_on_the_kernel ... ok"), "{text}");
}

#[test]
fn the_suite_passes_where_a_filter_refuses_io_uring() {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(SUITE).env(WITHOUT_URING, "1").env("HYDRANT_SEEDS", SEEDS_OF_A_CHILD);
    // SAFETY: the child only makes system calls between fork and exec.
    let command = unsafe {
        command.pre_exec(|| {
            forbid_io_uring();
            Ok(())
        })
    };
    let text = passed(command);
    assert!(text.contains("dropped::on_the_kernel ... ok"), "{text}");
}

/// The seeds are no matter of rights, and the parent runs them all.
const SEEDS_OF_A_CHILD: &str = "5";

/// As many as a negative number from C; the memory for their inboxes alone would end the process.
#[test]
fn more_cores_than_any_machine_has_are_refused() {
    for cores in [CORES_MAX + 1, u32::MAX as usize] {
        let refused = Engine::builder().cores(cores).start().map(drop);
        assert!(matches!(&refused, Err(Error::InvalidInput(text)) if text.contains("1024")));
    }
}

/// This program, copied to where anybody may run it.
struct AsOrdinaryUser {
    dir: tempfile::TempDir,
}

impl AsOrdinaryUser {
    fn new() -> AsOrdinaryUser {
        let dir = tempfile::tempdir().expect("a directory");
        let copy = dir.path().join("suite");
        let this = std::env::current_exe().expect("this program");
        // By another process: a descriptor of ours that is open for writing may live on for a moment in a
        // child that another test forks, and what is written to cannot be executed.
        assert!(Command::new("cp").arg(this).arg(&copy).status().expect("started").success());
        for path in [dir.path(), &copy] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("ours");
        }
        AsOrdinaryUser { dir }
    }

    fn run(&self, arguments: &[&str]) -> String {
        self.run_as(NOBODY, arguments)
    }

    fn run_as(&self, uid: u32, arguments: &[&str]) -> String {
        let mut command = Command::new("sh");
        // The soft limit alone, so that an ordinary user may run this too.
        command.args(["-c", "ulimit -S -l 8192 && exec \"$@\"", "sh"]);
        command.arg(self.dir.path().join("suite")).args(arguments).arg("--nocapture");
        command.env(CHILD, "1").env("HYDRANT_SEEDS", SEEDS_OF_A_CHILD).current_dir("/");
        if is_root() {
            command.uid(uid).gid(uid);
        }
        passed(&mut command)
    }
}

fn passed(command: &mut Command) -> String {
    // What it leaves out, this process does.
    let output = command.env_remove(NOT_TESTED).output().expect("started");
    let (out, err) = (&output.stdout, &output.stderr);
    let text = String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err);
    assert!(output.status.success(), "{}: {text}", output.status);
    text
}

fn ordinary_user() {
    let builder = Engine::builder().cores(1).pool_bytes(32 << 20).driver(DriverChoice::Uring);
    let engine = builder.start().expect("io_uring");
    let capabilities = engine.capabilities().clone();
    assert_eq!(capabilities.memlock_limit_bytes, Some(8 << 20));
    assert!(!capabilities.buffers_registered(), "{capabilities:?}");
    let arena = capabilities.features.iter().find(|feature| feature.name == "arena registered");
    let FeatureState::Refused(why) = &arena.expect("noted").state else { panic!("granted") };
    assert!(why.contains("33554432") && why.contains("8388608"), "need and limit: {why}");
    assert!(why.contains("ulimit -l"), "a way out: {why}");
    let large = engine.register_memory(vec![0u8; 32 << 20]).expect("from outside");
    let why = large.registration().refused().expect("beyond the limit");
    assert!(why.contains("33554432") && why.contains("8388608"), "need and limit: {why}");
    assert!(why.contains("ulimit -l"), "a way out: {why}");
    assert_eq!(engine.metrics().fallbacks_unregistered_memory, 1);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file");
    let task = engine.on_core(0, move |core| async move {
        let options = OpenOptions::new().read().write().create().direct(true);
        let file = File::open(&core, &path, &options).await.expect("made");
        let data = filled(&core, 1 << 20, 1).await;
        file.write_at(&core, data, 0..1 << 20, 0).await.0.expect("written");
        let room = lease(&core, 1 << 20).await;
        let (read, mut room) = file.read_at(&core, room, 0..1 << 20, 0).await;
        assert_eq!(read.expect("read"), 1 << 20);
        check(&memory(&mut room)[..1 << 20], 1);
    });
    task.expect("spawned").wait().expect("the I/O works");
    let metrics = engine.metrics();
    assert_eq!(metrics.file_bytes_registered, 0);
    assert_eq!(metrics.file_bytes_unregistered, 2 << 20);
    if capabilities.has("zero-copy send") {
        zero_copy_beyond_the_limit(&engine);
    }
}

/// The kernel locks what a zero-copy send reads and is not registered: more than the limit goes with a copy
/// (FALL-1), and is counted once for the connection.
fn zero_copy_beyond_the_limit(engine: &Engine) {
    const BYTES: usize = 16 << 20;
    let task = engine.on_core(0, |core| async move {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("loopback");
        let connect = TcpStream::connect(&core, listener.local_addr(), LIMIT);
        let (near, far) = join(connect, listener.accept(&core)).await;
        let (near, far) = (near.expect("connected"), far.expect("accepted"));
        near.set_zero_copy(ZeroCopyChoice::On);
        let mut data = filled(&core, BYTES, 1).await.into();
        let mut room = filled(&core, 4096, 2).await.into();
        for _ in 0..2 {
            let sending = near.send(data, 0..BYTES, false, LIMIT);
            let receiving = async {
                let mut left = BYTES;
                while left > 0 {
                    let received;
                    (received, room) = far.recv(room, 0..4096, RecvMode::Some, LIMIT).await;
                    left -= received.expect("received");
                }
                room
            };
            let (sent, back) = join(sending, receiving).await;
            room = back;
            assert_eq!(sent.0.expect("sent"), BYTES);
            data = sent.1;
        }
    });
    task.expect("spawned").wait().expect("the bytes arrive");
    assert_eq!(engine.metrics().fallbacks_copied_send, 1);
}

/// The limit on locked memory is for all engines of a user: the second finds it used up when it needs
/// its first slab, says so and goes on.
fn a_second_engine() {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    fn report(message: std::fmt::Arguments<'_>) {
        let text = message.to_string();
        assert!(text.contains("ulimit -l") && text.contains("8388608"), "{text}");
        TOLD.fetch_add(1, SeqCst);
    }
    let start = || {
        let builder = Engine::builder().cores(1).pool_bytes(6 << 20).driver(DriverChoice::Uring);
        builder.configure(|config| config.report = report).start().expect("io_uring")
    };
    let (first, second) = (start(), start());
    if !second.capabilities().buffers_registered() {
        // A kernel that takes all slabs at the start or none.
        return assert!(first.metrics().fallbacks_unregistered_memory == 0);
    }
    for (engine, told) in [(&first, 0), (&second, 1)] {
        assert!(engine.capabilities().buffers_registered(), "{:?}", engine.capabilities());
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        let task = engine.on_core(0, move |core| async move {
            let options = OpenOptions::new().read().write().create().direct(true);
            let file = File::open(&core, &path, &options).await.expect("made");
            for seed in 0..2 {
                let data = filled(&core, 1 << 20, seed).await;
                file.write_at(&core, data, 0..1 << 20, 0).await.0.expect("written");
            }
        });
        task.expect("spawned").wait().expect("the I/O works");
        assert_eq!(TOLD.load(SeqCst), told);
        let metrics = engine.metrics();
        assert_eq!(metrics.fallbacks_unregistered_memory, told as u64);
        let registered = if told == 0 { 2 << 20 } else { 0 };
        assert_eq!(metrics.file_bytes_registered, registered);
    }
}

/// The filter holds for the thread that installs it and for those that it starts.
#[test]
fn a_seccomp_filter_without_io_uring_is_named() {
    let thread = std::thread::spawn(|| {
        forbid_io_uring();
        let builder = || Engine::builder().cores(1).pool_bytes(8 << 20);
        let demanded = builder().driver(DriverChoice::Uring).start().map(drop);
        let engine = builder().start().expect("another driver");
        (demanded, engine.capabilities().clone())
    });
    let (demanded, capabilities) = thread.join().expect("no panic");
    let error = demanded.expect_err("refused");
    assert!(matches!(error, Error::RingRefused { errno: libc::EPERM, .. }), "{error:?}");
    assert_eq!(capabilities.driver, "poll");
    let ring = capabilities.features.iter().find(|feature| feature.name == "io_uring");
    let FeatureState::Refused(why) = &ring.expect("noted").state else { panic!("granted") };
    for text in [error.to_string(), why.clone()] {
        for word in ["seccomp", "kernel.io_uring_disabled", "io_uring_setup"] {
            assert!(text.contains(word), "{text}");
        }
    }
}

/// As above. What opens files by `openat` alone still may.
#[test]
fn a_filter_without_openat2_is_named_and_plain_paths_are_opened() {
    std::thread::spawn(|| {
        forbid(libc::SYS_openat2 as u32..=libc::SYS_openat2 as u32, libc::ENOSYS);
        let mut host = Host::kernel(DriverChoice::Poll, config());
        let capabilities = host.engine().capabilities().clone();
        let openat2 = capabilities.features.iter().find(|feature| feature.name == "openat2");
        let FeatureState::Refused(why) = &openat2.expect("noted").state else { panic!("granted") };
        assert!(why.contains("seccomp") && why.contains("SEC-2"), "{why}");
        host.run(|core, place| async move {
            let path = place.path("plain");
            let options = OpenOptions::new().read().write().create_new();
            let file = File::open(&core, &path, &options).await.expect("made");
            let data = filled(&core, 4096, 1).await;
            file.write_at(&core, data, 0..4096, 0).await.0.expect("written");
            let again = File::open(&core, &path, &options).await.expect_err("it is there");
            assert_eq!(again.errno(), Some(libc::EEXIST));
            let directory = OpenOptions::new().read().directory();
            let dir = File::open(&core, &place.dir, &directory).await.expect("opened");
            let reading = OpenOptions::new().read();
            let beneath = dir.open_beneath(&core, "plain".as_ref(), &reading).await;
            let error = beneath.expect_err("nothing could keep it beneath");
            assert_eq!(error.errno(), Some(libc::ENOSYS));
            assert!(error.to_string().contains("seccomp"), "{error}");
        });
        host.finish();
    })
    .join()
    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn a_forked_child_is_told_so_and_harms_nothing() {
    kernels(&config()).for_each(fork_a_child);
}

fn fork_a_child(mut host: Host) {
    let engine = host.engine();
    let held = host.run(|core, _| async move { filled(&core, 4096, 1).await });
    let serve = |core: Core, ()| async move { core.sleep(LIMIT).await };
    let service = Service::start(&engine, 0, 2, serve).expect("started");
    let [asked, awaited] = [(); 2].map(|()| service.ask(()).expect("vacant"));
    let task = engine.on_core(0, |core| async move { core.sleep(LIMIT).await }).expect("spawned");
    // SAFETY: the child calls only what a child may: the engine, which answers without a lock, and
    // `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", std::io::Error::last_os_error());
    if child == 0 {
        let spawned = engine.on_core(0, |_| async {}).map(drop);
        let stopped = engine.stop();
        let right = matches!(spawned, Err(Error::Forked))
            && matches!(stopped, Err(Error::Forked))
            && matches!(service.ask(()), Err((Error::Forked, ())))
            && matches!(asked.wait(), Err(Error::Forked))
            && matches!(block_on(awaited), Ok(Err(Error::Forked)))
            && matches!(block_on(task), Ok(Err(Error::Forked)))
            && held.as_slice().is_empty()
            && engine.pool().try_lease(4096, "child").is_none()
            && engine.pool().stats().total_bytes == 0;
        drop((held, service));
        drop(engine);
        drop(host);
        // SAFETY: ends the child without running anything of the test harness.
        unsafe { libc::_exit(if right { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above; the status is ours.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status:#x}");
    check(held.as_slice(), 1);
    drop((held, asked, awaited, task));
    assert_eq!(host.run(|_, _| async { 7 }), 7, "the parent's engine goes on");
    drop(engine);
    host.finish();
}

/// `io_uring_setup`, `io_uring_enter` and `io_uring_register` answer EPERM, as in a container.
fn forbid_io_uring() {
    // Numbers of the three calls, the same on every architecture.
    forbid(425..=427, libc::EPERM);
}

/// The calls of these numbers answer `errno`.
fn forbid(calls: std::ops::RangeInclusive<u32>, errno: i32) {
    let load_number = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let jump_if_at_least = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
    let jump_if_above = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    let line = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut lines = [
        line(load_number, 0, 0, 0),
        line(jump_if_at_least, 0, 2, *calls.start()),
        line(jump_if_above, 1, 0, *calls.end()),
        line(answer, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        line(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: lines.len() as u16, filter: lines.as_mut_ptr() };
    // SAFETY: the program and its lines live until the calls are over.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program), 0);
    }
}

fn is_root() -> bool {
    std::fs::metadata(Path::new("/proc/self"))
        .is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0)
}
