//! What is slower than it could be here: the cause, and the command that mends it.

use hydrant::engine::{ArenaBacking, Direct};

use crate::human;

/// What was found, as far as something can be done about it.
#[derive(Debug, Clone)]
pub struct Found {
    /// Why io_uring is not used, if it is not and nobody asked for that.
    pub ring_refused: Option<String>,
    /// The value of `kernel.io_uring_disabled`.
    pub io_uring_disabled: String,
    /// Whether a filter of system calls is in force (`Seccomp` of proc(5)).
    pub seccomp: bool,
    pub registered: bool,
    pub memlock_limit_bytes: Option<u64>,
    pub arena: ArenaBacking,
    pub pool_bytes: u64,
    /// What the current directory's file system says to O_DIRECT.
    pub direct: Option<Direct>,
}

/// One thing that could be better.
#[derive(Debug, PartialEq, Eq)]
pub struct Advice {
    pub cause: String,
    pub mend: String,
}

/// The worst first.
pub fn advice(found: &Found) -> Vec<Advice> {
    [ring(found), memory(found), pages(found), direct(found)].into_iter().flatten().collect()
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

fn memory(found: &Found) -> Option<Advice> {
    if found.registered || found.ring_refused.is_some() {
        return None;
    }
    let limit = found.memlock_limit_bytes.filter(|limit| *limit < found.pool_bytes)?;
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
    Some(Advice { cause: cause.to_owned(), mend: format!("sysctl -w vm.nr_hugepages={pages}") })
}

fn direct(found: &Found) -> Option<Advice> {
    (found.direct? == Direct::Refused).then(|| Advice {
        cause:
            "the file system of this directory refuses O_DIRECT: file bytes go through the page \
                cache"
                .to_owned(),
        mend: "keep large files on ext4, xfs or btrfs (findmnt -T . shows what this is)".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best() -> Found {
        Found {
            ring_refused: None,
            io_uring_disabled: "0".into(),
            seccomp: false,
            registered: true,
            memlock_limit_bytes: None,
            arena: ArenaBacking::HugeTlb,
            pool_bytes: 256 << 20,
            direct: Some(Direct::Yes { memory_align: 4, offset_align: 512 }),
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
    fn pages_are_counted_for_the_pool() {
        let found = Found { arena: ArenaBacking::Small, pool_bytes: (256 << 20) + 1, ..best() };
        assert!(advice(&found)[0].mend.ends_with("nr_hugepages=129"));
    }
}
