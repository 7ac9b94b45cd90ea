//! What is slower than it could be here: the cause, and the command that mends it.

use std::path::PathBuf;

use hydrant::engine::ArenaBacking;

use crate::human;

/// What was found, as far as something can be done about it.
#[derive(Debug, Clone)]
pub struct Found {
    /// Why io_uring is not used, if it is not and nobody asked for that.
    pub ring_refused: Option<String>,
    /// The kernel's release.
    pub kernel: String,
    /// What is done without, and why; not what the poll driver has none of.
    pub refused: Vec<(&'static str, String)>,
    /// The value of `kernel.io_uring_disabled`.
    pub io_uring_disabled: String,
    /// Whether a filter of system calls is in force (`Seccomp` of proc(5)).
    pub seccomp: bool,
    pub registered: bool,
    pub memlock_limit_bytes: Option<u64>,
    pub arena: ArenaBacking,
    pub pool_bytes: u64,
    /// Directories whose file systems refuse O_DIRECT.
    pub refusing: Vec<PathBuf>,
}

impl Found {
    fn why_refused(&self, feature: &str) -> Option<&str> {
        let refused = self.refused.iter().find(|(name, _)| *name == feature);
        refused.map(|(_, why)| why.as_str())
    }
}

/// The Linux versions from which on features of the ring are there.
const SINCE: [(&str, (u32, u32)); 8] = [
    ("SUBMIT_ALL", (5, 18)),
    ("TASKRUN_FLAG", (5, 19)),
    ("SINGLE_ISSUER", (6, 0)),
    ("DEFER_TASKRUN", (6, 1)),
    ("zero-copy send", (6, 1)),
    ("NO_SQARRAY", (6, 6)),
    ("ftruncate in the ring", (6, 9)),
    ("NO_IOWAIT", (6, 15)),
];

/// One thing that could be better.
#[derive(Debug, PartialEq, Eq)]
pub struct Advice {
    pub cause: String,
    pub mend: String,
}

/// The worst first.
pub fn advice(found: &Found) -> Vec<Advice> {
    let ways = [ring, paths, memory, kernel, files, pages, direct, pinning];
    ways.into_iter().filter_map(|way| way(found)).collect()
}

fn ring(found: &Found) -> Option<Advice> {
    let why = found.ring_refused.as_ref()?;
    let mend = if matches!(found.io_uring_disabled.as_str(), "1" | "2") {
        "sysctl -w kernel.io_uring_disabled=0".to_owned()
    } else if found.seccomp {
        "run the container with a profile that allows io_uring_setup, io_uring_enter and \
         io_uring_register (docker run --security-opt seccomp=PROFILE.json)"
            .to_owned()
    } else {
        format!("Linux 6.1 or newer; the kernel says: {why}")
    };
    let cause = "io_uring is refused: more system calls, copies and threads for the same bytes";
    Some(Advice { cause: cause.to_owned(), mend })
}

fn paths(found: &Found) -> Option<Advice> {
    let why = found.why_refused("openat2")?;
    let mend = if found.seccomp {
        "run the container with a profile that allows openat2 (docker run --security-opt seccomp=PROFILE.json)"
    } else {
        "Linux 5.6 or newer"
    };
    Some(Advice {
        cause: format!("what has to stay beneath a directory cannot be opened: {why}"),
        mend: mend.to_owned(),
    })
}

fn pinning(found: &Found) -> Option<Advice> {
    let why = found.why_refused("pinned core")?;
    Some(Advice {
        cause: format!("cores are not bound to CPUs, and move between them: {why}"),
        mend: "taskset -p $$ and cpuset.cpus.effective of the control group show the CPUs that are allowed; \
               ask for no more cores than these"
            .to_owned(),
    })
}

fn memory(found: &Found) -> Option<Advice> {
    if found.registered || found.ring_refused.is_some() {
        return None;
    }
    let Some(limit) = found.memlock_limit_bytes.filter(|limit| *limit < found.pool_bytes) else {
        return unregistered(found);
    };
    Some(Advice {
        cause: format!(
            "the pool of {} is not registered, because only {} may be locked: each disk I/O pins \
             its memory anew",
            human::size(found.pool_bytes),
            human::size(limit)
        ),
        mend: "ulimit -l unlimited, LimitMEMLOCK=infinity in a systemd unit, or \
               docker run --ulimit memlock=-1"
            .to_owned(),
    })
}

/// The limit is not what stands in the way.
fn unregistered(found: &Found) -> Option<Advice> {
    let why = found.why_refused("arena registered")?;
    // ENOMEM
    let mend = if why.contains("os error 12") {
        "ulimit -l unlimited: the limit is for all processes of a user together, and others hold a part of it"
    } else {
        "Linux 6.12 or newer, where a registration can be cloned into each core's ring"
    };
    let cause =
        format!("the pool is not registered, and each disk I/O pins its memory anew: {why}");
    Some(Advice { cause, mend: mend.to_owned() })
}

fn kernel(found: &Found) -> Option<Advice> {
    let running = version(&found.kernel)?;
    let is_refused = |name| found.why_refused(name).is_some();
    let lacking = SINCE.iter().filter(|(name, since)| *since > running && is_refused(name));
    let lacking: Vec<_> = lacking.collect();
    let (major, minor) = lacking.iter().map(|(_, since)| since).max()?;
    let names: Vec<_> = lacking.iter().map(|(name, _)| *name).collect();
    Some(Advice {
        cause: format!("Linux {} lacks {}", found.kernel, names.join(", ")),
        mend: format!("Linux {major}.{minor} or newer, from the backports of the distribution"),
    })
}

/// Major and minor number of a release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|it: char| !it.is_ascii_digit()).map(|text| text.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

fn files(found: &Found) -> Option<Advice> {
    let why = found.why_refused("installed files")?;
    // EMFILE: the table has more places than the process may have files.
    if !why.contains("os error 24") {
        return None;
    }
    Some(Advice {
        cause: format!("files are not installed in the ring, and are looked up each time: {why}"),
        mend: "ulimit -n 65536, or LimitNOFILE=65536 in a systemd unit".to_owned(),
    })
}

fn pages(found: &Found) -> Option<Advice> {
    const HUGE_PAGE_BYTES: u64 = 2 << 20;
    let cause = match found.arena {
        ArenaBacking::HugeTlb => return None,
        ArenaBacking::TransparentHuge => {
            "huge pages are granted when the kernel has some, not for certain"
        }
        _ => "the pool lies in pages of 4 KiB, which take longer to register and to look up",
    };
    let pages = found.pool_bytes.div_ceil(HUGE_PAGE_BYTES);
    let mut mend = format!("sysctl -w vm.nr_hugepages={pages}");
    if found.arena == ArenaBacking::Small {
        mend += ", or echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";
    }
    Some(Advice { cause: cause.to_owned(), mend })
}

fn direct(found: &Found) -> Option<Advice> {
    let first = found.refusing.first()?.display();
    let all: Vec<_> = found.refusing.iter().map(|dir| dir.display().to_string()).collect();
    Some(Advice {
        cause: format!(
            "the file system of {} refuses O_DIRECT: file bytes go through the page cache",
            all.join(", ")
        ),
        mend: format!(
            "keep large files on ext4, xfs or btrfs (findmnt -T {first} shows what this is)"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best() -> Found {
        Found {
            ring_refused: None,
            kernel: "6.18.44".into(),
            refused: Vec::new(),
            io_uring_disabled: "0".into(),
            seccomp: false,
            registered: true,
            memlock_limit_bytes: None,
            arena: ArenaBacking::HugeTlb,
            pool_bytes: 256 << 20,
            refusing: Vec::new(),
        }
    }

    #[test]
    fn the_best_machine_needs_no_advice() {
        assert_eq!(advice(&best()), []);
    }

    #[test]
    fn a_refused_ring_is_told_by_its_cause() {
        let refused = Found { ring_refused: Some("EPERM".into()), ..best() };
        let mend = |found: Found| advice(&found).remove(0).mend;
        let by_sysctl = Found { io_uring_disabled: "2".into(), ..refused.clone() };
        assert!(mend(by_sysctl).contains("kernel.io_uring_disabled=0"));
        assert!(mend(Found { seccomp: true, ..refused.clone() }).contains("seccomp="));
        assert!(mend(refused).contains("6.1"));
    }

    #[test]
    fn a_limit_of_locked_memory_names_need_and_limit() {
        let found = Found { registered: false, memlock_limit_bytes: Some(8 << 20), ..best() };
        let found = advice(&found);
        assert_eq!(found.len(), 1);
        assert!(found[0].cause.contains("256") && found[0].cause.contains('8'), "{found:?}");
        assert!(found[0].mend.contains("ulimit -l"));
    }

    #[test]
    fn memory_that_is_refused_for_another_reason_tells_that() {
        let refused = |why: &str| vec![("arena registered", why.to_owned())];
        let found = |why| advice(&Found { registered: false, refused: refused(why), ..best() });
        let full = std::io::Error::from_raw_os_error(12).to_string();
        assert!(
            found(&full)[0].cause.contains(&full) && found(&full)[0].mend.contains("ulimit -l")
        );
        let old = found("a registration cannot be cloned (Linux 6.12 can): EINVAL");
        assert!(old[0].mend.starts_with("Linux 6.12"), "{old:?}");
        // The poll driver registers nothing, and that is told by the ring's advice.
        assert_eq!(advice(&Found { registered: false, ..best() }), []);
    }

    #[test]
    fn what_a_newer_kernel_has_is_told_by_its_version() {
        let refused = ["NO_IOWAIT", "NO_SQARRAY"].map(|name| (name, "EINVAL".to_owned()));
        let old = Found { kernel: "6.1.0-28-amd64".into(), refused: refused.into(), ..best() };
        let found = advice(&old);
        assert_eq!(found.len(), 1);
        assert!(found[0].cause.contains("NO_SQARRAY, NO_IOWAIT"), "{found:?}");
        assert!(found[0].mend.starts_with("Linux 6.15 or newer"), "{found:?}");
        // Then it is for another reason, which the features tell.
        for kernel in ["6.15", "7.0-rc1", "unheard of"] {
            assert_eq!(advice(&Found { kernel: kernel.into(), ..old.clone() }), [], "{kernel}");
        }
    }

    #[test]
    fn files_that_cannot_be_installed_name_the_limit() {
        let refused = |why: String| vec![("installed files", why)];
        let limit = std::io::Error::from_raw_os_error(24).to_string();
        let found = advice(&Found { refused: refused(limit.clone()), ..best() });
        assert!(found[0].cause.contains(&limit) && found[0].mend.contains("ulimit -n"));
        let by_config = refused("ring.installed_files_max is 0".to_owned());
        assert_eq!(advice(&Found { refused: by_config, ..best() }), []);
    }

    #[test]
    fn paths_and_cpus_that_are_refused_are_told_with_their_cause() {
        let refused = |name| Found { refused: vec![(name, "EPERM".to_owned())], ..best() };
        let filtered = advice(&Found { seccomp: true, ..refused("openat2") });
        assert!(filtered[0].cause.contains("EPERM") && filtered[0].mend.contains("allows openat2"));
        assert!(advice(&refused("openat2"))[0].mend.starts_with("Linux 5.6"));
        let unbound = advice(&refused("pinned core"));
        assert!(unbound[0].cause.contains("EPERM") && unbound[0].mend.contains("cpuset"));
    }

    #[test]
    fn directories_without_direct_io_are_named() {
        let refusing = vec!["/a".into(), "/b".into()];
        let found = advice(&Found { refusing, ..best() });
        assert!(found[0].cause.contains("of /a, /b refuses"), "{found:?}");
        assert!(found[0].mend.contains("findmnt -T /a "), "{found:?}");
    }

    #[test]
    fn pages_are_counted_for_the_pool() {
        let found = Found { arena: ArenaBacking::Small, pool_bytes: (256 << 20) + 1, ..best() };
        assert!(
            advice(&found)[0].mend.starts_with("sysctl -w vm.nr_hugepages=129, or echo madvise")
        );
        let found = Found { arena: ArenaBacking::TransparentHuge, ..found };
        assert!(advice(&found)[0].mend.ends_with("nr_hugepages=129"));
    }
}
