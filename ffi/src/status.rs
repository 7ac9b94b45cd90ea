//! The statuses of the header, and which error gets which.

use std::ffi::{CStr, c_char};

use hydrant::engine::{Error as EngineError, PoolError};
use hydrant::{Class, Error, ErrorKind};

/// `hyd_status`: 0 is good, below 0 an error. The values are frozen.
pub type Status = i32;

pub const OK: Status = 0;
pub const INVALID: Status = -1;
pub const HANDLE: Status = -2;
pub const FORKED: Status = -3;
pub const PANIC: Status = -4;
pub const CONFIG: Status = -5;
pub const NOT_FOUND: Status = -6;
pub const TEMPORARY: Status = -7;
pub const INTEGRITY: Status = -8;
pub const DISK: Status = -9;
pub const CANCELLED: Status = -10;
pub const UNSUPPORTED: Status = -11;
pub const OTHER: Status = -12;

/// Every status with its text. The short name before the colon is that of the header's constant.
pub const TEXTS: &[(Status, &CStr)] = &[
    (OK, c"OK: done"),
    (INVALID, c"INVALID: an argument makes no sense"),
    (HANDLE, c"HANDLE: the handle was destroyed, or is a handle of something else"),
    (FORKED, c"FORKED: the handle belongs to the parent process"),
    (PANIC, c"PANIC: a mistake in the library; the engine can only be destroyed"),
    (CONFIG, c"CONFIG: settings, credentials, permissions or limits do not allow it"),
    (NOT_FOUND, c"NOT_FOUND: there is no such object or bucket"),
    (TEMPORARY, c"TEMPORARY: server or network failed; later may work"),
    (INTEGRITY, c"INTEGRITY: lengths or checksums differ, or the object changed meanwhile"),
    (DISK, c"DISK: the local disk is full, broken or read-only"),
    (CANCELLED, c"CANCELLED: the engine was destroyed before the call ended"),
    (UNSUPPORTED, c"UNSUPPORTED: this store cannot do that"),
    (OTHER, c"OTHER: see the message"),
];

/// The text of a status.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_status_str(status: Status) -> *const c_char {
    let known = TEXTS.iter().find(|(value, _)| *value == status);
    known.map_or(c"UNKNOWN: a status of another version", |(_, text)| *text).as_ptr()
}

/// What a C program is told of an error.
pub fn of(error: &Error) -> Status {
    match error.kind() {
        ErrorKind::Engine(EngineError::Forked | EngineError::Pool(PoolError::Forked)) => FORKED,
        ErrorKind::Engine(EngineError::Panicked { .. }) => PANIC,
        ErrorKind::Unsupported(_) => UNSUPPORTED,
        ErrorKind::LeftBehind { error, .. } => of(error),
        _ => of_class(error.class()),
    }
}

fn of_class(class: Class) -> Status {
    match class {
        Class::Usage => INVALID,
        Class::Config => CONFIG,
        Class::NotFound => NOT_FOUND,
        Class::Temporary => TEMPORARY,
        Class::Integrity => INTEGRITY,
        Class::Disk => DISK,
        Class::Cancelled => CANCELLED,
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_names_are_there_once() {
        for (index, (status, text)) in TEXTS.iter().enumerate() {
            assert_eq!(*status, -(index as Status), "{text:?}");
        }
    }

    #[test]
    fn errors_that_the_engine_knows_by_name_have_statuses_of_their_own() {
        let panicked = EngineError::Panicked { message: "x".into() };
        assert_eq!(of(&panicked.into()), PANIC);
        assert_eq!(of(&EngineError::Forked.into()), FORKED);
        assert_eq!(of(&PoolError::Forked.into()), FORKED);
        assert_eq!(of(&EngineError::Stopped.into()), CANCELLED);
        assert_eq!(of(&ErrorKind::Unsupported("no".into()).into()), UNSUPPORTED);
        assert_eq!(of(&ErrorKind::NotFound { object: "mem://a/b".into() }.into()), NOT_FOUND);
    }
}
