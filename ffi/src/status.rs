//! The statuses of the header, and which error gets which.

use std::ffi::{CStr, c_char};

use hydrant::engine::{Error as EngineError, PoolError};
use hydrant::{Class, Error, ErrorKind};

/// What a call came to: 0 is good, below 0 an error. Values are frozen once given, but for those
/// from -1000 downwards.
pub type hyd_status = i32;

/// Done.
pub const HYD_OK: hyd_status = 0;
/// An argument, a URI or a struct makes no sense; the call did nothing.
pub const HYD_E_INVALID: hyd_status = -1;
/// The handle has ended, or is a handle of something else.
pub const HYD_E_HANDLE: hyd_status = -2;
/// The handle belongs to the parent process.
pub const HYD_E_FORKED: hyd_status = -3;
/// A mistake in the library; the engine can only be destroyed.
pub const HYD_E_PANIC: hyd_status = -4;
/// Settings, credentials, permissions or limits do not allow it.
pub const HYD_E_CONFIG: hyd_status = -5;
/// There is no such object or bucket.
pub const HYD_E_NOT_FOUND: hyd_status = -6;
/// Server or network failed, and all tries are used up: later may work.
pub const HYD_E_TEMPORARY: hyd_status = -7;
/// Lengths or checksums differ, or the object changed while it was read.
pub const HYD_E_INTEGRITY: hyd_status = -8;
/// The local disk is full, broken or read-only.
pub const HYD_E_DISK: hyd_status = -9;
/// It was cancelled, or the engine was destroyed before it ended.
pub const HYD_E_CANCELLED: hyd_status = -10;
/// This store cannot do that.
pub const HYD_E_UNSUPPORTED: hyd_status = -11;
/// Anything else; the message says what.
pub const HYD_E_OTHER: hyd_status = -12;
/// A limit is reached: the same call works once something was given back.
pub const HYD_E_AGAIN: hyd_status = -13;
/// Something still uses it.
pub const HYD_E_BUSY: hyd_status = -14;
/// This thread may not make this call.
pub const HYD_E_THREAD: hyd_status = -15;

/// A condition of the call (if_match, if_none_match, HYD_PUT_IF_ABSENT) does not hold: nothing was read
/// or written.
pub const HYD_E_CONDITION: hyd_status = -16;

/// Every status with its text. The short name before the colon is that of the header's constant.
pub const TEXTS: &[(hyd_status, &CStr)] = &[
    (HYD_OK, c"OK: done"),
    (HYD_E_INVALID, c"INVALID: an argument makes no sense"),
    (HYD_E_HANDLE, c"HANDLE: the handle has ended, or is a handle of something else"),
    (HYD_E_FORKED, c"FORKED: the handle belongs to the parent process"),
    (HYD_E_PANIC, c"PANIC: a mistake in the library; the engine can only be destroyed"),
    (HYD_E_CONFIG, c"CONFIG: settings, credentials, permissions or limits do not allow it"),
    (HYD_E_NOT_FOUND, c"NOT_FOUND: there is no such object or bucket"),
    (HYD_E_TEMPORARY, c"TEMPORARY: server or network failed; later may work"),
    (HYD_E_INTEGRITY, c"INTEGRITY: lengths or checksums differ, or the object changed meanwhile"),
    (HYD_E_DISK, c"DISK: the local disk is full, broken or read-only"),
    (HYD_E_CANCELLED, c"CANCELLED: it was cancelled, or the engine was destroyed"),
    (HYD_E_UNSUPPORTED, c"UNSUPPORTED: this store cannot do that"),
    (HYD_E_OTHER, c"OTHER: see the message"),
    (HYD_E_AGAIN, c"AGAIN: a limit is reached; it works once something was given back"),
    (HYD_E_BUSY, c"BUSY: something still uses it"),
    (HYD_E_THREAD, c"THREAD: this thread may not make this call"),
    (HYD_E_CONDITION, c"CONDITION: a condition of the call does not hold"),
];

/// Static English text for a status: a short name that stays, a colon, an explanation. A value that
/// this library does not know has text too.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_status_str(status: hyd_status) -> *const c_char {
    let known = TEXTS.iter().find(|(value, _)| *value == status);
    known.map_or(c"UNKNOWN: a status of another version", |(_, text)| *text).as_ptr()
}

/// What a C program is told of an error.
pub fn of(error: &Error) -> hyd_status {
    if error.is_condition() {
        return HYD_E_CONDITION;
    }
    match error.kind() {
        ErrorKind::Engine(EngineError::Forked | EngineError::Pool(PoolError::Forked)) => {
            HYD_E_FORKED
        }
        ErrorKind::Engine(EngineError::Panicked { .. }) => HYD_E_PANIC,
        ErrorKind::Engine(EngineError::WouldDeadlock) => HYD_E_THREAD,
        ErrorKind::Engine(EngineError::Busy { .. }) => HYD_E_AGAIN,
        ErrorKind::Unsupported(_) => HYD_E_UNSUPPORTED,
        ErrorKind::LeftBehind { error, .. }
        | ErrorKind::Kept { error, .. }
        | ErrorKind::NotAborted { source: error, .. } => of(error),
        _ => of_class(error.class()),
    }
}

fn of_class(class: Class) -> hyd_status {
    match class {
        Class::Usage => HYD_E_INVALID,
        Class::Config => HYD_E_CONFIG,
        Class::NotFound => HYD_E_NOT_FOUND,
        Class::Temporary => HYD_E_TEMPORARY,
        Class::Integrity => HYD_E_INTEGRITY,
        Class::Disk => HYD_E_DISK,
        Class::Cancelled => HYD_E_CANCELLED,
        _ => HYD_E_OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_names_are_there_once() {
        for (index, (status, text)) in TEXTS.iter().enumerate() {
            assert_eq!(*status, -(index as hyd_status), "{text:?}");
        }
    }

    #[test]
    fn errors_that_the_engine_knows_by_name_have_statuses_of_their_own() {
        let panicked = || EngineError::Panicked { message: "x".into() };
        let kept = ErrorKind::Kept { error: panicked().into(), left: "x".into() };
        assert_eq!(of(&kept.into()), HYD_E_PANIC);
        assert_eq!(of(&panicked().into()), HYD_E_PANIC);
        assert_eq!(of(&EngineError::Forked.into()), HYD_E_FORKED);
        assert_eq!(of(&PoolError::Forked.into()), HYD_E_FORKED);
        assert_eq!(of(&EngineError::Stopped.into()), HYD_E_CANCELLED);
        assert_eq!(of(&EngineError::WouldDeadlock.into()), HYD_E_THREAD);
        assert_eq!(of(&ErrorKind::Unsupported("no".into()).into()), HYD_E_UNSUPPORTED);
        let other = ErrorKind::Condition { object: "mem://a/b".into(), detail: "no".into() };
        assert_eq!(of(&other.into()), HYD_E_CONDITION);
        let missing = ErrorKind::NotFound { object: "mem://a/b".into() };
        assert_eq!(of(&missing.into()), HYD_E_NOT_FOUND);
    }
}
